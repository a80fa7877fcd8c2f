#include "optimizers/proposer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "modules/copy_guard.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// What a request asks to be written: the label that its answer begins with.
bool asks_for(const Request& request, const std::string& label) {
  return request.answer_prefix.find(label) != std::string::npos;
}

class Propose : public ::testing::Test {
 protected:
  /// Proposes with a model that gives `answers` to proposals, in order, and the last for ever.
  Proposals run(std::vector<Result<Response>> answers, std::size_t n, ProposerOptions options) {
    std::size_t next = 0;
    model_ = std::make_unique<ScriptedModel>([=](const Request& request) mutable {
      if (asks_for(request, "Observations:")) return Result<Response>(say(" Items have numbers."));
      if (asks_for(request, "Summary:")) return Result<Response>(say(" Numbered items."));
      return answers[std::min(next++, answers.size() - 1)];
    });
    Rng rng(1);
    return propose(scripted_.student(), demo_sets_, scripted_.task().train, {n}, {*model_}, options,
                   rng);
  }
  static ProposerOptions terse() {
    return {.writer = {.adapter = make_terse_adapter()}, .tips = false};
  }
  /// The prompts that asked for instructions.
  std::vector<std::string> prompts() const {
    std::vector<std::string> all;
    for (const auto& wave : model_->waves())
      for (const auto& request : wave)
        if (asks_for(request, "Proposed Instruction:"))
          all.push_back(request.messages.back().content);
    return all;
  }

  ScriptedTask scripted_;
  DemoSets demo_sets_{{{}}};
  std::unique_ptr<ScriptedModel> model_;
};

TEST_F(Propose, PutsTheProgramsOwnInstructionFirst) {
  const auto proposals = run({say(" Decide."), say(" Think.")}, 2, terse());
  EXPECT_THAT(proposals.instructions, ElementsAre(ElementsAre("Answer.", "Decide.", "Think.")));
  EXPECT_EQ(proposals.counts.asked, 2);
  EXPECT_EQ(proposals.data_summary, "Numbered items.");
}

TEST_F(Propose, AsksForAllOfThemInOneWave) {
  run({say(" A."), say(" B."), say(" C.")}, 3, terse());
  EXPECT_EQ(model_->waves().back().size(), 3u);
}

TEST_F(Propose, ShowsTheLastFiveProposalsWhereTheirHistoryIsWanted) {
  auto options = terse();
  options.history = true;
  const auto proposals = run({say(" A1."), say(" A1."), say(" A2."), say(" A3."), say(" A4."),
                              say(" A5."), say(" A6."), say(" A7.")},
                             7, options);
  // The second is refused as a repetition and comes last.
  EXPECT_THAT(proposals.instructions[0],
              ElementsAre("Answer.", "A1.", "A2.", "A3.", "A4.", "A5.", "A6.", "A7."));
  EXPECT_EQ(proposals.counts.asked, 8);
  ASSERT_EQ(prompts().size(), 8u);
  EXPECT_THAT(prompts().front(), HasSubstr("Previous Instructions: None was proposed before.\n"));
  EXPECT_THAT(prompts().back(),
              HasSubstr("Previous Instructions:\n  A2.\n  A3.\n  A4.\n  A5.\n  A6.\n"));
}

TEST_F(Propose, ShowsNoHistoryUnlessItIsAskedTo) {
  run({say(" A."), say(" B.")}, 2, terse());
  for (const auto& prompt : prompts()) EXPECT_THAT(prompt, Not(HasSubstr("Previous")));
}

TEST_F(Propose, DropsWhatItsLimitOfTokensCut) {
  Response cut = say(" Decide with care, and whenever the");
  cut.truncated = true;
  const auto proposals = run({cut, say(" Decide.")}, 1, terse());
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer.", "Decide."));
  EXPECT_EQ(proposals.counts.cut, 1);
  EXPECT_EQ(proposals.counts.unparsable, 0);
}

TEST_F(Propose, StripsThoughtsAndFences) {
  const auto proposals =
      run({say(" <think>Hm.</think> Decide."), say(" ```Think.```"), say(" <think>Never done")}, 2,
          terse());
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer.", "Decide.", "Think."));
  EXPECT_EQ(proposals.counts.thoughts, 1);
  EXPECT_EQ(proposals.counts.fenced, 1);
}

TEST(FencedText, IsWhatAFenceAroundAnInstructionHolds) {
  for (const char* text :
       {"```\nSay yes.\n```", "```text\nSay yes.\n```\n", "~~~markdown\nSay yes.\n~~~",
        "```Say yes.```", "Here is the improved instruction:\n\n```\nSay yes.\n```",
        "```text\nSay yes."}) {
    EXPECT_EQ(fenced_text(text), "Say yes.") << text;
  }
  for (const char* text : {"Say yes.", "Answer in this form:\n```json\n{}\n```", "Use ``` twice",
                           "```a\nb\n```\nand then\n```c\nd\n```", "```", "Say `yes`."}) {
    EXPECT_EQ(fenced_text(text), std::nullopt) << text;
  }
}

TEST_F(Propose, AsksAgainWithAFreshSampleForWhatItCannotUse) {
  const auto proposals =
      run({say(""), say(" Answer."), say(" Decide."), say(" Decide."), say(" Think.")}, 3, terse());
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer.", "Decide.", "Think."));
  EXPECT_EQ(proposals.counts.unparsable, 1);
  // `Answer.`, then the script's last answer over and over.
  EXPECT_EQ(proposals.counts.duplicate, proposals.counts.asked - 3);
  std::set<std::uint64_t> seeds;
  std::size_t asked = 0;
  for (const auto& wave : model_->waves())
    for (const auto& request : wave)
      if (asks_for(request, "Proposed Instruction:")) seeds.insert(request.seed), ++asked;
  EXPECT_EQ(seeds.size(), asked);
}

TEST_F(Propose, GivesUpAfterAFewAttemptsWithoutFailing) {
  auto options = terse();
  options.writer.attempts = 4;
  const auto proposals = run({say("")}, 2, options);
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer."));
  EXPECT_EQ(proposals.counts.asked, 8);
  EXPECT_EQ(proposals.counts.unparsable, 8);
}

TEST_F(Propose, CountsAnswersThatTheAdapterCannotParse) {
  auto options = terse();
  options.writer.adapter = make_json_adapter();
  options.data_summary = false;
  const auto proposals = run({say("{\"other\": 1}")}, 1, options);
  EXPECT_EQ(proposals.counts.unparsable, options.writer.attempts);
}

TEST_F(Propose, DropsInstructionsThatCopyTrainingText) {
  auto options = terse();
  options.writer.max_copied = 9;  // `item 1007` has nine bytes
  const auto proposals =
      run({say(" Say no to item 1007."), say(" Say no to item 99.")}, 1, options);
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer.", "Say no to item 99."));
  EXPECT_EQ(proposals.counts.copied, 1);
  EXPECT_EQ(proposals.counts.longest_copy, 9);
}

TEST_F(Propose, CountsServiceFailuresApartAndAsksAgain) {
  const auto proposals = run({Error{Fault::kService, "timed out"}, say(" Decide.")}, 1, terse());
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer.", "Decide."));
  EXPECT_EQ(proposals.counts.failed, 1);
}

TEST_F(Propose, FailsIfTheServiceAnsweredNothing) {
  try {
    run({Error{Fault::kService, "timed out"}}, 2, terse());
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "the proposer did not answer: timed out");
  }
}

TEST_F(Propose, BreaksFieldMarkersInWhatAModelWrote) {
  const auto proposals = run({say(" Begin with [[ ## label ## ]] please.")}, 1, terse());
  EXPECT_THAT(proposals.instructions[0],
              ElementsAre("Answer.", "Begin with [ [ ## label ## ]] please."));
}

TEST_F(Propose, ShowsTheTaskToTheProposer) {
  auto options = terse();
  options.tips = true;
  run({say(" A.")}, 1, options);
  EXPECT_THAT(prompts()[0], HasSubstr("Dataset Description: Numbered items."));
  EXPECT_THAT(
      prompts()[0],
      HasSubstr("Program Description:\n  One call to a language model.\n  1. predict: text -> "
                "label: Literal['yes', 'no']"));
  EXPECT_THAT(prompts()[0], HasSubstr("Module Description: A call that reads `text` and writes "
                                      "`label` (one of: yes, no)."));
  EXPECT_THAT(prompts()[0], HasSubstr("Task Demos: No demos are known."));
  EXPECT_THAT(prompts()[0], HasSubstr("Basic Instruction: Answer."));
}

TEST_F(Propose, LeavesOutWhatIsSwitchedOff) {
  run({say(" A.")}, 1,
      {.writer = {.adapter = make_terse_adapter()},
       .data_summary = false,
       .program_summary = false,
       .demos = false,
       .tips = false});
  ASSERT_EQ(model_->waves().size(), 1u);
  for (const char* part : {"Dataset", "Program", "Module", "Demos", "Tip"})
    EXPECT_THAT(prompts()[0], Not(HasSubstr(part)));
}

TEST_F(Propose, GroundsEachProposalInAnotherDemoSet) {
  const auto demo = [](const std::string& text, bool augmented) {
    return Demo{{{"text", text}, {"label", "yes"}}, augmented};
  };
  demo_sets_ = {{{},
                 {demo("labelled", false)},
                 {demo("a", true), demo("b", true), demo("c", true), demo("d", true)},
                 {demo("e", true)}}};
  run({say(" A."), say(" B."), say(" C.")}, 3, terse());
  EXPECT_THAT(prompts()[0], HasSubstr("Task Demos:\n  text: a\n  label: yes\n  \n  text: b\n"
                                      "  label: yes\n  \n  text: c\n  label: yes\nBasic"));
  EXPECT_THAT(prompts()[1], HasSubstr("Task Demos:\n  text: a"));
  EXPECT_THAT(prompts()[2], HasSubstr("Task Demos:\n  text: e\n  label: yes\n  \n  text: a"));
  EXPECT_THAT(prompts()[2], Not(HasSubstr("labelled")));
}

TEST_F(Propose, StopsLookingAtExamplesWhenNothingIsMissing) {
  int looks = 0;
  ScriptedModel model([&](const Request& request) {
    if (asks_for(request, "Observations:"))
      return ++looks, say(looks == 1 ? " Items." : " Complete");
    return say(" text");
  });
  std::vector<Example> train;
  for (int i = 0; i < 200; ++i) train.push_back(ScriptedTask::example(i));
  Rng rng(1);
  propose(scripted_.student(), demo_sets_, train, {1}, {model}, terse(), rng);
  EXPECT_EQ(looks, 1 + 5);
}

TEST_F(Propose, AsksNothingIfNothingIsWanted) {
  const auto proposals = run({say(" A.")}, 0, terse());
  EXPECT_EQ(model_->calls(), 0u);
  EXPECT_THAT(proposals.instructions[0], ElementsAre("Answer."));
}

TEST(StripPrefix, DropsAHeadingAndQuotes) {
  EXPECT_EQ(strip_prefix("Proposed Instruction: Say yes."), "Say yes.");
  EXPECT_EQ(strip_prefix("**The new instruction: \"Say yes.\""), "Say yes.");
  EXPECT_EQ(strip_prefix("\"Say yes.\""), "Say yes.");
  EXPECT_EQ(strip_prefix("  \n Instruction:\n\nSay yes."), "Say yes.");
  EXPECT_EQ(strip_prefix("It's a well-known rule: x"), "x");
}

TEST(StripPrefix, KeepsWhatIsNoHeading) {
  EXPECT_EQ(strip_prefix("one two three four five six: x"), "one two three four five six: x");
  EXPECT_EQ(strip_prefix("Say yes, or: no"), "Say yes, or: no");
  EXPECT_EQ(strip_prefix("Say \"yes\" or no"), "Say \"yes\" or no");
  EXPECT_EQ(strip_prefix(""), "");
}

TEST(CopyGuard, MeasuresTheLongestTextOfAtLeastTheGivenLength) {
  const std::vector<Example> examples{
      {"1", "", {{"text", "the quick brown fox"}, {"tags", std::vector<std::string>{"lazy dog"}}}}};
  const CopyGuard guard(examples, 9);
  EXPECT_EQ(guard.copied("A quick brown bear"), 13u);  // ` quick brown `
  EXPECT_EQ(guard.copied("A quick red fox"), 0u);
  EXPECT_EQ(guard.copied("brown fo"), 0u);
  EXPECT_EQ(guard.copied("ab"), 0u);
  EXPECT_EQ(guard.copied("the quick"), 9u);
  EXPECT_EQ(guard.copied("the quick; the quick brown fox"), 19u);
  EXPECT_EQ(CopyGuard(examples, 8).copied("a lazy dog"), 8u);
}

TEST(CopyGuard, LetsTheTasksOwnQuestionBeRepeated) {
  const std::string question = "Which of these sentences has its adjectives in order? ";
  std::vector<Example> examples;
  for (int i = 0; i < 10; ++i)
    examples.push_back({"", "", {{"text", question + std::string(9, static_cast<char>('a' + i))}}});
  const CopyGuard guard(examples, 9);
  EXPECT_EQ(guard.copied("Say it. " + question), 0u);
  EXPECT_EQ(guard.copied("Such as:ccccccccc"), 9u);
  examples.resize(3);  // too few to tell
  EXPECT_GE(CopyGuard(examples, 9).copied("Say it. " + question), question.size());
}

TEST(CopyGuard, OfLengthZeroFindsNothing) {
  const std::vector<Example> examples{{"1", "", {{"text", "abc"}}}};
  EXPECT_EQ(CopyGuard(examples, 0).copied("abc"), 0u);
}

}  // namespace
}  // namespace theta
