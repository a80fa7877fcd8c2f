#include "modules/evaluate.hpp"

#include <numeric>

#include "core/outage.hpp"

namespace theta {

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
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const Result<Prediction>& prediction = out.predictions[i];
    double score = 0;
    auto status = Outcome::Status::kScored;
    if (prediction) {
      check_trace(predictors, prediction->trace);
      score = metric(examples[i], *prediction);
      require(score >= 0 && score <= 1, "a metric is in [0, 1]");
    } else {
      status = status_of(prediction.error());
      out.n_unparsable += status == Outcome::Status::kUnparsable;
      out.n_refused += status == Outcome::Status::kRefused;
      out.n_failed += status == Outcome::Status::kFailed;
    }
    out.scores.push_back(score);
    out.status.push_back(status);
  }
  return out;
}

}  // namespace theta
