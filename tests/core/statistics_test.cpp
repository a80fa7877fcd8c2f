#include "core/statistics.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.hpp"
#include "tests/support/message_of.hpp"

// Expected numbers: scipy 1.17 (binomtest, norm) and statistics_reference.py beside this file.

namespace theta {
namespace {

constexpr double kTolerance = 1e-12;

std::vector<std::string> letters(std::string_view text) {
  std::vector<std::string> out;
  for (const char c : text) out.emplace_back(1, c);
  return out;
}

TEST(Mean, OfNothingIsAnError) {
  EXPECT_EQ(mean(std::vector<double>{1, 2, 6}), 3);
  EXPECT_EQ(message_of<std::invalid_argument>([] { mean({}); }), "mean: no values");
  EXPECT_EQ(message_of<std::invalid_argument>([] {
              mean(std::vector<double>{1, NAN});
            }),
            "mean: a value is not finite");
}

TEST(StudentT, IsTheClosedFormOfOneAndTwoDegreesOfFreedom) {
  const auto two = student_t(std::vector<double>{0.2, 0.4});  // standard error 0.1, Cauchy
  const double one_degree = 12.706204736174698;
  EXPECT_NEAR(two.low, 0.3 - 0.1 * one_degree, kTolerance);
  EXPECT_NEAR(two.high, 0.3 + 0.1 * one_degree, kTolerance);
  const auto three = student_t(std::vector<double>{0.7, 0.9, 0.8});
  const double two_degrees = 0.95 * std::sqrt(2 / (1 - 0.95 * 0.95));
  EXPECT_NEAR(three.low, 0.8 - two_degrees * 0.1 / std::sqrt(3), kTolerance);
  EXPECT_NEAR(three.high, 0.8 + two_degrees * 0.1 / std::sqrt(3), kTolerance);
}

TEST(StudentT, OfOneValueIsThatValueAndOfNoneAnError) {
  EXPECT_EQ(student_t(std::vector<double>{0.7}).low, 0.7);
  EXPECT_EQ(student_t(std::vector<double>{0.7}).high, 0.7);
  EXPECT_EQ(message_of<std::invalid_argument>([] { student_t({}); }), "student_t: no values");
}

TEST(OverSeedsAndItems, AddsTheSquaresOfBothHalves) {
  const std::vector<double> means = {0.7, 0.9, 0.8};
  const Interval seeds = student_t(means);
  const auto interval =
      over_seeds_and_items(means, std::vector<Interval>{{0.6, 0.8}, {0.8, 0.95}, {0.7, 0.85}});
  EXPECT_NEAR(interval.low, 0.8 - std::hypot(0.8 - seeds.low, 0.1), kTolerance);
  EXPECT_NEAR(interval.high,
              0.8 + std::hypot(seeds.high - 0.8, std::sqrt((0.01 + 0.0025 + 0.0025) / 3)),
              kTolerance);
}

TEST(OverSeedsAndItems, IsTheItemsWhereTheSeedsAgree) {
  const std::vector<Interval> items(3, {0.6, 0.75});
  const auto interval = over_seeds_and_items(std::vector<double>(3, 0.7), items);
  EXPECT_NEAR(interval.low, 0.6, kTolerance);
  EXPECT_NEAR(interval.high, 0.75, kTolerance);
  EXPECT_EQ(message_of<std::invalid_argument>(
                [&] { over_seeds_and_items(std::vector<double>{0.7}, items); }),
            "over_seeds_and_items: an interval for each value");
}

TEST(Wilson, AgreesWithScipy) {
  const auto near = [](double k, double n, double low, double high) {
    EXPECT_NEAR(wilson(k, n).low, low, kTolerance);
    EXPECT_NEAR(wilson(k, n).high, high, kTolerance);
  };
  near(7, 10, 0.39677814746114526, 0.892208732593699);
  near(0, 10, 0, 0.27753279986288926);
  near(10, 10, 0.7224672001371109, 1);
  near(45, 100, 0.35614537979511984, 0.5475539700255787);
  near(1, 1, 0.20654931437723745, 1);
}

TEST(Wilson, RefusesWhatIsNoProportion) {
  for (const auto& [k, n] : {std::pair{0.0, 0.0}, {-1.0, 5.0}, {6.0, 5.0}, {NAN, 5.0}}) {
    EXPECT_EQ(message_of<std::invalid_argument>([k = k, n = n] { wilson(k, n); }),
              "wilson: 0 <= successes <= n and n > 0 are needed");
  }
}

const std::vector<double> kScores = {1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0};
const std::vector<std::string> kUsers = letters("aaabbccccdde");

void expect_near(const Interval& interval, double low, double high) {
  EXPECT_NEAR(interval.low, low, 1e-9);
  EXPECT_NEAR(interval.high, high, 1e-9);
}

TEST(ScoreInterval, IsWilsonsOfTheRowsThatUsersAmountTo) {
  expect_near(score_interval(kScores, kUsers), 0.25428828821632266, 0.8518032685455648);
  std::vector<double> graded = kScores;
  graded[1] = 0.25;
  graded[7] = 0.5;
  expect_near(score_interval(graded, letters("abcdefghijkl")), 0.2581982996086235,
              0.8260637247240659);
}

TEST(ScoreInterval, IsWilsonWhereRowsAreIndependentAndRightOrWrong) {
  const auto alone = score_interval(kScores, letters("abcdefghijkl"));
  EXPECT_EQ(alone.low, wilson(7, 12).low);
  EXPECT_EQ(alone.high, wilson(7, 12).high);
}

TEST(ScoreInterval, OfScoresThatAreAllAlikeIsNoPoint) {
  const std::vector<double> right(12, 1);
  expect_near(score_interval(right, letters("aabbccddeeff")), 0.730596854789196,
              1.0000000000000007);
  const std::vector<double> half(12, 0.5);
  const auto interval = score_interval(half, letters("abcdefghijkl"));
  EXPECT_LT(interval.low, 0.4);
  EXPECT_GT(interval.high, 0.6);
}

TEST(ScoreInterval, NeverLeavesItsMeanOrTheScoresOut) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed);
    std::vector<double> scores;
    std::vector<std::string> users;
    const std::size_t n = 1 + rng.below(30), groups = 1 + rng.below(8);
    const double accuracy = rng.uniform();
    for (std::size_t i = 0; i < n; ++i) {
      scores.push_back(rng.below(3) == 0 ? rng.uniform() : rng.uniform() < accuracy);
      users.push_back(fmt::format("u{}", rng.below(groups)));
    }
    const auto [low, high] = score_interval(scores, users);
    EXPECT_LE(0, low);
    EXPECT_LE(low, mean(scores) + kTolerance);
    EXPECT_GE(high, mean(scores) - kTolerance);
    EXPECT_LE(high, 1);
  }
}

TEST(ScoreInterval, OfOneUserTellsNothing) {
  const auto interval = score_interval(std::vector<double>{1, 0, 1, 1}, letters("aaaa"));
  EXPECT_EQ(interval.low, 0);
  EXPECT_EQ(interval.high, 1);
}

TEST(ScoreInterval, IsTheSameForAnyOrderOfTheUsers) {
  const std::vector<double> turned(kScores.rbegin(), kScores.rend());
  const std::vector<std::string> users(kUsers.rbegin(), kUsers.rend());
  const auto there = score_interval(kScores, kUsers), back = score_interval(turned, users);
  EXPECT_EQ(there.low, back.low);
  EXPECT_EQ(there.high, back.high);
}

/// Twelve users of ten rows whose own accuracies are Beta(2, 1): the larger of two uniforms.
TEST(ScoreInterval, HoldsTheTruthAboutNineteenTimesInTwenty) {
  int held = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed);
    std::vector<double> scores;
    std::vector<std::string> users;
    for (int user = 0; user < 12; ++user) {
      const double accuracy = std::max(rng.uniform(), rng.uniform());  // mean 2/3
      for (int i = 0; i < 10; ++i) {
        scores.push_back(rng.uniform() < accuracy);
        users.push_back(fmt::format("u{}", user));
      }
    }
    const auto [low, high] = score_interval(scores, users);
    held += low <= 2.0 / 3 && 2.0 / 3 <= high;
  }
  EXPECT_GT(held, 930);
  EXPECT_LT(held, 990);
}

TEST(ScoreInterval, RefusesWhatHasNoInterval) {
  const std::vector<double> two = {1, 0}, above = {1, 2};
  EXPECT_EQ(message_of<std::invalid_argument>([] { score_interval({}, {}); }),
            "score_interval: no values");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { score_interval(two, letters("a")); }),
            "score_interval: one cluster a value is needed");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { score_interval(above, letters("ab")); }),
            "score_interval: a value is out of range");
  EXPECT_EQ(message_of<std::invalid_argument>(
                [] { score_interval(std::vector<double>{INFINITY}, letters("a")); }),
            "score_interval: a value is not finite");
}

const std::vector<double> kDifferences = {0.5, 0.25, -0.5, 1, 0, 0.25, 1, -0.25, 0.5, 0.75};

TEST(PairedDifference, IsTheJackknifesOverUsersWithTwoRowsMore) {
  const auto users = paired_difference(kDifferences, letters("aabbcdefgh"));
  expect_near(users.interval(), -0.09259815154503132, 0.6759314848783646);
  EXPECT_NEAR(users.center, 3.5 / 12, kTolerance);
  EXPECT_NEAR(users.p(), 0.11314729479100123, 1e-9);
}

TEST(PairedDifference, OfIndependentPairsCountsThoseThatDiffer) {
  std::vector<double> differences(100, 0);
  std::vector<std::string> items;
  for (int i = 0; i < 100; ++i) items.push_back(fmt::format("i{}", i));
  std::fill_n(differences.begin(), 7, 1);
  differences[99] = -1;
  const auto some = paired_difference(differences, items);
  expect_near(some.interval(), -0.0020806776806788496, 0.11972773650420826);
  EXPECT_NEAR(some.p(), 0.058194525292132517, 1e-9);
}

TEST(PairedDifference, OfNothingThatDiffersIsNoPoint) {
  const auto none = paired_difference(std::vector<double>(60, 0), [] {
    std::vector<std::string> users;
    for (int i = 0; i < 60; ++i) users.push_back(fmt::format("u{}", i % 6));
    return users;
  }());
  expect_near(none.interval(), -0.0586347047604323, 0.0586347047604323);
  EXPECT_EQ(none.p(), 1);
  const auto all = paired_difference(std::vector<double>(12, 1), letters("aabbccddeeff"));
  EXPECT_LT(all.interval().low, 1);
  EXPECT_EQ(all.interval().high, 1);
}

TEST(PairedDifference, OfOneUserTellsNothing) {
  const auto one = paired_difference(std::vector<double>{1, 1, 0}, letters("aaa"));
  EXPECT_EQ(one.interval().low, -1);
  EXPECT_EQ(one.interval().high, 1);
  EXPECT_EQ(one.p(), 1);
}

TEST(PairedDifference, ExcludesNoDifferenceExactlyWhereItsTestIsSignificant) {
  int significant = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    std::vector<double> differences;
    std::vector<std::string> users;
    const std::size_t n = 2 + rng.below(60), groups = 2 + rng.below(24);
    const double better = 0.3 + 0.4 * rng.uniform();
    const bool graded = rng.below(2) == 1;
    for (std::size_t i = 0; i < n; ++i) {
      const double sign = rng.uniform() < better ? 1 : -1;
      differences.push_back(rng.below(3) > 0 ? 0 : graded ? sign * rng.uniform() : sign);
      users.push_back(fmt::format("u{}", rng.below(groups)));
    }
    const auto difference = paired_difference(differences, users);
    const auto [low, high] = difference.interval();
    EXPECT_EQ(low > 0 || high < 0, difference.p() < .05) << seed;
    EXPECT_TRUE(low <= mean(differences) && mean(differences) <= high) << seed;
    significant += difference.p() < .05;
  }
  EXPECT_GT(significant, 30);
}

TEST(OverSeedsAndItems, AddsVariancesOfDifferences) {
  const std::vector<Difference> runs = {{.1, .04, 11}, {.2, .05, 9}, {.15, .06, 10}};
  const auto all = over_seeds_and_items(runs);
  EXPECT_NEAR(all.center, .15, kTolerance);
  EXPECT_NEAR(all.error, 0.05830951894845301, 1e-9);
  EXPECT_NEAR(all.degrees, 10.711662758107877, 1e-9);
  EXPECT_NEAR(all.p(), 0.026426379779496228, 1e-9);
}

TEST(OverSeedsAndItems, OfOneRunIsThatRuns) {
  const auto one = over_seeds_and_items(std::vector<Difference>{{.1, .04, 11}});
  EXPECT_EQ(one.center, .1);
  EXPECT_EQ(one.error, .04);
  EXPECT_EQ(one.degrees, 11);
}

TEST(Normal, DistributionAgreesWithScipy) {
  EXPECT_NEAR(normal_cdf(-8) / 6.22096057427174e-16, 1, 1e-10);
  EXPECT_NEAR(normal_cdf(-1.5), 0.06680720126885807, kTolerance);
  EXPECT_EQ(normal_cdf(0), 0.5);
  EXPECT_NEAR(normal_cdf(0.3), 0.6179114221889526, kTolerance);
  EXPECT_NEAR(normal_cdf(1.959963984540054), 0.975, kTolerance);
  EXPECT_NEAR(normal_cdf(6), 0.9999999990134123, kTolerance);
}

TEST(Normal, QuantileAgreesWithScipy) {
  const std::vector<std::pair<double, double>> cases = {
      {1e-300, -37.0470962993612},  {1e-20, -9.262340089798409},  {1e-10, -6.361340902404056},
      {0.001, -3.090232306167813},  {0.025, -1.9599639845400545}, {0.07499, -1.4396021182393162},
      {0.075, -1.4395314709384563}, {0.3, -0.5244005127080409},   {0.5, 0},
      {0.9, 1.2815515655446004},    {0.975, 1.959963984540054},   {1 - 1e-10, 6.361340889697422}};
  for (const auto& [p, z] : cases) EXPECT_NEAR(normal_quantile(p), z, 4e-14) << p;
}

TEST(Normal, QuantileInvertsTheDistribution) {
  Rng rng(5);
  for (int i = 0; i < 10000; ++i) {
    const double p = std::max(rng.uniform(), 1e-9);
    EXPECT_NEAR(normal_cdf(normal_quantile(p)), p, 1e-14);
  }
}

TEST(Normal, QuantileRefusesWhatIsNoProbabilityInside) {
  for (const double p : {0.0, 1.0, -0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(message_of<std::invalid_argument>([p] { normal_quantile(p); }),
              "normal_quantile: p must be in (0, 1)");
  }
}

}  // namespace
}  // namespace theta
