#include "core/models/http/in_flight_limit.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

/// A round: as many answers as the limit, each after `latency_s`.
void round(InFlightLimit& limit, double latency_s) {
  for (int left = limit.limit(); left > 0; --left) limit.answered(0, latency_s);
}

TEST(InFlightLimit, BeginsAtTheMostAndStaysThereWhileAnswersComeInTime) {
  InFlightLimit limit(64);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(limit.limit(), 64);
    round(limit, 0.05);
  }
}

TEST(InFlightLimit, HalvesOnceForRefusalsOfRequestsThatWereUnderWayTogether) {
  InFlightLimit limit(64);
  for (int i = 0; i < 64; ++i) limit.refused(1.0, 1.1 + 0.001 * i);
  EXPECT_EQ(limit.limit(), 32);
  limit.refused(1.2, 1.3);
  EXPECT_EQ(limit.limit(), 16);
}

TEST(InFlightLimit, NeverFallsBelowOne) {
  InFlightLimit limit(3);
  for (int i = 0; i < 10; ++i) limit.refused(i, i + 0.5);
  EXPECT_EQ(limit.limit(), 1);
}

TEST(InFlightLimit, ClimbsBackByItsRootARound) {
  InFlightLimit limit(64);
  limit.refused(0, 1);
  limit.refused(2, 3);
  EXPECT_EQ(limit.limit(), 16);
  round(limit, 0.05);
  EXPECT_EQ(limit.limit(), 20);
  for (int i = 0; i < 20; ++i) round(limit, 0.05);
  EXPECT_EQ(limit.limit(), 64);
}

TEST(InFlightLimit, TakesATenthOffARoundThatIsLate) {
  InFlightLimit limit(100);
  round(limit, 0.05);
  round(limit, 0.09);
  EXPECT_EQ(limit.limit(), 100);
  round(limit, 0.5);
  EXPECT_EQ(limit.limit(), 90);
}

TEST(InFlightLimit, GetsUsedToAServerThatHasBecomeSlower) {
  InFlightLimit limit(100);
  round(limit, 0.05);
  for (int i = 0; i < 60; ++i) round(limit, 0.5);
  EXPECT_EQ(limit.limit(), 100);
}

}  // namespace
}  // namespace theta
