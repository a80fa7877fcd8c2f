#include "modules/knowledge_gradient.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/rng.hpp"

namespace theta {
namespace {

using testing::Each;
using Probabilities = std::vector<std::vector<double>>;

TEST(KnowledgeGradients, AreLargestWhereTheAnswerDecidesBetweenPersonas) {
  // Two personas differ on pairs 0 and 1, and agree on pair 2.
  const std::vector<double> w = {0.5, 0.5};
  const Probabilities p = {{0.9, 0.8, 0.9}, {0.1, 0.2, 0.9}};
  const auto kg = knowledge_gradients(w, p);
  EXPECT_NEAR(kg[0], 0.12, 1e-12);  // each tells of the other: (.9 - .5) (.8 - .2) / 2
  EXPECT_NEAR(kg[1], 0.12, 1e-12);
  EXPECT_NEAR(kg[2], 0, 1e-12);
}

// By hand: w = (1/2, 1/2), two pairs, p = ((.9, .8), (.1, .2)). Without an answer both personas are
// right on pair 1 with 1/2. After `first` of pair 0 the belief is (.9, .1), and P(first of pair 1) =
// .9 * .8 + .1 * .2 = .74, as is the best persona's accuracy; `second` is the mirror image.
TEST(KnowledgeGradients, AreTheRiseOfTheBestPersonasAccuracyOnTheOtherPairs) {
  const std::vector<double> w = {0.5, 0.5};
  const Probabilities p = {{0.9, 0.8}, {0.1, 0.2}};
  EXPECT_NEAR(knowledge_gradients(w, p)[0], 0.74 - 0.5, 1e-12);
}

TEST(KnowledgeGradients, AreNothingWhereOnePersonaIsCertain) {
  const std::vector<double> w = {1, 0};
  const Probabilities p = {{0.9, 0.8, 0.7}, {0.1, 0.2, 0.3}};
  for (const double one : knowledge_gradients(w, p)) EXPECT_NEAR(one, 0, 1e-12);
}

TEST(KnowledgeGradients, OfASinglePairAreNothing) {
  const std::vector<double> w = {0.5, 0.5};
  EXPECT_THAT(knowledge_gradients(w, Probabilities{{0.9}, {0.1}}), Each(0));
}

TEST(KnowledgeGradients, AreNeverNegativeAndAtMostAHalf) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const auto uniform = [&] { return static_cast<double>(rng.below(1001)) / 1000; };
    std::vector<double> scores;
    Probabilities p;
    for (int k = 0; k < 5; ++k) {
      scores.push_back(3 * uniform());
      p.emplace_back();
      for (int m = 0; m < 7; ++m) p.back().push_back(uniform());
    }
    for (const double one : knowledge_gradients(belief(scores), p)) {
      EXPECT_GE(one, 0) << seed;
      EXPECT_LE(one, 0.5 + 1e-12) << seed;
    }
  }
}

TEST(KnowledgeGradients, WantOneBeliefForEveryPersona) {
  const std::vector<double> w = {1};
  EXPECT_THROW(knowledge_gradients(w, Probabilities{{0.5}, {0.5}}), std::invalid_argument);
}

TEST(Belief, IsTheSoftmaxOfLogLikelihoodsHoweverSmall) {
  const std::vector<double> log_likelihoods = {-2000, -2000 - std::log(3.0)};
  const auto w = belief(log_likelihoods);
  EXPECT_NEAR(w[0], 0.75, 1e-12);
  EXPECT_NEAR(w[1], 0.25, 1e-12);
}

}  // namespace
}  // namespace theta
