#include "optimizers/pareto.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/rng.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ParetoFront, HoldsWhatNothingBeatsCheapestFirst) {
  const std::vector<double> score{.9, .5, .7, .6, .95}, cost{100, 10, 50, 60, 100};
  EXPECT_THAT(pareto_front(score, cost), ElementsAre(1, 2, 4));
}

TEST(ParetoFront, HoldsTheFirstOfEquals) {
  const std::vector<double> score{.5, .5, .5}, cost{20, 10, 10};
  EXPECT_THAT(pareto_front(score, cost), ElementsAre(1));
  EXPECT_THAT(pareto_front({}, {}), IsEmpty());
}

TEST(ParetoFront, BeatsEverythingElseAndNothingOfItself) {
  Rng rng(1);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::vector<double> score, cost;
    for (int i = 0; i < 20; ++i) {
      score.push_back(static_cast<double>(rng.below(8)));
      cost.push_back(static_cast<double>(rng.below(8)));
    }
    const auto front = pareto_front(score, cost);
    const auto beats = [&](std::size_t a, std::size_t b) {
      return score[a] >= score[b] && cost[a] <= cost[b] &&
             (score[a] > score[b] || cost[a] < cost[b]);
    };
    for (std::size_t i = 0; i < score.size(); ++i) {
      const bool in_front = std::find(front.begin(), front.end(), i) != front.end();
      const bool is_equal = std::any_of(front.begin(), front.end(), [&](std::size_t f) {
        return f != i && score[f] == score[i] && cost[f] == cost[i];
      });
      const bool is_beaten =
          std::any_of(front.begin(), front.end(), [&](std::size_t f) { return beats(f, i); });
      EXPECT_EQ(in_front, !is_beaten && !is_equal);
    }
  }
}

}  // namespace
}  // namespace theta
