#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "optimizers/evaluate_wave.hpp"
#include "optimizers/gate.hpp"
#include "optimizers/paired_surrogate.hpp"

namespace theta {

struct PairedSearchOptions {
  std::int64_t budget = 0;  ///< candidate-example pairs that may be asked; never exceeded
  /// Examples a suggestion holds, and suggestions a wave. What one wave asks is chosen without its
  /// answers, at a loss that is small while the wave is spread over candidates: 4 x 2 loses
  /// nothing against 1 x 5, where 4 x 5 does. Where every suggestion pays anew for what its
  /// examples' prompts share, fewer and longer ones are cheaper.
  std::size_t step = 2, in_flight = 4;
  /// A wave may also ask this share of what was asked before it, so that a search of any budget has
  /// some tens of waves. It costs: at 1/8, a point of regret after 400 evaluations of the simulated
  /// problems (.99 +- .41 of 100), .2 (+- .2) after 800 and more.
  double widening = 0;
  std::size_t lookahead = 10;  ///< examples whose outcomes the choice of a candidate looks ahead to
  /// Ends where asking everything that is left is expected to raise the best posterior mean by less
  /// than this. 0: the budget alone decides, as who gives one wants what it buys: on the simulated
  /// problems .005 ends after a quarter of 3,200 evaluations, .9 points lower.
  double stop_below = 0;
  /// The default is scored on all examples before anything else, and the budget keeps what it takes
  /// to score the winner on all of them in the end, which is its `full` trial: it is returned only
  /// if it then beats the default. Off, the posterior's best is returned, and a default is nothing
  /// but the first incumbent: for recorded outcomes.
  bool checked = true;
  /// What a candidate costs, its prompt's tokens: where candidates are not told apart, the cheapest
  /// of them is checked. Empty: cost is nothing.
  std::function<double(const Combination&)> cost = {};
  PairedOptions surrogate = {};
  /// What the same candidates scored on the same examples with another model. The surrogate then has
  /// a variable more, the model: what choices are worth to both, and how hard examples are, is
  /// learnt from either, what they are worth to this one alone from its own outcomes (the intrinsic
  /// model of coregionalisation with a kernel of its own for each task; Bonilla, Chai & Williams
  /// 2008). How much carries over is a variance like any other.
  std::vector<Observation> elsewhere = {};
  std::uint64_t seed = 9;
  std::size_t pool = 1000;  ///< most candidates that are looked at for a wave
  std::function<bool(const Combination&)> allowed = {};  ///< as in SearchOptions
  OnTrial on_trial = {};
  std::stop_token stop = {};
};

/// Its score is the posterior mean where the best is a default that was never asked: unchecked, and
/// the outcomes of others speak for it.
struct PairedSearchResult : SearchResult {
  /// The belief in each candidate that was tried: its mean score over all examples there could be.
  struct Tried {
    Combination combination;
    double mean = 0, variance = 0;
  };
  std::vector<Tried> tried = {};
  std::vector<Observation> outcomes = {};  ///< all of this search
  /// The best of what was tried other than the default, whether or not it beats that.
  struct Winner {
    Combination combination;
    Belief gain;        ///< over the default, by shrunken()
    double score = 0;   ///< its mean over the examples that it was scored on
    double before = 0;  ///< the default's, the posterior mean where it was never asked
  };
  std::optional<Winner> winner = {};  ///< nothing where the default alone was tried
};

/// What DSPy's rule spends on a search: the default, the minibatches, and a full evaluation every
/// few of them. To give searches equal budgets.
std::int64_t mipro_budget(std::size_t examples, std::size_t num_trials, std::size_t minibatch_size,
                          std::size_t full_every);

/// DSPy's rule for how many trials a search has: max(2 V log2 n, 1.5 n) for V variables of n choices.
/// _set_num_trials_from_num_candidates of dspy 3.4.1, teleprompt/mipro_optimizer_v2.py.
std::size_t mipro_trials(std::size_t variables, std::size_t choices);

/// The search on the level of examples: decides before every few program runs which candidate to
/// learn more about, and stops spending on one as soon as others are more worth it.
///
/// A candidate's worth is the knowledge gradient: the rise of the highest posterior mean that the
/// outcomes of its next `lookahead` examples are expected to bring, in the joint posterior of
/// PairedSurrogate (Frazier, Powell & Dayanik 2009). Candidates go through the examples in one
/// seeded order, so that what two have seen always overlaps and their difference is free of the
/// examples' difficulty. Later suggestions of a wave count the earlier ones as made. The incumbent
/// is the tried candidate with the highest posterior mean. Combination 0, 0, .. is the first
/// incumbent.
///
/// Deterministic given the options and the answers. A failed example is no observation; the last
/// evaluation of the default and the winner asks it once more.
/// @throws UserError if the budget does not cover the default where that is checked; RunError with
///   the first reason if the default, or as many examples in a row as kLost, could not be scored;
///   Interrupted if stopped before anything was scored.
PairedSearchResult paired_search(const std::vector<Variable>& space, std::size_t examples,
                                 const EvaluateWave& evaluate, const PairedSearchOptions& options);

}  // namespace theta
