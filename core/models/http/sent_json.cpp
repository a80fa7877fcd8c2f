#include "core/models/http/sent_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/ascii.hpp"
#include "core/json_text.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

using Json = nlohmann::json;

std::string valid_utf8(std::string_view text) {
  const std::string quoted =
      Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(quoted).get<std::string>();
}

}  // namespace

std::string excerpt(std::string_view text) {
  constexpr std::size_t kLength = 200;
  std::string line;
  for (const char c : ascii::trim(text)) {
    const bool space = static_cast<unsigned char>(c) <= ' ';
    if (space && line.ends_with(' ')) continue;
    if (line.size() >= kLength && (c & 0xC0) != 0x80) {
      line += "...";
      break;
    }
    line += space ? ' ' : c;
  }
  return line.empty() ? "(empty)" : valid_utf8(line);
}

Sent parse_sent(simdjson::dom::parser& parser, std::string_view body) {
  body = after_byte_order_mark(body);
  Sent json = parser.parse(body.data(), body.size());
  if (!json.error()) return json;
  const std::string mended = mended_json(body);
  return parser.parse(mended.data(), mended.size());
}

std::string mended_json(std::string_view sent) {
  const std::string body = valid_utf8(sent);
  std::string out;
  bool text = false;
  for (std::size_t at = 0; at < body.size(); ++at) {
    const char c = body[at];
    if (text) {
      const auto first = escaped_unit(body, at);
      const bool high = first && is_high_surrogate(*first);
      const auto second = high ? escaped_unit(body, at + 6) : std::nullopt;
      if (second && is_low_surrogate(*second)) {
        out += body.substr(at, 12);
        at += 11;
      } else if (high || (first && is_low_surrogate(*first))) {
        out += "\\ufffd";
        at += 5;
      } else if (c == '\\' && at + 1 < body.size()) {
        out += c;
        out += body[++at];
      } else if (static_cast<unsigned char>(c) < ' ') {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
      } else {
        text = c != '"';
        out += c;
      }
      continue;
    }
    constexpr std::string_view kNumber =
        "+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const std::string word = body.substr(at, body.find_first_not_of(kNumber, at) - at);
    if (word.empty()) {
      text = c == '"';
      out += c;
      continue;
    }
    at += word.size() - 1;
    char* end = nullptr;
    const double number = std::strtod(word.c_str(), &end);
    const bool whole = word.find_first_not_of("-0123456789") == word.npos;
    if (*end != '\0')
      out += word;  // true, false, null, or nothing that JSON knows
    else if (!std::isfinite(number))
      out += "null";
    else
      out += whole && word.size() > 18 ? word + ".0" : word;
  }
  return out;
}

Sent member(Sent json, std::initializer_list<std::string_view> path) {
  for (const auto key : path) {
    if (json.is_array()) json = json.at(0);
    json = json.at_key(key);
  }
  return json;
}

std::int64_t token_count(Sent json) {
  constexpr std::uint64_t kMost = 1'000'000'000;
  return static_cast<std::int64_t>(std::min(value<std::uint64_t>(json).value_or(0), kMost));
}

}  // namespace theta
