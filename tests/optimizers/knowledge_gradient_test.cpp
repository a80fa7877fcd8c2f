#include "optimizers/knowledge_gradient.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/rng.hpp"

namespace theta {
namespace {

/// The same by the midpoint rule over 20001 values of Z.
double by_quadrature(const Eigen::VectorXd& mean, const Eigen::VectorXd& slope) {
  double sum = 0, weights = 0;
  for (int k = -10000; k <= 10000; ++k) {
    const double z = k / 1000.0, weight = std::exp(-z * z / 2);
    sum += weight * (mean + z * slope).maxCoeff();
    weights += weight;
  }
  return sum / weights - mean.maxCoeff();
}

TEST(KnowledgeGradient, IsTheExpectedRiseOfTheMaximum) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Rng rng(seed);
    const auto m = static_cast<Eigen::Index>(1 + rng.below(12));
    Eigen::VectorXd mean(m), slope(m);
    for (Eigen::Index i = 0; i < m; ++i) {
      mean(i) = rng.normal();
      slope(i) = rng.normal();
    }
    EXPECT_NEAR(knowledge_gradient(mean, slope), by_quadrature(mean, slope), 1e-6) << seed;
  }
}

TEST(KnowledgeGradient, OfTwoEqualMeansIsTheHalfNormalMean) {
  EXPECT_NEAR(knowledge_gradient(Eigen::Vector2d(.5, .5), Eigen::Vector2d(0, .2)),
              .2 / std::sqrt(2 * std::numbers::pi), 1e-12);
}

TEST(KnowledgeGradient, IsNothingWhereTheMaximumCannotChange) {
  EXPECT_EQ(knowledge_gradient(Eigen::VectorXd::Constant(1, .3), Eigen::VectorXd::Ones(1)), 0);
  // All move alike: whatever is learned, the first stays the best.
  EXPECT_EQ(knowledge_gradient(Eigen::Vector3d(3, 2, 1), Eigen::Vector3d::Ones()), 0);
}

TEST(KnowledgeGradient, DoesNotDependOnTheOrder) {
  const Eigen::Vector4d mean(.2, .5, .4, .4), slope(.3, -.1, .2, .2);
  EXPECT_DOUBLE_EQ(knowledge_gradient(mean, slope),
                   knowledge_gradient(mean.reverse(), slope.reverse()));
}

}  // namespace
}  // namespace theta
