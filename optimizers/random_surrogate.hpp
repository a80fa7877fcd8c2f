#pragma once

#include "optimizers/candidate_means.hpp"

namespace theta {

/// The baseline: suggests uniformly at random and believes each candidate's own mean. Bergstra &
/// Bengio 2012.
class RandomSurrogate final : public Surrogate {
 public:
  void observe(const std::vector<Observation>& outcomes) override { means_.observe(outcomes); }
  Combination suggest(const std::vector<Combination>& candidates, Rng& rng) override;
  Posterior posterior(const std::vector<Combination>& candidates) const override {
    return means_.posterior(candidates);
  }

 private:
  CandidateMeans means_;
};

}  // namespace theta
