#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace theta {

/// A text as a JSON value, lossless for any bytes (a model can stop in the middle of a character):
/// a string where it is UTF-8, else `{"hex": "..."}`.
nlohmann::json json_text(const std::string& text);
/// The text that json_text() made `value` of.
std::string text_of(const nlohmann::json& value);

}  // namespace theta
