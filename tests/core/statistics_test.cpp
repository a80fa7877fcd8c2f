#include "core/statistics.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/rng.hpp"
#include "tests/support/message_of.hpp"

// Expected numbers: scipy 1.17 (binomtest, permutation_test, norm); for what is drawn at random a
// Python script on random.Random(derive_seed(seed, i)) and numpy.quantile.

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

TEST(ClusteredBootstrap, IsTheIntervalOfResampledUsers) {
  const Interval few = clustered_bootstrap(kScores, kUsers, 7, 999);
  EXPECT_DOUBLE_EQ(few.low, 0.375);
  EXPECT_DOUBLE_EQ(few.high, 0.6875);
  const Interval many = clustered_bootstrap(kScores, kUsers, 7);
  EXPECT_DOUBLE_EQ(many.low, 0.375);
  EXPECT_DOUBLE_EQ(many.high, 0.7058823529411765);
}

TEST(ClusteredBootstrap, IsTheSameForAnyNumberOfThreads) {
  std::vector<double> values;
  std::vector<std::string> clusters;
  Rng rng(1);
  for (int i = 0; i < 200; ++i) {
    values.push_back(rng.uniform());
    clusters.push_back(fmt::format("u{}", i % 17));
  }
  const Interval many = clustered_bootstrap(values, clusters, 3, 500);
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  const Interval single = clustered_bootstrap(values, clusters, 3, 500);
  EXPECT_EQ(many.low, single.low);
  EXPECT_EQ(many.high, single.high);
}

TEST(ClusteredBootstrap, OfASingleClusterIsItsMean) {
  const Interval interval =
      clustered_bootstrap(std::vector<double>{1, 0, 1, 1}, letters("aaaa"), 1);
  EXPECT_EQ(interval.low, 0.75);
  EXPECT_EQ(interval.high, 0.75);
}

TEST(ClusteredBootstrap, CoversTheTrueMeanAboutNineTimesInTen) {
  int covered = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    std::vector<double> values;
    std::vector<std::string> clusters;
    for (int user = 0; user < 30; ++user) {
      const double taste = 0.5 * rng.normal();
      for (int i = 0; i < 4; ++i) {
        values.push_back(taste + 0.2 * rng.normal());
        clusters.push_back(fmt::format("u{}", user));
      }
    }
    const Interval interval = clustered_bootstrap(values, clusters, seed, 399);
    covered += interval.low <= 0 && 0 <= interval.high;
  }
  EXPECT_GT(covered, 270);
  EXPECT_LT(covered, 298);
}

TEST(ClusteredBootstrap, RefusesWhatHasNoInterval) {
  const std::vector<double> two = {1, 2};
  EXPECT_EQ(message_of<std::invalid_argument>([] { clustered_bootstrap({}, {}, 1); }),
            "clustered_bootstrap: no values");
  EXPECT_EQ(message_of<std::invalid_argument>([&] { clustered_bootstrap(two, letters("a"), 1); }),
            "clustered_bootstrap: one cluster a value is needed");
  EXPECT_EQ(
      message_of<std::invalid_argument>([&] { clustered_bootstrap(two, letters("ab"), 1, 0); }),
      "clustered_bootstrap: no resamples");
  EXPECT_EQ(message_of<std::invalid_argument>(
                [] { clustered_bootstrap(std::vector<double>{INFINITY}, letters("a"), 1); }),
            "clustered_bootstrap: a value is not finite");
}

TEST(Mcnemar, AgreesWithScipy) {
  EXPECT_EQ(mcnemar(0, 0), 1);
  EXPECT_NEAR(mcnemar(0, 5), 0.0625, kTolerance);
  EXPECT_NEAR(mcnemar(9, 1), 0.021484375, kTolerance);
  EXPECT_EQ(mcnemar(10, 10), 1);
  EXPECT_NEAR(mcnemar(3, 11), 0.057373046875, kTolerance);
  EXPECT_NEAR(mcnemar(40, 70), 0.005447429511444476, kTolerance);
  EXPECT_NEAR(mcnemar(1100, 900), 8.45708953550381e-06, kTolerance);
}

const std::vector<double> kDifferences = {0.5, 0.25, -0.5, 1, 0, 0.25, 1, -0.25, 0.5, 0.75};

TEST(PairedPermutation, AgreesWithScipyWhereItIsExact) {
  EXPECT_DOUBLE_EQ(paired_permutation(kDifferences, letters("abcdefghij"), 1), 0.08203125);
  EXPECT_DOUBLE_EQ(paired_permutation(kDifferences, letters("aabbcdefgh"), 1), 0.046875);
}

TEST(PairedPermutation, IsOneWhereNothingDiffers) {
  EXPECT_EQ(paired_permutation(std::vector<double>{0, 0, 0}, letters("abc"), 1), 1);
  EXPECT_EQ(paired_permutation(std::vector<double>{0.3, 0.1, 0.2, -0.6}, letters("abcd"), 1), 1);
}

TEST(PairedPermutation, SamplesSignsForManyClusters) {
  std::vector<double> differences;
  std::vector<std::string> clusters;
  for (int i = 0; i < 20; ++i) {
    differences.push_back((i * 7 % 11 - 4) / 8.0);
    clusters.push_back(fmt::format("u{:02}", i));
  }
  EXPECT_DOUBLE_EQ(paired_permutation(differences, clusters, 3, 999), 0.271);
  // Exact over all 2^20 patterns: 0.26496.
  EXPECT_NEAR(paired_permutation(differences, clusters, 3), 0.26496, 0.01);
  for (double& d : differences) d = 1;
  EXPECT_EQ(paired_permutation(differences, clusters, 3, 99), 0.01);
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
