#include "optimizers/copy_guard.hpp"

#include <algorithm>

namespace theta {

CopyGuard::CopyGuard(std::span<const Example> examples, std::size_t length) : length_(length) {
  if (length == 0) return;
  for (const auto& example : examples)
    for (const auto& [name, value] : example.fields)
      if (auto text = to_text(value); text.size() >= length) texts_.push_back(std::move(text));
  for (const std::string_view text : texts_)
    for (std::size_t i = 0; i + length <= text.size(); ++i) pieces_.insert(text.substr(i, length));
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
