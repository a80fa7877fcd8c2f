#include "core/visible.hpp"

#include <fmt/format.h>

#include "core/utf8.hpp"

namespace theta {

std::string visible(std::string_view text) {
  const auto escape = [](char c) {
    return fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  };
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t n = 1;  // bytes of the character
    while (n < 4 && at + n < text.size() && !is_utf8(text.substr(at, n))) ++n;
    const std::string_view character = text.substr(at, n);
    const char first = character[0];
    const bool control =
        (first >= 0 && first < ' ' && first != '\n' && first != '\t') || first == '\x7f';
    if (control || !is_utf8(character)) {
      out += escape(first);
      ++at;
    } else if (first == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0) {
      out += escape(character[1]);  // U+0080 to U+009F, which some terminals take for escapes
      at += n;
    } else {
      out += character;
      at += n;
    }
  }
  return out;
}

}  // namespace theta
