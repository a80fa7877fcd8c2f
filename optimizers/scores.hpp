#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/statistics.hpp"

namespace theta {

/// Scores by example; nullopt: not asked, or the service failed.
using Scores = std::vector<std::optional<double>>;

/// Whether anything was scored.
bool any(const Scores& scores);

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

}  // namespace theta
