#include "optimizers/text_kernel.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <vector>

#include "core/rng.hpp"

namespace theta {
namespace {

const std::vector<std::string> kTwoKinds{
    "Answer with one word, yes or no.", "Answer yes or no, with one word only.",
    "Think step by step, then decide.", "First think step by step and then decide."};

TEST(TextSimilarity, FindsTextsOfAKindAlike) {
  const auto alike = text_similarity(kTwoKinds);
  ASSERT_EQ(alike.rows(), 4);
  EXPECT_GT(alike(0, 1), .2);
  EXPECT_GT(alike(2, 3), .2);
  for (int a : {0, 1})
    for (int b : {2, 3}) EXPECT_LT(alike(a, b), 0);
}

TEST(TextSimilarity, IsPositiveSemidefiniteWithoutLevelAndWithoutIdentity) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    std::vector<std::string> texts(3 + rng.below(20));
    for (auto& text : texts)
      for (std::size_t w = rng.below(12); w-- > 0;) text += fmt::format("w{} ", rng.below(15));
    const auto alike = text_similarity(texts);
    if (alike.size() == 0) continue;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(alike);
    EXPECT_GT(solver.eigenvalues().minCoeff(), -1e-10);
    // Nothing that all texts share, and something that not every text has to itself.
    EXPECT_LT(alike.rowwise().sum().cwiseAbs().maxCoeff(), 1e-8);
    EXPECT_NEAR(solver.eigenvalues()(1), 0, 1e-10);
  }
}

TEST(TextSimilarity, IsEmptyWhereTextsSayNothing) {
  std::vector<std::string> equal(6, "Answer."), numbered, unlike, empty(4);
  for (int i = 1; i <= 8; ++i) {
    numbered.push_back(fmt::format("instruction {}", i));
    unlike.push_back(fmt::format("a{0} b{0} c{0}", i));
  }
  for (const auto& texts : {equal, numbered, unlike, empty})
    EXPECT_EQ(text_similarity(texts).size(), 0);
}

TEST(TextSimilarity, IsEmptyForFewerThanThreeTexts) {
  EXPECT_EQ(text_similarity(std::vector<std::string>{"a b", "a c"}).size(), 0);
}

TEST(TextSimilarity, DoesNotHearCaseAndPunctuation) {
  auto loud = kTwoKinds;
  loud[0] = "ANSWER -- with one word: yes, or no!";
  EXPECT_TRUE(text_similarity(loud).isApprox(text_similarity(kTwoKinds)));
}

}  // namespace
}  // namespace theta
