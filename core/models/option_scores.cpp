#include "core/models/option_scores.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "core/ascii.hpp"

namespace theta {
namespace {

bool of_a_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         (c & 0x80) != 0;
}

bool begins_with_word(std::string_view text, std::string_view word) {
  if (word.empty() || !text.starts_with(word)) return false;
  return text.size() == word.size() || !of_a_word(word.back()) || !of_a_word(text[word.size()]);
}

constexpr std::string_view kAround = " \t\r\n\"'`*_";

/// A spelling that is compared: without spaces and quotes around it.
std::string_view bare(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kAround);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(kAround) - first + 1);
}

/// Options as they are compared with tokens.
struct Spellings {
  explicit Spellings(const std::vector<std::string>& options) {
    for (const auto& option : options) texts.push_back(ascii::lower(bare(option)));
    std::vector<std::string> sorted = texts;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) == sorted.end()) return;
    folded = false;
    for (std::size_t i = 0; i < options.size(); ++i) texts[i] = ascii::trim(options[i]);
  }

  /// The options that an answer may be which begins with this token.
  std::vector<std::size_t> begun_by(std::string_view token) const {
    const std::string text = folded ? ascii::lower(bare(token)) : std::string(ascii::trim(token));
    std::vector<std::size_t> begun;
    if (text.empty()) return begun;
    std::size_t longest = 0;  // of the options that the token begins with, which leaves no other
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].starts_with(text)) {
        begun.push_back(i);
      } else if (begins_with_word(text, texts[i]) && texts[i].size() > longest) {
        longest = texts[i].size();
        begun.assign(1, i);
      }
    }
    return begun;
  }

  std::vector<std::string> texts;
  bool folded = true;  ///< capitals and quotes tell no two options apart
};

}  // namespace

std::optional<std::size_t> named_option(std::string_view text,
                                        const std::vector<std::string>& options) {
  const Spellings spellings(options);
  const std::string plain =
      spellings.folded ? ascii::lower(ascii::trim_left(text)) : std::string(ascii::trim_left(text));
  const std::string_view inner =
      std::string_view(plain).substr(std::min(plain.find_first_not_of(kAround), plain.size()));
  std::optional<std::size_t> named;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string& option = spellings.texts[i];
    const bool begins = begins_with_word(plain, option) || begins_with_word(inner, option);
    if (begins && (!named || option.size() > spellings.texts[*named].size())) named = i;
  }
  return named;
}

Result<OptionScores> score_options(const std::vector<TokenLogprob>& listed,
                                   const std::vector<std::string>& options) {
  const auto unscored = [](std::string why) { return Error{Fault::kService, std::move(why)}; };
  const Spellings spellings(options);
  std::vector<double> mass(options.size(), 0.0);
  double all = 0;
  double shared = 0;
  double smallest = 0;
  for (const auto& [token, logprob] : listed) {
    smallest = std::min(smallest, logprob);
    const double probability = std::exp(logprob);
    all += probability;
    const auto begun = spellings.begun_by(token);
    if (begun.size() == 1) mass[begun[0]] += probability;
    if (begun.size() > 1) shared += probability;
  }

  double own = 0;
  OptionScores scores;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < options.size(); ++i) {
    own += mass[i];
    if (mass[i] == 0) missing.push_back(options[i]);
    scores.logprobs.push_back(mass[i] > 0 ? std::log(mass[i]) : smallest - 1);
  }
  if (own + shared == 0) {
    return unscored(fmt::format("none of the {} listed tokens begins an option", listed.size()));
  }
  if (own + shared < all / 2) {
    return unscored(
        fmt::format("the options hold {:.2g} of the {:.2g} that is listed", own + shared, all));
  }
  // What several options share may be the one's or the other's.
  auto sorted = mass;
  std::ranges::sort(sorted, std::greater());
  const double lead = sorted[0] - (sorted.size() > 1 ? sorted[1] : 0);
  if (shared > own || shared >= lead) return unscored("several options begin with the same token");
  scores.note = "logprobs of the first token";
  if (!missing.empty()) scores.note += fmt::format("; not listed: {}", fmt::join(missing, ", "));
  return scores;
}

}  // namespace theta
