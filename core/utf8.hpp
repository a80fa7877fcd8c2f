#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace theta {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
/// What is behind the byte order mark, if `text` begins with one.
constexpr std::string_view after_byte_order_mark(std::string_view text) {
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

/// Whether a byte is a printable ASCII character, and no space.
constexpr bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

/// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

/// Appends the character of a code point, no surrogate, up to U+10FFFF.
void append_utf8(std::string& out, std::uint32_t code);

/// Bytes of the longest beginning of `text` that is such.
std::size_t utf8_prefix(std::string_view text);

/// Windows-1252, the superset of Latin-1 that old exports are written in, as UTF-8. Its five
/// undefined bytes become the control characters of the same number, as browsers read them.
std::string windows_1252_to_utf8(std::string_view text);

}  // namespace theta
