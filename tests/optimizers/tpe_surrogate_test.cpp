#include "optimizers/tpe_surrogate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace theta {
namespace {

using ::testing::ElementsAre;

const std::vector<Variable> kSpace{{"instruction", 3, 0}, {"demos", 4, 0}};

std::vector<Combination> all_combinations() {
  std::vector<Combination> all;
  for (int i = 0; i < 3; ++i)
    for (int d = 0; d < 4; ++d) all.push_back({i, d});
  return all;
}

/// The trials of tpe_reference.py.
TpeSurrogate after_trials(int n) {
  TpeSurrogate tpe(kSpace);
  for (int i = 0; i < n; ++i) tpe.observe({{{i * 7 % 3, i * i % 4}, 0, i * 37 % 41 / 41.0}});
  return tpe;
}

/// How often each combination comes out of 4000 suggestions.
template <typename F>
std::map<Combination, double> shares(const F& suggest) {
  std::map<Combination, double> share;
  Rng rng(3);
  for (int i = 0; i < 4000; ++i) share[suggest(rng)] += 1 / 4000.0;
  return share;
}

TEST(TpeSurrogate, HasTheRatiosOfOptuna) {
  const std::map<int, std::vector<double>> expected{
      {10, {-1.084913444, 1.329024953, -0.151721587, 0.672944473}},
      {30, {-1.024610365, 1.35396364, 0.214470167, 1.35396364}},
      {36, {-1.337666061, 1.574885262, 0.093140864, 1.261764832}},
      {300, {-0.121445569, 2.142365508, 0.077040249, 2.045987013}}};
  for (const auto& [n, ratios] : expected) {
    const auto found = after_trials(n).log_ratio({{0, 0}, {1, 3}, {2, 1}, {2, 2}});
    for (Eigen::Index i = 0; i < 4; ++i)
      EXPECT_NEAR(found(i), ratios[static_cast<std::size_t>(i)], 1e-8) << n << " " << i;
  }
}

TEST(TpeSurrogate, IsUniformUntilTenTrialsAreTold) {
  const TpeSurrogate tpe = after_trials(9);
  for (const auto& [combination, share] : shares([&](Rng& rng) { return tpe.suggest(rng); }))
    EXPECT_NEAR(share, 1 / 12.0, .02);
}

TEST(TpeSurrogate, SuggestsTheSameAmongAllCombinationsAsInTheSpace) {
  TpeSurrogate tpe = after_trials(30);
  const auto listed = shares([&](Rng& rng) { return tpe.suggest(all_combinations(), rng); });
  const auto drawn = shares([&](Rng& rng) { return tpe.suggest(rng); });
  for (const auto& c : all_combinations()) {
    const auto share = [&](const auto& of) { return of.contains(c) ? of.at(c) : 0; };
    EXPECT_NEAR(share(listed), share(drawn), .03);
  }
}

TEST(TpeSurrogate, SuggestsOnlyCandidates) {
  TpeSurrogate tpe = after_trials(30);
  const auto share = shares([&](Rng& rng) {
    return tpe.suggest(std::vector<Combination>{{0, 0}, {2, 1}}, rng);
  });
  std::vector<Combination> suggested;
  for (const auto& [combination, often] : share) suggested.push_back(combination);
  EXPECT_THAT(suggested, ElementsAre(Combination{2, 1}));
}

TEST(TpeSurrogate, TakesTheMeanOfAnEvaluationForOneTrial) {
  TpeSurrogate whole(kSpace), split(kSpace);
  Rng rng(1);
  for (int i = 0; i < 20; ++i) {
    const Combination c{i % 3, i % 4};
    const double score = rng.uniform() / 2;
    whole.observe({{c, 0, score}});
    split.observe({{c, 0, score + .3}, {c, 1, score - .3}});
  }
  EXPECT_TRUE(whole.log_ratio(all_combinations()).isApprox(split.log_ratio(all_combinations())));
}

TEST(TpeSurrogate, TakesTwoCombinationsToldAtOnceForTwoTrials) {
  TpeSurrogate once(kSpace), twice(kSpace);
  for (int i = 0; i < 20; ++i) {
    const Observation a{{i % 3, i % 4}, 0, i / 20.0}, b{{(i + 1) % 3, i % 4}, 0, .5};
    once.observe({a, b});
    twice.observe({a});
    twice.observe({b});
  }
  EXPECT_EQ(once.log_ratio(all_combinations()), twice.log_ratio(all_combinations()));
}

}  // namespace
}  // namespace theta
