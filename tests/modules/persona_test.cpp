#include "modules/persona.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "modules/predict.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

/// What Θ writes for a user whose history is brief.
WrittenPersonas written(const User& user, const PersonaWriting& writing, ScriptedModel& model) {
  const Predict theta(persona_signature(), Format{.adapter = "terse"});
  const std::vector<UserHistory> one = {
      {user.id, format_history(user.context, HistoryStyle::kBrief)}};
  const auto out = write_personas(theta, one, writing, {.model = model}).at(0);
  EXPECT_TRUE(out) << out.error().message;
  return *out;
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
  const auto out = written(critic(), {.samples = 3, .temperature = 1.2, .seed = 5}, model);
  EXPECT_EQ(out.repeated, 1u);
  EXPECT_THAT(out.personas, ElementsAre("Likes criticism.", "Likes praise."));
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
  User other = critic();
  other.id = "u2";
  (void)written(critic(), {.samples = 2, .seed = 5}, model);
  (void)written(other, {.samples = 2, .seed = 5}, model);
  (void)written(critic(), {.samples = 2, .seed = 5}, model);
  EXPECT_EQ(seeds[0], seeds[4]);
  EXPECT_EQ(seeds[1], seeds[5]);
  EXPECT_NE(seeds[0], seeds[2]);
}

TEST(Personas, OfManyPeopleAreOneWaveAndThoseThatEachWouldGetAlone) {
  ScriptedModel model(
      [](const Request& request) -> Result<Response> { return say(std::to_string(request.seed)); });
  User other = critic();
  other.id = "u2";
  const PersonaWriting writing{.samples = 2, .seed = 5};
  const auto alone = written(critic(), writing, model), beside = written(other, writing, model);
  const Predict theta(persona_signature(), Format{.adapter = "terse"});
  const std::vector<UserHistory> both = {{"u2", "history"}, {"u1", "history"}};
  const auto out = write_personas(theta, both, writing, {.model = model});
  ASSERT_EQ(model.waves().size(), 3u);
  EXPECT_EQ(out.at(0)->personas, beside.personas);
  EXPECT_EQ(out.at(1)->personas, alone.personas);
}

TEST(Personas, OfAnotherRolloutAreOthers) {
  ScriptedModel model(
      [](const Request& request) -> Result<Response> { return say(std::to_string(request.seed)); });
  const Predict theta(persona_signature(), Format{.adapter = "terse"});
  const std::vector<UserHistory> one = {{"u", "history"}};
  const auto personas = [&](const Call& call) {
    return write_personas(theta, one, {.samples = 1, .seed = 5}, call).at(0)->personas;
  };
  EXPECT_THAT(personas({.model = model}), ElementsAre("0"));  // greedy
  EXPECT_NE(personas({.model = model, .rollout = 1, .temperature = 1}),
            personas({.model = model, .rollout = 2, .temperature = 1}));
}

TEST(Personas, OneSampleIsGreedy) {
  ScriptedModel model([](const Request&) -> Result<Response> { return say("Likes criticism."); });
  (void)written(critic(), {.samples = 1, .temperature = 1.2}, model);
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
  const std::vector<PersonaTest> tests = {{user.context, personas}};
  const auto values = verify_personas(judge, tests, contrasts, {.model = model}).at(0)->each;
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
  const std::vector<PersonaTest> tests = {{user.context, personas}};
  const auto values = verify_personas(judge, tests, contrasts, {.model = model}).at(0)->each;
  EXPECT_EQ(values[0].contrast, 1);
  EXPECT_NEAR(values[0].fit, -std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(values[1].fit, -2 - std::log1p(std::exp(-2.0)), 1e-12);
}

TEST(Personas, LongOnesAreLeftOutAndOnlyTheFirstClauseCounts) {
  ScriptedModel model([n = 0](const Request&) mutable -> Result<Response> {
    return say(++n == 1 ? "Likes harsh words, and rain."
                        : "Likes very many words in every single sentence");
  });
  const auto out = written(critic(), {.samples = 2, .max_words = 4}, model);
  EXPECT_THAT(out.personas, ElementsAre("Likes harsh words"));
  EXPECT_EQ(out.not_fit, 1u);
  EXPECT_EQ(out.why,
            "a persona of more than 4 words: Likes very many words in every single sentence");
}

TEST(Personas, WhatBroughtNoneIsCountedByItsKind) {
  ScriptedModel model(
      [n = 0](const Request&) mutable -> Result<Response> {
        ++n;
        if (n == 1) return Error{.fault = Fault::kRefused, .message = "filtered"};
        if (n == 2) return Error{.fault = Fault::kPrompt, .message = "no section"};
        return say("Likes harsh words");
      },
      {.failing = {2}});
  const auto out = written(critic(), {.samples = 4}, model);
  EXPECT_THAT(out.personas, ElementsAre("Likes harsh words"));
  EXPECT_EQ(out.refused, 1u);
  EXPECT_EQ(out.unparsable, 1u);
  EXPECT_EQ(out.failed, 1u);
  EXPECT_EQ(out.why, "filtered");
}

TEST(Personas, AreLostWhereAnOutageLeavesNone) {
  ScriptedModel model([](const Request&) -> Result<Response> { return say("x"); },
                      {.failing = {0, 1}});
  const Predict theta(persona_signature(), Format{.adapter = "terse"});
  const std::vector<UserHistory> one = {{"u", "history"}};
  const auto out = write_personas(theta, one, {.samples = 2}, {.model = model}).at(0);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().fault, Fault::kService);
}

TEST(History, OfAJudgeThatReasonsShowsWhatLedItToThePersonsChoice) {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  const Judge judge(options, make_terse_adapter());
  ScriptedModel model([](const Request&) -> Result<Response> {  // right about the first pair alone
    return say("Reasoning: the first complains\nPreference: First");
  });
  const User user = critic();
  const std::vector<const User*> users = {&user};
  const auto published =
      histories_of(judge, users, {.style = HistoryStyle::kPublished, .reasoning = true},
                   {.model = model})
          .at(0);
  ASSERT_TRUE(published);
  EXPECT_THAT(published->text,
              HasSubstr("(SECOND COMPLETION)**: «It works.»\n===\n**Reasoning**: «the "
                        "first complains»\n===\n**TRUE USER PREFERENCE**: First"));
  EXPECT_THAT(published->text, HasSubstr("«Dull.»\n===\n**TRUE USER PREFERENCE**: Second"));
  EXPECT_EQ(model.calls(), 2u);
  const auto brief =
      histories_of(judge, users, {.style = HistoryStyle::kBrief}, {.model = model}).at(0);
  EXPECT_EQ(brief->text, format_history(critic().context, HistoryStyle::kBrief));
  EXPECT_EQ(model.calls(), 2u);  // which shows no reasoning, and asks for none
}

TEST(History, ShowsTheReasoningOfAScoringJudgeThatIsMadeToWrite) {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  options.both_orders = true;
  const Judge judge(options, make_terse_adapter());
  ScriptedModel model([](const Request&) -> Result<Response> {
    return say("Reasoning: the first complains\nPreference: First");
  });
  const User user = critic();
  const std::vector<const User*> users = {&user};
  const auto brief = histories_of(judge, users, {.style = HistoryStyle::kBrief, .reasoning = true},
                                  {.model = model})
                         .at(0);
  EXPECT_THAT(brief->text, HasSubstr("\nWhy: the first complains"));
  EXPECT_EQ(model.calls(), 2u);  // each pair once
}

/// A contrast judge's verification of `likes complaints` and of nothing on critic()'s two pairs.
Result<Verified> verified(const ScriptedModel::Script& script,
                          const ScriptedModel::Options& model_options = {}) {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  const Judge judge(options, make_terse_adapter());
  ScriptedModel model(script, model_options);
  const std::vector<std::string> personas = {"likes complaints", ""};
  const std::vector<double> contrasts = {0, 1};
  const User user = critic();
  const std::vector<PersonaTest> tests = {{user.context, personas}};
  return verify_personas(judge, tests, contrasts, {.model = model}).at(0);
}

bool about_complaints(const Request& request) {
  return request.messages.back().content.find("likes complaints") != std::string::npos;
}
bool shows(const Request& request, const char* first) {
  return request.messages.back().content.find(std::string("First: ") + first) != std::string::npos;
}

Response naming(const Request& request, bool first) {
  Response response;
  response.text = request.options[first ? 0 : 1];
  response.option_logprobs = {first ? 0.0 : kUnnamedLogprob, first ? kUnnamedLogprob : 0.0};
  response.named = true;
  return response;
}

Response scoring(double odds) {
  Response response;
  response.option_logprobs = {odds, 0};
  return response;
}

TEST(Verification, CountsANamedChoiceAsOne) {
  // With the persona right about both pairs, else always the first.
  const auto out = verified([](const Request& request) -> Result<Response> {
    return naming(request, !about_complaints(request) || !shows(request, "Fun"));
  });
  ASSERT_TRUE(out);
  EXPECT_NEAR(out->each[0].fit, -std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(out->each[1].fit, -0.5 - std::log1p(std::exp(-1.0)), 1e-12);
  EXPECT_EQ(out->each[0].contrast, 0);  // the plain choice, whatever the weight
  EXPECT_EQ(out->judged, 4u);
  EXPECT_EQ(out->named, 4u);
  EXPECT_EQ(out->no_contrast, 2u);
}

TEST(Verification, ComparesPersonasByPlainChoicesWhereOneOfThemIsNamed) {
  // The persona's answer on the first pair is named, and right; everything else is scored.
  const auto out = verified([](const Request& request) -> Result<Response> {
    if (about_complaints(request) && shows(request, "It broke")) return naming(request, true);
    return scoring(shows(request, "It broke") ? 20 : -2);
  });
  ASSERT_TRUE(out);
  const double choice = -std::log1p(std::exp(-1.0)), nats = -std::log1p(std::exp(-2.0));
  EXPECT_NEAR(out->each[0].fit, (choice + nats) / 2, 1e-12);
  EXPECT_NEAR(out->each[1].fit, (choice + nats) / 2, 1e-12);  // not of 20 nats
  EXPECT_EQ(out->named, 1u);
}

TEST(Verification, LooksAtNoPairThatAnOutageTookFromOneOfThePersonas) {
  // Asked in the order of the pairs: to compare with, under the persona, under none.
  const auto out = verified(
      [](const Request& request) -> Result<Response> {
        return scoring(about_complaints(request) == shows(request, "It broke") ? 1 : -3);
      },
      {.failing = {1}});
  ASSERT_TRUE(out);
  EXPECT_NEAR(out->each[0].fit, -std::log1p(std::exp(-4.0)), 1e-12);  // 3 with, -1 without it
  EXPECT_NEAR(out->each[1].fit, -1 - std::log1p(std::exp(-1.0)), 1e-12);
}

TEST(Opposites, AreWrittenInThetasWordingAndHeldOnce) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const std::string& prompt = request.messages.back().content;
    if (prompt.find("outage") != prompt.npos) return Error{Fault::kService, "gone"};
    return say(prompt.find("praise") != prompt.npos   ? " complaints"
               : prompt.find("length") != prompt.npos ? " many words beyond what is allowed here"
                                                      : " praise");
  });
  const std::vector<std::string> personas{"Likes praise", "Likes warm praise", "Likes length",
                                          "Likes an outage", "Likes gloom"};
  EXPECT_THAT(write_opposites(personas, {.adapter = "terse", .opening = "Likes"}, {.max_tokens = 9},
                              5, {.model = model}),
              ElementsAre("Likes complaints"));
  EXPECT_EQ(model.waves().size(), 1U);
  EXPECT_THAT(model.waves()[0][0].messages.back().content, HasSubstr("Persona: Likes praise"));
}

TEST(Verification, IsLostWhereAnOutageLeavesNoPair) {
  const auto out = verified([](const Request&) -> Result<Response> { return scoring(1); },
                            {.failing = {0, 1, 2, 3, 4, 5}});
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().fault, Fault::kService);
}

}  // namespace
}  // namespace theta
