#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/result.hpp"

namespace theta {

/// One value with what is known of its reading.
struct ConfigNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  struct Entry {
    std::string key;
    Position position;  // of the key
    std::shared_ptr<ConfigNode> value;
  };

  Kind kind = Kind::kNull;
  std::string name;  // in messages: a mapping's key; of a sequence's item `seeds.0`; root: empty
  Position position;
  std::string text;      // of a scalar, as written
  bool plain = true;     // a scalar without quotes: may be a number or boolean
  bool unknown = false;  // a scalar whose variables are not looked up
  std::vector<Entry> entries;
  std::vector<std::shared_ptr<ConfigNode>> items;

  // What readers asked for, in a mapping.
  std::vector<std::string> asked;
  bool all_known = false;

  Entry* find(std::string_view key) {
    const auto it = std::ranges::find(entries, key, &Entry::key);
    return it == entries.end() ? nullptr : &*it;
  }
};

[[noreturn]] inline void fail_at(const Position& position, const std::string& message) {
  throw UserError(position.text() + ": " + message);
}

inline std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

}  // namespace theta
