#pragma once

#include <algorithm>
#include <string>
#include <string_view>

/// Texts of protocols, whose spaces and letters are those of ASCII.
namespace theta::ascii {

inline constexpr std::string_view kSpace = " \t\r\n";

inline std::string_view trim_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

inline std::string_view trim_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

inline std::string_view trim(std::string_view text) { return trim_left(trim_right(text)); }

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// A text with `?` in place of what cannot be printed, such as a terminal's escapes.
inline std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  return out;
}

}  // namespace theta::ascii
