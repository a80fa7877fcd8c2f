#include "core/classifier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theta {
namespace {

using ::testing::ElementsAre;

// Rows in the plane; what scikit-learn 1.7 says of them stands below.
struct Plane {
  Eigen::MatrixXd X{{1, .2}, {.9, -.1}, {.1, 1.1}, {-.2, .8}, {-1, -.9}, {-.8, -1.2}, {.5, .6}};
  std::vector<std::size_t> y{0, 0, 1, 1, 2, 2, 1};
  Eigen::MatrixXd asked{{.6, .4}, {-.5, -.2}, {0, 1}};
  Eigen::MatrixXd K = X * X.transpose();
  Eigen::MatrixXd Q = asked * X.transpose();
};

TEST(LogisticRegression, FindsWhatScikitLearnFinds) {
  const Plane plane;
  const Eigen::MatrixXd expected_1{{-.928408, -.701771, -2.21539},
                                   {-1.652527, -.939044, -.87363},
                                   {-1.842673, -.273631, -2.513381}};
  const Eigen::MatrixXd expected_10{{-.868698, -.604821, -3.371721},
                                    {-2.521255, -.890225, -.675154},
                                    {-4.057598, -.027071, -4.66521}};
  for (const auto& [c, expected] : {std::pair{1., expected_1}, {10., expected_10}}) {
    const LogisticRegression fitted(plane.K, plane.y, 3, c);
    EXPECT_TRUE(fitted.log_probabilities(plane.Q).isApprox(expected, 1e-4))
        << fitted.log_probabilities(plane.Q);
    EXPECT_THAT(fitted.classify(plane.Q), ElementsAre(1, 2, 1));
  }
}

TEST(LogisticRegression, RefusesRowsThatDoNotFit) {
  const Plane plane;
  const std::vector<std::size_t> few{0, 1};
  EXPECT_THROW(LogisticRegression(plane.K, few, 3, 1), std::invalid_argument);
  EXPECT_THROW(LogisticRegression(plane.K, plane.y, 2, 1), std::invalid_argument);
  EXPECT_THROW(LogisticRegression(plane.K, plane.y, 3, 0), std::invalid_argument);
}

TEST(NearestCentroid, FollowsTheDirectionOfTheMeans) {
  const Plane plane;
  EXPECT_THAT(nearest_centroid(plane.K, plane.Q, plane.y, 3), ElementsAre(0, 2, 1));
}

TEST(NearestCentroid, NeverChoosesAClassWithoutRows) {
  const Plane plane;
  EXPECT_THAT(nearest_centroid(plane.K, -plane.Q, plane.y, 9), ::testing::Each(::testing::Lt(3U)));
}

TEST(CrossValidatedC, TrustsRowsThatAgreeAndNotThoseThatDoNot) {
  std::vector<std::size_t> y;
  Eigen::MatrixXd X(60, 2);
  for (int i = 0; i < 60; ++i) {
    X.row(i) << (i % 2 == 0 ? 1 : -1), .01 * i;
    y.push_back(static_cast<std::size_t>(i % 2));
  }
  const Eigen::MatrixXd K = X * X.transpose();
  EXPECT_EQ(cross_validated_c(K, y, 2), 1000);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = i / 2 % 2;  // nothing to do with X's sign
  EXPECT_LE(cross_validated_c(K, y, 2), .1);
}

}  // namespace
}  // namespace theta
