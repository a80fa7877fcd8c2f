#include "modules/reward/reward_model.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/result.hpp"
#include "modules/reward/hierarchical.hpp"

namespace theta {

std::size_t PreferenceData::people() const {
  return person.empty() ? 0 : *std::ranges::max_element(person) + 1;
}

std::vector<std::vector<Eigen::Index>> PreferenceData::rows() const {
  std::vector<std::vector<Eigen::Index>> rows(people());
  for (std::size_t i = 0; i < person.size(); ++i)
    rows[person[i]].push_back(static_cast<Eigen::Index>(i));
  return rows;
}

Forecast forecast(double margin, double variance) {
  return {margin, variance, logistic(margin / std::sqrt(1 + std::numbers::pi * variance / 8))};
}

std::unique_ptr<RewardModel> fit_reward(Reward reward, const PreferenceData& choices) {
  if (reward == Reward::kPooled) return fit_pooled(choices);
  if (reward == Reward::kHierarchical) return fit_hierarchical(choices);
  if (reward == Reward::kTestTime) return fit_test_time(choices);
  require(reward == Reward::kLowRank, "every reward model has its fit");
  return fit_low_rank(choices);
}

}  // namespace theta
