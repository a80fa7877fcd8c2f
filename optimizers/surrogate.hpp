#pragma once

#include <Eigen/Core>
#include <memory>
#include <string_view>
#include <vector>

#include "core/rng.hpp"

namespace theta {

/// A point of the search: for each variable (instruction and demo set of each predictor in turn)
/// the index of its choice.
using Combination = std::vector<int>;

/// One outcome: candidate, example and score.
struct Observation {
  Combination combination;
  std::size_t example = 0;
  double score = 0;  ///< [0, 1]
};

/// What a surrogate believes about candidates' mean scores.
struct Posterior {
  Eigen::VectorXd mean;      ///< (m)
  Eigen::VectorXd variance;  ///< (m), >= 0
};

/// A model of outcomes over combinations, told everything that was evaluated.
class Surrogate {
 public:
  virtual ~Surrogate() = default;

  /// Adds outcomes of one evaluation (a minibatch or a full one).
  virtual void observe(const std::vector<Observation>& outcomes) = 0;

  /// The next combination to evaluate out of `candidates`. Deterministic given `rng`.
  virtual Combination suggest(const std::vector<Combination>& candidates, Rng& rng) = 0;

  /// The posterior at `candidates`. @throws RunError on a numerical failure: never a silent
  /// fallback.
  virtual Posterior posterior(const std::vector<Combination>& candidates) const = 0;
};

}  // namespace theta
