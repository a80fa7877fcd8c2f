#include "core/json_text.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/utf8.hpp"

namespace theta {
namespace {

/// Whether eight bytes hold no control character, quote or backslash. The arithmetic of a byte may
/// borrow from the next, which can only call a harmless byte suspicious.
bool needs_no_escape(const char* eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  std::uint64_t x = 0;
  std::memcpy(&x, eight, sizeof x);
  const auto has_zero = [](std::uint64_t v) { return (v - kOnes) & ~v & kHigh; };
  const std::uint64_t below_space = (x - kOnes * ' ') & ~x & kHigh;
  return (below_space | has_zero(x ^ (kOnes * '"')) | has_zero(x ^ (kOnes * '\\'))) == 0;
}

/// @param text  UTF-8
void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // begin of what needs no escape
  for (std::size_t i = 0; i < text.size(); ++i) {
    while (i + 8 <= text.size() && needs_no_escape(text.data() + i)) i += 8;
    if (i == text.size()) break;
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= ' ' && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      default:
        out += "\\u00";
        out += kDigits[c >> 4];
        out += kDigits[c & 15];
    }
  }
  out.append(text, plain);
  out += '"';
}

}  // namespace

nlohmann::json json_text(const std::string& text) {
  if (is_utf8(text)) return text;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : text) {
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return {{"hex", hex}};
}

void append_json_text(std::string& out, const std::string& text) {
  if (is_utf8(text)) return append_quoted(out, text);
  out += json_text(text).dump();
}

void append_json_string(std::string& out, const std::string& text) {
  if (is_utf8(text)) return append_quoted(out, text);
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_json_number(std::string& out, double number) {
  // Most are the defaults of a request.
  if (number == 0 && !std::signbit(number)) {
    out += "0.0";
  } else if (number == 1) {
    out += "1.0";
  } else {
    out += nlohmann::json(number).dump();
  }
}

std::string text_of(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  const auto hex = value.at("hex").get<std::string>();
  std::string text;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return text;
}

}  // namespace theta
