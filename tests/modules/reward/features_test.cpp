#include "modules/reward/features.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace theta {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

TEST(Style, CountsWhatATextIsWrittenLike) {
  const VectorXd plain = style_of("Maybe I will.");
  EXPECT_DOUBLE_EQ(plain(0), std::log(4));
  EXPECT_DOUBLE_EQ(plain(6), 1. / 3);  // I
  EXPECT_DOUBLE_EQ(plain(7), 1. / 3);  // maybe
  const VectorXd rich = style_of("# Title\n- **one**\n2. two\n```\ncode\n```\nAnything else?");
  EXPECT_DOUBLE_EQ(rich(1), std::log(3));
  EXPECT_DOUBLE_EQ(rich(2), std::log(2));
  EXPECT_DOUBLE_EQ(rich(3), std::log(2));
  EXPECT_DOUBLE_EQ(rich(4), std::log(2));
  EXPECT_DOUBLE_EQ(rich(5), 1);
  EXPECT_EQ(style_of(""), VectorXd::Zero(kStyles));
}

TEST(WordVectors, PointAlikeForTextsThatShareWords) {
  const std::vector<std::string> texts = {"a cat sat on a mat", "the cat sat on the mat",
                                          "stocks fell sharply today"};
  const auto vectors = word_vectors(texts, texts);
  const auto cosine = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < vectors[i].size(); ++k) sum += vectors[i][k] * vectors[j][k];
    return sum;
  };
  EXPECT_NEAR(cosine(0, 0), 1, .3);
  EXPECT_GT(cosine(0, 1), cosine(0, 2) + .2);
}

struct Pairs {
  MatrixXd embeddings = MatrixXd::Random(20, 6);
  MatrixXd styles = MatrixXd::Random(20, kStyles);
};

TEST(PairFeatures, HaveAMeanSquareLengthOfOneABlock) {
  Pairs pairs;
  pairs.styles.col(4).setZero();  // nobody wrote code
  const PairFeatures features(pairs.embeddings, pairs.styles, 0);
  const MatrixXd D = features.features(pairs.embeddings, pairs.styles);
  EXPECT_EQ(features.of_embeddings(), 6);
  EXPECT_NEAR(D.leftCols(6).rowwise().squaredNorm().mean(), 1, 1e-12);
  EXPECT_NEAR(D.rightCols(kStyles).rowwise().squaredNorm().mean(), 1, 1e-12);
  EXPECT_TRUE(D.col(6 + 4).isZero());
}

TEST(PairFeatures, KeepTheFirstDirections) {
  Pairs pairs;
  pairs.embeddings.col(2) *= 100;
  const PairFeatures features(pairs.embeddings, pairs.styles, 1);
  const MatrixXd D = features.features(pairs.embeddings, pairs.styles);
  EXPECT_EQ(features.of_embeddings(), 1);
  EXPECT_NEAR(std::abs(D.col(0).normalized().dot(pairs.embeddings.col(2).normalized())), 1, 1e-3);
}

TEST(PairFeatures, AreNegatedByTheExchangeOfBothTexts) {
  const Pairs pairs;
  const PairFeatures features(pairs.embeddings, pairs.styles, 3);
  EXPECT_TRUE(features.features(-pairs.embeddings, -pairs.styles)
                  .isApprox(-features.features(pairs.embeddings, pairs.styles), 1e-14));
}

TEST(PairFeatures, HaveNoDirectionsWhereEmbeddingsAreAlike) {
  const Pairs pairs;
  const PairFeatures features(MatrixXd::Zero(20, 6), pairs.styles, 0);
  EXPECT_EQ(features.of_embeddings(), 0);
  EXPECT_EQ(features.features(MatrixXd::Zero(2, 6), pairs.styles.topRows(2)).cols(), kStyles);
}

TEST(PairFeatures, RefuseNoPairs) {
  EXPECT_THROW(PairFeatures(MatrixXd(0, 6), MatrixXd(0, kStyles), 0), std::invalid_argument);
}

}  // namespace
}  // namespace theta
