#include "modules/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/adapter.hpp"
#include "modules/predict.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

const Signature& verdict() {
  static const Signature signature =
      Signature::parse("text -> verdict: Literal['good', 'bad', 'so so']", "Judge.");
  return signature;
}

/// What a terse prompt with one demo says.
std::string asked(const Format& format) {
  Predict predict(verdict(), format);
  predict.predictors()[0]->demos = {{{{"text", "t"}, {"verdict", "good"}}}};
  return predict.messages({{"text", "a"}}).at(0).content;
}

TEST(InstructionPlace, IsBeforeTheDemosBehindThemOrBoth) {
  const std::string instruction = "Judge.\nVerdict can be good, bad or so so.";
  const std::string demo = "Text: t\nVerdict: good", input = "Text: a";
  EXPECT_EQ(asked({.adapter = "terse"}), instruction + "\n\n" + demo + "\n\n" + input);
  EXPECT_EQ(asked({.adapter = "terse", .instruction_place = InstructionPlace::kBehind}),
            demo + "\n\n" + instruction + "\n\n" + input);
  EXPECT_EQ(asked({.adapter = "terse", .instruction_place = InstructionPlace::kBoth}),
            instruction + "\n\n" + demo + "\n\n" + instruction + "\n\n" + input);
}

TEST(InstructionPlace, IsOneWithoutDemos) {
  for (const auto place :
       {InstructionPlace::kBefore, InstructionPlace::kBehind, InstructionPlace::kBoth}) {
    const Predict predict(verdict(), {.adapter = "terse", .instruction_place = place});
    EXPECT_EQ(predict.messages({{"text", "a"}}).at(0).content,
              "Judge.\nVerdict can be good, bad or so so.\n\nText: a");
  }
}

TEST(InstructionPlace, IsFixedInDspysAdapters) {
  for (const char* name : {"chat", "json"})
    EXPECT_EQ(message_of<UserError>([&] {
                Predict(verdict(),
                        {.adapter = name, .instruction_place = InstructionPlace::kBehind});
              }),
              "the instruction can stand elsewhere with the terse adapter alone: DSPy's, chat and "
              "json, have it in the system's message");
}

TEST(LabelOrder, TurnsWhatPromptsListAndNotWhatScoresMean) {
  const Format reversed{
      .adapter = "terse", .label_order = LabelOrder::kReversed, .answering = Answering::kScore};
  ScriptedModel model([](const Request& request) { return choose(request, " bad"); });
  const std::vector<Record> inputs = {{{"text", "a"}}};
  const auto prediction = Predict(verdict(), reversed).run(inputs, {model})[0];
  const Request request = model.waves()[0][0];
  EXPECT_THAT(request.messages[0].content, HasSubstr("Verdict can be so so, bad or good."));
  EXPECT_THAT(request.options, ElementsAre(" good", " bad", " so so"));
  EXPECT_EQ(prediction->fields.text("verdict"), "bad");
}

TEST(LabelOrder, TurnsWhatDspysPromptsList) {
  const Predict predict(verdict(), {.label_order = LabelOrder::kReversed});
  const std::string system = predict.messages({{"text", "a"}}).at(0).content;
  EXPECT_THAT(system, HasSubstr("`verdict` (Literal['so so', 'bad', 'good'])"));
  EXPECT_THAT(system, HasSubstr("one of: so so; bad; good"));
}

TEST(Format, NamesWhatIsNotUsual) {
  EXPECT_EQ(to_text(Format{}), "chat");
  EXPECT_EQ(to_text(Format{.adapter = "terse",
                           .list_options = false,
                           .instruction_place = InstructionPlace::kBehind,
                           .opening = "It is",
                           .answering = Answering::kScore,
                           .calibration = Calibration::kTrain,
                           .calibrated_on = {{{"text", "a"}}}}),
            "terse, options hidden, instruction behind the demos, opening `It is`, scored, "
            "calibrated on 1 inputs");
}

TEST(Format, IsThePredictorsFromOneRunToTheNext) {
  Predict predict(verdict(), {.adapter = "terse"});
  const auto clone = predict.clone();
  predict.predictors()[0]->format->adapter = "chat";
  EXPECT_THAT(predict.messages({{"text", "a"}}), SizeIs(2));
  EXPECT_THAT(dynamic_cast<Predict&>(*clone).messages({{"text", "a"}}), SizeIs(1));
  EXPECT_NE(*predict.predictors()[0], *clone->predictors()[0]);
}

TEST(Format, ThatASignatureCannotBeAskedInIsRefusedWhenItRuns) {
  Predict predict(Signature::parse("text -> words"));
  predict.predictors()[0]->format->answering = Answering::kScore;
  ScriptedModel model([](const Request&) { return say(""); });
  const std::vector<Record> inputs = {{{"text", "a"}}};
  EXPECT_THAT(message_of<UserError>([&] { predict.run(inputs, {model}); }),
              HasSubstr("the output `words: str` has no options to score"));
}

TEST(Format, CalibratesOnInputsThatItHas) {
  const Predict predict(verdict(),
                        {.answering = Answering::kScore, .calibration = Calibration::kTrain});
  ScriptedModel model([](const Request& request) { return choose(request, "bad"); });
  const std::vector<Record> inputs = {{{"text", "a"}}};
  EXPECT_EQ(message_of<UserError>([&] { predict.run(inputs, {model}); }),
            "a step is calibrated on training inputs, and has none");
}

TEST(Format, AsksWhatCalibratesInAWaveOfItsOwnWhereUnitsAreKept) {
  const Predict predict(verdict(), {.answering = Answering::kScore,
                                    .calibration = Calibration::kTrain,
                                    .calibrated_on = {{{"text", "b"}}, {{"text", "c"}}}});
  ScriptedModel model([](const Request& request) { return choose(request, "bad"); }, {.unit = 16});
  const std::vector<Record> inputs = {{{"text", "a"}}};
  ASSERT_TRUE(predict.run(inputs, {model})[0]);
  EXPECT_THAT(model.waves(), ElementsAre(SizeIs(1), SizeIs(2)));
}

TEST(CalibrationInputs, AreOfRowsThatHaveAllThatIsRead) {
  const std::vector<Example> train = {{"0", "", {{"a", "1"}, {"b", "2"}, {"c", "x"}}},
                                      {"1", "", {{"a", "3"}}},
                                      {"2", "", {{"b", "4"}, {"a", "5"}}},
                                      {"3", "", {{"a", "6"}, {"b", "7"}}}};
  EXPECT_THAT(calibration_inputs(Signature::parse("a, b -> c"), train, 2),
              ElementsAre(Record{{"a", "1"}, {"b", "2"}}, Record{{"a", "5"}, {"b", "4"}}));
}

}  // namespace
}  // namespace theta
