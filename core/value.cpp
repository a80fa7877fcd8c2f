#include "core/value.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/nearest.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

/// Python's repr: the shortest digits that read back, in scientific form below 1e-4 and from 1e16.
std::string float_text(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  std::array<char, 32> buffer;
  const auto scientific =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), x, std::chars_format::scientific);
  const std::string text(buffer.data(), scientific.ptr);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return text;
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), x, std::chars_format::fixed);
  std::string out(buffer.data(), fixed.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

/// DSPy's _format_blob: guillemets around a text, on lines of their own where the text has several
/// lines or guillemets itself.
std::string blob(const std::string& text) {
  if (text.find('\n') == std::string::npos && text.find("«") == std::string::npos &&
      text.find("»") == std::string::npos) {
    return "«" + text + "»";
  }
  std::string out = "«««\n    ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "    ";
  }
  return out + "\n»»»";
}

std::string list_text(const std::vector<std::string>& items) {
  if (items.empty()) return "N/A";
  if (items.size() == 1) return blob(items[0]);
  std::string out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += '\n';
    out += fmt::format("[{}] {}", i + 1, blob(items[i]));
  }
  return out;
}

struct ToText {
  std::string operator()(const std::string& x) const { return x; }
  std::string operator()(std::int64_t x) const { return std::to_string(x); }
  std::string operator()(double x) const { return float_text(x); }
  std::string operator()(bool x) const { return x ? "True" : "False"; }
  std::string operator()(const std::vector<std::string>& x) const { return list_text(x); }
  std::string operator()(const JsonValue& x) const { return x.is_null() ? "None" : x.text; }
};

}  // namespace

std::string to_text(const Value& value) { return std::visit(ToText{}, value); }

const Value* Record::find(std::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key == name) return &value;
  }
  return nullptr;
}

const Value& Record::at(std::string_view name) const {
  if (const Value* value = find(name)) return *value;
  std::vector<std::string> names;
  std::string all;
  for (const auto& [key, value] : items_) {
    names.push_back(key);
    all += (all.empty() ? "" : ", ") + key;
  }
  throw UserError("field '" + std::string(name) + "' is missing" + did_you_mean(name, names) +
                  " (there are: " + (all.empty() ? "none" : all) + ")");
}

void Record::set(std::string name, Value value) {
  for (auto& [key, old] : items_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  if (items_.empty()) items_.reserve(4);  // instead of growing to 1, 2 and 4
  items_.emplace_back(std::move(name), std::move(value));
}

}  // namespace theta
