#pragma once

#include <map>

#include "optimizers/surrogate.hpp"

namespace theta {

/// The belief of surrogates without a model of outcomes: each candidate's own mean, shrunk towards
/// 1/2 by one pseudo-observation, so that what was never seen has a finite belief: mean
/// (1/2 + sum) / (1 + n), variance 1/4 / (1 + n).
class CandidateMeans {
 public:
  /// @throws RunError for a score that is not finite, taking in nothing.
  void observe(const std::vector<Observation>& outcomes);
  Posterior posterior(const std::vector<Combination>& candidates) const;

 private:
  struct Tally {
    double count = 0, sum = 0;
  };
  std::map<Combination, Tally> tallies_;
};

}  // namespace theta
