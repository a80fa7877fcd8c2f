#include "core/config_text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace theta {
namespace {

using nlohmann::json;

/// A decimal number by YAML 1.2's core schema; nullopt for any other spelling.
template <typename T>
std::optional<T> read_number(std::string_view text, std::string_view alphabet, bool& out_of_range) {
  if (text.find_first_not_of(alphabet) != std::string_view::npos) return std::nullopt;
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  out_of_range = error == std::errc::result_out_of_range;
  return value;
}

std::string json_string(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_null_word(std::string_view text) {
  return text == "~" || text == "null" || text == "Null" || text == "NULL";
}

bool is_simple_key(std::string_view key) {
  return !key.empty() && std::isalpha(static_cast<unsigned char>(key[0])) && !is_null_word(key) &&
         std::ranges::all_of(key, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

/// Whether a text can stand as the lines of a literal block and come back unchanged.
bool is_block(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.ends_with("\n\n")) return false;
  for (const std::string& line : split(text, '\n')) {
    const bool control = std::ranges::any_of(line, [](unsigned char c) { return c < 0x20; });
    if (line.starts_with(' ') || control) return false;
  }
  return text[0] != '\n';
}

std::string block(const std::string& text, const std::string& indent) {
  const bool newline = text.ends_with('\n');
  std::string out = newline ? "|" : "|-";
  for (const std::string& line : split(newline ? text.substr(0, text.size() - 1) : text, '\n')) {
    out += line.empty() ? "\n" : "\n" + indent + line;
  }
  return out;
}

/// Whether a text can stand without quotes as the value of a key or as an item.
bool is_plain(const std::string& text) {
  const json value = scalar_json(text, true);
  if (!value.is_string()) return true;
  if (text.empty() || is_null_word(text)) return false;
  const bool control = std::ranges::any_of(text, [](unsigned char c) { return c < 0x20; });
  return !control && (std::isalnum(static_cast<unsigned char>(text[0])) || text[0] == '$') &&
         text.find(": ") == std::string::npos && text.find(" #") == std::string::npos &&
         !text.ends_with(':') && !text.ends_with(' ');
}

bool is_collection(const ConfigNode& node) { return !node.entries.empty() || !node.items.empty(); }

/// A node that stands on the line of its key; a block goes on below with `indent`.
std::string inline_text(const ConfigNode& node, const std::string& indent) {
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "null";
    case ConfigNode::Kind::kSequence:
      return "[]";
    case ConfigNode::Kind::kMap:
      return "{}";
    case ConfigNode::Kind::kScalar:
      break;
  }
  if (node.plain && is_plain(node.text)) return node.text;
  return is_block(node.text) ? block(node.text, indent) : json_string(node.text);
}

}  // namespace

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string replace_variables(const std::string& text, const Position& position,
                              const ValueOf& value_of) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 3, "$${") == 0) {
      out += "${";
      at += 3;
      continue;
    }
    if (text.compare(at, 2, "${") != 0) {
      out += text[at++];
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) fail_at(position, "'${' is never closed");
    const std::string inside = text.substr(at + 2, end - at - 2);
    const std::size_t colon = inside.find(":-");
    const std::string name = inside.substr(0, colon);
    const bool is_name =
        !name.empty() && !is_digits(name.substr(0, 1)) &&
        std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (!is_name) fail_at(position, "'${" + inside + "}' names no environment variable");
    const bool has_default = colon != std::string::npos;
    out += value_of(name, has_default ? std::optional(inside.substr(colon + 2)) : std::nullopt);
    at = end + 1;
  }
  return out;
}

std::string expand(const std::string& text, const Position& position) {
  return replace_variables(
      text, position,
      [&](const std::string& name, const std::optional<std::string>& fallback) -> std::string {
        const char* value = std::getenv(name.c_str());
        if (value && (*value || !fallback)) return value;
        if (fallback) return *fallback;
        fail_at(position, "environment variable " + name + " is not set (write ${" + name +
                              ":-default} to give a default)");
      });
}

std::string escaped(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "${") == 0) out += '$';
    out += text[at];
  }
  return out;
}

std::optional<std::int64_t> read_integer(std::string_view text, bool& out_of_range) {
  return read_number<std::int64_t>(text, "+-0123456789", out_of_range);
}

std::optional<double> read_double(std::string_view text, bool& out_of_range) {
  return read_number<double>(text, "+-.eE0123456789", out_of_range);
}

std::optional<bool> read_boolean(std::string_view text) {
  for (const std::string_view word : {"true", "True", "TRUE"})
    if (text == word) return true;
  for (const std::string_view word : {"false", "False", "FALSE"})
    if (text == word) return false;
  return std::nullopt;
}

json scalar_json(const std::string& text, bool plain) {
  if (!plain) return text;
  if (const auto value = read_boolean(text)) return *value;
  bool out_of_range = false;
  if (const auto value = read_integer(text, out_of_range); value && !out_of_range) return *value;
  const auto value = read_double(text, out_of_range);
  if (!value || out_of_range) return text;
  constexpr double kExact = 9007199254740992.0;
  if (*value == std::floor(*value) && std::abs(*value) < kExact) {
    return static_cast<std::int64_t>(*value);
  }
  return *value;
}

std::string dump_node(const ConfigNode& node, const std::string& indent) {
  const std::string deeper = indent + "  ";
  std::string out;
  for (const auto& [key, position, value] : node.entries) {
    out += indent + (is_simple_key(key) ? key : json_string(key)) + ":";
    out += is_collection(*value) ? "\n" + dump_node(*value, deeper)
                                 : " " + inline_text(*value, deeper) + "\n";
  }
  for (const auto& item : node.items) {
    std::string text = is_collection(*item) ? dump_node(*item, deeper)
                                            : deeper + inline_text(*item, deeper) + "\n";
    text[indent.size()] = '-';
    out += text;
  }
  return is_collection(node) ? out : inline_text(node, indent) + "\n";
}

}  // namespace theta
