#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/proposer.hpp"
#include "optimizers/search.hpp"

namespace theta {

struct MiproOptions {
  std::size_t num_instructions = 10;  ///< choices a predictor, its own among them
  std::size_t num_demo_sets = 10;     ///< choices a predictor, the empty set among them
  std::size_t max_bootstrapped = 4;   ///< demos a set; with max_labeled 0 too, no demos are tried
  std::size_t max_labeled = 4;
  std::size_t num_trials =
      0;  ///< 0: DSPy's rule, max(2 V log2 n, 1.5 n) for V variables, n choices
  std::size_t minibatch_size = 35;  ///< 0, or all of validation: every trial is a full evaluation
  std::size_t full_every = 5;
  std::string surrogate = "paired";  ///< `paired`, `gp`, `tpe` or `random`
  std::uint64_t seed = 9;
  /// What stays as the student has it: `instruction` or `demos` everywhere, `NAME.instruction` or
  /// `NAME.demos` in one predictor.
  std::set<std::string> frozen = {};
  /// Most tokens in the instructions and demos of a candidate, as the task model counts them; 0: no
  /// limit. The student itself is exempt.
  std::size_t max_prompt_tokens = 0;
  std::vector<std::string> instructions = {};  ///< written by people, tried beside the proposals
  ProposerOptions proposer = {};
  BootstrapOptions bootstrap = {};  ///< threshold, rounds and wave; the sizes above go before
};

/// MIPROv2: proposes instructions, bootstraps demo sets, and searches the best combination of both
/// over all predictors. Opsahl-Ong et al. 2024 (arXiv 2406.11695).
///
/// Differs from DSPy 3.4.1 where that wastes evaluations: choice 0 of every variable is what the
/// student came with, so that the default is a point of the space; equal choices are removed;
/// minibatches are paired and nothing is evaluated twice; the surrogate sees single outcomes; a
/// service's fault is no score. See search() for the rules of the search.
class Mipro final : public Optimizer {
 public:
  /// @throws UserError for an unknown surrogate.
  explicit Mipro(MiproOptions options = {});

  std::string name() const override { return "mipro"; }
  /// @throws UserError also if `frozen` names what the student does not have, or a token limit is
  ///   set and the task model cannot count.
  Compiled compile(const Module& student, const Task& task) override;

  /// The demo sets that compile() would try: choice 0 is the student's own; then no demos, labelled
  /// ones, bootstrapped from the training examples in order, and bootstrapped from shuffles with
  /// random sizes, `num_demo_sets` in all, equal ones removed.
  DemoSets demo_sets(const Module& student, const Task& task, Rng& rng) const;

 private:
  MiproOptions options_;
};

}  // namespace theta
