#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
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
/// Where in `text` the number stands that nlohmann::json refused as too large, by the message of its
/// out_of_range; 0 if it is not found.
std::size_t place_of_overflow(std::string_view text, std::string_view message);
/// The text that json_text() made `value` of.
std::string text_of(const nlohmann::json& value);

}  // namespace theta
