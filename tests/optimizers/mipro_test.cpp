#include "optimizers/mipro.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/result.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

MiproOptions options() {
  return {.num_instructions = 6,
          .num_demo_sets = 4,
          .num_trials = 20,
          .minibatch_size = 20,
          .glossary = {.written = 0, .read_off = false},
          .max_by_rule = 0,
          .nearest = 0,
          .proposer = {.writer = {.adapter = make_terse_adapter(), .attempts = 10}}};
}

class MiproTest : public ::testing::Test {
 protected:
  Compiled compile(MiproOptions o, const Module& student) {
    return Mipro(std::move(o)).compile(student, scripted_.task());
  }
  Compiled compile(MiproOptions o) { return compile(std::move(o), scripted_.student()); }
  static std::vector<std::string> candidates(const Compiled& compiled) {
    std::vector<std::string> all;
    for (const auto& trial : compiled.trials) all.push_back(to_json(trial.candidate));
    return all;
  }
  std::string error_of(MiproOptions o) {
    try {
      compile(std::move(o));
    } catch (const UserError& e) {
      return e.what();
    }
    return "";
  }

  ScriptedTask scripted_;
};

TEST_F(MiproTest, RecordsIndicesAndTextsOfEveryCandidate) {
  const auto compiled = compile(options());
  EXPECT_EQ(compiled.trials[0].candidate,
            (Candidate{{0, 0}, {{"predict", "Answer.", 0, "terse"}}}));
  EXPECT_THAT(candidates(compiled),
              Contains(HasSubstr(std::string(R"("instruction":")") + ScriptedTask::kBest)));
}

TEST_F(MiproTest, AsksForFewExamplesOfSeveralCandidatesWhereAnswersStandAlone) {
  const auto longest_minibatch = [&](std::size_t unit) {
    ScriptedModel model([&](const Request& request) { return scripted_.answer(request); },
                        {.unit = unit});
    const auto task = scripted_.task();
    const auto compiled =
        Mipro(options()).compile(scripted_.student(), {.train = task.train,
                                                       .validation = task.validation,
                                                       .metric = task.metric,
                                                       .model = model,
                                                       .proposer = scripted_.proposer,
                                                       .teacher = scripted_.teacher});
    EXPECT_NEAR(compiled.validation_score, .9, 1e-9);
    std::int64_t longest = 0;
    for (std::size_t t = 1; t < compiled.trials.size(); ++t)
      if (compiled.trials[t].kind == TrialKind::kMinibatch)
        longest =
            std::max(longest, compiled.trials[t].evaluations - compiled.trials[t - 1].evaluations);
    return longest;
  };
  EXPECT_EQ(longest_minibatch(1), 2);
  EXPECT_EQ(longest_minibatch(2), 5);
}

TEST_F(MiproTest, EndsWhereGoingOnIsWorthLessThanItsThreshold) {
  auto patient = options();
  auto hasty = options();
  hasty.stop_below = 1;  // an accuracy cannot rise by more
  EXPECT_LT(compile(hasty).trials.back().evaluations, compile(patient).trials.back().evaluations);
}

TEST_F(MiproTest, CountsWhatCameOfTheProposals) {
  const auto counts = compile(options()).proposals;
  EXPECT_GT(counts.unparsable, 0);
  EXPECT_GT(counts.duplicate, 0);
  EXPECT_EQ(counts.failed, 0);
  EXPECT_EQ(counts.asked, 3 + counts.unparsable + counts.duplicate);
}

TEST_F(MiproTest, GoesOnWithDemosIfNoProposalCanBeUsed) {
  scripted_.written = {""};
  const auto compiled = compile(options());
  EXPECT_NEAR(compiled.validation_score, .5, 1e-9);
}

TEST_F(MiproTest, KeepsTheInstructionIfItIsFrozen) {
  auto o = options();
  o.limits.frozen = {"instruction"};
  o.instructions = {ScriptedTask::kBest};
  const auto compiled = compile(o);
  EXPECT_THAT(candidates(compiled), Each(HasSubstr(R"("instruction":"Answer.")")));
  EXPECT_NEAR(compiled.validation_score, .5, 1e-9);
  EXPECT_EQ(scripted_.proposer.calls(), 0u);
}

TEST_F(MiproTest, KeepsThePhrasesThatStay) {
  auto o = options();
  o.limits.keep = {"Answer."};
  o.instructions = {"Answer. At once."};
  const auto choices = Mipro(o).choices(scripted_.student(), scripted_.task());
  EXPECT_THAT(choices.texts(0, "instruction"),
              AllOf(Contains("Answer."), Contains("Answer. At once."),
                    Contains(std::string(ScriptedTask::kBest) + "\nAnswer.")));
  o.limits.keep = {"Hurry."};
  EXPECT_EQ(error_of(o), "the program's instructions do not say `Hurry.`, to keep it");
}

TEST_F(MiproTest, KeepsTheDemosIfTheyAreFrozen) {
  auto o = options();
  o.limits.frozen = {"predict.demos"};
  const auto compiled = compile(o);
  EXPECT_THAT(candidates(compiled), Each(HasSubstr(R"("demos":0)")));
  EXPECT_NEAR(compiled.validation_score, .8, 1e-9);
}

TEST_F(MiproTest, TriesWhatPeopleWroteForAStepInThatStepAlone) {
  auto o = options();
  o.num_instructions = 1;
  o.instructions_of = {{"label", {ScriptedTask::kBest}}};
  const Program student = two_steps(scripted_.adapter);
  const auto choices = Mipro(o).choices(student, scripted_.task());
  EXPECT_THAT(choices.texts(0, "instruction"), ElementsAre("Take a note."));
  EXPECT_THAT(choices.texts(1, "instruction"),
              ElementsAre(ScriptedTask::kOwn, ScriptedTask::kBest));
  o.instructions_of = {{"verdict", {ScriptedTask::kBest}}};
  EXPECT_EQ(error_of(o), "the program has no step `verdict` to instruct");
}

TEST(PromptLimits, FreezeAPredictorByItsNameOrThatOfItsStep) {
  const Predictor predictor{"verdict.predict", Signature::parse("a -> b"), {}};
  for (const char* frozen : {"demos", "verdict.demos", "verdict.predict.demos"}) {
    const PromptLimits limits{.frozen = {frozen}};
    EXPECT_TRUE(limits.freezes(predictor, "demos")) << frozen;
    EXPECT_FALSE(limits.freezes(predictor, "instruction")) << frozen;
  }
  EXPECT_FALSE(PromptLimits{.frozen = {"verd.demos"}}.freezes(predictor, "demos"));
}

TEST_F(MiproTest, BootstrapsNothingThatNobodyWouldSee) {
  auto o = options();
  o.limits.frozen = {"demos"};
  o.proposer.demos = false;
  compile(o);
  EXPECT_EQ(scripted_.teacher.calls(), 0u);
}

TEST_F(MiproTest, TriesNoDemosWithoutRoomForThemButGroundsTheProposerInSome) {
  auto o = options();
  o.max_bootstrapped = o.max_labeled = 0;
  const auto compiled = compile(o);
  EXPECT_THAT(candidates(compiled), Each(HasSubstr(R"("demos":0)")));
  EXPECT_GT(scripted_.teacher.calls(), 0u);
}

TEST_F(MiproTest, SurvivesLabelledDemosWithoutBootstrappedOnes) {  // DSPy 3.4.1 stops here
  auto o = options();
  o.max_bootstrapped = 0;
  EXPECT_NEAR(compile(o).validation_score, .9, 1e-9);
}

TEST_F(MiproTest, TriesInstructionsWrittenByPeople) {
  scripted_.quality["By hand."] = .85;
  auto o = options();
  o.num_instructions = 1;
  o.instructions = {"By hand.", "By hand.", ScriptedTask::kOwn};
  const auto compiled = compile(o);
  EXPECT_NEAR(compiled.validation_score, .95, 1e-9);
  EXPECT_EQ(compiled.program->predictors()[0]->signature.instructions, "By hand.");
  EXPECT_EQ(scripted_.proposer.calls(), 0u);
  EXPECT_THAT(candidates(compiled), Each(Not(HasSubstr(R"("combination":[2)"))));
}

TEST_F(MiproTest, SearchesGlossariesAndDemoSetsByRuleAmongTheRest) {
  auto o = options();
  o.glossary = {.written = 1};
  o.max_by_rule = 4;
  const auto choices = Mipro(o).choices(scripted_.student(), scripted_.task());
  ASSERT_EQ(choices.parts.size(), 3u);
  EXPECT_EQ(choices.parts[2].name, "glossary");
  EXPECT_GT(choices.parts[2].texts.size(), 1u);
  const auto sets = [&](std::size_t by_rule) {
    o.max_by_rule = by_rule;
    return Mipro(o).choices(scripted_.student(), scripted_.task()).texts(0, "demos").size();
  };
  EXPECT_EQ(sets(4), sets(0) + 4);  // one and two of each label, in two orders
  o.faithful = true;
  EXPECT_EQ(Mipro(o).choices(scripted_.student(), scripted_.task()).parts.size(), 2u);
}

TEST_F(MiproTest, TakesTheStudentsOwnDemosAsTheDefault) {
  auto student = scripted_.student();
  student.predictors()[0]->demos = {{{{"text", "item 2000"}, {"label", "yes"}}, false},
                                    {{{"text", "item 2001"}, {"label", "no"}}, false},
                                    {{{"text", "item 2002"}, {"label", "yes"}}, false}};
  const auto compiled = compile(options(), student);
  EXPECT_NEAR(compiled.trials[0].score, .5, 1e-9);
  EXPECT_EQ(compiled.trials[0].candidate.parts.at(0).demos, 3U);
  EXPECT_THAT(candidates(compiled), Contains(HasSubstr(R"("demos":0)")));
}

TEST_F(MiproTest, TriesNoPromptAboveTheTokenLimit) {
  auto o = options();
  o.limits.max_prompt_tokens =
      17;  // room for an instruction, not for four demos of four words or more
  const auto compiled = compile(o);
  EXPECT_THAT(candidates(compiled), Each(HasSubstr(R"("demos":0)")));
  EXPECT_NEAR(compiled.validation_score, .8, 1e-9);
}

TEST_F(MiproTest, FaithfulScoresTheStudentsDemosFirstAndTriesNoneInTheirPlace) {
  auto student = scripted_.student();
  student.predictors()[0]->demos = {{{{"text", "item 2000"}, {"label", "yes"}}, false},
                                    {{{"text", "item 2001"}, {"label", "no"}}, false},
                                    {{{"text", "item 2002"}, {"label", "yes"}}, false}};
  scripted_.demo_bonus = .3;
  auto o = options();
  o.faithful = true;
  o.num_instructions = o.num_demo_sets = 1;
  const auto compiled = compile(o, student);
  EXPECT_NEAR(compiled.trials[0].score, .7, 1e-9);
  EXPECT_EQ(compiled.trials[0].candidate.parts.at(0).demos, 3U);
  for (std::size_t t = 1; t < compiled.trials.size(); ++t)
    EXPECT_EQ(compiled.trials[t].candidate.parts.at(0).demos, 0U);
  EXPECT_GT(compiled.trials.size(), 1u);
  EXPECT_EQ(describe(*compiled.program), describe(student));
}

TEST_F(MiproTest, FaithfulProposesNoMoreInstructionsThanThereAreDemoSets) {
  auto o = options();
  o.faithful = true;
  o.num_instructions = 12;
  o.num_demo_sets = 3;
  const auto choices = Mipro(o).choices(scripted_.student(), scripted_.task());
  EXPECT_EQ(choices.texts(0, "demos").size(), 3u);
  EXPECT_TRUE(choices.texts(0, "demos")[0].empty());
  EXPECT_EQ(choices.texts(0, "instruction").size(), 3u);
}

TEST_F(MiproTest, SearchesADrawnPartOfValidationInAnAutoMode) {
  auto task = scripted_.task();
  for (int j = 100; j < 130; ++j) task.validation.push_back(ScriptedTask::example(j));
  auto o = options();
  EXPECT_EQ(Mipro(o).compile(scripted_.student(), task).trials[0].evaluations, 130);
  o.faithful = true;
  o.auto_mode = "light";
  EXPECT_EQ(Mipro(o).compile(scripted_.student(), task).trials[0].evaluations, 100);
}

TEST_F(MiproTest, RemovesEqualDemoSets) {
  auto o = options();
  o.num_demo_sets = 10;
  o.max_labeled = 0;
  o.max_bootstrapped = 1;
  auto task = scripted_.task();
  task.train.resize(2);  // of which one can be bootstrapped
  Rng rng(1);
  EXPECT_EQ(Mipro(o).demo_sets(scripted_.student(), task, rng)[0].size(), 2u);
}

TEST_F(MiproTest, TakesDSPysNumberOfTrials) {
  auto o = options();
  o.num_trials = 0;
  o.surrogate = "random";
  o.minibatch_size = 10;
  const auto compiled = compile(o);
  const auto minibatches =
      std::count_if(compiled.trials.begin(), compiled.trials.end(),
                    [](const TrialRecord& trial) { return trial.kind == TrialKind::kMinibatch; });
  EXPECT_EQ(minibatches, 8);  // two variables of at most four choices: 2 * 2 * log2 4
}

TEST_F(MiproTest, TellsWhatIsTheBestForEveryLengthOfPrompt) {
  const auto front = compile(options()).front;
  ASSERT_GT(front.size(), 1u);
  for (std::size_t i = 1; i < front.size(); ++i) {
    EXPECT_GT(front[i].prompt_tokens, front[i - 1].prompt_tokens);
    EXPECT_GT(front[i].score, front[i - 1].score);
  }
  EXPECT_EQ(front.back().candidate.parts.at(0).instruction, ScriptedTask::kBest);
  EXPECT_NEAR(front.back().score, .9, .1);
}

TEST_F(MiproTest, EstimatesTheLengthOfPromptsThatOnlyAServerCounts) {
  ScriptedModel server([](const Request&) { return say("yes"); }, {.counts = false});
  auto program = scripted_.student();
  auto& predictor = *program.predictors()[0];
  predictor.signature = predictor.signature.with_instructions(std::string(400, 'x'));
  // And 31 bytes on what the label can be, and of the text's name.
  EXPECT_EQ(prompt_tokens(program, server), 107u);
  EXPECT_TRUE((PromptLimits{.max_prompt_tokens = 107}.admits(program, server)));
  EXPECT_FALSE((PromptLimits{.max_prompt_tokens = 106}.admits(program, server)));
}

TEST_F(MiproTest, RefusesToFreezeWhatIsNotThere) {
  auto o = options();
  o.limits.frozen = {"judge.demos"};
  EXPECT_EQ(error_of(o), "the program has no `judge.demos` to freeze");
}

TEST_F(MiproTest, RefusesAnUnknownSurrogate) {
  auto o = options();
  o.surrogate = "cma";
  EXPECT_EQ(error_of(o), "there is no surrogate `cma`: choose paired, gp, tpe or random");
}

}  // namespace
}  // namespace theta
