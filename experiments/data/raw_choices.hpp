#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/models/language_model.hpp"

namespace theta {

/// One choice as its source has it, before anybody looks whether it belongs into a benchmark.
struct RawChoice {
  std::string id;  ///< unique in its source
  std::string user;
  std::string conversation;  ///< empty where the source has none
  std::string type;          ///< PRISM's conversation_type, else empty
  std::string demographics;  ///< JSON or a text; empty where nothing is known
  std::string opening;       ///< what was asked first; the prompt that two choices may share
  Messages context;          ///< a message without a role is a text
  Message chosen, rejected;
  bool flip = false;  ///< the chosen text stood, or is to stand, first
};

/// What became of the rows of a source.
struct RawChoices {
  std::vector<RawChoice> choices;
  std::size_t rows = 0;  ///< PRISM: answers
  /// Why no choice was made of what was read, and how often.
  std::vector<std::pair<std::string, std::size_t>> left_out;

  void leave_out(const std::string& why);
};

/// Choices between two texts, in any rows that read_pairs() reads: raw Chatbot Arena among them.
/// Ties and equal texts are left out. Where rows do not say which stood first it is drawn.
/// @throws UserError `file:line: message`.
RawChoices read_raw_pairs(const std::filesystem::path& file, std::uint64_t seed);

/// PRISM (Kirk et al. 2024, arXiv 2404.16019) as it is published.
struct PrismFiles {
  std::filesystem::path conversations = {};  ///< conversations.jsonl; or, where that is empty,
  std::filesystem::path utterances = {};     ///< utterances.jsonl
  std::filesystem::path survey = {};         ///< survey.jsonl; empty: nothing is known of people
};

/// Of every turn all pairs of its answers whose scores (1 to 100) differ by `min_gap` or more: the
/// higher was chosen. The context is what was said before, of each turn the answer that the person
/// went on from. Which stands first is drawn. Answers without a text or a score are left out.
/// @throws UserError `file:line: message`.
RawChoices read_prism(const PrismFiles& files, int min_gap, std::uint64_t seed);

}  // namespace theta
