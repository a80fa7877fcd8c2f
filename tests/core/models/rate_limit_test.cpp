#include "core/models/rate_limit.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

TEST(RateLimit, LetsASecondsWorthThroughAtOnceAndTheRestEvenly) {
  RateLimit limit(120);
  EXPECT_EQ(limit.take(1, 100), 0);
  EXPECT_EQ(limit.take(1, 100), 0);
  EXPECT_DOUBLE_EQ(limit.take(1, 100), 0.5);
  EXPECT_DOUBLE_EQ(limit.take(1, 100), 1);
  EXPECT_DOUBLE_EQ(limit.take(1, 100.25), 1.25);
}

TEST(RateLimit, SavesUpNoMoreThanASecondsWorth) {
  RateLimit limit(120);
  limit.take(2, 0);
  EXPECT_EQ(limit.take(2, 3600), 0);
  EXPECT_DOUBLE_EQ(limit.take(1, 3600), 0.5);
}

TEST(RateLimit, PassesNoMoreThanItsShareOfAnyMinute) {
  RateLimit limit(30);
  double now = 0;
  int passed = 0;
  while (now < 600) {
    now += limit.take(1, now);
    ++passed;
  }
  EXPECT_NEAR(passed, 300, 2);
}

TEST(RateLimit, MakesWhatCostsMoreThanIsSavedUpWaitForTheRest) {
  RateLimit limit(6000);
  EXPECT_DOUBLE_EQ(limit.take(1100, 0), 10);
}

TEST(RateLimit, GivesBackWhatWasNotSpentUpToWhatCanBeSavedUp) {
  RateLimit limit(60);
  limit.take(10, 0);
  limit.give_back(9);
  EXPECT_DOUBLE_EQ(limit.take(1, 0), 1);
  limit.give_back(1000);
  EXPECT_DOUBLE_EQ(limit.take(2, 0), 1);
}

TEST(RateLimit, ThatIsNoneNeverWaits) {
  RateLimit limit(0);
  limit.give_back(-1e9);
  EXPECT_EQ(limit.take(1e9, 0), 0);
  EXPECT_EQ(limit.take(1e9, 0), 0);
}

}  // namespace
}  // namespace theta
