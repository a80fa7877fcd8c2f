#include "modules/judge_metric.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

JudgeMetricOptions options() {
  return {.rubric = "A good answer is short.",
          .outputs = {"answer"},
          .labelled = {"answer"},
          .inputs = {"question"},
          .adapter = make_terse_adapter()};
}

struct Answered {
  Example example;
  Prediction prediction;
};

std::vector<Answered> answered(const std::vector<std::string>& answers) {
  std::vector<Answered> out;
  for (const std::string& answer : answers) {
    Answered& one = out.emplace_back();
    one.example.fields = {{"question", "why?"}, {"answer", "right " + answer}};
    one.prediction.fields = {{"answer", answer}};
  }
  return out;
}

std::vector<Result<Grade>> graded(const Metric& metric, const std::vector<Answered>& answered) {
  std::vector<Graded> wave;
  for (const auto& [example, prediction] : answered) wave.push_back({example, prediction});
  return grade(metric, wave);
}

TEST(JudgeMetric, TurnsMarksIntoScoresAndKeepsTheRemarks) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const std::string& prompt = request.messages[0].content;
    if (prompt.find("\nAnswer: a\n") != std::string::npos) return say(" Too long.\nMark: 2");
    if (prompt.find("\nAnswer: b\n") != std::string::npos) return say(" Fine.\nMark: 5");
    return say(" Hm.\nMark: 9");
  });
  const auto grades = graded(judge_metric(options(), model), answered({"a", "b", "c"}));
  EXPECT_THAT(model.waves(), SizeIs(1));
  EXPECT_EQ(grades.at(0)->score, 0.25);
  EXPECT_EQ(grades[0]->feedback, "Too long.");
  EXPECT_EQ(grades.at(1)->score, 1);
  ASSERT_FALSE(grades.at(2));
  EXPECT_THAT(grades[2].error().message, HasSubstr("the judge: mark: '9' is not one of"));
  const std::string prompt = model.waves()[0][0].messages[0].content;
  EXPECT_THAT(prompt, HasSubstr("A good answer is short.\n\nSay in a sentence or two"));
  EXPECT_THAT(prompt, HasSubstr("Task Input: why?\nAnswer: a\nRight Answer: right a"));
}

TEST(JudgeMetric, ScoresTheProbabilityOfYes) {
  ScriptedModel model(
      [](const Request& request) { return choose(request, request.options.at(0), 2); });
  JudgeMetricOptions scored = options();
  scored.scored = true;
  scored.labelled = {};
  const auto grades = graded(judge_metric(scored, model), answered({"a"}));
  EXPECT_NEAR(grades.at(0)->score, 1 / (1 + std::exp(-2)), 1e-9);
  EXPECT_EQ(grades[0]->feedback, "");
  EXPECT_THAT(model.waves()[0][0].messages[0].content, testing::Not(HasSubstr("Right Answer")));
}

}  // namespace
}  // namespace theta
