#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "optimizers/search.hpp"

namespace theta {

/// Examples on which to score a candidate.
struct Suggestion {
  Combination combination;
  std::vector<std::size_t> examples;
};

/// Scores several candidates, at once where it can: for each suggestion one score an example, in
/// order, or the service's fault. May throw Interrupted.
using EvaluateWave =
    std::function<std::vector<std::vector<Result<double>>>(std::span<const Suggestion>)>;

/// One candidate after another.
EvaluateWave in_turn(EvaluateCandidate evaluate);

/// Each candidate in a thread of its own, for calls that wait for a service. The first exception in
/// the order of the wave is passed on, after all have ended.
EvaluateWave side_by_side(EvaluateCandidate evaluate);

}  // namespace theta
