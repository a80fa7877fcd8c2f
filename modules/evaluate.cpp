#include "modules/evaluate.hpp"

#include <numeric>

#include "core/models/outage.hpp"

namespace theta {

namespace {

/// What stands in the place of a prediction without a grade. The program is not to blame, whatever
/// the metric's fault was.
Error ungraded(const Error& error, const Usage& usage) {
  return {.fault = Fault::kService,
          .message = "the metric has no grade: " + error.message,
          .prompt_tokens = usage.prompt_tokens,
          .generated_tokens = usage.generated_tokens};
}

}  // namespace

double Evaluation::mean() const {
  if (scores.empty()) throw RunError("there is no mean: nothing was evaluated");
  if (n_failed == scores.size()) {
    throw Outage("there is no mean: all " + std::to_string(n_failed) +
                 " examples failed, the first with: " + predictions.front().error().message);
  }
  // A failed example's score is 0 and stays out of the count.
  return std::accumulate(scores.begin(), scores.end(), 0.0) /
         static_cast<double>(scores.size() - n_failed);
}

Evaluation evaluate(const Module& program, std::span<const Example> examples, const Metric& metric,
                    const Call& call) {
  std::vector<Record> inputs;
  for (const Example& example : examples) inputs.push_back(example.fields);
  Evaluation out;
  out.predictions = program.run(inputs, call);
  require(out.predictions.size() == examples.size(), "a program answers every input");
  const auto predictors = program.predictors();
  std::vector<Graded> wave;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (!out.predictions[i]) continue;
    check_trace(predictors, out.predictions[i]->trace);
    wave.push_back({examples[i], *out.predictions[i]});
  }
  const auto grades = grade(metric, wave, call.stop);
  auto next = grades.begin();
  for (auto& prediction : out.predictions) {
    const Result<Grade> graded = prediction ? *next++ : Result<Grade>(Grade());
    if (!graded) prediction = ungraded(graded.error(), prediction->usage);
    const auto status = prediction ? Outcome::Status::kScored : status_of(prediction.error());
    out.n_unparsable += status == Outcome::Status::kUnparsable;
    out.n_refused += status == Outcome::Status::kRefused;
    out.n_failed += status == Outcome::Status::kFailed;
    out.scores.push_back(prediction ? graded->score : 0);
    out.feedback.push_back(prediction ? graded->feedback : "");
    out.status.push_back(status);
  }
  return out;
}

}  // namespace theta
