#include "modules/metric.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace theta {
namespace {

double score(std::string_view metric, Value answer, Value truth, std::string_view type = "str") {
  const Signature signature = Signature::parse(fmt::format("question -> answer: {}", type));
  const Example example{"1", "", {{"answer", std::move(truth)}}};
  Prediction prediction;
  prediction.fields = {{"answer", std::move(answer)}};
  return make_metric(metric, signature.outputs[0])(example, prediction);
}

TEST(ExactMatch, LooksPastCasePunctuationArticlesAndSpaces) {
  EXPECT_EQ(score("exact_match", "The  U.S.A., a Nation!", "usa nation"), 1);
  EXPECT_EQ(score("exact_match", "usa nations", "usa nation"), 0);
}

TEST(EveryMetric, TakesWhatIsNoTextAsItIs) {
  for (const char* metric : {"exact_match", "contains", "f1"}) {
    SCOPED_TRACE(metric);
    EXPECT_EQ(score(metric, std::int64_t{3}, std::int64_t{3}, "int"), 1);
    EXPECT_EQ(score(metric, std::int64_t{-3}, std::int64_t{3}, "int"), 0);
    EXPECT_EQ(score(metric, 1.5, 15.0, "float"), 0);
    EXPECT_EQ(score(metric, true, true, "bool"), 1);
    EXPECT_EQ(score(metric, "C++", "C#", "Literal['C++', 'C#']"), 0);
    EXPECT_EQ(score(metric, "A", "B", "Literal['A', 'B']"), 0);
    EXPECT_EQ(score(metric, "A", "A", "Literal['A', 'B']"), 1);
  }
}

TEST(EveryMetric, ComparesListsItemByItem) {
  using List = std::vector<std::string>;
  const List truth = {"New York", "the Alps"};
  for (const char* metric : {"exact_match", "contains", "f1"}) {
    SCOPED_TRACE(metric);
    EXPECT_EQ(score(metric, List{"new york", "Alps"}, truth, "list[str]"), 1);
    EXPECT_EQ(score(metric, List{"York", "New Alps"}, truth, "list[str]"), 0);
  }
  const List more = {"new york", "alps", "rhine", "rome"};
  EXPECT_EQ(score("exact_match", more, truth, "list[str]"), 0);
  EXPECT_EQ(score("contains", more, truth, "list[str]"), 1);
  EXPECT_DOUBLE_EQ(score("f1", more, truth, "list[str]"), 2.0 * 2 / 6);
  EXPECT_EQ(score("exact_match", List{}, List{}, "list[str]"), 1);
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
    make_metric("em", make_field("answer"));
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown metric 'em'; there are exact_match, contains and f1");
  }
}

}  // namespace
}  // namespace theta
