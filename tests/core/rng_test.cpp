#include "core/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/statistics.hpp"

// Every expected number comes from CPython 3.11's random.Random(seed).

namespace theta {
namespace {

using Indices = std::vector<std::size_t>;

Indices sample(std::uint64_t seed, std::size_t n, std::size_t k) { return Rng(seed).sample(n, k); }

TEST(Rng, DrawsCPythonsBitsForSeedsOfOneAndTwoWords) {
  const auto four = [](std::uint64_t seed) {
    Rng rng(seed);
    return std::array<std::uint32_t, 4>{rng.next(), rng.next(), rng.next(), rng.next()};
  };
  using Four = std::array<std::uint32_t, 4>;
  EXPECT_EQ(four(0), (Four{3626764237, 1654615998, 3255389356, 3823568514}));
  EXPECT_EQ(four(42), (Four{2746317213, 478163327, 107420369, 3184935163}));
  EXPECT_EQ(four(0xffffffff), (Four{2728839433, 2661025012, 872737089, 924893097}));
  EXPECT_EQ(four(0x100000000), (Four{485306839, 1508871100, 1794561286, 4014597330}));
  EXPECT_EQ(four(0xffffffffffffffff), (Four{93740670, 1068495656, 1452108352, 2657516307}));
}

TEST(Rng, StaysInStepAfterAMillionDraws) {
  Rng rng(1);
  for (int i = 0; i < 1000000; ++i) rng.next();
  EXPECT_EQ(rng.next(), 1435354265U);
}

TEST(Rng, DrawsCPythonsRandom) {
  Rng rng(42);  // random()
  EXPECT_EQ(rng.uniform(), 0.6394267984578837);
  EXPECT_EQ(rng.uniform(), 0.025010755222666936);
  EXPECT_EQ(rng.uniform(), 0.27502931836911926);
}

TEST(Rng, DrawsCPythonsRandrangeForBoundsOfEverySize) {
  Rng rng(7);
  for (const std::size_t x : {331, 970, 154, 404, 666}) EXPECT_EQ(rng.below(1000), x);
  for (const std::size_t x : {207388624U, 404285457U}) EXPECT_EQ(rng.below(1ULL << 32), x);
  for (const std::size_t x : {127057107037ULL, 82526500300ULL, 953851880282ULL}) {
    EXPECT_EQ(rng.below(1ULL << 40), x);
  }
  for (const std::size_t x : {1288605153985647771ULL, 1673359773981742884ULL}) {
    EXPECT_EQ(rng.below(1ULL << 63), x);
  }
  EXPECT_EQ(rng.below(1), 0U);
  EXPECT_EQ(rng.below(1), 0U);
  EXPECT_EQ(rng.next(), 3551302831U);
}

TEST(Rng, DrawsCPythonsRandint) {
  Rng rng(5);
  for (const int x : {1, -1, 2, -1, 3, 2, 3, 2, 2, 1}) EXPECT_EQ(rng.between(-3, 3), x);
  constexpr std::int64_t kBig = 1LL << 62;
  EXPECT_EQ(rng.between(-kBig, kBig), -17475401831951500);
}

// SynthesizeMe shows the chosen completion first where choice([True, False]) is True.
TEST(Rng, DrawsSynthesizeMesOrderOfCompletions) {
  Rng rng(42);
  std::string flips;
  for (int i = 0; i < 40; ++i) flips += "TF"[rng.below(2)];
  EXPECT_EQ(flips, "TTFTTTTTFTTTTTTTFTFFTTFFFTTFTTFTFFFTFTFT");
}

TEST(Rng, ShufflesAsCPython) {
  const std::vector<Indices> expected = {
      {4, 2, 1, 0, 5, 3, 6}, {3, 6, 5, 2, 0, 4, 1}, {2, 3, 1, 4, 5, 0, 6}, {0, 2, 3, 6, 5, 4, 1},
      {5, 4, 6, 3, 0, 2, 1}, {6, 3, 1, 0, 5, 2, 4}, {2, 5, 1, 3, 0, 4, 6}, {5, 6, 4, 0, 3, 1, 2},
      {4, 5, 0, 6, 3, 2, 1}, {1, 6, 0, 5, 2, 4, 3}};
  const std::array<std::int64_t, 10> sizes = {7, 2, 7, 2, 2, 5, 7, 3, 2, 4};
  for (std::size_t seed = 0; seed < expected.size(); ++seed) {
    Indices items = {0, 1, 2, 3, 4, 5, 6};
    Rng(seed).shuffle(items);
    EXPECT_EQ(items, expected[seed]) << "seed " << seed;
    EXPECT_EQ(Rng(seed).between(1, 7), sizes[seed]) << "seed " << seed;
  }
}

TEST(Rng, SamplesFromAPoolAsCPython) {
  EXPECT_EQ(sample(0, 7, 4), (Indices{6, 3, 5, 0}));
  EXPECT_EQ(sample(105, 21, 5), (Indices{18, 11, 20, 3, 0}));
  EXPECT_EQ(sample(510, 85, 6), (Indices{70, 36, 53, 52, 13, 9}));
  EXPECT_EQ(sample(25, 5, 5), (Indices{3, 0, 4, 1, 2}));
  EXPECT_EQ(sample(0, 5, 0), Indices{});
}

TEST(Rng, SamplesWithASetAsCPython) {
  EXPECT_EQ(sample(110, 22, 5), (Indices{12, 19, 7, 13, 15}));
  EXPECT_EQ(sample(516, 86, 6), (Indices{30, 69, 72, 81, 67, 2}));
  EXPECT_EQ(sample(12000, 1000, 12),
            (Indices{39, 193, 455, 383, 111, 778, 394, 296, 633, 587, 511, 900}));
}

TEST(Rng, SamplesDistinctIndicesForEverySize) {
  for (std::size_t n = 0; n < 120; ++n) {
    for (std::size_t k = 0; k <= n; ++k) {
      Indices drawn = sample(n, n, k);
      std::ranges::sort(drawn);
      ASSERT_TRUE(std::ranges::adjacent_find(drawn) == drawn.end()) << n << " " << k;
      ASSERT_TRUE(drawn.empty() || drawn.back() < n) << n << " " << k;
    }
  }
}

TEST(Rng, DrawsNormalNumbersByInversion) {
  Rng normal(3);
  Rng uniform(3);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double z = normal.normal();
    EXPECT_EQ(z, normal_quantile(uniform.uniform()));
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.03);
  EXPECT_NEAR(squares / kDraws, 1, 0.05);
}

// Reference outputs of splitmix64.c (Vigna) for the seed 1234567.
TEST(DeriveSeed, IsTheSplitMix64Stream) {
  EXPECT_EQ(derive_seed(1234567, 0), 6457827717110365317U);
  EXPECT_EQ(derive_seed(1234567, 1), 3203168211198807973U);
  EXPECT_EQ(derive_seed(1234567, 2), 9817491932198370423U);
}

TEST(DeriveSeed, SeparatesNamedStreams) {
  EXPECT_EQ(derive_seed(7, "split"), derive_seed(7, "split"));
  EXPECT_NE(derive_seed(7, "split"), derive_seed(7, "bootstrap"));
  EXPECT_NE(derive_seed(7, "split"), derive_seed(8, "split"));
}

}  // namespace
}  // namespace theta
