#include "optimizers/optimizer.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace theta {

std::string describe(const Module& program, const Combination& combination) {
  nlohmann::ordered_json candidate;
  if (!combination.empty()) candidate["combination"] = combination;
  for (const auto* predictor : program.predictors())
    candidate["predictors"][predictor->name] = {{"instruction", predictor->signature.instructions},
                                                {"demos", predictor->demos.size()}};
  // Instructions may hold bytes that a model made up.
  return candidate.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

TrialRecord record_of(std::string search, const Trial& trial, std::string candidate) {
  return {.search = std::move(search),
          .number = trial.number,
          .kind = trial.kind,
          .candidate = std::move(candidate),
          .score = trial.score,
          .evaluations = trial.evaluations,
          .improved = trial.improved,
          .best = trial.best.score,
          .low = trial.best.interval.low,
          .high = trial.best.interval.high};
}

Scores scores_of(const Evaluation& evaluation) {
  Scores scores;
  for (const auto& result : results_of(evaluation))
    scores.push_back(result ? std::optional(*result) : std::nullopt);
  return scores;
}

std::vector<Result<double>> results_of(const Evaluation& evaluation) {
  std::vector<Result<double>> results;
  for (std::size_t j = 0; j < evaluation.scores.size(); ++j) {
    if (evaluation.status[j] == Outcome::Status::kFailed)
      results.emplace_back(evaluation.predictions[j].error());
    else
      results.emplace_back(evaluation.scores[j]);
  }
  return results;
}

void check_budget(std::size_t validation_examples, std::int64_t max_evaluations) {
  if (validation_examples == 0) throw UserError("optimising needs validation examples");
  const auto least = static_cast<std::int64_t>(validation_examples);
  if (max_evaluations > 0 && max_evaluations < least)
    throw UserError(
        fmt::format("max_evaluations is {}, and the program alone is evaluated on {} examples",
                    max_evaluations, least));
}

Contest::Contest(std::string name, const Task& task) : name_(std::move(name)), task_(task) {
  check_task(task);
}

bool Contest::affords(std::size_t evaluations) const {
  return task_.max_evaluations == 0 ||
         evaluations_ + static_cast<std::int64_t>(evaluations) <= task_.max_evaluations;
}

std::optional<Scores> Contest::enter(const std::function<std::unique_ptr<Module>()>& build) {
  over_ = over_ || !affords(task_.validation.size());
  if (over_) return std::nullopt;
  std::unique_ptr<Module> program;
  const bool built = step([&] {
    if (task_.stop.stop_requested()) throw Interrupted("the search was stopped");
    program = build();
  });
  if (!built) return std::nullopt;
  const auto evaluation = run(*program, task_.validation);
  if (!evaluation) return std::nullopt;
  Scores scores = scores_of(*evaluation);
  std::string candidate = describe(*program);
  const bool first = best_ == nullptr;
  const bool improved = !first && better(scores, scores_);
  if (first || improved) {
    best_ = std::move(program);
    scores_ = scores;
  }
  record(first ? "default" : "full", std::move(candidate), evaluation->mean(), improved);
  return scores;
}

bool Contest::step(const std::function<void()>& work) {
  try {
    work();
  } catch (const Interrupted&) {
    if (!best_) throw;
    over_ = stopped_ = true;
  }
  return !over_;
}

std::optional<Evaluation> Contest::sample(const Module& program,
                                          std::span<const Example> examples) {
  auto evaluation = run(program, examples);
  if (evaluation) record("minibatch", describe(program), evaluation->mean(), false);
  return evaluation;
}

std::optional<Evaluation> Contest::run(const Module& program, std::span<const Example> examples) {
  std::optional<Evaluation> evaluation;
  const bool done = step([&] {
    evaluation = evaluate(program, examples, task_.metric, {task_.model, task_.stop});
  });
  if (!done) return std::nullopt;
  evaluations_ += static_cast<std::int64_t>(examples.size());
  if (!outages_.answered(results_of(*evaluation))) return std::nullopt;
  return evaluation;
}

void Contest::record(const char* kind, std::string candidate, double score, bool improved) {
  const Trial trial{.number = static_cast<int>(trials_.size()) + 1,
                    .kind = kind,
                    .score = score,
                    .evaluations = evaluations_,
                    .improved = improved,
                    .best = measured(scores_)};
  trials_.push_back(record_of(name_, trial, std::move(candidate)));
  if (task_.on_trial && task_.on_trial(trials_.back())) over_ = stopped_ = true;
}

Compiled Contest::result(const ProposalCounts& proposals) && {
  require(best_ != nullptr, "a contest has had an entry");
  const double best = score();
  return {.program = std::move(best_),
          .validation_score = best,
          .validated = task_.validation.size(),
          .trials = std::move(trials_),
          .stopped = stopped_,
          .proposals = proposals};
}

}  // namespace theta
