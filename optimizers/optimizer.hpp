#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/records/store.hpp"
#include "modules/evaluate.hpp"
#include "modules/metric.hpp"
#include "modules/module.hpp"
#include "optimizers/choices.hpp"
#include "optimizers/gate.hpp"
#include "optimizers/pareto.hpp"
#include "optimizers/search.hpp"
#include "optimizers/writer.hpp"

namespace theta {

/// What a search chose among, and what came of it.
struct Searched {
  Choices choices;
  std::vector<Observation> outcomes;  ///< by index of the validation examples that it saw
};

/// What a search tries to raise and what it may use. One Task serves every optimiser.
struct Task {
  std::vector<Example> train;       ///< demos and data summaries come from here
  std::vector<Example> validation;  ///< the only examples that decide; not empty
  /// Thread-safe: a search can have several candidates evaluated at once.
  Metric metric;
  LanguageModel& model;       ///< runs the program (DSPy's task model)
  LanguageModel& proposer;    ///< writes instructions (prompt model)
  LanguageModel& teacher;     ///< bootstraps demos
  std::stop_token stop = {};  ///< ends the search with the best so far
  /// Called after every evaluation. The record's `search` is the optimiser's name, its
  /// `evaluations` all program runs scored so far.
  std::function<void(const TrialRecord&)> on_trial = {};
  /// Most program runs that may be scored, the student's and the gate's included; 0: no limit.
  /// Never exceeded: a step that would is not begun. What a teacher is asked for demos does not
  /// count.
  std::int64_t max_evaluations = 0;
  GateOptions gate = {};  ///< of compile()
  /// Candidates are evaluated one after another: a program that asks other models than `model` can
  /// have one whose answers depend on what is computed with them.
  bool in_turn = false;
  /// The search of the same student on the same validation examples with another model: its choices
  /// are taken as they are, and its outcomes are what this search begins with. Of mipro with the
  /// surrogate `paired`.
  std::shared_ptr<const Searched> elsewhere = {};
};

/// What a search found, and what became of it at the gate.
struct Compiled {
  /// Of search(): the best candidate other than the student, as far as the search knows, and the
  /// student if there is none. Of compile(): that if it was saved, else the student.
  std::unique_ptr<Module> program;
  /// Mean scores of `program` and of the student on the validation examples that the search saw.
  double validation_score = 0, student_score = 0;
  /// What the search believes of search()'s program less the student; nothing without a candidate.
  std::optional<Belief> gain = {};
  Decision gate = {};                    ///< of compile()
  std::optional<Candidate> winner = {};  ///< what the gate judged; nothing where none was found
  std::vector<TrialRecord> trials;
  bool stopped = false;      ///< by the stop token, not the budget
  ProposalCounts proposals;  ///< 0 where nothing is proposed
  /// Shortest first; empty where no surrogate has a belief.
  std::vector<Tradeoff> front = {};
  std::shared_ptr<const Searched> searched = {};  ///< of mipro with the surrogate `paired`
};

/// DSPy's teleprompter: compile a student into a better program. A search is a deterministic
/// function of its options, its seed and the models' answers.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual std::string name() const = 0;

  /// Searches without deciding whether what was found replaces the student.
  /// @throws UserError if there is no validation example, or a budget too small to evaluate the
  ///   student; RunError if a service answered nothing of a step; Interrupted if stopped before the
  ///   student was evaluated.
  virtual Compiled search(const Module& student, const Task& task) = 0;

  /// search() on a part of validation, then the gate: unless the search believes that its winner is
  /// worse, both programs are evaluated on the part that it was kept from, a `gate` trial each;
  /// the winner is saved if it is better with more than the threshold's probability and worse on no
  /// anchor. The gate's evaluations are part of the budget. A search that was stopped is judged by its belief alone.
  /// @throws also UserError if the budget does not cover the student's evaluation and the gate's;
  ///   RunError if the service answered nothing of the gate's evaluations.
  Compiled compile(const Module& student, const Task& task);
};

/// The first of the gate's anchors that a program scores lower on than the one that it is to replace.
/// Evaluates both on all of them.
/// @throws UserError if no training or validation example has such an id
std::optional<std::string> worse_anchor(const Module& before, const Module& after,
                                        const Task& task);

/// A candidate for the record.
Candidate describe(const Module& program, const Combination& combination = {});

/// A search's trial for the record.
TrialRecord record_of(std::string search, const Trial& trial, Candidate candidate);

/// An evaluation's scores; none where the service failed.
Scores scores_of(const Evaluation& evaluation);
/// The same with the service's fault where there is no score.
std::vector<Result<double>> results_of(const Evaluation& evaluation);

/// @throws UserError if there is no validation example, or the budget is too small for the student.
void check_budget(std::size_t validation_examples, std::int64_t max_evaluations);
inline void check_task(const Task& task) {
  check_budget(task.validation.size(), task.max_evaluations);
}
/// The same with what the gate asks. @return what the search sees and what it does not.
HeldBack check_gated(std::span<const Example> validation, const GateOptions& gate,
                     std::int64_t max_evaluations);

/// Evaluates programs on a task within its budget, one after another, a trial each, and keeps the
/// scores of those that were evaluated on all of validation. What an optimiser without a search
/// model is made of.
class Contest {
 public:
  /// @param name  the optimiser's, for the records.   `task` outlives this.
  Contest(std::string name, const Task& task);

  /// Builds a program and evaluates it on validation; the first is the default. If the budget does
  /// not reach, nothing is built.
  /// @return its scores; nullopt where the contest is over, or the service answered nothing.
  std::optional<Scores> enter(const std::function<std::unique_ptr<Module>()>& build);
  /// Does what lies between evaluations.
  /// @return whether to go on: an interruption ends the contest.
  /// @throws Interrupted if the student has not been evaluated.
  bool step(const std::function<void()>& work);
  /// Runs a program on some examples, which decides nothing: a `minibatch`. Does not look at the
  /// budget. nullopt: stopped, or the service answered nothing.
  std::optional<Evaluation> sample(const Module& program, std::span<const Example> examples);

  bool over() const { return over_; }  ///< stopped, or enter() did not have the budget
  bool affords(std::size_t evaluations) const { return log_.affords(evaluations); }
  double score() const { return mean(best()); }  ///< of the best so far as measured
  /// The best of what entered after the student, by shrunken().
  Compiled result(const ProposalCounts& proposals = {}) &&;

 private:
  std::optional<Evaluation> run(const Module& program, std::span<const Example> examples);
  void record(TrialKind kind, const Module& program, double score, bool improved = false);

  std::string name_;
  const Task& task_;
  const Scores& best() const { return scores_.at(best_); }

  std::vector<std::unique_ptr<Module>> programs_;  ///< that entered; the student first
  std::vector<Scores> scores_;                     ///< of each
  std::size_t best_ = 0;                           ///< as measured, the first of equals
  TrialLog log_;
  std::vector<TrialRecord> trials_;  ///< those of log_ for the record
  Outages outages_;
  bool over_ = false;
};

}  // namespace theta
