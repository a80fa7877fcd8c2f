#include "optimizers/copy_guard.hpp"

namespace theta {

CopyGuard::CopyGuard(std::span<const Example> examples, std::size_t length) : length_(length) {
  if (length == 0) return;
  for (const auto& example : examples)
    for (const auto& [name, value] : example.fields)
      if (auto text = to_text(value); text.size() >= length) texts_.push_back(std::move(text));
  for (const std::string_view text : texts_)
    for (std::size_t i = 0; i + length <= text.size(); ++i) pieces_.insert(text.substr(i, length));
}

bool CopyGuard::copied(std::string_view text) const {
  if (length_ == 0) return false;
  for (std::size_t i = 0; i + length_ <= text.size(); ++i)
    if (pieces_.contains(text.substr(i, length_))) return true;
  return false;
}

}  // namespace theta
