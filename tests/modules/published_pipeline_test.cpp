#include "modules/published_pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

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
  const std::vector<const User*> users = {&user};
  const PersonalJudge out =
      *synthesize_me(judge, theta, users, {.max_labeled = 0}, {.model = model}, {.model = model})
           .at(0);
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
  const std::vector<const User*> users = {&user};
  const auto out = synthesize_me(judge, theta, users, {}, {.model = model}, {.model = model});
  ASSERT_FALSE(out[0]);
  EXPECT_EQ(out[0].error().fault, Fault::kPrompt);
  EXPECT_EQ(out[0].error().message,
            "user u9 has 1 pairs; SynthesizeMe needs at least 2 to choose demos");
  EXPECT_EQ(model.calls(), 0u);
}

// CPython's Random(42).choice([True, False]), 40 times.
TEST(PublishedSides, AreThePackagesDraws) {
  std::string drawn;
  for (const bool first : published_sides(40)) drawn += first ? 'T' : 'F';
  EXPECT_EQ(drawn, "TTFTTTTTFTTTTTTTFTFFTTFFFTTFTTFTFFFTFTFT");
}

/// A judge that reasons, in DSPy's chat format, as the package asks.
Judge published_judge() {
  JudgeOptions options;
  options.signature = default_judge_signature();
  options.place = PersonaPlace::kInstruction;
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  return {options, make_chat_adapter()};
}

/// Says why and chooses one of the two: right about all pairs, or about those that `right` names.
ScriptedModel::Script judging(std::function<bool(int)> right) {
  return [right = std::move(right)](const Request& request) -> Result<Response> {
    const std::string& asked = request.messages.back().content;
    if (asked.find("past_judgements ## ]]") != std::string::npos)
      return say("[[ ## synthesized_persona ## ]]\nLikes good things.\n\n[[ ## completed ## ]]");
    const auto first = asked.find("[[ ## first_completion ## ]]");
    const bool good_first = asked.substr(first + 29, 4) == "good";
    const int number = std::stoi(asked.substr(asked.find("talk ") + 5));
    return say(std::string("[[ ## reasoning ## ]]\nof ") + std::to_string(number) +
               "\n\n[[ ## preference ## ]]\n" + (good_first == right(number) ? "First" : "Second") +
               "\n\n[[ ## completed ## ]]");
  };
}

std::size_t unique_requests(const ScriptedModel& model) {
  std::set<std::string> unique;
  for (const auto& wave : model.waves())
    for (const Request& request : wave) {
      std::string all;
      for (const Message& message : request.messages) all += message.role + message.content + "\n";
      unique.insert(all);
    }
  return unique.size();
}

class AsPublished : public ::testing::Test {
 protected:
  /// Makes judges for `people` people of `n` pairs each.
  std::vector<Result<PersonalJudge>> make(std::size_t people, std::size_t n, LanguageModel& model) {
    users_.clear();
    for (std::size_t u = 0; u < people; ++u) {
      users_.emplace_back().id = "u" + std::to_string(u);
      users_.back().context = pairs(n);
      for (PreferencePair& pair : users_.back().context) pair.context += " of " + users_.back().id;
    }
    std::vector<const User*> asked;
    for (const User& user : users_) asked.push_back(&user);
    const Predict theta(persona_signature());
    return synthesize_me(published_judge(), theta, asked, {.faithful = true}, {.model = model},
                         {.model = model});
  }
  std::vector<User> users_;
};

// 2 (N + 11 v) + 1 unique requests for N pairs of which v choose between sets: 14 and 6 of 20.
TEST_F(AsPublished, AsksAsManyDifferentRequestsAsThePackage) {
  ScriptedModel model(judging([](int) { return true; }));
  const auto made = make(1, 20, model);
  EXPECT_EQ(unique_requests(model), 173u);
  EXPECT_EQ(model.calls(), 173u);  // and none of them twice
  EXPECT_EQ(made[0]->reasoning_sets.size(), 12u);
  EXPECT_EQ(made[0]->demo_sets.size(), 13u);
}

TEST_F(AsPublished, AsksAboutSetsThatShowTheSameOnce) {
  // Two pairs of seven are verified: the sets are none, and both in either order.
  ScriptedModel model(judging([](int number) { return number == 1 || number == 4; }));
  make(1, 10, model);
  EXPECT_EQ(unique_requests(model), model.calls());
  EXPECT_EQ(model.calls(), 2 * (7 + 3 * 3) + 1u);
}

TEST_F(AsPublished, ShowsLabelledPairsToThetaAndNotToTheJudge) {
  ScriptedModel model(judging([](int) { return false; }));
  const auto made = make(1, 10, model);
  EXPECT_EQ(made[0]->reasoning_sets[0].judgements.size(), 4u);
  EXPECT_TRUE(made[0]->demos.empty());
  for (const auto& wave : model.waves())
    for (const Request& request : wave) {
      const std::string& asked = request.messages.back().content;
      if (asked.find("past_judgements ## ]]") != std::string::npos)
        EXPECT_NE(asked.find("**TRUE USER PREFERENCE**"), std::string::npos);
      else
        EXPECT_EQ(request.messages.size(), 2u);  // no demos
    }
}

TEST_F(AsPublished, TakesFiveWavesHoweverManyPeopleThereAre) {
  ScriptedModel alone(judging([](int) { return true; })), model(judging([](int) { return true; }));
  const auto one = make(1, 10, alone);
  const auto all = make(7, 10, model);
  EXPECT_EQ(model.waves().size(), 5u);
  EXPECT_EQ(model.calls(), 7 * alone.calls());
  for (const auto& made : all) EXPECT_EQ(made->persona, "Likes good things.");
}

TEST_F(AsPublished, LosesOnlyThePersonWhomAnOutageTookAPairOf) {
  ScriptedModel model(judging([](int) { return true; }), {.failing = {0}});
  const auto made = make(2, 10, model);
  EXPECT_FALSE(made[0]);
  EXPECT_EQ(made[0].error().fault, Fault::kService);
  EXPECT_TRUE(made[1]);
}

}  // namespace
}  // namespace theta
