#pragma once

#include <algorithm>
#include <string>
#include <string_view>

/// Texts of protocols, whose spaces and letters are those of ASCII.
namespace theta::ascii {

inline constexpr std::string_view kSpace = " \t\r\n";      ///< of headers and lines
inline constexpr std::string_view kBlank = " \t\r\n\v\f";  ///< of C and Python

inline std::string_view trim_left(std::string_view text, std::string_view what = kSpace) {
  return text.substr(std::min(text.find_first_not_of(what), text.size()));
}

inline std::string_view trim_right(std::string_view text, std::string_view what = kSpace) {
  return text.substr(0, text.find_last_not_of(what) + 1);
}

inline std::string_view trim(std::string_view text, std::string_view what = kSpace) {
  return trim_left(trim_right(text, what), what);
}

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

}  // namespace theta::ascii
