#include "modules/evaluate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/predict.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using Status = Outcome::Status;

const Predict& program() {
  static const Predict predict(Signature::parse("text -> n: int"), Format{.adapter = "terse"});
  return predict;
}

/// Examples whose answer is 1; the model answers with the example's text.
std::vector<Example> examples(const std::vector<std::string>& texts) {
  std::vector<Example> out;
  for (const std::string& text : texts) {
    out.push_back({text, "", {{"text", text}, {"n", std::int64_t{1}}}});
  }
  return out;
}

Result<Response> echo(const Request& request) {
  const std::string& prompt = request.messages[0].content;
  return say(prompt.substr(prompt.rfind(' ')));
}

TEST(Evaluate, CountsFailedAndUnparsableApart) {
  ScriptedModel model(echo, {.failing = {1}});
  const Evaluation evaluation = evaluate(program(), examples({"1", "1", "2", "one", "1"}),
                                         make_metric("exact_match", make_field("n")), {model});
  EXPECT_THAT(evaluation.scores, ElementsAre(1, 0, 0, 0, 1));
  EXPECT_THAT(evaluation.status, ElementsAre(Status::kScored, Status::kFailed, Status::kScored,
                                             Status::kUnparsable, Status::kScored));
  EXPECT_EQ(evaluation.n_failed, 1u);
  EXPECT_EQ(evaluation.n_unparsable, 1u);
  EXPECT_EQ(evaluation.predictions.size(), 5u);
  EXPECT_DOUBLE_EQ(evaluation.mean(), 0.5);
  EXPECT_THAT(model.waves(), testing::SizeIs(1));
}

TEST(Evaluate, ScoresARefusedPromptZeroAndCountsItApart) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const Result<Response> answer = echo(request);
    if (answer->text == " 2") return Error{Fault::kRefused, "longer than the window"};
    return answer;
  });
  const Evaluation evaluation = evaluate(program(), examples({"1", "2"}),
                                         make_metric("exact_match", make_field("n")), {model});
  EXPECT_THAT(evaluation.status, ElementsAre(Status::kScored, Status::kRefused));
  EXPECT_EQ(evaluation.n_refused, 1u);
  EXPECT_EQ(evaluation.n_unparsable, 0u);
  EXPECT_DOUBLE_EQ(evaluation.mean(), 0.5);
}

TEST(Evaluate, HasNoMeanWhereEveryExampleFailed) {
  ScriptedModel model(echo, {.failing = {0, 1}});
  const Evaluation evaluation = evaluate(program(), examples({"1", "2"}),
                                         make_metric("exact_match", make_field("n")), {model});
  try {
    evaluation.mean();
    FAIL();
  } catch (const RunError& error) {
    EXPECT_STREQ(error.what(),
                 "there is no mean: all 2 examples failed, the first with: timed out");
  }
}

TEST(Evaluate, RefusesATraceThatGivesOneStepsCallToAnother) {
  /// Forgets that the second call is the second predictor's.
  class Forgetful final : public Module {
   public:
    std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                        const Call& call) const override {
      auto notes = notes_.run(inputs, call);
      const std::vector<Record> both = {{{"text", "t"}, {"note", "n"}}};
      auto verdicts = verdict_.run(both, call);
      notes[0]->trace.push_back(verdicts[0]->trace[0]);
      return notes;
    }
    std::vector<Predictor*> predictors() override {
      return {notes_.predictors()[0], verdict_.predictors()[0]};
    }
    std::unique_ptr<Module> clone() const override { return std::make_unique<Forgetful>(*this); }

   private:
    Predict notes_{"text -> note"}, verdict_{"text, note -> verdict"};
  };
  ScriptedModel model([](const Request&) { return say("x"); });
  EXPECT_EQ(message_of<UserError>([&] {
              (void)evaluate(Forgetful(), examples({"1"}),
                             make_metric("exact_match", make_field("note")), {model});
            }),
            "a step of the trace reads text, note, and its predictor `predict` has the signature "
            "`text -> note`: a module sets Step::inputs to what the signature reads, and "
            "Step::predictor to the index in its predictors(), as a Program does for its steps");
}

TEST(Evaluate, HasNoMeanOfNothing) {
  try {
    Evaluation{}.mean();
    FAIL();
  } catch (const RunError& error) {
    EXPECT_STREQ(error.what(), "there is no mean: nothing was evaluated");
  }
}

TEST(Evaluate, KeepsTheWordsOfAMetric) {
  ScriptedModel model(echo);
  const Metric metric = [](const Example& example, const Prediction&) {
    return Grade(0.5, "so " + example.id);
  };
  const Evaluation evaluation = evaluate(program(), examples({"1", "one", "2"}), metric, {model});
  EXPECT_THAT(evaluation.feedback, ElementsAre("so 1", "", "so 2"));
}

TEST(Evaluate, GradesAWaveAtATimeAndCountsWhatHasNoGradeAsFailed) {
  ScriptedModel model(echo);
  std::vector<std::size_t> waves;
  const Metric metric = BatchMetric{[&](std::span<const Graded> wave, const std::stop_token&) {
    waves.push_back(wave.size());
    std::vector<Result<Grade>> grades(wave.size(), Grade(1));
    grades[1] = Error{Fault::kPrompt, "the judge rambles"};
    return grades;
  }};
  const Evaluation evaluation =
      evaluate(program(), examples({"1", "one", "2", "3"}), metric, {model});
  EXPECT_THAT(waves, ElementsAre(3U));
  EXPECT_THAT(evaluation.scores, ElementsAre(1, 0, 0, 1));
  EXPECT_THAT(evaluation.status,
              ElementsAre(Status::kScored, Status::kUnparsable, Status::kFailed, Status::kScored));
  EXPECT_EQ(evaluation.predictions[2].error().message,
            "the metric has no grade: the judge rambles");
  EXPECT_GT(evaluation.predictions[2].error().generated_tokens, 0);
  EXPECT_DOUBLE_EQ(evaluation.mean(), 2.0 / 3);
}

TEST(Evaluate, RefusesAScoreOutsideItsRange) {
  ScriptedModel model(echo);
  const Metric wild = [](const Example&, const Prediction&) { return 1.5; };
  EXPECT_THROW(evaluate(program(), examples({"1"}), wild, {model}), std::logic_error);
}

}  // namespace
}  // namespace theta
