#include "modules/metric.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

double score(std::string_view metric, Value answer, Value truth) {
  const Example example{"1", "", {{"answer", std::move(truth)}}};
  Prediction prediction;
  prediction.fields = {{"answer", std::move(answer)}};
  return make_metric(metric, "answer")(example, prediction);
}

TEST(ExactMatch, LooksPastCasePunctuationArticlesAndSpaces) {
  EXPECT_EQ(score("exact_match", "The  U.S.A., a Nation!", "usa nation"), 1);
  EXPECT_EQ(score("exact_match", "usa nations", "usa nation"), 0);
}

TEST(ExactMatch, ComparesTypedValuesByTheirText) {
  EXPECT_EQ(score("exact_match", true, "true"), 1);
  EXPECT_EQ(score("exact_match", std::int64_t{3}, "3"), 1);
}

TEST(ExactMatch, TakesTheBestOfSeveralTruths) {
  EXPECT_EQ(score("exact_match", "b", std::vector<std::string>{"a1", "b"}), 1);
  EXPECT_EQ(score("exact_match", "c", std::vector<std::string>{"a1", "b"}), 0);
}

TEST(Contains, LooksForWholeWordsInOrder) {
  EXPECT_EQ(score("contains", "It was New York, I think.", "new york"), 1);
  EXPECT_EQ(score("contains", "a category", "cat"), 0);
  EXPECT_EQ(score("contains", "York new", "new york"), 0);
}

TEST(Contains, FindsNothingOnlyInNothing) {
  EXPECT_EQ(score("contains", "word", "the"), 0);
  EXPECT_EQ(score("contains", "an", "the"), 1);
}

TEST(F1, IsTheHarmonicMeanOfPrecisionAndRecall) {
  // 2 of 3 words right, 2 of 4 found: 2 * 2 / 7.
  EXPECT_DOUBLE_EQ(score("f1", "red red fox", "red fox runs far"), 4.0 / 7);
  EXPECT_EQ(score("f1", "same words", "words same"), 1);
  EXPECT_EQ(score("f1", "other", "words"), 0);
  EXPECT_EQ(score("f1", "", ""), 1);
  EXPECT_EQ(score("f1", "x", ""), 0);
}

TEST(MakeMetric, NamesTheMetricsThereAre) {
  try {
    make_metric("em", "answer");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown metric 'em'; there are exact_match, contains and f1");
  }
}

}  // namespace
}  // namespace theta
