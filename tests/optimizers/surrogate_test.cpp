#include "optimizers/surrogate.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <ostream>
#include <set>

#include "core/result.hpp"
#include "optimizers/paired_surrogate.hpp"
#include "optimizers/random_surrogate.hpp"

namespace theta {
namespace {

/// What every surrogate promises.
struct Named {
  std::string name;
  std::function<std::unique_ptr<Surrogate>(std::vector<Variable>)> make;
};

void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }

class EverySurrogate : public ::testing::TestWithParam<Named> {
 protected:
  const std::vector<Variable> space_{{"instruction", 3, 0}, {"demos", 3, 0}};
  const std::unique_ptr<Surrogate> surrogate_ = GetParam().make(space_);
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

INSTANTIATE_TEST_SUITE_P(Contract, EverySurrogate,
                         ::testing::Values(Named{"paired",
                                                 [](std::vector<Variable> space) {
                                                   return std::make_unique<PairedSurrogate>(
                                                       std::move(space));
                                                 }},
                                           Named{"random",
                                                 [](const std::vector<Variable>&) {
                                                   return std::make_unique<RandomSurrogate>();
                                                 }}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace theta
