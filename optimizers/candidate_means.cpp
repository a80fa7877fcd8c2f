#include "optimizers/candidate_means.hpp"

#include <cmath>

#include "core/result.hpp"

namespace theta {

void CandidateMeans::observe(const std::vector<Observation>& outcomes) {
  for (const auto& outcome : outcomes)
    if (!std::isfinite(outcome.score)) throw RunError("a score told to the search is not finite");
  for (const auto& outcome : outcomes) {
    auto& tally = tallies_[outcome.combination];
    tally.count += 1;
    tally.sum += outcome.score;
  }
}

Posterior CandidateMeans::posterior(const std::vector<Combination>& candidates) const {
  const auto m = static_cast<Eigen::Index>(candidates.size());
  Posterior belief{Eigen::VectorXd(m), Eigen::VectorXd(m)};
  for (Eigen::Index i = 0; i < m; ++i) {
    const auto found = tallies_.find(candidates[static_cast<std::size_t>(i)]);
    const Tally tally = found == tallies_.end() ? Tally{} : found->second;
    belief.mean(i) = (0.5 + tally.sum) / (1 + tally.count);
    belief.variance(i) = 0.25 / (1 + tally.count);
  }
  return belief;
}

}  // namespace theta
