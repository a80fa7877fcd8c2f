#include "optimizers/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Scores of a program that is right on each example with its own probability.
Scores drawn(const std::vector<double>& difficulty, double gain, Rng& rng) {
  Scores scores;
  for (const double easy : difficulty) scores.emplace_back(rng.uniform() < easy + gain ? 1 : 0);
  return scores;
}

std::vector<double> difficulties(std::size_t n, Rng& rng) {
  std::vector<double> all(n);
  for (auto& one : all) one = .2 + .5 * rng.uniform();
  return all;
}

TEST(Belief, TellsHowLikelyTheDifferenceIsAboveNothing) {
  EXPECT_NEAR(Belief::normal(.02, .02).p_better(), .8413, 1e-4);
  EXPECT_DOUBLE_EQ(Belief::normal(0, .02).p_better(), .5);
  EXPECT_DOUBLE_EQ(Belief::normal(0, 0).p_better(), .5);
  EXPECT_NEAR(Belief::normal(.02, .01).interval().low, .0004, 1e-4);
}

TEST(Belief, MixesWhatItsPartsSay) {
  const Belief belief{{{.5, 0, .01}, {.5, .1, .02}}};
  EXPECT_DOUBLE_EQ(belief.mean(), .05);
  EXPECT_NEAR(belief.sd(), std::sqrt(.0025 + .0001 / 2 + .0004 / 2), 1e-12);
  EXPECT_NEAR(belief.p_better(), .75, 1e-4);
  EXPECT_NEAR(belief.interval().high, .1 + .02 * 1.6449, 1e-4);
}

TEST(Updated, SpeaksForThePartThatForetoldIt) {
  const Belief belief{{{.5, 0, .001}, {.5, .3, .05}}};
  Scores winner, student(100, 0.);
  for (std::size_t j = 0; j < 100; ++j) winner.emplace_back(j % 3 == 0 ? 1 : 0);
  const auto after = updated(belief, winner, student, std::vector<std::string>(100));
  EXPECT_GT(after.parts[1].weight, .99);
  EXPECT_GT(after.p_better(), .99);
}

TEST(HoldBack, KeepsAShareOfTheExamplesInTheirOrder) {
  const std::vector<std::string> groups(100);
  const auto held = hold_back(groups, {.fresh = .3, .seed = 1});
  EXPECT_EQ(held.fresh.size(), 30u);
  EXPECT_EQ(held.searched.size(), 70u);
  EXPECT_TRUE(std::ranges::is_sorted(held.fresh));
  EXPECT_TRUE(std::ranges::is_sorted(held.searched));
  EXPECT_EQ(held.fresh, hold_back(groups, {.fresh = .3, .seed = 1}).fresh);
  EXPECT_NE(held.fresh, hold_back(groups, {.fresh = .3, .seed = 2}).fresh);
}

TEST(HoldBack, NeverDividesAGroup) {
  std::vector<std::string> groups;
  for (int j = 0; j < 40; ++j) groups.push_back(std::to_string(j % 8));
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto held = hold_back(groups, {.fresh = .3, .seed = seed});
    EXPECT_EQ(held.fresh.size(), 10u);
    for (const auto a : held.fresh)
      for (const auto b : held.searched) EXPECT_NE(groups[a], groups[b]);
  }
}

TEST(HoldBack, LeavesTheSearchAtLeastOneExample) {
  EXPECT_THAT(hold_back(std::vector<std::string>(2), {.fresh = .9}).searched.size(), 1u);
  EXPECT_THAT(hold_back(std::vector<std::string>(1), {.fresh = .9}).fresh, IsEmpty());
  EXPECT_THAT(hold_back(std::vector<std::string>{"a", "a", "a"}, {.fresh = .5}).searched,
              ElementsAre(0, 1, 2));
}

TEST(Updated, ComesNearerToTheDifferenceThatWasSeenTheMoreIsSeen) {
  double before = 0;
  for (const std::size_t n : {5, 20, 80, 320}) {
    Scores winner, student;
    for (std::size_t j = 0; j < n; ++j) {
      winner.emplace_back(j % 5 == 0 ? 1 : 0);
      student.emplace_back(0);
    }
    const auto belief =
        updated(Belief::normal(0, .05), winner, student, std::vector<std::string>(n));
    EXPECT_GT(belief.mean(), before);
    EXPECT_LT(belief.mean(), .2);
    EXPECT_LT(belief.sd(), .05);
    before = belief.mean();
  }
}

TEST(Updated, IsNotCertainAfterEqualDifferences) {
  const Scores right(10, 1.), wrong(10, 0.);
  const std::vector<std::string> groups(10);
  EXPECT_GT(updated(Belief::normal(0, .1), right, right, groups).sd(), .05);
  EXPECT_GT(updated(Belief::normal(0, .1), right, wrong, groups).sd(), .05);
}

TEST(Updated, LearnsLessFromExamplesOfOneGroup) {
  Scores winner, student(40, 0.);
  std::vector<std::string> alone(40), groups;
  for (std::size_t j = 0; j < 40; ++j) {
    winner.emplace_back(j / 10 % 2 == 0 ? 1 : 0);
    groups.push_back(std::to_string(j / 10));
  }
  EXPECT_GT(updated(Belief::normal(0, .1), winner, student, groups).sd(),
            updated(Belief::normal(0, .1), winner, student, alone).sd() + .01);
}

TEST(Updated, LeavesOutWhatOneOfBothHasNoScoreOn) {
  const Scores winner{1., std::nullopt, 1.}, student{0., 0., std::nullopt};
  const std::vector<std::string> groups(3);
  const auto belief = updated(Belief::normal(0, .1), winner, student, groups);
  const auto same = updated(Belief::normal(0, .1), {1.}, {0.}, std::vector<std::string>(1));
  EXPECT_DOUBLE_EQ(belief.mean(), same.mean());
  EXPECT_DOUBLE_EQ(belief.sd(), same.sd());
  EXPECT_DOUBLE_EQ(updated(Belief::normal(.01, .1), {std::nullopt}, {1.}, groups).mean(), .01);
}

TEST(Shrunken, BelievesLittleOfTheBestOfManyThatAreEquallyGood) {
  double claimed = 0, believed = 0;
  int sure = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const auto difficulty = difficulties(100, rng);
    const Scores student = drawn(difficulty, 0, rng);
    std::vector<Scores> candidates;
    for (int c = 0; c < 20; ++c) candidates.push_back(drawn(difficulty, 0, rng));
    const auto beliefs = shrunken(student, candidates);
    const auto best = choose(beliefs, [](std::size_t) { return 0; });
    claimed += mean_difference(candidates[best], student) / 200;
    believed += beliefs[best].mean() / 200;
    sure += beliefs[best].p_better() > .95;
  }
  EXPECT_GT(claimed, .08);
  EXPECT_LT(believed, claimed / 4);
  EXPECT_LE(sure, 10);
}

TEST(Shrunken, BelievesInAGainThatIsPlain) {
  Rng rng(1);
  const auto difficulty = difficulties(200, rng);
  const Scores student = drawn(difficulty, 0, rng);
  std::vector<Scores> candidates;
  for (int c = 0; c < 10; ++c) candidates.push_back(drawn(difficulty, c == 7 ? .25 : 0, rng));
  const auto beliefs = shrunken(student, candidates);
  EXPECT_EQ(choose(beliefs, [](std::size_t) { return 0; }), 7u);
  EXPECT_GT(beliefs[7].p_better(), .99);
  EXPECT_NEAR(beliefs[7].mean(), .25, .12);
}

TEST(Shrunken, BelievesNoMoreOfTheBestWhereOthersAreBroken) {
  int sure = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const auto difficulty = difficulties(100, rng);
    const Scores student = drawn(difficulty, 0, rng);
    std::vector<Scores> candidates;
    for (int c = 0; c < 20; ++c) candidates.push_back(drawn(difficulty, c % 2 == 0 ? -.4 : 0, rng));
    const auto beliefs = shrunken(student, candidates);
    sure += beliefs[choose(beliefs, [](std::size_t) { return 0; })].p_better() > .95;
  }
  EXPECT_LE(sure, 10);
}

TEST(Shrunken, KeepsToThePriorWhereNothingIsShared) {
  const auto beliefs =
      shrunken({1., 0., std::nullopt}, {{std::nullopt, std::nullopt, 1.}, {1., 0., 1.}});
  EXPECT_NEAR(beliefs[0].mean(), 0, .01);
  EXPECT_GT(beliefs[0].sd(), .02);
}

TEST(Choose, TakesTheCheapestOfWhatIsNotToldApart) {
  std::vector<Belief> beliefs;
  for (const double mean : {.050, .048, .047, .02}) beliefs.push_back(Belief::normal(mean, .02));
  const std::vector<double> cost{30, 20, 25, 1};
  EXPECT_EQ(choose(beliefs, [&](std::size_t i) { return cost[i]; }), 1u);
}

TEST(Choose, AsksForNoCostWhereOneIsTheBest) {
  EXPECT_EQ(choose(std::vector{Belief::normal(.01, .01), Belief::normal(.05, .01)},
                   [](std::size_t) -> double { throw std::logic_error("asked"); }),
            1u);
}

TEST(Decide, SavesWhatIsBetterWithMoreThanTheThreshold) {
  const auto decision = decide(Belief::normal(.04, .02), .1, 30, {.threshold = .95});
  EXPECT_TRUE(decision.saved);
  EXPECT_NEAR(decision.p_better, .977, .001);
  EXPECT_DOUBLE_EQ(decision.claimed, .1);
  EXPECT_EQ(decision.n_fresh, 30u);
  EXPECT_FALSE(decide(Belief::normal(.04, .02), .1, 30, {.threshold = .98}).saved);
}

TEST(Decide, SavesNothingWhereNothingWasFound) {
  const auto decision = decide(std::nullopt, 0, 0, {.threshold = .5});
  EXPECT_FALSE(decision.found);
  EXPECT_FALSE(decision.saved);
  EXPECT_DOUBLE_EQ(decision.p_better, 0);
}

}  // namespace
}  // namespace theta
