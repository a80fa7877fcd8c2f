#pragma once

#include "optimizers/search.hpp"

namespace theta {

/// The search of DSPy's MIPROv2 as it is (dspy 3.4.1, teleprompt/mipro_optimizer_v2.py
/// _optimize_prompt_parameters) on Optuna's TPE, to compare with. Takes and returns what search()
/// does, but knows no `allowed` and no `pool`.
///
/// Combination 0, 0, .. is evaluated in full. Every trial suggests a combination, tried before or
/// not, and scores it on a fresh random minibatch. Every `full_every` trials and after the last,
/// the combination with the best mean of its minibatches, out of those not evaluated in full so
/// far, is; the default's first evaluation does not count. The sampler is told each mean, a percent
/// of two decimals, as a trial of its own. Only a full evaluation with a higher mean changes the
/// incumbent. Without minibatches every trial is a full evaluation.
///
/// Where DSPy fails, this goes on: an example that the service failed is left out of the mean, and
/// where every combination tried is evaluated in full, none is again.
/// @throws as search().
SearchResult dspy_search(const std::vector<Variable>& space, std::size_t examples,
                         const EvaluateCandidate& evaluate, const SearchOptions& options);

}  // namespace theta
