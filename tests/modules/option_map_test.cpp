#include "modules/option_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace theta {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

/// Twenty rows of three options of which the right one ranks second as a rule.
LabelledOptions second_is_right() {
  Eigen::MatrixXd scores{{0.0, 0.7, -0.1}, {0.3, 1.2, 1.6},   {1.2, -0.5, 0.9}, {1.5, 1.7, -0.7},
                         {-0.6, 1.5, 1.6}, {0.5, -0.1, -0.2}, {0.1, 1.2, -0.4}, {0.3, 0.5, 1.1},
                         {1.7, 0.5, -0.5}, {0.3, 0.9, -0.1},  {-0.8, 0.5, 1.5}, {1.3, -0.6, 0.3},
                         {-0.2, 0.7, 0.1}, {-0.7, 1.2, 1.9},  {0.3, 0.2, -0.2}, {0.5, 1.5, -1.2},
                         {-0.1, 0.3, 2.1}, {0.8, 0.4, -0.2},  {0.3, 1.0, 0.9},  {0.3, 2.0, 1.9}};
  LabelledOptions rows{std::move(scores), {}};
  for (Eigen::Index i = 0; i < rows.logprobs.rows(); ++i) {
    rows.logprobs.row(i).array() -= std::log(rows.logprobs.row(i).array().exp().sum());
    rows.labels.push_back(static_cast<std::size_t>(i) % 3);
  }
  return rows;
}

TEST(OptionMap, HasTheNumbersOfScipysMinimum) {
  // By scipy 1.17's L-BFGS-B on the same objective, penalties and folds.
  const OptionMap map = fit_option_map(second_is_right());
  EXPECT_EQ(map.rows, 20u);
  EXPECT_THAT(map.apply(std::vector{-.2, -1.1, -2.0}),
              ElementsAre(DoubleNear(-2.90967, 1e-3), DoubleNear(-8.67102, 1e-3),
                          DoubleNear(-.0562163, 1e-4)));
  EXPECT_THAT(map.apply(std::vector{-1.5, -.4, -3.}),
              ElementsAre(DoubleNear(-.00331441, 1e-4), DoubleNear(-9.27141, 1e-3),
                          DoubleNear(-5.73998, 1e-3)));
  const Eigen::MatrixXd held_out = cross_fitted(second_is_right());
  EXPECT_NEAR(held_out(0, 0), -.151999, 1e-4);
  EXPECT_NEAR(held_out(1, 2), -4.26838, 1e-3);
}

TEST(OptionMap, LeavesWhatIsRightAsItIs) {
  LabelledOptions rows{Eigen::MatrixXd(30, 2), {}};
  for (Eigen::Index i = 0; i < 30; ++i) {
    rows.labels.push_back(static_cast<std::size_t>(i) % 2);
    rows.logprobs.row(i) =
        i % 2 == 0 ? Eigen::RowVector2d(-.1, -2.4) : Eigen::RowVector2d(-2.4, -.1);
  }
  const OptionMap map = fit_option_map(rows);
  EXPECT_GT(map.apply(std::vector{-.1, -2.4})[0], -.11);
  EXPECT_GT(map.apply(std::vector{-2.4, -.1})[1], -.11);
}

TEST(OptionMap, DoesNotDependOnTheLevelOfTheScores) {
  const OptionMap map = fit_option_map(second_is_right());
  const auto one = map.apply(std::vector{-1., -2., -3.}),
             other = map.apply(std::vector{6., 5., 4.});
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(one[k], other[k], 1e-9);
}

TEST(OptionMap, IsOfItsOptionsAndTakesTenRowsToJudge) {
  EXPECT_THROW((void)fit_option_map(second_is_right()).apply(std::vector{-1., -2.}),
               std::logic_error);
  LabelledOptions few = second_is_right();
  few.labels.resize(9);
  few.logprobs.conservativeResize(9, 3);
  EXPECT_THROW((void)cross_fitted(few), std::invalid_argument);
}

}  // namespace
}  // namespace theta
