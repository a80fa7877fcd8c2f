#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/store.hpp"
#include "modules/metric.hpp"
#include "modules/module.hpp"
#include "optimizers/surrogate.hpp"

namespace theta {

/// What a search tries to raise and what it may use. One Task serves every optimiser.
struct Task {
  std::vector<Example> train;       ///< demos and data summaries come from here
  std::vector<Example> validation;  ///< the only examples that decide; not empty
  Metric metric;
  LanguageModel& model;     ///< runs the program (DSPy's task model)
  LanguageModel& proposer;  ///< writes instructions (prompt model)
  LanguageModel& teacher;   ///< bootstraps demos
  std::stop_token stop = {};
  /// Called after every evaluation; returning true stops the search with the best so far. The
  /// record's `search` is the optimiser's name, its `evaluations` all program runs on validation so
  /// far.
  std::function<bool(const TrialRecord&)> on_trial = {};
};

/// What came of the instructions that a proposer was asked for.
struct ProposalCounts {
  std::int64_t asked = 0;
  std::int64_t failed = 0;      ///< service
  std::int64_t unparsable = 0;  ///< or empty
  std::int64_t duplicate = 0;   ///< of the program's own instruction or of another proposal
  std::int64_t copied = 0;      ///< held text of a training example
};

struct Compiled {
  std::unique_ptr<Module> program;  ///< never worse than the student on validation as measured
  double validation_score = 0;      ///< of `program`, on all of validation that could be scored
  std::vector<TrialRecord> trials;
  bool stopped = false;      ///< by on_trial or the stop token: the best so far
  ProposalCounts proposals;  ///< 0 where nothing is proposed
};

/// DSPy's teleprompter: compile a student into a better program. A search is a deterministic
/// function of its options, its seed and the models' answers.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual std::string name() const = 0;
  /// @throws UserError if there is no validation example; RunError if a service answered nothing of
  ///   a step; Interrupted if stopped before the student was evaluated.
  virtual Compiled compile(const Module& student, const Task& task) = 0;
};

/// A candidate for the record, as JSON: its combination if it has one, and each predictor's
/// instruction and number of demos.
std::string describe(const Module& program, const Combination& combination = {});

/// Evaluates programs in full on a task's validation examples, one after another, and keeps the
/// best, the first of equals. What an optimiser without a search model is made of.
class Contest {
 public:
  /// @param name  the optimiser's, for the records.   `task` outlives this.
  Contest(std::string name, const Task& task);

  /// Builds a program and evaluates it; the first is the default. @return whether to stop.
  bool enter(const std::function<std::unique_ptr<Module>()>& build);

  /// The score of the best so far.
  double score() const;
  Compiled result() &&;

 private:
  std::string name_;
  const Task& task_;
  std::unique_ptr<Module> best_;
  std::vector<std::optional<double>> scores_;  ///< of best_, by example; nullopt: failed
  std::int64_t evaluations_ = 0;
  std::vector<TrialRecord> trials_;
  bool stopped_ = false;
};

}  // namespace theta
