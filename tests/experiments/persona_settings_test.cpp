#include "experiments/persona_settings.hpp"

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
              "reasoning": true, "max_tokens": 99, "descriptions": {"talk": "What was said."}},
    "theta": {"samples": 3, "temperature": 0.7, "history": "published", "max_words": 12,
              "max_copied": 17}})");
  const PersonaSettings settings = settings_of(json.dump());
  EXPECT_EQ(to_json(settings), json);
  EXPECT_EQ(settings.seed, 7u);
  EXPECT_EQ(settings.writing.seed, derive_seed(7, "personas"));
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

}  // namespace
}  // namespace theta
