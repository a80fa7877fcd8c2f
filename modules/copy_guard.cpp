#include "modules/copy_guard.hpp"

#include <algorithm>
#include <unordered_map>

namespace theta {
namespace {

/// Examples of which more than half do not share a text by chance.
constexpr std::size_t kMany = 8;

}  // namespace

CopyGuard::CopyGuard(std::span<const Example> examples, std::size_t length) : length_(length) {
  if (length == 0) return;
  std::vector<std::size_t> owners;  // of texts_
  for (std::size_t e = 0; e < examples.size(); ++e)
    for (const auto& [name, value] : examples[e].fields)
      if (auto text = to_text(value); text.size() >= length) {
        texts_.push_back(std::move(text));
        owners.push_back(e);
      }
  struct Seen {
    std::size_t examples = 0, last = 0;
  };
  std::unordered_map<std::string_view, Seen> pieces;
  for (std::size_t t = 0; t < texts_.size(); ++t)
    for (std::size_t i = 0; i + length <= texts_[t].size(); ++i) {
      Seen& seen = pieces[std::string_view(texts_[t]).substr(i, length)];
      if (seen.examples == 0 || seen.last != owners[t]) ++seen.examples;
      seen.last = owners[t];
    }
  const bool many = examples.size() >= kMany;
  for (const auto& [piece, seen] : pieces)
    if (!many || 2 * seen.examples <= examples.size()) pieces_.insert(piece);
}

std::size_t CopyGuard::copied(std::string_view text) const {
  if (length_ == 0) return 0;
  std::size_t longest = 0;
  for (std::size_t i = 0; i + std::max(length_, longest + 1) <= text.size(); ++i) {
    if (!pieces_.contains(text.substr(i, length_))) continue;
    longest = std::max(longest, length_);
    while (i + longest < text.size() && holds(text.substr(i, longest + 1))) ++longest;
  }
  return longest;
}

bool CopyGuard::holds(std::string_view piece) const {
  return std::ranges::any_of(
      texts_, [&](const std::string& text) { return text.find(piece) != std::string::npos; });
}

}  // namespace theta
