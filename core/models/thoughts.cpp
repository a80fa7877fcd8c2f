#include "core/models/thoughts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/ascii.hpp"

namespace theta {
namespace {

struct Marks {
  std::string_view open, close;  ///< in lower case
};

constexpr Marks kMarks[] = {
    {"<think>", "</think>"},
    {"<thinking>", "</thinking>"},
    {"<thought>", "</thought>"},
    {"<thoughts>", "</thoughts>"},
    {"<reasoning>", "</reasoning>"},
    {"<scratchpad>", "</scratchpad>"},
    {"<seed:think>", "</seed:think>"},                                  // Seed-OSS
    {"[think]", "[/think]"},                                            // Magistral
    {"\u25c1think\u25b7", "\u25c1/think\u25b7"},                        // Kimi
    {"<|begin_of_thought|>", "<|end_of_thought|>"},                     // OpenThinker
    {"<|start_thinking|>", "<|end_thinking|>"},                         // Command A
    {"<|channel|>analysis<|message|>", "<|channel|>final<|message|>"},  // gpt-oss
};
/// The first bytes of all marks.
constexpr std::string_view kFirstBytes = "<[\xE2";

bool starts_with(std::string_view text, std::string_view mark) {
  return text.size() >= mark.size() &&
         std::equal(mark.begin(), mark.end(), text.begin(),
                    [](char m, char c) { return m == ascii::lower(c); });
}

std::string_view trim_left(std::string_view text) { return ascii::trim_left(text, ascii::kBlank); }

/// The first place of a mark.
std::size_t find(std::string_view text, std::string_view mark) {
  for (std::size_t at = 0; (at = text.find_first_of(kFirstBytes, at)) != text.npos; ++at)
    if (starts_with(text.substr(at), mark)) return at;
  return text.npos;
}

/// What is behind the thoughts that are opened at the very beginning, one after the other.
Told behind_opened(std::string_view text) {
  Told told{text};
  for (;;) {
    const std::string_view bare = trim_left(told.answer);
    const auto marks =
        std::ranges::find_if(kMarks, [&](const Marks& one) { return starts_with(bare, one.open); });
    if (marks == std::end(kMarks)) return told;
    told.thought = true;
    const std::size_t end = find(bare, marks->close);
    if (end == bare.npos) {
      told.open = true;
      told.answer = {};
      return told;
    }
    told.answer = trim_left(bare.substr(end + marks->close.size()));
  }
}

/// Where the text goes on behind the first closing mark, if that is no part of an answer: nothing
/// opened it, and it begins its line, or ends it above others.
std::optional<std::size_t> behind_closing(std::string_view text) {
  // Most texts hold the beginning of none: a look that costs little.
  constexpr std::string_view kBeginnings[] = {"</", "<|", "[/", "\u25c1/"};
  if (std::ranges::none_of(kBeginnings, [&](auto one) { return text.find(one) != text.npos; }))
    return std::nullopt;
  for (std::size_t at = 0; (at = text.find_first_of(kFirstBytes, at)) != text.npos; ++at) {
    const std::string_view rest = text.substr(at);
    for (const auto& [open, close] : kMarks) {
      if (starts_with(rest, open)) return std::nullopt;
      if (!starts_with(rest, close)) continue;
      const std::size_t before = text.substr(0, at).find_last_not_of(" \t");
      const std::size_t behind = text.find_first_not_of(" \t\r", at + close.size());
      const bool begins = before == text.npos || text[before] == '\n';
      const bool ends =
          behind != text.npos && text[behind] == '\n' && !trim_left(text.substr(behind)).empty();
      if (!begins && !ends) return std::nullopt;
      return at + close.size();
    }
  }
  return std::nullopt;
}

}  // namespace

Told behind_thought(std::string_view text) {
  Told told = behind_opened(text);
  if (told.thought) return told;
  const auto behind = behind_closing(text);
  if (!behind) return told;
  told = behind_opened(trim_left(text.substr(*behind)));
  told.thought = true;
  return told;
}

bool may_open_thought(std::string_view text) {
  const std::size_t first = text.find_first_not_of(ascii::kBlank);
  return first != text.npos && kFirstBytes.find(text[first]) != kFirstBytes.npos;
}

std::string no_answer_behind_thought(bool at_limit, int max_tokens) {
  return at_limit ? fmt::format("no answer: max_tokens = {} was used up by a thought", max_tokens)
                  : "no answer: it ended within a thought";
}

}  // namespace theta
