#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/choices.hpp"
#include "optimizers/format_space.hpp"
#include "optimizers/glossary.hpp"
#include "optimizers/prompt_limits.hpp"
#include "optimizers/proposer.hpp"
#include "optimizers/search.hpp"

namespace theta {

struct MiproOptions {
  /// MIPROv2 by the rules and constants of dspy 3.4.1, to compare with: demo set 0 is empty, one
  /// instruction a demo set at most, TPE on unpaired minibatches (see dspy_search()), equal choices
  /// kept, copied text let pass. `surrogate` is not asked then. What remains Theta's own: the words
  /// in which data and program are summed up and proposals asked for, and that the program is
  /// described without asking a model; that the student's own instruction costs no proposal, and
  /// one that cannot be parsed is asked again or dropped; the random numbers; and that a service's
  /// fault is no score.
  bool faithful = false;
  /// DSPy's `auto`, faithful only: `light`, `medium` or `heavy` sets num_instructions,
  /// num_demo_sets and num_trials, and how much of validation is used: a part that is drawn.
  std::string auto_mode = {};
  // Theta's own, where DSPy's `light` has 3 (6 without demos) and 6.
  std::size_t num_instructions = 10;  ///< choices a predictor, its own among them
  std::size_t num_demo_sets = 10;     ///< choices a predictor, the empty set among them
  // DSPy's, all but the rule's count of variables, which are those that have a choice.
  std::size_t max_bootstrapped = 4;  ///< demos a set; with max_labeled 0 too, no demos are tried
  std::size_t max_labeled = 4;
  /// 0: DSPy's rule, max(2 V log2 n, 1.5 n) for V variables, n choices.
  std::size_t num_trials = 0;
  std::size_t minibatch_size = 35;  ///< 0, or all of validation: every trial is a full evaluation
  std::size_t full_every = 5;
  /// `paired`, which searches by paired_search() and spends what the three numbers above come to, a
  /// few examples at a time; or `gp`, `tpe` or `random`, which search() goes by as they say.
  std::string surrogate = "paired";
  /// Parts that an instruction may be given beside its words; none if `faithful`.
  GlossaryOptions glossary = {};
  /// Most demos in the sets that demo_sets_by_rule() adds to the bootstrapped; 0, or `faithful`: it
  /// adds none.
  std::size_t max_by_rule = 24;
  /// Demos that every input picks for itself among the training examples, and twice as many, as
  /// further choices beside the sets; 0, or `faithful`: no such choice.
  std::size_t nearest = 4;
  double stop_below = 0;  ///< of `paired`, see PairedSearchOptions
  double widening = 0;    ///< of `paired`, see PairedSearchOptions
  /// The search ends with end_with_fitted_options(), where the format of the last step is not frozen
  /// and its answer can be fitted; not if `faithful`.
  bool fit_options = true;
  /// The formats that are tried beside the student's; nothing: FormatSpace::usual() of steps whose
  /// last output has options. A faithful one tries none, as DSPy does not.
  std::optional<FormatSpace> space = {};
  std::uint64_t seed = 9;
  PromptLimits limits = {};
  std::vector<std::string> instructions = {};  ///< written by people, tried beside the proposals
  /// The same for one step alone, by its name or its predictor's.
  std::map<std::string, std::vector<std::string>> instructions_of = {};
  ProposerOptions proposer = {};
  BootstrapOptions bootstrap = {};  ///< threshold, rounds and wave; the sizes above go before
};

/// MIPROv2: proposes instructions, bootstraps demo sets, and searches the best combination of both,
/// and of what else may vary in a prompt, over all predictors. Opsahl-Ong et al. 2024 (arXiv 2406.11695).
///
/// Unless `faithful`, a third variable is the format that a step is asked in, as that moves scores
/// as much as instructions do (Sclar et al. 2024, arXiv 2310.11324), and it differs from DSPy 3.4.1
/// where that wastes evaluations: choice 0 of every
/// variable is what the student came with, so that the default is a point of the space; equal
/// choices are removed; candidates are compared on the same examples and nothing is evaluated
/// twice; the surrogate sees single outcomes; a service's fault is no score. See paired_search()
/// and search() for the rules of the search.
class Mipro final : public Optimizer {
 public:
  /// @throws UserError for an unknown surrogate or auto mode, for an auto mode without `faithful`,
  ///   and for `faithful` with a token limit or formats, which DSPy does not have.
  explicit Mipro(MiproOptions options = {});

  std::string name() const override { return "mipro"; }
  /// @throws UserError also as PromptLimits, and for instructions of what the student does not have.
  Compiled search(const Module& student, const Task& task) override;

  /// What search() would combine. Choice 0 is the student's own, but for demos if `faithful`.
  /// @throws as search().
  Choices choices(const Module& student, const Task& task) const;

  /// The demo sets among them: the student's own, unless `faithful`; then no demos, labelled ones,
  /// bootstrapped from the training examples in order, and bootstrapped from shuffles with random
  /// sizes, `num_demo_sets` in all, equal ones removed unless `faithful`.
  DemoSets demo_sets(const Module& student, const Task& task, Rng& rng) const;

 private:
  Choices choices(const Module& student, const Task& task, Rng& rng) const;

  MiproOptions options_;
};

}  // namespace theta
