#include "core/reliability.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace theta {
namespace {

TEST(Reliability, ComparesConfidenceWithTheShareOfRightGuessesByBin) {
  // Confidences .95 to .55, of which the third and the last are wrong.
  const std::vector<double> probabilities = {.95, .85, .25, .65, .45};
  EXPECT_NEAR(reliability(probabilities, 5).error, .37, 1e-12);
}

TEST(Reliability, OfWhoKnowsNothing) {
  const std::vector<double> probabilities = {.5, .5};
  const auto [log_loss, brier, error] = reliability(probabilities);
  EXPECT_DOUBLE_EQ(log_loss, std::log(2));
  EXPECT_DOUBLE_EQ(brier, .25);
  EXPECT_DOUBLE_EQ(error, 0);
}

TEST(Reliability, OfCertainty) {
  const std::vector<double> right = {1, 1}, wrong = {1, 0};
  EXPECT_DOUBLE_EQ(reliability(right).error, 0);
  EXPECT_DOUBLE_EQ(reliability(wrong).error, .5);
  EXPECT_DOUBLE_EQ(reliability(wrong).brier, .5);
}

TEST(Reliability, RefusesNothingAndWhatIsNoProbability) {
  EXPECT_THROW(reliability({}), std::invalid_argument);
  const std::vector<double> more = {1.5}, none = {std::nan("")};
  EXPECT_THROW(reliability(more), std::invalid_argument);
  EXPECT_THROW(reliability(none), std::invalid_argument);
}

}  // namespace
}  // namespace theta
