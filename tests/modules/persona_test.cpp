#include "modules/persona.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/predict.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

User critic() {
  User user;
  user.id = "u1";
  user.context = {
      {.id = "c1",
       .context = "phone",
       .chosen = "It broke.",
       .rejected = "It works.",
       .flip = true},
      {.id = "c2", .context = "", .chosen = "Dull.", .rejected = "Fun.", .flip = false}};
  return user;
}

TEST(History, BriefShowsWhatWasChosenOverWhat) {
  EXPECT_EQ(format_history(critic().context, HistoryStyle::kBrief),
            "About: phone\nChosen: It broke.\nRejected: It works.\nChosen: Dull.\nRejected: Fun.");
}

TEST(History, PublishedIsSynthesizeMesBlocks) {
  const User user = critic();
  const std::vector<PastJudgement> one = {{&user.context[0], true, "They complain."}};
  const std::string rule(48, '=');
  EXPECT_EQ(
      format_history(one, HistoryStyle::kPublished),
      rule +
          "\n**Conversation**: phone\n===\n**Completion One (FIRST COMPLETION)**: «It broke.»\n"
          "===\n**Completion Two (SECOND COMPLETION)**: «It works.»\n===\n"
          "**Reasoning**: «They complain.»\n===\n**TRUE USER PREFERENCE**: First\n" +
          rule);
}

TEST(Personas, AreSampledWithSeedsOfTheirOwnAndReturnedOnce) {
  std::vector<std::uint64_t> seeds;
  ScriptedModel model([&](const Request& request) -> Result<Response> {
    seeds.push_back(request.seed);
    return say(seeds.size() == 3 ? "Likes praise." : "Likes criticism.");
  });
  const Predict theta(persona_signature(), make_terse_adapter());
  const auto personas = write_personas(
      theta, critic(), {.samples = 3, .temperature = 1.2, .seed = 5}, {.model = model});
  EXPECT_THAT(personas, ElementsAre("Likes criticism.", "Likes praise."));
  ASSERT_EQ(seeds.size(), 3u);
  EXPECT_NE(seeds[0], seeds[1]);
  EXPECT_NE(seeds[1], seeds[2]);
}

TEST(Personas, OfAUserDoNotDependOnOtherUsers) {
  std::vector<std::uint64_t> seeds;
  ScriptedModel model([&](const Request& request) -> Result<Response> {
    seeds.push_back(request.seed);
    return say("x");
  });
  const Predict theta(persona_signature(), make_terse_adapter());
  User other = critic();
  other.id = "u2";
  (void)write_personas(theta, critic(), {.samples = 2, .seed = 5}, {.model = model});
  (void)write_personas(theta, other, {.samples = 2, .seed = 5}, {.model = model});
  (void)write_personas(theta, critic(), {.samples = 2, .seed = 5}, {.model = model});
  EXPECT_EQ(seeds[0], seeds[4]);
  EXPECT_EQ(seeds[1], seeds[5]);
  EXPECT_NE(seeds[0], seeds[2]);
}

TEST(Personas, OneSampleIsGreedy) {
  ScriptedModel model([](const Request&) -> Result<Response> { return say("Likes criticism."); });
  const Predict theta(persona_signature(), make_terse_adapter());
  (void)write_personas(theta, critic(), {.samples = 1, .temperature = 1.2}, {.model = model});
  EXPECT_EQ(model.waves()[0][0].temperature, 0);
}

TEST(Verification, PrefersThePersonaThatPredictsThePersonsOwnChoices) {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  options.judging = Judging::kScored;
  const Judge judge(options, make_terse_adapter());
  const auto complains = [](const std::string& text) {
    const auto first = text.substr(text.find("First:"), text.find("Second:") - text.find("First:"));
    return first.find("broke") != std::string::npos || first.find("Dull") != std::string::npos;
  };
  ScriptedModel model([&](const Request& request) -> Result<Response> {
    const std::string text = request.messages.back().content;
    const bool likes_praise = text.find("praise") != std::string::npos;
    const double odds = complains(text) != likes_praise ? 2.0 : -2.0;
    Response response;
    response.text = request.options[0];
    response.option_logprobs = {odds, 0};
    return response;
  });
  const std::vector<std::string> personas = {"likes praise", "likes complaints"};
  const User user = critic();
  const std::vector<double> contrasts = {1};
  const auto values = verify_personas(judge, user.context, personas, contrasts, {.model = model});
  EXPECT_NEAR(values[0].fit, -2 - std::log1p(std::exp(-2.0)), 1e-12);
  EXPECT_NEAR(values[1].fit, -std::log1p(std::exp(-2.0)), 1e-12);
}

TEST(Verification, FindsTheContrastThatExplainsThePersonBest) {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  const Judge judge(options, make_terse_adapter());
  // Without a persona the judge loves what this person rejects; the persona moves it half of the
  // way.
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const std::string& text = request.messages.back().content;
    const auto second = text.find("Second:");
    const bool chosen_first = text.find("broke") < second || text.find("Dull") < second;
    const double towards = text.find("Persona") == std::string::npos ? -2 : -1;
    Response response;
    response.text = request.options[0];
    response.option_logprobs = {chosen_first ? towards : -towards, 0};
    return response;
  });
  const std::vector<std::string> personas = {"likes complaints", ""};
  const std::vector<double> contrasts = {0, 1};
  const User user = critic();
  const auto values = verify_personas(judge, user.context, personas, contrasts, {.model = model});
  EXPECT_EQ(values[0].contrast, 1);
  EXPECT_NEAR(values[0].fit, -std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(values[1].fit, -2 - std::log1p(std::exp(-2.0)), 1e-12);
}

TEST(Personas, LongOnesAreLeftOutAndOnlyTheFirstClauseCounts) {
  ScriptedModel model([n = 0](const Request&) mutable -> Result<Response> {
    return say(++n == 1 ? "Likes harsh words, and rain."
                        : "Likes very many words in every single sentence");
  });
  const Predict theta(persona_signature(), make_terse_adapter());
  EXPECT_THAT(write_personas(theta, critic(), {.samples = 2, .max_words = 4}, {.model = model}),
              ElementsAre("Likes harsh words"));
}

}  // namespace
}  // namespace theta
