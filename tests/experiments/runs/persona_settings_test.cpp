#include "experiments/runs/persona_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/rng.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

using nlohmann::ordered_json;

PersonaSettings settings_of(const std::string& text) {
  return read_persona_settings(Config::parse(text, "p.yaml"), 7);
}

TEST(PersonaSettings, AreTheSameReadBack) {
  const auto json = ordered_json::parse(R"({
    "judge": {"signature": "talk, a, b -> better: Literal['A', 'B']", "instructions": "Choose.",
              "persona_instructions": "Choose as they would.", "adapter": "chat",
              "options": "listed",
              "judging": "generated", "persona": "instruction", "orders": "both",
              "reasoning": true, "max_tokens": 99, "descriptions": {"talk": "What was said."},
              "demos": [{"a": "One.", "b": "Two.", "better": "A"}]},
    "theta": {"samples": 3, "temperature": 0.7, "history": "published", "reasoning": true,
              "max_words": 12,
              "max_copied": 17, "verify": false}})");
  const PersonaSettings settings = settings_of(json.dump());
  EXPECT_EQ(to_json(settings), json);
  EXPECT_EQ(settings.seed, 7u);
  EXPECT_EQ(settings.module.writing.seed, derive_seed(7, "personas"));
}

TEST(PersonaSettings, OfAContrastJudgeHaveTheirWeights) {
  const auto json = to_json(settings_of("{judge: {}, theta: {}, contrasts: [0.25, 1]}"));
  EXPECT_EQ(json["contrasts"].dump(), "[0.25,1.0]");
  EXPECT_EQ(json["judge"]["judging"], "contrast");
  EXPECT_EQ(json["judge"]["signature"], default_judge_signature().text());
  EXPECT_EQ(to_json(settings_of(json.dump())), json);  // the usual judge's descriptions among them
  EXPECT_EQ(settings_of(json.dump()).judge.signature, default_judge_signature());
}

TEST(PersonaSettings, HaveNoWeightsWhereNothingIsTakenAway) {
  const auto refused = [](const std::string& judging) {
    return message_of<UserError>([&] {
      (void)settings_of("{judge: {judging: " + judging + "}, theta: {}, contrasts: [0, 1]}");
    });
  };
  for (const char* judging : {"scored", "generated"})
    EXPECT_THAT(refused(judging),
                testing::EndsWith("`contrasts` weigh the judge without persona, which is only "
                                  "asked where `judging` is 'contrast'"));
  EXPECT_FALSE(to_json(settings_of("{judge: {judging: scored}, theta: {}}")).contains("contrasts"));
}

TEST(PersonaSettings, ShowReasoningWhereAHistoryCan) {
  const auto reasoning = [](const std::string& judge, const std::string& theta) {
    return settings_of("{judge: {" + judge + "}, theta: {" + theta + "}}").module.writing.reasoning;
  };
  EXPECT_FALSE(reasoning("", "history: published"));
  EXPECT_TRUE(reasoning("judging: generated, reasoning: true", "history: published"));
  EXPECT_FALSE(reasoning("judging: generated, reasoning: true", "history: brief"));
  EXPECT_TRUE(reasoning("", "history: brief, reasoning: true"));
  EXPECT_EQ(message_of<UserError>([&] { reasoning("", "history: chosen, reasoning: true"); }),
            "p.yaml:1:49: the history `chosen` shows no reasoning: take brief or published");
}

TEST(PersonaSettings, TakeOverWhatWasTunedOfAJudge) {
  for (const std::string own : {"", ", persona_instructions: Choose as they would."}) {
    PersonaSettings settings = settings_of(
        "{judge: {signature: \"a, b -> better: Literal['A', 'B']\"" + own + "}, theta: {}}");
    Judge judge = settings.make_judge();
    judge.predictor().signature = judge.predictor().signature.with_instructions("Tuned.");
    judge.predictor().demos = {
        judge.demo({.id = "1", .context = "", .chosen = "x", .rejected = "y"}, true, "likes x")};
    settings.adopt(judge);
    EXPECT_EQ(settings.make_judge().predictor(), judge.predictor());
    const auto again = settings_of(to_json(settings).dump());
    EXPECT_EQ(again.make_judge().predictor(), judge.predictor());
    EXPECT_EQ(settings.judge.persona_instructions, own.empty() ? "" : "Tuned.");
  }
}

TEST(PersonaSettings, FreezeTheJudgeUnlessToldOtherwise) {
  const auto tuned = [](const std::string& frozen) {
    const auto module = settings_of("{judge: {}, theta: {}" + frozen + "}").module;
    return std::pair(module.tune_theta, module.tune_judge);
  };
  EXPECT_EQ(tuned(""), std::pair(true, false));
  EXPECT_EQ(tuned(", frozen: []"), std::pair(true, true));
  EXPECT_EQ(tuned(", frozen: [theta]"), std::pair(false, true));
  EXPECT_EQ(message_of<UserError>([&] { tuned(", frozen: [judges]"); }),
            "p.yaml:1:33: 'judges' is no part of it to freeze; there are theta and judge");
  EXPECT_EQ(message_of<UserError>([&] { tuned(", frozen: [theta, judge]"); }),
            "p.yaml:1:32: nothing is left to tune: take 'theta' or 'judge' out");
}

}  // namespace
}  // namespace theta
