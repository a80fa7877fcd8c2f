#include "experiments/metric_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/runs/prompt_file.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Kind = MetricOptions::Kind;
using Names = std::vector<std::string>;

const Signature& signature() {
  static const Signature signature = [] {
    const Type person{Type::Kind::kRecord, {}, {Type{}, Type{}}, {"name", "town"}, "Person"};
    return Signature::parse(
        "question -> answer, price: float, person: Person, tags: list[str], sure: bool", "",
        {person});
  }();
  return signature;
}

MetricOptions read(const std::string& yaml, const Signature& of = signature()) {
  const Config config = Config::parse(yaml, "c.yaml");
  MetricOptions options = read_metric(config, of);
  config.finish();
  return options;
}

std::string error_of(const std::string& yaml, const Signature& of = signature()) {
  return message_of<UserError>([&] { read(yaml, of); });
}

TEST(ReadMetric, IsExactMatchUnlessNamed) {
  EXPECT_EQ(metric_json(read("{}")), "\"exact_match\"");
  EXPECT_EQ(metric_json(read("metric: f1")), "\"f1\"");
  EXPECT_EQ(read("metric: number").kind, Kind::kNumber);
}

TEST(ReadMetric, ReadsBackWhatItWrites) {
  for (const char* metric :
       {"number", "{name: number, output: price, tolerance: 0.5, relative: true}",
        "{name: regex, output: answer, pattern: '^[A-Z]\\d+$'}",
        "{name: json_fields, output: person, fields: [name, town]}",
        "{name: f1, output: [answer, tags]}",
        "{judge: {rubric: Short., model: task, answering: score, output: answer, adapter: terse}}",
        "{judge: {rubric: Short.}}", "{command: [python3, score.py, 'a b']}",
        "{weighted: [{name: exact_match, weight: 2}, {command: [x]}]}"}) {
    const std::string json = metric_json(read(std::string("metric: ") + metric));
    EXPECT_EQ(metric_json(read("{\"metric\": " + json + "}")), json) << metric;
  }
}

TEST(ReadMetric, KnowsItsJudgesAndCommands) {
  const MetricOptions options = read(
      "metric: {weighted: [{judge: {rubric: a, model: m}}, {weighted: [{judge: {rubric: b}}, "
      "{command: [x]}]}]}");
  EXPECT_THAT(judges_of(options), ElementsAre("m", "judge"));
  EXPECT_TRUE(runs_command(options));
  EXPECT_FALSE(runs_command(read("metric: f1")));
}

TEST(ReadMetric, PointsAtWhatIsWrong) {
  EXPECT_EQ(error_of("metric: [f1]"),
            "c.yaml:1:9: a metric is a name, or a mapping with `name`, `judge`, `command` or "
            "`weighted`");
  EXPECT_EQ(error_of("metric: {output: answer}"),
            "c.yaml:1:9: give exactly one of `name`, `judge`, `command` and `weighted`");
  EXPECT_EQ(error_of("metric: {name: f1, command: [x]}"),
            "c.yaml:1:9: give exactly one of `name`, `judge`, `command` and `weighted`");
  EXPECT_EQ(error_of("metric: {name: f2}"),
            "c.yaml:1:16: 'name' is not one of exact_match, contains, f1, number, regex, "
            "json_fields: 'f2'; did you mean 'f1'?");
  EXPECT_EQ(error_of("metric: {name: f1, output: anser}"),
            "c.yaml:1:28: the signature has no output `anser`; did you mean 'answer'?; it has "
            "answer, price, person, tags, sure");
  EXPECT_EQ(error_of("metric: {name: f1, output: [answer, question]}"),
            "c.yaml:1:37: the signature has no output `question`; it has answer, price, person, "
            "tags, sure");
  EXPECT_EQ(error_of("metric: {name: f1, output: []}"), "c.yaml:1:28: it names no output");
  EXPECT_EQ(error_of("metric: {name: f1, tolerance: 1}"), "c.yaml:1:20: unknown key 'tolerance'");
  EXPECT_EQ(error_of("metric: {name: number, tolerance: -1}"),
            "c.yaml:1:35: 'tolerance' must be at least 0");
  EXPECT_EQ(error_of("metric: {name: regex}"), "c.yaml:1:9: 'pattern' is missing here");
  EXPECT_EQ(error_of("metric: {name: regex, pattern: '[a'}"),
            "c.yaml:1:32: this regular expression cannot be read at column 2: "
            "U_REGEX_MISSING_CLOSE_BRACKET");
  EXPECT_EQ(error_of("metric: {judge: {rubric: ''}}"),
            "c.yaml:1:26: the rubric says what a good answer is");
  EXPECT_EQ(error_of("metric: {judge: {model: m}}"), "c.yaml:1:17: 'rubric' is missing here");
  EXPECT_EQ(error_of("metric: {command: python3 score.py}"),
            "c.yaml:1:19: a command is a list: [python3, score.py]");
  EXPECT_EQ(error_of("metric: {command: []}"), "c.yaml:1:19: a command begins with a program");
  EXPECT_EQ(error_of("metric: {weighted: []}"), "c.yaml:1:20: a mean is of at least one metric");
  EXPECT_EQ(error_of("metric: {weighted: [{name: f1, weight: 0}]}"),
            "c.yaml:1:40: 'weight' must be above 0");
}

TEST(ReadMetric, FitsTheOutput) {
  EXPECT_EQ(error_of("metric: {name: number, output: tags}"),
            "c.yaml:1:32: numbers are compared, and `tags` is a list[str]");
  EXPECT_EQ(error_of("metric: number", Signature::parse("a -> b: bool")),
            "c.yaml:1:9: numbers are compared, and `b` is a bool");
  EXPECT_EQ(error_of("metric: {name: json_fields, output: tags, fields: [x]}"),
            "c.yaml:1:37: members of objects are compared, and `tags` is a list[str]");
  EXPECT_EQ(error_of("metric: {name: json_fields, output: person, fields: [name, twn]}"),
            "c.yaml:1:37: Person has no member `twn`; did you mean 'town'?; it has name, town");
  EXPECT_EQ(error_of("metric: {name: json_fields, output: person, fields: []}"),
            "c.yaml:1:53: it names no member");
}

TEST(UnreadLabels, AreThoseThatTheMetricDoesNotRead) {
  const auto unread = [](const std::string& metric) {
    return unread_labels(read("metric: " + metric), signature());
  };
  const Names all = {"answer", "price", "person", "tags", "sure"};
  EXPECT_EQ(unread("f1"), all);  // it looks at the last that the data label
  EXPECT_EQ(unread("{name: f1, output: [answer, tags]}"), (Names{"price", "person", "sure"}));
  EXPECT_EQ(unread("{name: regex, pattern: x, output: answer}"), all);
  EXPECT_EQ(unread("{judge: {rubric: x}}"), all);
  EXPECT_EQ(unread("{command: [x]}"), all);
  EXPECT_EQ(unread("{weighted: [{command: [x]}, {name: number, output: price}]}"),
            (Names{"answer", "person", "tags", "sure"}));
  EXPECT_THAT(unread_labels(read("{}"), Signature::parse("a -> b")), IsEmpty());
}

class MetricOf : public testing::Test {
 protected:
  void add(const std::string& id, Record fields) { examples_.push_back({id, "", fields}); }
  std::vector<const Example*> examples() const {
    std::vector<const Example*> out;
    for (const Example& example : examples_) out.push_back(&example);
    return out;
  }
  Metric metric(const std::string& yaml) const {
    return make_metric(read("metric: " + yaml), signature(), examples(), {});
  }
  Grade grade(const std::string& yaml, Record prediction) const {
    Prediction predicted;
    predicted.fields = std::move(prediction);
    return metric(yaml)(examples_.at(0), predicted);
  }
  std::vector<Example> examples_;
};

TEST_F(MetricOf, LooksAtTheLastOutputThatTheDataLabel) {
  add("1", {{"question", "q"}, {"answer", "fir"}, {"price", 2.0}});
  add("2", {{"question", "q"}, {"answer", "oak"}, {"price", 3.0}});
  EXPECT_EQ(grade("exact_match", {{"answer", "no"}, {"price", 2.0}, {"sure", true}}).score, 1);
  EXPECT_EQ(grade("{name: exact_match, output: [answer, price]}",
                  {{"answer", "no"}, {"price", 2.0}, {"sure", true}})
                .score,
            0.5);
  EXPECT_THAT(outputs_of(read("metric: exact_match"), signature(), examples()),
              ElementsAre("price"));
}

TEST_F(MetricOf, NamesTheRowWithoutALabel) {
  add("1", {{"question", "q"}, {"answer", "fir"}});
  add("2", {{"question", "q"}});
  EXPECT_EQ(message_of<UserError>([&] { metric("f1"); }),
            "row `2` has no `answer`, which the metric reads");
  examples_.erase(examples_.begin());
  EXPECT_EQ(message_of<UserError>([&] { metric("f1"); }),
            "row `2` has no `sure`, which the metric reads");
}

TEST_F(MetricOf, RefusesALabelThatItCannotGrade) {
  add("1", {{"question", "q"}, {"tags", Names{"a"}}});
  EXPECT_EQ(message_of<UserError>([&] { metric("number"); }),
            "the metric number: numbers are compared, and `tags` is a list[str]: name another "
            "`output`");
}

TEST_F(MetricOf, NeedsNoLabelWhereNoneIsRead) {
  add("1", {{"question", "q"}});
  EXPECT_EQ(
      grade("{name: regex, output: answer, pattern: '^f'}", {{"answer", "fir"}, {"sure", true}})
          .score,
      1);
}

TEST_F(MetricOf, AsksTheJudgeThatItNames) {
  add("1", {{"question", "why?"}, {"answer", "fir"}});
  ScriptedModel model([](const Request&) { return say(" Well.\nMark: 5"); });
  Names asked;
  const Metric metric = make_metric(
      read("metric: {judge: {rubric: Short., model: m, adapter: terse, output: answer}}"),
      signature(), examples(), [&](const std::string& name) -> LanguageModel& {
        asked.push_back(name);
        return model;
      });
  Prediction predicted;
  predicted.fields = {{"answer", "oak"}};
  EXPECT_EQ(metric(examples_[0], predicted).feedback, "Well.");
  EXPECT_THAT(asked, ElementsAre("m"));
  EXPECT_THAT(model.waves()[0][0].messages[0].content,
              testing::HasSubstr("Task Input: why?\nAnswer: oak\nRight Answer: fir"));
}

TEST(SavedMetric, RunsNoCommandOfTheFile) {
  const auto saved = [](const std::string& json, const std::string& set) {
    Config block = Config::parse(json, "prompt.json").literal();
    if (!set.empty()) block.set(set);
    return metric_json(read_saved_metric(block, signature()));
  };
  EXPECT_EQ(saved(R"({"metric": "f1"})", ""), "\"f1\"");
  EXPECT_EQ(message_of<UserError>([&] { saved(R"({"metric": {"command": ["sh", "x"]}})", ""); }),
            "prompt.json:1:24: a saved prompt runs no command of its own: read it, and give it "
            "with --set 'metric.command=[..]'");
  EXPECT_EQ(message_of<UserError>([&] {
              saved(R"({"metric": {"weighted": [{"name": "f1"}, {"command": ["sh"]}]}})", "");
            }),
            "prompt.json:1:54: a saved prompt runs no command of its own: read it, and give it "
            "with --set 'metric.weighted.1.command=[..]'");
  EXPECT_EQ(message_of<UserError>(
                [&] { saved(R"({"metric": {"command": ["sh", "x"]}})", "metric.command.0=bash"); }),
            "prompt.json:1:24: a saved prompt runs no command of its own: read it, and give it "
            "with --set 'metric.command=[..]'");
  EXPECT_EQ(saved(R"({"metric": {"command": ["sh"]}})", "metric.command=[my, own]"),
            R"({"command":["my","own"]})");
}

}  // namespace
}  // namespace theta
