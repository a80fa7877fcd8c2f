#include "modules/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/predict.hpp"
#include "modules/samples.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

Predict terse(const char* signature) {
  return {Signature::parse(signature), {.adapter = "terse"}, {.grammar = false}};
}

/// Writes `x!` as the notes of review `x`, and judges notes `good!` good.
Result<Response> critic(const Request& request) {
  const std::string& prompt = request.messages.back().content;
  const std::string last = prompt.substr(prompt.rfind(": ") + 2);
  if (request.answer_prefix == "Notes:") return say(" " + last + "!");
  if (last == "lost!") return Error{Fault::kService, "timed out"};
  return say(last == "good!" ? " good" : " bad");
}

struct TwoSteps {
  Program program;
  StepId notes, verdict;
};
TwoSteps two_steps() {
  TwoSteps made;
  made.notes = made.program.add(terse("review -> notes"));
  made.verdict = made.program.add(terse("notes -> verdict: Literal['good', 'bad']"));
  return made;
}

std::vector<Record> reviews(const std::vector<std::string>& texts) {
  std::vector<Record> out;
  for (const auto& text : texts) out.push_back({{"review", text}, {"verdict", "label"}});
  return out;
}

TEST(Program, RunsEachStepForAllInputsInOneWave) {
  const auto [program, notes, verdict] = two_steps();
  ScriptedModel model(critic);
  const auto predictions = program.run(reviews({"good", "dull"}), {model});
  ASSERT_THAT(model.waves(), SizeIs(2));
  EXPECT_THAT(model.waves()[1], SizeIs(2));
  EXPECT_EQ(predictions[0]->fields, (Record{{"notes", "good!"}, {"verdict", "good"}}));
  EXPECT_EQ(predictions[1]->fields, (Record{{"notes", "dull!"}, {"verdict", "bad"}}));
}

TEST(Program, TracesEveryStepWithItsPredictorAndSumsTheirUsage) {
  const auto [program, notes, verdict] = two_steps();
  ScriptedModel model(critic);
  const auto predictions = program.run(reviews({"good"}), {model});
  ASSERT_THAT(predictions[0]->trace, SizeIs(2));
  EXPECT_EQ(predictions[0]->trace[0].predictor, 0u);
  EXPECT_EQ(predictions[0]->trace[1].predictor, 1u);
  EXPECT_EQ(predictions[0]->trace[1].inputs, (Record{{"notes", "good!"}}));
  EXPECT_EQ(predictions[0]->usage.calls, 2);
}

TEST(Program, LeavesARowAloneThatFailed) {
  const auto [program, notes, verdict] = two_steps();
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (request.messages.back().content.ends_with("mute"))
      return Error{Fault::kRefused, "too long", {}, 7, 0};
    return critic(request);
  });
  const auto predictions = program.run(reviews({"mute", "good", "lost"}), {model});
  EXPECT_THAT(model.waves()[1], SizeIs(2));
  EXPECT_EQ(predictions[0].error().fault, Fault::kRefused);
  EXPECT_EQ(predictions[0].error().message, "notes: too long");
  EXPECT_EQ(predictions[0].error().prompt_tokens, 7);
  EXPECT_TRUE(predictions[1]);
  EXPECT_EQ(predictions[2].error().fault, Fault::kService);
  EXPECT_GT(predictions[2].error().prompt_tokens, 0) << "what the first step took";
}

TEST(Program, GoesOnWithSomeRowsAlone) {
  auto [program, notes, verdict] = two_steps();
  program.forward = [notes = notes, verdict = verdict](Batch& batch) {
    batch.run(notes);
    batch.where([](const Record& fields) { return fields.text("notes") == "good!"; }).run(verdict);
  };
  ScriptedModel model(critic);
  const auto predictions = program.run(reviews({"good", "dull"}), {model});
  EXPECT_THAT(model.waves()[1], SizeIs(1));
  EXPECT_EQ(predictions[0]->fields.size(), 2u);
  EXPECT_EQ(predictions[1]->fields.size(), 1u);
}

TEST(Program, LoopsAndGivesFieldsOfItsOwn) {
  Program program;
  const StepId notes = program.add(terse("review -> notes"));
  program.forward = [notes](Batch& batch) {
    for (int round = 0; round < 3; ++round) {
      batch.run(notes);
      for (std::size_t i = 0; i < batch.size(); ++i)
        batch.set(i, "review", batch.fields(i).text("notes"));
    }
  };
  ScriptedModel model(critic);
  const auto predictions = program.run(reviews({"good"}), {model});
  EXPECT_EQ(predictions[0]->fields.text("notes"), "good!!!");
  EXPECT_THAT(predictions[0]->trace, SizeIs(3));
}

TEST(Program, SeesWhatItIsGivenButNoLabels) {
  Program program;
  const StepId verdict = program.add(terse("review -> verdict"));
  std::vector<std::string> seen;
  program.forward = [&seen, verdict](Batch& batch) {
    for (const auto& [name, value] : batch.fields(0)) seen.push_back(name);
    batch.run(verdict);
  };
  ScriptedModel model([](const Request&) { return say(" x"); });
  const std::vector<Record> given = {{{"review", "good"}, {"verdict", "label"}, {"shop", "a"}}};
  (void)program.run(given, {model});
  EXPECT_THAT(seen, ElementsAre("review", "shop"));
}

TEST(Program, AsksTheModelThatAStepHasOfItsOwn) {
  auto [program, notes, verdict] = two_steps();
  ScriptedModel model(critic), judge(critic);
  program.set_model(verdict, judge);
  (void)program.clone()->run(reviews({"good"}), {model});
  EXPECT_THAT(model.waves(), SizeIs(1));
  EXPECT_THAT(judge.waves(), SizeIs(1));
}

TEST(Program, SaysThatNothingIsToBeRun) {
  ScriptedModel model(critic);
  EXPECT_EQ(message_of<UserError>([&] { (void)Program().run(reviews({"good"}), {model}); }),
            "a program has a step: add() one");
}

TEST(Program, NamesAStepByItsLastOutputAndPredictorsAsDspyDoes) {
  Program program;
  program.add(terse("review -> notes"));
  program.add(ChainOfThought("notes -> verdict: bool"));
  Program inner;
  inner.add(terse("verdict -> reason"));
  program.add(std::move(inner), "explain");
  program.add(Samples(std::make_unique<Predict>("reason -> vote"), 3, majority));
  std::vector<std::string> names;
  for (const Predictor* predictor : program.predictors()) names.push_back(predictor->name);
  EXPECT_THAT(names, ElementsAre("notes", "verdict.predict", "explain.reason", "vote"));
}

TEST(Program, RefusesASecondStepOfOneName) {
  Program program;
  program.add(terse("review -> notes"));
  EXPECT_EQ(message_of<UserError>([&] { program.add(terse("text -> notes")); }),
            "two steps of a program are named `notes`: give one a name of its own, "
            "add(step, \"NAME\")");
}

TEST(Program, RefusesAStepWhosePredictorsHaveOneName) {
  class Twins final : public Module {
   public:
    std::vector<Result<Prediction>> run(std::span<const Record>, const Call&) const override {
      return {};
    }
    std::vector<Predictor*> predictors() override {
      return {one_.predictors()[0], other_.predictors()[0]};
    }
    std::unique_ptr<Module> clone() const override { return std::make_unique<Twins>(*this); }

   private:
    Predict one_{"review -> notes"}, other_{"review -> notes"};
  };
  Program program;
  EXPECT_EQ(message_of<UserError>([&] { program.add(Twins()); }),
            "two predictors of a program are named `notes.predict`: give each a name of its own, "
            "Predict(signature, adapter, options, \"NAME\")");
}

TEST(Program, SaysWhichStepReadsWhatNobodyGives) {
  Program program;
  program.add(terse("review, tone -> notes"));
  ScriptedModel model(critic);
  EXPECT_EQ(message_of<UserError>([&] { (void)program.run(reviews({"good"}), {model}); }),
            "step `notes` reads `tone`, which neither the data nor a step before it gives; there "
            "are review, verdict");
}

TEST(Program, KnowsTheInputsThatNoStepGives) {
  EXPECT_THAT(two_steps().program.inputs(), ElementsAre(make_field("review")));
}

TEST(Program, ACloneRunsOnItsOwnPredictors) {
  const auto [program, notes, verdict] = two_steps();
  const auto copy = program.clone();
  copy->predictors()[1]->signature = copy->predictors()[1]->signature.with_instructions("New.");
  ScriptedModel model(critic);
  (void)copy->run(reviews({"good"}), {model});
  (void)program.run(reviews({"good"}), {model});
  EXPECT_THAT(model.waves()[1][0].messages[0].content, HasSubstr("New."));
  EXPECT_THAT(model.waves()[3][0].messages[0].content, Not(HasSubstr("New.")));
}

}  // namespace
}  // namespace theta
