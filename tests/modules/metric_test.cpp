#include "modules/metric.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.hpp"

namespace theta {
namespace {

Prediction predicted(Record fields) {
  Prediction prediction;
  prediction.fields = std::move(fields);
  return prediction;
}

/// What a metric on the output `answer` says of one beside the right one.
Grade graded(const Metric& metric, Value answer, Value truth = "") {
  return metric({"7", "", {{"answer", std::move(truth)}}},
                predicted({{"answer", std::move(answer)}}));
}

Field answer_of(const std::string& type) {
  return Signature::parse("question -> answer: " + type).outputs[0];
}

double score(std::string_view metric, Value answer, Value truth, std::string_view type = "str") {
  const Signature signature = Signature::parse(fmt::format("question -> answer: {}", type));
  const Example example{"1", "", {{"answer", std::move(truth)}}};
  Prediction prediction;
  prediction.fields = {{"answer", std::move(answer)}};
  return make_metric(metric, signature.outputs[0])(example, prediction).score;
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

TEST(EveryMetric, ComparesJsonWhateverTheOrderOfItsMembers) {
  const auto json = [](const char* text) { return JsonValue{text}; };
  for (const char* metric : {"exact_match", "contains", "f1"}) {
    SCOPED_TRACE(metric);
    EXPECT_EQ(score(metric, json(R"({"a": 1, "b": [2]})"), json(R"({"b": [2], "a": 1})"), "dict"),
              1);
    EXPECT_EQ(score(metric, json(R"({"a": 1})"), json(R"({"a": 2})"), "dict"), 0);
    EXPECT_EQ(score(metric, json("[1, 2]"), json("[1, 2]"), "list[int]"), 1);
    EXPECT_EQ(score(metric, json("null"), json("null"), "int | None"), 1);
    EXPECT_EQ(score(metric, std::int64_t{1}, json("null"), "int | None"), 0);
  }
  EXPECT_EQ(score("contains", json("[1, 2, 3]"), json("[2, 3]"), "list[int]"), 1);
  EXPECT_DOUBLE_EQ(score("f1", json("[1, 2]"), json("[2, 3]"), "list[int]"), 0.5);
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
      return metric(example, prediction).score;
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

TEST(NumberMetric, AllowsATolerance) {
  const Metric exact = number_metric(answer_of("float"), 0, false);
  EXPECT_EQ(graded(exact, 0.3, 0.1 + 0.2).score, 1);
  EXPECT_EQ(graded(exact, 2.5, 2.0).score, 0);
  EXPECT_EQ(graded(exact, 2.5, 2.0).feedback, "`answer` is off by 0.5.");
  const Metric near = number_metric(answer_of("float"), 0.5, false);
  EXPECT_EQ(graded(near, 2.5, 2.0).score, 1);
  EXPECT_EQ(graded(near, 2.6, 2.0).score, 0);
  const Metric share = number_metric(answer_of("int"), 0.1, true);
  EXPECT_EQ(graded(share, std::int64_t{109}, std::int64_t{100}).score, 1);
  EXPECT_EQ(graded(share, std::int64_t{-109}, std::int64_t{-100}).score, 1);
  EXPECT_EQ(graded(share, std::int64_t{111}, std::int64_t{100}).score, 0);
}

TEST(NumberMetric, ReadsTheNumberOfAText) {
  const Metric metric = number_metric(answer_of("str"), 0, false);
  for (const char* text :
       {"1200.5", "$1,200.50", "1200.5 dollars.", " 1_200.5", "+1200.5", "1.2005e3"})
    EXPECT_EQ(graded(metric, text, "1200.5").score, 1) << text;
  EXPECT_EQ(graded(metric, "many", "1200.5").feedback, "`answer` is no number.");
  EXPECT_EQ(message_of<UserError>([&] { graded(metric, "1", "one"); }),
            "row 7: `answer` is no number, and the metric compares numbers");
}

TEST(RegexMetric, LooksForAMatchAndNeedsNoRightAnswer) {
  const Metric metric = regex_metric(answer_of("str"), "^\\p{L}+, \\d{4}-\\d\\d$");
  EXPECT_EQ(metric({}, predicted({{"answer", "Größe, 2024-05"}})).score, 1);
  EXPECT_EQ(metric({}, predicted({{"answer", "so:\nJuly, 2024-05\nthen"}})).score, 1);
  const Grade grade = metric({}, predicted({{"answer", "2024"}}));
  EXPECT_EQ(grade.score, 0);
  EXPECT_EQ(grade.feedback, "`answer` does not match the pattern ^\\p{L}+, \\d{4}-\\d\\d$.");
  EXPECT_EQ(regex_metric(answer_of("list[int]"), "^.1, 2.$")(
                {}, predicted({{"answer", JsonValue{"[1, 2]"}}}))
                .score,
            1);
}

TEST(RegexMetric, SaysWhereAPatternIsWrong) {
  EXPECT_EQ(message_of<UserError>([] { regex_metric(answer_of("str"), "a(b"); }),
            "this regular expression cannot be read at column 3: U_REGEX_MISMATCHED_PAREN");
}

TEST(RegexMetric, GivesUpOnAPatternThatTakesForever) {
  const Metric metric = regex_metric(answer_of("str"), "^(a+)+$");
  const std::string text = std::string(60, 'a') + "b";
  EXPECT_EQ(message_of<RunError>([&] {
              metric({}, predicted({{"answer", text}}));
            }),
            "a regular expression takes too long on `" + text + "`: U_REGEX_TIME_OUT");
}

TEST(JsonFieldsMetric, IsTheShareOfMembersThatAreRight) {
  const Metric metric = json_fields_metric(answer_of("dict"), {"name", "age", "tags"});
  const auto object = [](const char* json) { return JsonValue{json}; };
  const auto truth = object(R"({"name": "The Ann", "age": 3, "tags": ["x"], "more": 1})");
  EXPECT_EQ(graded(metric, object(R"({"name": "ann", "age": 3, "tags": ["x"]})"), truth).score, 1);
  const Grade grade = graded(metric, object(R"({"name": "ann", "age": 4})"), truth);
  EXPECT_DOUBLE_EQ(grade.score, 1.0 / 3);
  EXPECT_EQ(grade.feedback,
            "`age` of `answer` is 4, and right is 3. `tags` of `answer` is null, and right is "
            "[\"x\"].");
}

TEST(WeightedMetric, IsTheWeightedMeanAndAllTheWords) {
  const Metric metric =
      weighted_metric({{number_metric(answer_of("str"), 0, false), 3},
                       {regex_metric(answer_of("str"), "^\\d+$"), 1},
                       {[](const Example&, const Prediction&) { return 0.5; }, 1}});
  EXPECT_DOUBLE_EQ(graded(metric, "4", "4").score, 4.5 / 5);
  const Grade grade = graded(metric, "4.0 m", "5");
  EXPECT_DOUBLE_EQ(grade.score, 0.5 / 5);
  EXPECT_EQ(grade.feedback, "`answer` is off by 1. `answer` does not match the pattern ^\\d+$.");
}

TEST(WeightedMetric, HasNoGradeForWhatAPartHasNone) {
  const Metric lost = BatchMetric{[](std::span<const Graded> wave, const std::stop_token&) {
    return std::vector<Result<Grade>>(wave.size(), Error{Fault::kService, "away"});
  }};
  const Metric metric =
      weighted_metric({{lost}, {make_metric("exact_match", make_field("answer"))}});
  EXPECT_EQ(message_of<RunError>([&] { graded(metric, "a", "a"); }), "away");
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
