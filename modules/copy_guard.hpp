#pragma once

#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/example.hpp"

namespace theta {

/// Finds text that was copied from data: an instruction or a persona that quotes the examples it
/// was written from has memorised them. A text is a copy if it shares `length` or more consecutive
/// bytes with a field of an example (its longest common substring). What stands in more than half
/// of eight examples or more is the task's own question, which an instruction may repeat.
/// Thread-safe.
class CopyGuard {
 public:
  /// @param length  in bytes; 0: nothing is a copy.
  CopyGuard(std::span<const Example> examples, std::size_t length);
  CopyGuard(const CopyGuard&) = delete;
  CopyGuard& operator=(const CopyGuard&) = delete;

  /// Bytes of the longest stretch that was copied; 0: the text is no copy.
  std::size_t copied(std::string_view text) const;

 private:
  bool holds(std::string_view piece) const;

  const std::size_t length_;
  std::vector<std::string> texts_;
  /// Substrings of texts_ of that length, but common ones.
  std::unordered_set<std::string_view> pieces_;
};

}  // namespace theta
