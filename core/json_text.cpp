#include "core/json_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/utf8.hpp"

namespace theta {
namespace {

using Bytes [[gnu::vector_size(16)]] = unsigned char;

/// Of how many of the bytes at `begin` JSON takes all as they are: up to the first control
/// character, quote or backslash.
std::size_t plain_bytes(const char* begin) {
  static_assert(std::endian::native == std::endian::little);
  Bytes bytes;
  std::memcpy(&bytes, begin, sizeof bytes);
  const auto escaped = (bytes < ' ') | (bytes == '"') | (bytes == '\\');  // all bits or none
  const auto [low, high] = std::bit_cast<std::array<std::uint64_t, 2>>(escaped);
  const int bits = low != 0 ? std::countr_zero(low) : 64 + std::countr_zero(high);
  return static_cast<std::size_t>(bits) / 8;
}

/// @param text  UTF-8
void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  // Prompts have many short lines: gathered here, so that not every one is an append of its own.
  std::array<char, 1024> gathered;
  std::size_t n = 0;
  const auto put = [&](char c) { gathered[n++] = c; };
  put('"');
  for (std::size_t i = 0; i < text.size();) {
    if (n + 2 * sizeof(Bytes) > gathered.size()) {  // room for the bytes and an escape
      out.append(gathered.data(), n);
      n = 0;
    }
    if (i + sizeof(Bytes) <= text.size()) {
      std::memcpy(gathered.data() + n, text.data() + i, sizeof(Bytes));
      const std::size_t plain = plain_bytes(text.data() + i);
      n += plain;
      i += plain;
      if (plain == sizeof(Bytes)) continue;
    }
    const char c = text[i++];
    if (c == '\n') {
      put('\\'), put('n');
    } else if (c == '"' || c == '\\') {
      put('\\'), put(c);
    } else if (static_cast<unsigned char>(c) >= ' ') {
      put(c);
    } else {
      for (const char digit : {'\\', 'u', '0', '0', kDigits[c >> 4], kDigits[c & 15]}) put(digit);
    }
  }
  out.append(gathered.data(), n);
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

JsonFault json_fault(std::string_view text, const std::exception& error) {
  if (const auto* syntax = dynamic_cast<const nlohmann::json::parse_error*>(&error))
    return {std::min(text.size(), syntax->byte > 0 ? syntax->byte - 1 : 0), "this is not JSON"};
  // The message ends with the number in quotes: `number overflow parsing '1e400'`.
  std::string_view number = error.what();
  number.remove_prefix(number.find('\'') + 1);
  const std::size_t at = text.find(number.substr(0, number.find('\'')));
  return {at == std::string_view::npos ? 0 : at, "a number that no double holds"};
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

std::optional<std::uint32_t> escaped_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text.substr(at, 2) != "\\u") return std::nullopt;
  std::uint32_t unit = 0;
  const char* end = text.data() + at + 6;
  if (std::from_chars(text.data() + at + 2, end, unit, 16).ptr != end) return std::nullopt;
  return unit;
}

}  // namespace theta
