#pragma once

#include <cstdint>
#include <string>

#include "optimizers/optimizer.hpp"
#include "optimizers/prompt_limits.hpp"

namespace theta {

/// Defaults of dspy.GEPA, dspy 3.4.1 with gepa 0.1.4.
struct GepaOptions {
  std::size_t minibatch_size = 3;  ///< training examples that a rewriting reflects on
  bool skip_perfect = true;        ///< do not reflect on a minibatch without a mistake
  std::size_t max_merges = 5;      ///< 0: none
  PromptLimits limits = {};
  WriterOptions writer = {.max_tokens = 512};
  std::uint64_t seed = 0;
};

/// GEPA: reflective rewriting of instructions with parents from the Pareto front over validation
/// examples. Agrawal et al. 2025 (arXiv 2507.19457).
///
/// Each step draws a parent among the programs that are best on some validation example, with a
/// weight of the number of such examples, runs it on the next minibatch of training examples, shows
/// the proposer what it answered and what was right, and has one predictor's instruction rewritten
/// (the predictors take turns). A child that scores strictly more on the same minibatch is
/// evaluated on all of validation and joins the pool. After a success, two programs with a common
/// ancestor may be merged: of each predictor, the instruction that has changed; a merged program
/// that does as well as both parents on five validation examples joins the pool. The result has
/// the highest mean on validation.
///
/// Every program run counts against the budget, those on training examples too. Without
/// Task::max_evaluations the budget is dspy.GEPA's `auto="light"`.
class Gepa final : public Optimizer {
 public:
  explicit Gepa(GepaOptions options = {}) : options_(std::move(options)) {}

  std::string name() const override { return "gepa"; }
  /// @throws UserError also as PromptLimits, or if there is no training example.
  Compiled search(const Module& student, const Task& task) override;

 private:
  GepaOptions options_;
};

/// Of each example the candidates that score highest on it, without dominated ones: those that
/// stand in no front without a better one. Lower mean scores are removed first. gepa 0.1.4,
/// gepa_utils.py remove_dominated_programs.
/// @param scores  [candidate][example]; a candidate without a score on an example is in no front.
std::vector<std::vector<std::size_t>> pareto_fronts(const std::vector<Scores>& scores);

}  // namespace theta
