#include "optimizers/pipeline.hpp"

#include <cmath>

namespace theta {

Pipeline::Pipeline(std::vector<std::unique_ptr<Optimizer>> steps) : steps_(std::move(steps)) {
  require(!steps_.empty(), "a pipeline has a step");
}

Compiled Pipeline::search(const Module& student, const Task& task) {
  check_task(task);
  Compiled made;
  made.program = student.clone();
  std::int64_t spent = 0;
  for (const auto& step : steps_) {
    Task own = task;
    if (task.max_evaluations > 0) {
      own.max_evaluations = task.max_evaluations - spent;
      if (own.max_evaluations < static_cast<std::int64_t>(task.validation.size())) break;
    }
    const auto first = static_cast<int>(made.trials.size());
    own.on_trial = [&](TrialRecord trial) {
      trial.search = name();
      trial.number += first;
      trial.evaluations += spent;
      made.trials.push_back(trial);
      if (task.on_trial) task.on_trial(trial);
    };
    try {
      Compiled next = step->search(*made.program, own);
      if (first == 0) made.validation_score = made.student_score = next.student_score;
      if (next.gain && next.gain->mean() > 0) {
        made.gain = made.gain ? Belief::normal(made.gain->mean() + next.gain->mean(),
                                               std::hypot(made.gain->sd(), next.gain->sd()))
                              : next.gain;
        made.program = std::move(next.program);
        made.validation_score = next.validation_score;
      }
      made.stopped = next.stopped;
      made.proposals += next.proposals;
      if (!next.front.empty()) made.front = std::move(next.front);
    } catch (const Interrupted&) {
      if (made.trials.empty()) throw;
      made.stopped = true;
    }
    if (made.stopped) break;
    spent = made.trials.back().evaluations;
  }
  return made;
}

}  // namespace theta
