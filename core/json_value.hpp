#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/value.hpp"

namespace theta {

/// Parses JSON without altering a number: one with more digits than 64 bits or a double hold
/// becomes a binary value, of which JSON's text has none, that holds its text.
/// @throws nlohmann::json::parse_error, and out_of_range for 1e400, as nlohmann::json::parse does.
nlohmann::ordered_json parse_json(std::string_view text);

/// `{"a":[1]}`; `{"a": [1]}` as Python's json.dumps; a line a member, as with indent=2.
enum class JsonStyle { kCompact, kSpaced, kIndented };

/// The text of what parse_json() makes, numbers as Python writes them, non-ASCII kept; what is no
/// UTF-8 becomes U+FFFD.
std::string write_json(const nlohmann::ordered_json& value, JsonStyle style = JsonStyle::kSpaced);

/// The value that a field holds for this.
Value value_of(const nlohmann::ordered_json& json);

/// The way back: value_of(json_of(x)) is x.
nlohmann::ordered_json json_of(const Value& value);

/// Whether two numbers in decimal notation have the same significant digits: whether the one is the
/// other rounded or not, as far as they are close. `0.50` and `5e-1` have.
bool same_digits(std::string_view a, std::string_view b);

}  // namespace theta
