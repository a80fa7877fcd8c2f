#include "optimizers/theta_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A reader of complaints: every chosen text is a complaint about thing k, every other praises it.
User critic(const std::string& id) {
  User user;
  user.id = id;
  for (int k = 0; k < 4; ++k) {
    const std::string thing = id + " thing " + std::to_string(k);
    const PreferencePair pair{.id = thing,
                              .context = "",
                              .chosen = "Bad " + thing,
                              .rejected = "Good " + thing,
                              .flip = k % 2 == 0};
    (k < 2 ? user.context : user.test).push_back(pair);
  }
  return user;
}

/// Writes about tone only where the instruction asks for it; judges by the persona, and loves
/// praise without one.
Result<Response> answer(const Request& request) {
  const std::string& text = request.messages.back().content;
  if (request.options.empty())
    return say(text.find("tone") != std::string::npos ? "Likes complaints" : "Likes things");
  const bool bad_first = text.find("First: Bad") != std::string::npos;
  const bool wants_bad = text.find("Likes complaints") != std::string::npos;
  Response response;
  response.text = request.options[0];
  response.option_logprobs = {bad_first == wants_bad ? 1.0 : -1.0, 0.0};
  return response;
}

class ThetaSearch : public ::testing::Test {
 protected:
  static JudgeOptions judge_options() {
    JudgeOptions options;
    options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
    return options;
  }

  ScriptedModel model_{answer};
  const Call call_{.model = model_};
  const Judge judge_{judge_options(), make_terse_adapter()};
  const Predict theta_{persona_signature(), make_terse_adapter()};
  const PersonaFinder finder_{.judge = judge_, .writing = {.samples = 2}};
};

TEST_F(ThetaSearch, FindsThePersonaThatExplainsTheUserBest) {
  const std::vector<std::string> others = {"Likes complaints"};
  const FoundPersona found = *finder_.find(theta_, critic("u"), others, call_, call_);
  EXPECT_EQ(found.persona, "Likes complaints");
  EXPECT_EQ(found.contrast, 1);
  EXPECT_NEAR(found.fit, -std::log1p(std::exp(-2.0)), 1e-12);  // +1 with, -1 without the persona
}

TEST_F(ThetaSearch, KeepsNoPersonaWhereTheJudgeExplainsTheUserBetterWithoutOne) {
  User fan = critic("fan");
  for (PreferencePair& pair : fan.context) std::swap(pair.chosen, pair.rejected);
  const std::vector<std::string> others = {"Likes complaints"};
  const PersonaFinder writes_nothing{.judge = judge_, .writing = {.samples = 2, .max_words = 1}};
  const FoundPersona found = *writes_nothing.find(theta_, fan, others, call_, call_);
  EXPECT_EQ(found.persona, "");
  EXPECT_EQ(found.unwritten, "a persona of more than 1 words: Likes things");
  EXPECT_NEAR(found.fit, -std::log1p(std::exp(-1.0)), 1e-12);
}

TEST_F(ThetaSearch, DropsPersonasThatQuoteTheUsersOwnPairs) {
  int asked = 0;
  ScriptedModel writer([&](const Request&) -> Result<Response> {
    return say(++asked == 1 ? "Said: Bad u thing 0" : "Likes complaints");
  });
  PersonaCounts counts;
  PersonaFinder finder = finder_;
  finder.max_copied = 9;
  finder.counts = &counts;
  const FoundPersona found = *finder.find(theta_, critic("u"), {}, {.model = writer}, call_);
  EXPECT_EQ(found.persona, "Likes complaints");
  EXPECT_EQ(counts.written, 2);
  EXPECT_EQ(counts.copied, 1);
  EXPECT_EQ(counts.longest_copy, 13);  // `Bad u thing 0`
  for (const auto& wave : model_.waves())
    for (const Request& request : wave)
      EXPECT_THAT(request.messages.back().content, Not(HasSubstr("Said:")));
}

TEST_F(ThetaSearch, KeepsThePersonaThatQuotesLeastWhereAllQuote) {
  int asked = 0;
  ScriptedModel writer([&](const Request&) -> Result<Response> {
    return say(++asked == 1 ? "Likes complaints: Bad u thing 0" : "Said: Bad u thing");
  });
  PersonaCounts counts;
  PersonaFinder finder = finder_;
  finder.max_copied = 9;
  finder.counts = &counts;
  EXPECT_EQ(finder.find(theta_, critic("u"), {}, {.model = writer}, call_)->persona,
            "Said: Bad u thing");
  EXPECT_EQ(counts.copied, 1);
  EXPECT_EQ(counts.kept_copies, 1);
}

TEST_F(ThetaSearch, ProposesDemosOfUsersWithPersonasThatDiffer) {
  const User a = critic("a"), b = critic("b"), c = critic("c");
  const std::vector<FoundPersona> found = {
      {&a, "Likes complaints", 1, -0.1}, {&b, "Likes complaints", 1, -0.2}, {&c, "", 1, -0.3}};
  const ThetaSearchOptions options{.num_instructions = 2,
                                   .instructions = {"Describe the tone."},
                                   .num_demo_sets = 3,
                                   .demos = 2};
  const ThetaChoices choices = propose_theta(theta_, found, call_, options);
  EXPECT_THAT(choices.instructions,
              ElementsAre(theta_.signature().instructions, "Describe the tone."));
  EXPECT_EQ(choices.counts.asked, 0);
  EXPECT_THAT(choices.demo_sets.at(0), IsEmpty());
  for (std::size_t k = 1; k < choices.demo_sets.size(); ++k)
    EXPECT_THAT(choices.demo_sets[k], SizeIs(1));  // one persona is there to be shown
}

TEST_F(ThetaSearch, TellsWhatCameOfTheProposedInstructions) {
  const User a = critic("a");
  const std::vector<FoundPersona> found = {{&a, "Likes complaints", 1, -0.1}};
  const ThetaChoices choices =
      propose_theta(theta_, found, call_,
                    {.num_instructions = 3,
                     .num_demo_sets = 1,
                     .proposer = {.writer = {.adapter = make_terse_adapter(), .attempts = 1},
                                  .data_summary = false}});
  EXPECT_THAT(choices.instructions, ElementsAre(theta_.signature().instructions, "Likes things"));
  EXPECT_EQ(choices.counts.asked, 2);
  EXPECT_EQ(choices.counts.duplicate, 1);
}

TEST_F(ThetaSearch, FindsTheInstructionWhosePersonasPredictHeldOutChoices) {
  const std::vector<User> users = {critic("a"), critic("b"), critic("c"), critic("d")};
  const ThetaChoices choices{.instructions = {theta_.signature().instructions,
                                              "Describe the topic.", "Describe the tone."},
                             .demo_sets = {{}}};
  std::vector<int> seen;
  const auto on_trial = [&](const Trial& trial) {
    seen.push_back(trial.number);
    return false;
  };
  const SearchResult result =
      search_theta(theta_, choices, users, finder_,
                   {.num_trials = 6, .minibatch_size = 2, .full_every = 2}, on_trial, call_, call_);
  EXPECT_THAT(result.best, ElementsAre(2, 0));
  EXPECT_NEAR(result.score, 1 / (1 + std::exp(-2.0)), 1e-12);  // +1 with, -1 without it
  EXPECT_FALSE(seen.empty());
  const auto theta = choose_theta(theta_, choices, result.best);
  EXPECT_EQ(theta->predictors()[0]->signature.instructions, "Describe the tone.");
}

TEST_F(ThetaSearch, TellsWhyThetaWroteNoPersonaForAUser) {
  ScriptedModel writer([](const Request&) -> Result<Response> {
    return Error{.fault = Fault::kRefused, .message = "filtered"};
  });
  PersonaCounts counts;
  PersonaFinder finder = finder_;
  finder.counts = &counts;
  const auto one = finder.write_one(theta_, critic("u"), {.model = writer}, call_);
  EXPECT_EQ(one->persona, "");
  EXPECT_EQ(one->unwritten, "filtered");
  const std::vector<std::string> others = {"Likes complaints"};
  const auto found = finder.find(theta_, critic("u"), others, {.model = writer}, call_);
  EXPECT_EQ(found->persona, "Likes complaints");
  EXPECT_EQ(found->unwritten, "filtered");
  EXPECT_EQ(counts.asked, 2);
  EXPECT_EQ(counts.refused, 2);
  EXPECT_EQ(counts.written, 0);
}

TEST_F(ThetaSearch, FindsNoPersonaInAnOutage) {
  ScriptedModel down([](const Request&) -> Result<Response> {
    return Error{.fault = Fault::kService, .message = "down"};
  });
  EXPECT_EQ(finder_.find(theta_, critic("u"), {}, {.model = down}, call_).error().message, "down");
  EXPECT_EQ(finder_.find(theta_, critic("u"), {}, call_, {.model = down}).error().message, "down");
  EXPECT_EQ(finder_.write_one(theta_, critic("u"), {.model = down}, call_).error().message, "down");
}

TEST_F(ThetaSearch, KeepsTheReasoningThatVerifiedAPersona) {
  JudgeOptions options = judge_options();
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  const Judge judge(options, make_terse_adapter());
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const std::string& text = request.messages.back().content;
    if (text.find("Past Judgements") != std::string::npos) return say("Likes complaints");
    return say("Reasoning: it complains\nPreference: First");
  });
  const PersonaFinder finder{.judge = judge, .writing = {.samples = 1}};
  const auto found = finder.find(theta_, critic("u"), {}, {.model = model}, {.model = model});
  ASSERT_TRUE(found);
  EXPECT_THAT(found->reasoning, ElementsAre("it complains", ""));  // right about the first alone
}

TEST_F(ThetaSearch, AUserWithALostJudgementHasNoScore) {
  // Of user b, one held-out pair is never judged.
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (request.messages.back().content.find("b thing 3") != std::string::npos)
      return Error{.fault = Fault::kService, .message = "timeout"};
    return answer(request);
  });
  const Call call{.model = model};
  const std::vector<User> users = {critic("a"), critic("b")};
  const ThetaChoices choices{.instructions = {"Describe the tone."}, .demo_sets = {{}}};
  std::vector<double> scores;
  const auto on_trial = [&](const Trial& trial) {
    scores.push_back(trial.score);
    return false;
  };
  (void)search_theta(theta_, choices, users, finder_, {.num_trials = 1, .minibatch_size = 0},
                     on_trial, call, call);
  ASSERT_FALSE(scores.empty());
  EXPECT_NEAR(scores[0], 1 / (1 + std::exp(-2.0)), 1e-12);  // of user a alone
}

TEST_F(ThetaSearch, ScoresNamedChoicesAndCountsThem) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    auto out = answer(request);
    if (request.options.empty()) return out;
    const bool first = out->option_logprobs[0] > 0;
    out->option_logprobs = {first ? 0.0 : kUnnamedLogprob, first ? kUnnamedLogprob : 0.0};
    out->named = true;
    return out;
  });
  const Call call{.model = model};
  PersonaCounts counts;
  PersonaFinder finder = finder_;
  finder.counts = &counts;
  const std::vector<User> users = {critic("a"), critic("b")};
  const ThetaChoices choices{.instructions = {"Describe the topic.", "Describe the tone."},
                             .demo_sets = {{}}};
  const auto on_trial = [](const Trial&) { return false; };
  const SearchResult result = search_theta(
      theta_, choices, users, finder, {.num_trials = 2, .minibatch_size = 0}, on_trial, call, call);
  EXPECT_THAT(result.best, ElementsAre(1, 0));
  EXPECT_NEAR(result.score, 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_GT(counts.judged, 0);
  EXPECT_EQ(counts.named, counts.judged);
}

}  // namespace
}  // namespace theta
