#include "optimizers/surrogate.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <set>

#include "core/result.hpp"

namespace theta {
namespace {

/// What every surrogate promises.
class EverySurrogate : public ::testing::TestWithParam<const char*> {
 protected:
  const std::vector<Variable> space_{{"instruction", 3, 0}, {"demos", 3, 0}};
  const std::unique_ptr<Surrogate> surrogate_ = make_surrogate(GetParam(), space_);
  const std::vector<Combination> all_{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1},
                                      {1, 2}, {2, 0}, {2, 1}, {2, 2}};
};

TEST_P(EverySurrogate, SuggestsBeforeAnythingIsKnown) {
  std::set<Combination> seen;
  Rng rng(1);
  for (int i = 0; i < 300; ++i) seen.insert(surrogate_->suggest(all_, rng));
  EXPECT_EQ(seen.size(), all_.size());
}

TEST_P(EverySurrogate, SuggestsTheSameForTheSameSeed) {
  surrogate_->observe({{{1, 1}, 0, 1}, {{0, 1}, 0, 0}});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng one(seed), two(seed);
    EXPECT_EQ(surrogate_->suggest(all_, one), surrogate_->suggest(all_, two));
  }
}

TEST_P(EverySurrogate, BelievesMoreOfWhatScoredHigherAndIsSurerOfIt) {
  for (std::size_t j = 0; j < 30; ++j)
    surrogate_->observe({{{1, 1}, j, 1}, {{0, 0}, j, j % 3 == 0 ? 1. : 0.}});
  const auto [mean, variance] = surrogate_->posterior({{1, 1}, {2, 2}, {0, 0}});
  EXPECT_GT(mean(0), mean(1));
  EXPECT_GT(mean(0), mean(2));
  EXPECT_LT(variance(0), variance(1));
  EXPECT_GE(variance.minCoeff(), 0);
}

TEST_P(EverySurrogate, RefusesAScoreThatIsNotFinite) {
  EXPECT_THROW(surrogate_->observe({{{0, 0}, 0, std::numeric_limits<double>::infinity()}}),
               RunError);
}

TEST_P(EverySurrogate, SuggestsNothingButCandidates) {
  Rng rng(3);
  const std::vector<Combination> open{{0, 2}, {2, 0}};
  for (int i = 0; i < 40; ++i) {
    const Combination c = surrogate_->suggest(open, rng);
    EXPECT_TRUE(c == open[0] || c == open[1]);
    surrogate_->observe({{c, rng.below(5), rng.uniform()}});
  }
}

TEST_P(EverySurrogate, SurvivesASingleObservation) {
  surrogate_->observe({{{1, 1}, 0, 1}});
  const auto [mean, variance] = surrogate_->posterior(all_);
  EXPECT_GT(mean(4), mean(0));
  EXPECT_GT(mean(4), .5);
  EXPECT_LT(variance(4), variance(0));
  Rng rng(1);
  surrogate_->suggest(all_, rng);
}

TEST_P(EverySurrogate, SurvivesOutcomesThatAreAllEqual) {
  Rng rng(1);
  for (const auto& c : all_)
    for (std::size_t j = 0; j < 10; ++j) surrogate_->observe({{c, j, 1}});
  const auto [mean, variance] = surrogate_->posterior(all_);
  EXPECT_GT(mean.minCoeff(), .9);
  EXPECT_LT(mean.maxCoeff() - mean.minCoeff(), 1e-6);
  EXPECT_GE(variance.minCoeff(), 0);
  surrogate_->suggest(all_, rng);
}

TEST_P(EverySurrogate, SurvivesDuplicateCandidatesAndRepeatedOutcomes) {
  for (int i = 0; i < 20; ++i) surrogate_->observe({{{1, 2}, 7, 1}, {{1, 2}, 7, 1}});
  const auto [mean, variance] = surrogate_->posterior({{1, 2}, {0, 0}, {1, 2}});
  EXPECT_EQ(mean(0), mean(2));
  EXPECT_EQ(variance(0), variance(2));
  Rng rng(4);
  EXPECT_EQ(surrogate_->suggest({{1, 2}, {1, 2}}, rng), (Combination{1, 2}));
}

TEST_P(EverySurrogate, IsSurerTheMoreItHasSeen) {
  Rng rng(5);
  double before = surrogate_->posterior({{1, 1}}).variance(0);
  for (std::size_t j = 0; j < 60; ++j) {
    surrogate_->observe({{{1, 1}, j, rng.uniform() < .6 ? 1. : 0.}});
    if (j % 20 != 19) continue;
    const double after = surrogate_->posterior({{1, 1}}).variance(0);
    EXPECT_LT(after, before);
    before = after;
  }
}

INSTANTIATE_TEST_SUITE_P(Contract, EverySurrogate,
                         ::testing::Values("paired", "gp", "tpe", "random"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace theta
