#include "optimizers/gepa.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Fronts = std::vector<std::vector<std::size_t>>;

TEST(ParetoFronts, KeepsWhatIsBestSomewhere) {
  EXPECT_EQ(pareto_fronts({{1, 0, 0}, {0, 1, 1}}), (Fronts{{0}, {1}, {1}}));
}

TEST(ParetoFronts, DropsWhatAnotherEqualsWhereverItIsBest) {
  EXPECT_EQ(pareto_fronts({{1, 0}, {0, 1}, {1, 1}}), (Fronts{{2}, {2}}));
}

TEST(ParetoFronts, KeepsOneOfEquals) {
  EXPECT_EQ(pareto_fronts({{1, 0}, {1, 0}}), (Fronts{{1}, {1}}));
}

TEST(ParetoFronts, LeavesOutExamplesThatTheServiceFailed) {
  EXPECT_EQ(pareto_fronts({{1., std::nullopt}, {0., std::nullopt}}), (Fronts{{0}}));
}

class GepaTest : public ::testing::Test {
 protected:
  Compiled compile(GepaOptions options) {
    options.writer.adapter = make_terse_adapter();
    return Gepa(std::move(options)).compile(scripted_.student(), scripted_.task());
  }
  std::string instruction(const Compiled& compiled) const {
    return compiled.program->predictors()[0]->signature.instructions;
  }

  ScriptedTask scripted_;
};

TEST_F(GepaTest, ShowsTheProposerWhatWasAnsweredAndWhatWasRight) {
  scripted_.written = {""};
  compile({});
  const std::string prompt = scripted_.proposer.waves().at(0).at(0).messages.back().content;
  EXPECT_THAT(prompt, HasSubstr("Current Instruction: Answer."));
  EXPECT_THAT(prompt, HasSubstr("label: yes\n  Feedback: this was scored 0 of 1. Right would have "
                                "been:\n  label: no"));
  EXPECT_THAT(prompt, HasSubstr("Feedback: this was scored 1 of 1."));
}

TEST_F(GepaTest, ShowsTheProposerTheMetricsWords) {
  scripted_.written = {""};
  Task task = scripted_.task();
  task.metric = [](const Example&, const Prediction&) { return Grade(0.5, "It is too short."); };
  Gepa({.writer = {.adapter = make_terse_adapter()}}).compile(scripted_.student(), task);
  EXPECT_THAT(scripted_.proposer.waves().at(0).at(0).messages.back().content,
              HasSubstr("Feedback: this was scored 0.5 of 1. It is too short. Right would have"));
}

TEST_F(GepaTest, SpendsDSPysLightBudgetWhereNoneIsGiven) {
  const auto spent = compile({.skip_perfect = false}).trials.back().evaluations;
  EXPECT_LE(spent, 780);
  EXPECT_GT(spent, 780 - 106);  // a child costs up to two minibatches and a full evaluation
}

TEST_F(GepaTest, ReflectsOnEveryTrainingExampleOnceAnEpoch) {
  scripted_.written = {""};
  const auto compiled = compile({.minibatch_size = 5, .skip_perfect = false});
  std::vector<int> seen;
  for (const auto& wave : scripted_.model.waves())
    if (wave.size() == 5 && seen.size() < 20)
      for (const auto& request : wave)
        seen.push_back(ScriptedTask::item_of(request.messages.back().content));
  std::ranges::sort(seen);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], 1000 + i);
}

TEST_F(GepaTest, DropsRewritingsThatQuoteTheExamples) {
  scripted_.quality["The text item 1001 is a no."] = 1;
  scripted_.written = {"The text item 1001 is a no."};
  const auto compiled = compile({.writer = {.max_copied = 9}});
  EXPECT_GT(compiled.proposals.copied, 0);
  EXPECT_EQ(instruction(compiled), ScriptedTask::kOwn);
}

TEST_F(GepaTest, DropsRewritingsAboveTheTokenLimit) {
  const auto compiled = compile({.limits = {.max_prompt_tokens = 10}});
  EXPECT_GT(compiled.proposals.too_long, 0);
  EXPECT_EQ(instruction(compiled), "Think.");
}

TEST_F(GepaTest, KeepsThePhrasesThatStay) {
  EXPECT_EQ(instruction(compile({.limits = {.keep = {"Answer."}}})),
            std::string(ScriptedTask::kBest) + "\nAnswer.");
}

TEST_F(GepaTest, WritesNothingWhereTheInstructionIsFrozen) {
  const auto compiled = compile({.limits = {.frozen = {"predict.instruction"}}});
  EXPECT_EQ(compiled.trials.size(), 1u);
  EXPECT_EQ(scripted_.proposer.calls(), 0u);
}

TEST_F(GepaTest, RefusesATaskWithoutTrainingExamples) {
  auto task = scripted_.task();
  task.train.clear();
  try {
    Gepa().compile(scripted_.student(), task);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "gepa reflects on training examples; there are none");
  }
}

/// Two instructions, each of which takes some examples away and adds more; what it answers tells
/// which it has.
class TwoHalves final : public Module {
 public:
  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& /*call*/) const override {
    const bool a = predictors_[0].signature.instructions == "A";
    const bool b = predictors_[1].signature.instructions == "B";
    std::vector<Result<Prediction>> all;
    for (const auto& input : inputs) {
      const int kind = std::stoi(input.text("text")) % 5;
      const bool right = a || b ? (a && (kind == 1 || kind == 2)) || (b && kind > 2) : kind == 0;
      const Record fields{{"label", right ? "right" : a ? "wrong A" : b ? "wrong B" : "wrong"}};
      const Record read{{"text", input.at("text")}};
      all.emplace_back(Prediction{fields, {{0, read, fields}, {1, read, fields}}, {}});
    }
    return all;
  }
  std::vector<Predictor*> predictors() override { return {&predictors_[0], &predictors_[1]}; }
  std::unique_ptr<Module> clone() const override { return std::make_unique<TwoHalves>(*this); }

 private:
  std::vector<Predictor> predictors_{{"first", Signature::parse("text -> label", "a"), {}},
                                     {"second", Signature::parse("text -> label", "b"), {}}};
};

/// What comes of TwoHalves with a proposer that improves either instruction, but never the second
/// one to improve.
std::vector<std::string> evolve_halves(std::size_t max_merges) {
  ScriptedModel proposer([](const Request& request) {
    const std::string& prompt = request.messages.back().content;
    if (prompt.find("wrong A") != std::string::npos || prompt.find("wrong B") != std::string::npos)
      return say("");
    return say(prompt.find("Current Instruction: a") != std::string::npos ? "A" : "B");
  });
  Task task{{}, {}, make_metric("exact_match", make_field("label")), proposer, proposer, proposer};
  for (int j = 0; j < 20; ++j) {
    task.train.push_back(
        {std::to_string(j), "", {{"text", std::to_string(j)}, {"label", "right"}}});
    task.validation.push_back(task.train.back());
  }
  task.max_evaluations = 2000;
  const auto compiled =
      Gepa({.max_merges = max_merges, .writer = {.adapter = make_terse_adapter()}})
          .search(TwoHalves(), task);
  std::vector<std::string> instructions;
  for (const auto* predictor : compiled.program->predictors())
    instructions.push_back(predictor->signature.instructions);
  return instructions;
}

TEST(GepaMerge, TakesOfEachPredictorTheInstructionThatHasChanged) {
  EXPECT_THAT(evolve_halves(5), ElementsAre("A", "B"));
}

TEST(GepaMerge, IsNotDoneWhereNoneIsAllowed) {
  const auto instructions = evolve_halves(0);
  EXPECT_NE(instructions[0] == "A", instructions[1] == "B");
}

}  // namespace
}  // namespace theta
