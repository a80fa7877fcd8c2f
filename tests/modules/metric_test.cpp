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

TEST(EveryMetric, TakesTheBestOfSeveralRightAnswers) {
  const Example example{
      "1", "", {{"answer", "fir"}}, {{"answer", std::vector<std::string>{"fir", "a pine tree"}}}};
  for (const char* name : {"exact_match", "contains", "f1"}) {
    SCOPED_TRACE(name);
    const Metric metric = make_metric(name, make_field("answer"));
    const auto of = [&](const char* answer) {
      Prediction prediction;
      prediction.fields = {{"answer", answer}};
      return metric(example, prediction);
    };
    EXPECT_EQ(of("The pine tree."), 1);
    EXPECT_EQ(of("fir"), 1);
    EXPECT_EQ(of("moss"), 0);
  }
}

TEST(ExactMatch, TellsNothingButArticlesApart) {
  EXPECT_EQ(score("exact_match", "a", "(A)"), 1);
  EXPECT_EQ(score("exact_match", "(B)", "(A)"), 0);
  EXPECT_EQ(score("exact_match", "The", "A"), 0);
  EXPECT_EQ(score("exact_match", "", "A"), 0);
  EXPECT_EQ(score("exact_match", "Hepatitis", "Hepatitis A"), 0);
}

TEST(EveryMetric, TakesNoNoticeOfCaseAndCompositionInAnyScript) {
  for (const char* metric : {"exact_match", "contains", "f1"}) {
    SCOPED_TRACE(metric);
    EXPECT_EQ(score(metric, "\u00c9t\u00e9", "e\u0301te\u0301"), 1);
    EXPECT_EQ(score(metric, "STRASSE\u00a012", "stra\u00dfe 12"), 1);
    EXPECT_EQ(score(metric, "lac", "l\u00e0c"), 0);
    EXPECT_EQ(score(metric, std::vector<std::string>{"\u00c9t\u00e9"},
                    std::vector<std::string>{"e\u0301te\u0301"}, "list[str]"),
              1);
  }
}

TEST(F1, CountsALetterThatIsAChoice) {
  EXPECT_DOUBLE_EQ(score("f1", "choice (A)", "(A)"), 2.0 / 3);
  EXPECT_EQ(score("f1", "choice (B)", "(A)"), 0);
  EXPECT_EQ(score("f1", "A", "a dog"), 0);
}

TEST(Contains, FindsAChoiceInASentence) {
  for (const char* right : {"A", "B", "C", "D"})
    for (const char* said : {"A", "B", "C", "D"}) {
      const bool same = std::string_view(right) == said;
      EXPECT_EQ(
          score("contains", fmt::format("The choice is ({}).", said), fmt::format("({})", right)),
          same)
          << right << said;
      EXPECT_EQ(score("contains", fmt::format("Vitamin {} helps", said),
                      fmt::format("vitamin {}", right)),
                same)
          << right << said;
    }
}

TEST(Contains, LooksForWholeWordsInOrder) {
  EXPECT_EQ(score("contains", "It was New York, I think.", "new york"), 1);
  EXPECT_EQ(score("contains", "a category", "cat"), 0);
  EXPECT_EQ(score("contains", "York new", "new york"), 0);
}

TEST(Contains, FindsNothingOnlyInNothing) {
  EXPECT_EQ(score("contains", "word", "?"), 0);
  EXPECT_EQ(score("contains", "!", "?"), 1);
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
