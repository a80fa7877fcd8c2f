#include "optimizers/copro.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/result.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class CoproTest : public ::testing::Test {
 protected:
  Compiled compile(CoproOptions options, const Module& student) {
    options.writer.adapter = make_terse_adapter();
    return Copro(std::move(options)).compile(student, scripted_.task());
  }
  Compiled compile(CoproOptions options) {
    return compile(std::move(options), scripted_.student());
  }

  ScriptedTask scripted_;
};

TEST_F(CoproTest, ShowsTheProposerWhatWasTriedWithItsScoresTheBestLast) {
  scripted_.written = {"Think.", "Decide."};
  compile({.breadth = 3, .depth = 2, .writer = {.attempts = 10}});
  EXPECT_THAT(scripted_.proposer.waves().at(0).at(0).messages.back().content,
              HasSubstr("Basic Instruction: Answer."));
  EXPECT_THAT(scripted_.proposer.waves().back().at(0).messages.back().content,
              HasSubstr("1. Instruction: Answer.\n  Score: 40.0\n"
                        "  2. Instruction: Decide.\n  Score: 50.0\n"
                        "  3. Instruction: Think.\n  Score: 60.0"));
}

TEST_F(CoproTest, AsksForARoundOfInstructionsInOneWave) {
  scripted_.written = {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"};
  compile({.breadth = 5, .depth = 1, .writer = {.attempts = 1}});
  ASSERT_EQ(scripted_.proposer.waves().size(), 1u);
  EXPECT_EQ(scripted_.proposer.waves()[0].size(), 4u);
}

TEST_F(CoproTest, EvaluatesNoProgramTwice) {
  const auto compiled = compile({.breadth = 5, .depth = 3}, two_steps(scripted_.adapter));
  std::set<std::string> candidates;
  for (const auto& trial : compiled.trials) candidates.insert(to_json(trial.candidate));
  EXPECT_EQ(candidates.size(), compiled.trials.size());
}

TEST_F(CoproTest, LeavesFrozenInstructionsAlone) {
  const auto compiled = compile({.breadth = 5, .limits = {.frozen = {"note.instruction"}}},
                                two_steps(scripted_.adapter));
  for (const auto& trial : compiled.trials)
    EXPECT_THAT(to_json(trial.candidate), HasSubstr("Take a note."));
  EXPECT_NEAR(compiled.validation_score, .8, 1e-9);
}

TEST_F(CoproTest, KeepsThePhrasesThatStay) {
  const auto compiled = compile({.breadth = 5, .limits = {.keep = {"Answer."}}});
  for (const auto& trial : compiled.trials)
    EXPECT_THAT(trial.candidate.parts.at(0).instruction, EndsWith("Answer."));
  EXPECT_NEAR(compiled.validation_score, .8, 1e-9);
}

TEST_F(CoproTest, TriesNoInstructionAboveTheTokenLimit) {
  const auto compiled = compile({.limits = {.max_prompt_tokens = 10}});
  EXPECT_GT(compiled.proposals.too_long, 0);
  EXPECT_NEAR(compiled.validation_score, .6, 1e-9);
}

TEST_F(CoproTest, GoesOnIfNothingThatIsWrittenCanBeUsed) {
  scripted_.written = {""};
  const auto compiled = compile({});
  EXPECT_EQ(compiled.trials.size(), 1u);
  EXPECT_GT(compiled.proposals.unparsable, 0);
}

TEST_F(CoproTest, FailsWithTheReasonIfTheProposerNeverAnswers) {
  auto task = scripted_.task();
  ScriptedModel proposer([](const Request&) {
    return Result<Response>(Error{Fault::kService, "timed out"});
  });
  const Task own{task.train, task.validation, task.metric, task.model, proposer, task.teacher};
  try {
    Copro().compile(scripted_.student(), own);
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "the proposer did not answer: timed out");
  }
}

}  // namespace
}  // namespace theta
