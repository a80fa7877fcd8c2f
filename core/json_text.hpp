#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace theta {

/// A text as a JSON value, lossless for any bytes (a model can stop in the middle of a character):
/// a string where it is UTF-8, else `{"hex": "..."}`.
nlohmann::json json_text(const std::string& text);
/// Appends json_text(text), written out: for texts that are written by the thousand.
void append_json_text(std::string& out, const std::string& text);
/// Appends `text` as a JSON string, what is no UTF-8 in it replaced by U+FFFD.
void append_json_string(std::string& out, const std::string& text);
/// Appends a finite number as a JSON value, with the digits that nlohmann::json writes.
void append_json_number(std::string& out, double number);
/// What nlohmann::json could not read.
struct JsonFault {
  std::size_t at;  ///< the byte of the text
  const char* why;
};
/// @param error  what its parser threw at `text`: a parse_error or an out_of_range
JsonFault json_fault(std::string_view text, const std::exception& error);
/// The code unit of an escape `\uXXXX` at a place; nullopt for anything else. A character beyond
/// U+FFFF is two of them: a surrogate pair, the high one first.
std::optional<std::uint32_t> escaped_unit(std::string_view text, std::size_t at);
inline bool is_high_surrogate(std::uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
inline bool is_low_surrogate(std::uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }
/// The text that json_text() made `value` of.
std::string text_of(const nlohmann::json& value);

}  // namespace theta
