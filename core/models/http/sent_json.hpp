#pragma once

#include <simdjson.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace theta {

/// What a server sent, or an error where it sent something else. Answers come by the thousand, and
/// simdjson reads one in an eighth of the instructions of nlohmann_json.
using Sent = simdjson::simdjson_result<simdjson::dom::element>;

/// Reads JSON, also what some servers send for it (see mended_json).
/// @param parser  holds what is returned
Sent parse_sent(simdjson::dom::parser& parser, std::string_view body);

/// JSON of what some servers send for it: bytes that are no UTF-8 and halves of surrogate pairs
/// become U+FFFD, bare control characters are escaped, and numbers that JSON has none of
/// (-Infinity, NaN, 1e999) are null.
std::string mended_json(std::string_view sent);

/// What stands at the end of a path; of an array on the way its first item is taken.
Sent member(Sent json, std::initializer_list<std::string_view> path);

template <typename T>
std::optional<T> value(Sent json) {
  T value;
  return json.get(value) == simdjson::SUCCESS ? std::optional(value) : std::nullopt;
}

/// Tokens, as far as they can be: what a server sends may be any number.
std::int64_t token_count(Sent json);

/// One short line of valid UTF-8 of what the server said.
std::string excerpt(std::string_view text);

}  // namespace theta
