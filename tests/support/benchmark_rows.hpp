#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

namespace theta {

/// Choices as PersonalRewardBench publishes them: of each person `pairs`, the last fifth to be
/// tested. Even people like short answers, odd ones long.
inline std::string benchmark_rows(int people, int pairs) {
  std::string rows;
  for (int person = 0; person < people; ++person)
    for (int i = 0; i < pairs; ++i) {
      const std::string brief = fmt::format("Fact {}.", i);
      const std::string full = fmt::format("Fact {}, as a friend would explain it at length.", i);
      const auto answer = [](const std::string& text) {
        return nlohmann::ordered_json{{"content", text}, {"role", "model"}};
      };
      const bool likes_brief = person % 2 == 0;
      const int test = pairs - std::max(1, pairs / 5);
      rows +=
          nlohmann::ordered_json{
              {"conversation_id", fmt::format("c{}", i)},
              {"user_id", fmt::format("user{}", person)},
              {"context", {{{"content", fmt::format("Question {}?", i)}, {"role", "user"}}}},
              {"chosen", answer(likes_brief ? brief : full)},
              {"rejected", answer(likes_brief ? full : brief)},
              {"turns", 1},
              {"type", "unguided"},
              {"split", i >= test       ? "test"
                        : i == test - 1 ? "val"
                                        : "train"},
              {"flip", (person + i) % 2 == 0},
              {"demographics", likes_brief ? "A nurse" : "A teacher"}}
              .dump() +
          "\n";
    }
  return rows;
}

/// A Θ as SynthesizeMe publishes it, of other words and with one demo.
inline std::string benchmark_theta() {
  const auto field = [](const char* prefix, const char* description) {
    return nlohmann::ordered_json{{"prefix", prefix}, {"description", description}};
  };
  return nlohmann::ordered_json{
      {"synthesize.predict",
       {{"lm", nullptr},
        {"traces", nlohmann::json::array()},
        {"train", nlohmann::json::array()},
        {"demos",
         {{{"augmented", true},
           {"past_judgements", "Chose the shorter answer."},
           {"reasoning", "It was shorter."},
           {"synthesized_persona", "Likes short answers."}}}},
        {"signature",
         {{"instructions", "Say in a sentence what this person likes."},
          {"fields",
           {field("Past Judgements:", "What was chosen."),
            field("Reasoning: Let's think step by step in order to", "${reasoning}"),
            field("Synthesized Persona:", "Who chose it.")}}}}}},
      {"metadata", {{"dependency_versions", {{"dspy", "2.6.12"}}}}}}
      .dump();
}

}  // namespace theta
