#include "modules/published_pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/predict.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

std::vector<PreferencePair> pairs(std::size_t n) {
  std::vector<PreferencePair> out;
  for (std::size_t i = 0; i < n; ++i) {
    const std::string k = std::to_string(i);
    out.push_back({.id = k,
                   .context = "talk " + k,
                   .chosen = "good " + k,
                   .rejected = "bad " + k,
                   .flip = i % 2 == 0});
  }
  return out;
}

std::vector<std::string> ids(const DemoSet& set) {
  std::vector<std::string> out;
  for (const auto& judgement : set.judgements) out.push_back(judgement.pair->id);
  return out;
}

// Shuffles and sizes for seven training pairs, from CPython's random module.
TEST(CandidateDemoSets, FollowThePublishedShufflesAndSizes) {
  const auto train = pairs(7);
  std::vector<PastJudgement> right(7);
  std::vector<const PastJudgement*> verified(7);
  for (std::size_t i = 0; i < 7; ++i) {
    right[i] = {&train[i], train[i].flip, "because"};
    verified[i] = &right[i];
  }
  const auto sets = candidate_demo_sets(train, verified, {.max_labeled = 0}, true);
  ASSERT_EQ(sets.size(), 13u);
  EXPECT_THAT(ids(sets[0]), ElementsAre());                                   // -3
  EXPECT_THAT(ids(sets[2]), ElementsAre("0", "1", "2", "3", "4", "5", "6"));  // -1
  EXPECT_THAT(ids(sets[3]), ElementsAre("4", "2", "1", "0", "5", "3", "6"));  // 0, size 7
  EXPECT_THAT(ids(sets[4]), ElementsAre("3", "6"));                           // 1, size 2
  EXPECT_THAT(ids(sets[8]), ElementsAre("6", "3", "1", "0", "5"));            // 5, size 5
  EXPECT_THAT(ids(sets[12]), ElementsAre("1", "6", "0", "5"));                // 9, size 4
}

TEST(CandidateDemoSets, AreFilledUpWithLabelledPairs) {
  const auto train = pairs(7);
  const std::vector<const PastJudgement*> none(7);
  const auto sets = candidate_demo_sets(train, none, {.candidates = 1}, false);
  EXPECT_THAT(ids(sets[0]), ElementsAre("6", "3", "5", "0"));  // Random(0).sample(range(7), 4)
  EXPECT_EQ(sets[1].judgements.size(), 4u);
  for (const auto& judgement : sets[1].judgements) EXPECT_EQ(judgement.reasoning, "");
}

/// Reasons, and is right about even pairs only; writes one persona.
Result<Response> model_answer(const Request& request) {
  const std::string& text = request.messages.back().content;
  if (text.find("past_judgements") != std::string::npos ||
      text.find("Past Judgements") != std::string::npos)
    return say("Synthesized Persona: Likes good things.");
  const std::string asked = text.substr(text.rfind("Context:"));
  const bool chosen_first = asked.find("First: good") != std::string::npos;
  const char number = asked[asked.find("talk ") + 5];
  const bool right = (number - '0') % 2 == 0;
  return say(std::string("Reasoning: it is ") + number +
             "\nPreference: " + (chosen_first == right ? "First" : "Second"));
}

TEST(SynthesizeMe, WritesAPersonaFromVerifiedReasoningAndChoosesDemos) {
  JudgeOptions options;
  options.signature =
      Signature::parse("context, first, second -> preference: Literal['First', 'Second']");
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  const Judge judge(options, make_terse_adapter());
  const Predict theta(persona_signature(), Format{.adapter = "terse"});
  ScriptedModel model(model_answer);
  User user;
  user.id = "u";
  user.context = pairs(7);
  const PersonalJudge out =
      synthesize_me(judge, theta, user, {.max_labeled = 0}, {.model = model}, {.model = model});
  EXPECT_EQ(out.persona, "Likes good things.");
  ASSERT_EQ(out.reasoning_sets.size(), 12u);
  ASSERT_EQ(out.demo_sets.size(), 13u);
  // Pairs 0, 2 are verified out of 0..3; held out are 4 (right), 5 (wrong), 6 (right).
  EXPECT_THAT(ids(out.reasoning_sets[1]), ElementsAre("0", "2"));
  for (const DemoSet& set : out.demo_sets) EXPECT_NEAR(set.score, 2.0 / 3.0, 1e-12);
  EXPECT_TRUE(out.demos.empty());  // all tie: the earliest set wins, which has none
}

TEST(SynthesizeMe, NeedsTwoPairs) {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  const Judge judge(options, make_terse_adapter());
  const Predict theta(persona_signature(), Format{.adapter = "terse"});
  ScriptedModel model(model_answer);
  User user;
  user.id = "u9";
  user.context = pairs(1);
  try {
    (void)synthesize_me(judge, theta, user, {}, {.model = model}, {.model = model});
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "user u9 has 1 pairs; SynthesizeMe needs at least 2 to choose demos");
  }
}

}  // namespace
}  // namespace theta
