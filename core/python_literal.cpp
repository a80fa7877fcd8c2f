#include "core/python_literal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "core/ascii.hpp"
#include "core/json_value.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostNested = 100;

/// Reads a text from its begin. Every part returns false for what it is not.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<Json> read() {
    Json out;
    skip();
    if (!value(out, 0) || !(skip(), rest_.empty())) return std::nullopt;
    return out;
  }

 private:
  void skip() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(ascii::kBlank), rest_.size()));
  }
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool at_quote() const { return rest_.starts_with('\'') || rest_.starts_with('"'); }

  bool value(Json& out, int depth) {
    if (depth > kMostNested) return false;
    if (at_quote()) return joined(out);
    if (take("[")) return items(out, "]", depth);
    if (take("(")) return items(out, ")", depth);
    if (take("{")) return members(out, depth);
    if (take("array(")) return array(out, depth);
    return word(out);
  }

  /// Texts side by side.
  bool joined(Json& out) {
    std::string all;
    do {
      if (!quoted(all)) return false;
      skip();
    } while (at_quote());
    out = std::move(all);
    return true;
  }

  bool items(Json& out, std::string_view close, int depth) {
    out = Json::array();
    for (skip(); !take(close); skip()) {
      Json& item = out.emplace_back();
      if (at_quote()) {
        std::string text;
        if (!quoted(text)) return false;
        item = std::move(text);
      } else if (!value(item, depth + 1)) {
        return false;
      }
      const std::size_t n_left = rest_.size();
      skip();
      const bool apart = rest_.size() < n_left || rest_.starts_with(close);
      if (!take(",") && !apart) return false;
    }
    return true;
  }

  bool members(Json& out, int depth) {
    out = Json::object();
    for (skip(); !take("}"); skip()) {
      Json name;
      if (!at_quote() || !joined(name) || !take(":")) return false;
      skip();
      if (!value(out[name.get<std::string>()], depth + 1)) return false;
      skip();
      if (!take(",") && !rest_.starts_with('}')) return false;
    }
    return true;
  }

  /// Behind `array(`.
  bool array(Json& out, int depth) {
    skip();
    if (!take("[") || !items(out, "]", depth)) return false;
    skip();
    if (take(",")) {
      skip();
      if (!take("dtype=")) return false;
      rest_.remove_prefix(std::min(rest_.find(')'), rest_.size()));
    }
    return take(")");
  }

  /// A number or a name.
  bool word(Json& out) {
    constexpr std::string_view kEnds = " \t\r\n\v\f,:]})";
    const std::string_view text = rest_.substr(0, rest_.find_first_of(kEnds));
    rest_.remove_prefix(text.size());
    constexpr std::array<std::string_view, 5> kNulls = {"None", "null", "nan", "NaN", "NaT"};
    if (std::ranges::find(kNulls, text) != kNulls.end()) return true;
    if (text == "True" || text == "true" || text == "False" || text == "false") {
      out = text == "True" || text == "true";
      return true;
    }
    if (text.find_first_not_of("+-.0123456789eE") != text.npos) return false;
    try {
      out = parse_json(text);
    } catch (const Json::exception&) {
      return false;
    }
    return true;
  }

  bool quoted(std::string& out) {
    const char quote = rest_.front();
    for (rest_.remove_prefix(1); !rest_.empty();) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == quote) return true;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }

  /// Behind a backslash.
  bool escape(std::string& out) {
    if (rest_.empty()) return false;
    const char c = rest_.front();
    rest_.remove_prefix(1);
    constexpr std::string_view kNames = "\\'\"nrtabfv\n";
    constexpr std::array<std::string_view, 11> kMeans = {"\\", "'",  "\"", "\n", "\r", "\t",
                                                         "\a", "\b", "\f", "\v", ""};
    if (const auto name = kNames.find(c); name != kNames.npos) {
      out += kMeans.at(name);
      return true;
    }
    if (c == 'x' || c == 'u' || c == 'U') return character(out, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    if (c >= '0' && c <= '7') {
      std::uint32_t code = static_cast<std::uint32_t>(c - '0');
      for (int i = 0; i < 2 && !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '7'; ++i) {
        code = 8 * code + static_cast<std::uint32_t>(rest_[0] - '0');
        rest_.remove_prefix(1);
      }
      append_utf8(out, code);
      return true;
    }
    if (c == 'N') return false;  // a character by its name
    out += '\\';
    out += c;
    return true;
  }

  std::optional<std::uint32_t> hexadecimal(std::size_t digits) {
    std::uint32_t code = 0;
    if (rest_.size() < digits) return std::nullopt;
    const char* const end = rest_.data() + digits;
    if (std::from_chars(rest_.data(), end, code, 16).ptr != end) return std::nullopt;
    rest_.remove_prefix(digits);
    return code;
  }

  bool character(std::string& out, std::size_t digits) {
    auto code = hexadecimal(digits);
    if (code && *code >= 0xd800 && *code < 0xdc00 && take("\\u")) {
      // A character beyond 16 bits as JSON writes it: two escapes.
      const auto low = hexadecimal(4);
      if (!low || *low < 0xdc00 || *low >= 0xe000) return false;
      code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
    }
    if (!code || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000)) return false;
    append_utf8(out, *code);
    return true;
  }

  std::string_view rest_;
};

/// Whether str.isprintable() is false of a character, or of a space other than ' ': of controls,
/// separators, invisible and private ones. Code points that are not assigned are taken for letters.
bool is_escaped(std::uint32_t code) {
  constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 14> kRanges = {
      {{0, 0x1F},
       {0x7F, 0xA0},
       {0xAD, 0xAD},
       {0x61C, 0x61C},
       {0x1680, 0x1680},
       {0x180E, 0x180E},
       {0x2000, 0x200F},
       {0x2028, 0x202F},
       {0x205F, 0x206F},
       {0x3000, 0x3000},
       {0xE000, 0xF8FF},
       {0xFEFF, 0xFEFF},
       {0xFFF9, 0xFFFB},
       {0xE0001, 0x10FFFF}}};
  return std::ranges::any_of(
      kRanges, [&](const auto& range) { return range.first <= code && code <= range.second; });
}

/// The code point of the well-formed character at the beginning of a text, and its bytes.
std::pair<std::uint32_t, std::size_t> first_code(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t whole = byte(0) < 0x80 ? 1 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  const std::size_t size = std::min(whole, text.size());
  std::uint32_t code = size == 1 ? byte(0) : byte(0) & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) code = (code << 6) | (byte(i) & 0x3FU);
  return {code, size};
}

void append_repr(std::string_view text, std::string& out) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  out += quote;
  while (!text.empty()) {
    const auto [code, size] = first_code(text);
    if (code == static_cast<unsigned char>(quote) || code == '\\')
      out.append("\\").append(1, text.front());
    else if (code == '\n' || code == '\r' || code == '\t')
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    else if (is_escaped(code))
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    else
      out += text.substr(0, size);
    text.remove_prefix(size);
  }
  out += quote;
}

void append_repr(const Json& value, std::string& out) {
  if (value.is_string())
    return append_repr(std::string_view(value.get_ref<const std::string&>()), out);
  if (value.is_boolean()) return void(out += value.get<bool>() ? "True" : "False");
  if (value.is_null()) return void(out += "None");
  if (!value.is_structured()) return void(out += write_json(value));
  out += value.is_object() ? '{' : '[';
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!std::exchange(first, false)) out += ", ";
    if (value.is_object()) {
      append_repr(std::string_view(key), out);
      out += ": ";
    }
    append_repr(item, out);
  }
  out += value.is_object() ? '}' : ']';
}

}  // namespace

bool is_bracketed(std::string_view text) {
  text = ascii::trim(text, ascii::kBlank);
  return (text.starts_with('[') && text.ends_with(']')) ||
         (text.starts_with('{') && text.ends_with('}')) ||
         (text.starts_with("array(") && text.ends_with(')'));
}

std::optional<Json> read_container(std::string_view text) {
  if (!is_bracketed(text)) return std::nullopt;
  try {
    return parse_json(text);
  } catch (const Json::exception&) {
  }
  return Reader(text).read();
}

std::string python_repr(const Json& value) {
  std::string out;
  append_repr(value, out);
  return out;
}

std::vector<std::string> python_texts(const Json& list) {
  std::vector<std::string> texts;
  for (const Json& item : list)
    texts.push_back(item.is_string() ? item.get<std::string>() : python_repr(item));
  return texts;
}

}  // namespace theta
