#pragma once

#include <map>

#include "optimizers/surrogate.hpp"

namespace theta {

/// The baseline: suggests uniformly at random and believes each candidate's own mean. Bergstra &
/// Bengio 2012.
///
/// A candidate's mean is shrunk towards 1/2 by one pseudo-observation, so that what was never seen
/// has a finite belief: mean (1/2 + sum) / (1 + n), variance 1/4 / (1 + n).
class RandomSurrogate final : public Surrogate {
 public:
  void observe(const std::vector<Observation>& outcomes) override;
  Combination suggest(const std::vector<Combination>& candidates, Rng& rng) override;
  Posterior posterior(const std::vector<Combination>& candidates) const override;

 private:
  struct Tally {
    double count = 0, sum = 0;
  };
  std::map<Combination, Tally> tallies_;
};

}  // namespace theta
