#pragma once

#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/store.hpp"
#include "modules/metric.hpp"
#include "modules/module.hpp"

namespace theta {

/// What a search tries to raise and what it may use. One Task serves every optimiser.
struct Task {
  std::vector<Example> train;       ///< demos and data summaries come from here
  std::vector<Example> validation;  ///< the only examples that decide
  Metric metric;
  LanguageModel& model;     ///< runs the program (DSPy's task model)
  LanguageModel& proposer;  ///< writes instructions (prompt model)
  LanguageModel& teacher;   ///< bootstraps demos
  std::stop_token stop;
  /// Called after every evaluation; returning true stops the search with the best so far.
  std::function<bool(const TrialRecord&)> on_trial;
};

struct Compiled {
  std::unique_ptr<Module> program;  ///< never worse than the student on validation as measured
  double validation_score = 0;
  std::vector<TrialRecord> trials;
};

/// DSPy's teleprompter: compile a student into a better program. A search is a deterministic
/// function of its options, its seed and the models' answers.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual std::string name() const = 0;
  virtual Compiled compile(const Module& student, const Task& task) = 0;
};

}  // namespace theta
