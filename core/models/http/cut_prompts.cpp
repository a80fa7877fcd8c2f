#include "core/models/http/cut_prompts.hpp"

#include <algorithm>

#include "core/ascii.hpp"

namespace theta {
namespace {

constexpr std::size_t kLong = 1000;  // letters: shorter prompts prove nothing

std::size_t letters_in(const std::string& text) {
  std::size_t letters = 0;
  char before = 0;
  for (const char c : text) {
    const bool begins_character = (c & 0xC0) != 0x80;
    letters += begins_character && c != before && ascii::kSpace.find(c) == ascii::kSpace.npos;
    before = c;
  }
  return letters;
}

}  // namespace

std::optional<std::int64_t> CutPrompts::add(const Request& request, std::int64_t tokens) {
  const std::size_t bytes = prompt_bytes(request);
  if (told_ || tokens <= 0 || bytes < kLong) return std::nullopt;
  if (tokens > most_tokens_) {
    most_tokens_ = tokens;
    alike_ = 0;
    shortest_alike_ = longest_alike_ = bytes;
  }
  if (tokens == most_tokens_) {
    ++alike_;
    shortest_alike_ = std::min(shortest_alike_, bytes);
    longest_alike_ = std::max(longest_alike_, bytes);
  }
  const double readable = kLettersPerToken * static_cast<double>(most_tokens_);
  if (static_cast<double>(bytes) > readable) {  // else its letters need not be counted
    std::size_t letters = letters_in(request.answer_prefix);
    for (const Message& message : request.messages) letters += letters_in(message.content);
    longest_ = std::max(longest_, letters);
  }
  constexpr std::size_t kAlike = 3;
  const bool too_few = longest_ >= kLong && static_cast<double>(longest_) > readable;
  constexpr std::int64_t kWindows = 256;
  const bool differ = 4 * longest_alike_ > 5 * shortest_alike_ ||
                      (most_tokens_ % kWindows == 0 && longest_alike_ > shortest_alike_);
  const bool all_alike = alike_ >= kAlike && differ;
  if (!too_few && !all_alike) return std::nullopt;
  told_ = true;
  return most_tokens_;
}

}  // namespace theta
