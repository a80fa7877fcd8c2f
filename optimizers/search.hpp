#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/result.hpp"
#include "optimizers/surrogate.hpp"
#include "optimizers/trial_log.hpp"

namespace theta {

/// Scores a candidate on the examples of the given indices: one in [0, 1] for each, in order, or
/// the service's fault. May throw Interrupted.
using EvaluateCandidate = std::function<std::vector<Result<double>>(
    const Combination& candidate, std::span<const std::size_t> examples)>;

struct SearchOptions {
  std::size_t num_trials = 10;       ///< beside the default's and the full evaluations
  std::size_t minibatch_size = 35;   ///< 0: every trial is a full evaluation
  std::size_t full_every = 5;        ///< trials between two full evaluations
  std::int64_t max_evaluations = 0;  ///< never exceeded, and enough for the default; 0: no limit
  std::uint64_t seed = 9;
  std::size_t pool = 1000;  ///< most candidates that the surrogate is asked about at a time
  /// What may be tried; empty: everything. The default is always tried.
  std::function<bool(const Combination&)> allowed = {};
  OnTrial on_trial = {};
  std::stop_token stop = {};  ///< ends with the best so far, after a trial or between two
};

struct SearchResult {
  Combination best;
  double score = 0;  ///< mean of `best` over all examples that could be scored
  std::vector<Trial> trials;
  bool stopped = false;  ///< by the stop token, not the budget
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
