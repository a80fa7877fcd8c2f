#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/statistics.hpp"
#include "optimizers/surrogate.hpp"

namespace theta {

/// Scores a candidate on the examples of the given indices: one in [0, 1] for each, in order, or
/// the service's fault. May throw Interrupted.
using EvaluateCandidate = std::function<std::vector<Result<double>>(
    const Combination& candidate, std::span<const std::size_t> examples)>;

/// Scores by example; nullopt: not asked, or the service failed.
using Scores = std::vector<std::optional<double>>;

/// Whether `a` has the higher mean on the examples that both were scored on, by more than rounding.
bool better(const Scores& a, const Scores& b);

/// Mean of what was scored; something was.
double mean(const Scores& scores);

/// A candidate's mean score over all examples there could be, and its 95 % interval.
struct Estimate {
  double score = 0;
  Interval interval;
};

/// As `n` examples with scores of this mean tell (Wilson).
Estimate measured(double mean, std::size_t n);
Estimate measured(const Scores& scores);

/// One evaluation of a search.
struct Trial {
  int number = 0;    ///< from 1
  std::string kind;  ///< `default`, `minibatch`, `full` or `gate`
  Combination combination = {};
  double score = 0;              ///< a minibatch's own mean; else over all examples scored so far
  std::int64_t evaluations = 0;  ///< candidate-example pairs asked so far, this trial included
  bool improved = false;         ///< there is another incumbent from here on
  Combination incumbent = {};    ///< the best so far, this trial included
  Estimate best = {};            ///< what is known of the incumbent
};

/// Tells a candidate that a service refuses (a filter, a limit) from a service that is gone.
class Outages {
 public:
  /// Counts an evaluation. @return whether any of it was scored.   @throws RunError with the first
  /// reason if that is not so of the first, or of kLost in a row.
  bool answered(const std::vector<Result<double>>& scores);

 private:
  static constexpr int kLost = 10;
  bool any_ = false;
  int in_a_row_ = 0;
};

struct SearchOptions {
  std::size_t num_trials = 10;       ///< beside the default's and the full evaluations
  std::size_t minibatch_size = 35;   ///< 0: every trial is a full evaluation
  std::size_t full_every = 5;        ///< trials between two full evaluations
  std::int64_t max_evaluations = 0;  ///< never exceeded, and enough for the default; 0: no limit
  std::uint64_t seed = 9;
  std::size_t pool = 1000;  ///< most candidates that the surrogate is asked about at a time
  /// What may be tried; empty: everything. The default is always tried.
  std::function<bool(const Combination&)> allowed = {};
  std::function<bool(const Trial&)> on_trial = {};  ///< true stops with the best so far
  std::stop_token stop = {};
};

struct SearchResult {
  Combination best;
  double score = 0;  ///< mean of `best` over all examples that could be scored
  std::vector<Trial> trials;
  bool stopped = false;  ///< by on_trial or the stop token
};

/// Searches combinations of choices for the one with the highest mean score over `examples`
/// examples. Knows nothing of programs: an example is whatever `evaluate` scores (a row, a user).
///
/// Combination 0, 0, .. is evaluated in full and becomes the incumbent. Then, each trial, the
/// surrogate suggests a candidate out of those that have unseen examples, and it is scored on its
/// next minibatch. Minibatches are paired: every candidate goes through the examples in the same
/// seeded order and never meets one twice, so that what two candidates have seen always overlaps
/// and no evaluation is paid for twice. Every `full_every` trials and after the last, the candidate
/// with the highest posterior mean of those tried, but not in full, is scored on all its remaining
/// examples.
///
/// Only a candidate that was asked on every example can replace the incumbent, and only if its mean
/// is strictly higher on the examples that both were scored on. A failed example is no observation;
/// it is asked once more in the full evaluation. A candidate of which the service answers nothing
/// is no trial, and not asked again. Ends early when no candidate is left, or where the budget has
/// no room for another minibatch and a full evaluation of the best.
/// @throws RunError as Outages; Interrupted if stopped before the default was scored.
SearchResult search(const std::vector<Variable>& space, std::size_t examples,
                    const EvaluateCandidate& evaluate, Surrogate& surrogate,
                    const SearchOptions& options);

}  // namespace theta
