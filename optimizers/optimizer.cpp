#include "optimizers/optimizer.hpp"

#include <nlohmann/json.hpp>

#include "modules/evaluate.hpp"
#include "optimizers/search.hpp"

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

Contest::Contest(std::string name, const Task& task) : name_(std::move(name)), task_(task) {
  if (task.validation.empty()) throw UserError("optimising needs validation examples");
}

bool Contest::enter(const std::function<std::unique_ptr<Module>()>& build) {
  if (stopped_) return true;
  std::unique_ptr<Module> program;
  Scores scores(task_.validation.size());
  TrialRecord trial;
  try {
    if (task_.stop.stop_requested()) throw Interrupted("the search was stopped");
    program = build();
    const auto evaluation =
        evaluate(*program, task_.validation, task_.metric, {task_.model, task_.stop});
    trial.score = evaluation.mean();
    for (std::size_t j = 0; j < scores.size(); ++j)
      if (evaluation.status[j] != Outcome::Status::kFailed) scores[j] = evaluation.scores[j];
  } catch (const Interrupted&) {
    if (!best_) throw;
    return stopped_ = true;
  }
  trial.search = name_;
  trial.number = static_cast<int>(trials_.size()) + 1;
  trial.kind = best_ ? "full" : "default";
  trial.candidate = describe(*program);
  evaluations_ += static_cast<std::int64_t>(scores.size());
  trial.evaluations = evaluations_;
  if (!best_ || better(scores, scores_)) {
    best_ = std::move(program);
    scores_ = std::move(scores);
  }
  trials_.push_back(trial);
  return stopped_ = task_.on_trial && task_.on_trial(trials_.back());
}

double Contest::score() const { return mean(scores_); }

Compiled Contest::result() && {
  require(best_ != nullptr, "a contest has had an entry");
  const double best = score();
  return {std::move(best_), best, std::move(trials_), stopped_, {}};
}

}  // namespace theta
