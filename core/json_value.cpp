#include "core/json_value.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// Builds the tree from the parser's events: the parser alone keeps a number's text.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  Json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(std::int64_t value) override { return put(value); }
  bool number_unsigned(std::uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string& text) override {
    if (same_digits(text, to_text(Value(value))) && text.find_first_of(".eE") != text.npos)
      return put(value);
    return put(Json::binary({text.begin(), text.end()}));
  }
  bool string(std::string& value) override { return put(std::move(value)); }
  bool binary(Json::binary_t& value) override { return put(Json::binary(std::move(value))); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(std::string& name) override {
    key_ = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    if (const auto* range = dynamic_cast<const Json::out_of_range*>(&error)) throw *range;
    throw dynamic_cast<const Json::parse_error&>(error);
  }

 private:
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_array()) return parent.emplace_back(std::move(value));
    return parent[key_] = std::move(value);
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    open_.push_back(&place(std::move(value)));  // stays: its parent grows only once it is closed
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Json*> open_;  ///< the objects and arrays that are not at their end, outermost first
  std::string key_;
};

void write(const Json& value, JsonStyle style, std::size_t depth, std::string& out) {
  if (value.is_binary()) {
    out.append(value.get_binary().begin(), value.get_binary().end());
  } else if (value.is_number_float()) {
    out += to_text(value.get<double>());
  } else if (!value.is_structured() || value.empty()) {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  } else {
    const auto line = [&](std::size_t at) {
      if (style == JsonStyle::kIndented) out.append("\n").append(2 * at, ' ');
    };
    out += value.is_object() ? '{' : '[';
    bool first = true;
    for (const auto& [name, item] : value.items()) {
      if (!std::exchange(first, false)) out += style == JsonStyle::kSpaced ? ", " : ",";
      line(depth + 1);
      if (value.is_object()) {
        write(name, style, 0, out);
        out += style == JsonStyle::kCompact ? ":" : ": ";
      }
      write(item, style, depth + 1, out);
    }
    line(depth);
    out += value.is_object() ? '}' : ']';
  }
}

std::string significant(std::string_view number) {
  std::string digits;
  for (const char c : number.substr(0, number.find_first_of("eE"))) {
    if (c >= '0' && c <= '9' && !(c == '0' && digits.empty())) digits += c;
  }
  digits.erase(digits.find_last_not_of('0') + 1);
  return digits;
}

}  // namespace

Json parse_json(std::string_view text) {
  TreeBuilder builder;
  Json::sax_parse(text, &builder);
  return builder.take();
}

std::string write_json(const Json& value, JsonStyle style) {
  std::string out;
  write(value, style, 0, out);
  return out;
}

Value value_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_float()) return json.get<double>();
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  const bool fits = !json.is_number_unsigned() || json.get<std::uint64_t>() <= kMost;
  if (json.is_number_integer() && fits) return json.get<std::int64_t>();
  const auto is_text = [](const Json& item) { return item.is_string(); };
  if (json.is_array() && std::ranges::all_of(json, is_text))
    return json.get<std::vector<std::string>>();
  return JsonValue{write_json(json)};
}

Json json_of(const Value& value) {
  const auto* json = std::get_if<JsonValue>(&value);
  if (json != nullptr) return parse_json(json->text);
  Json out;
  std::visit(
      [&](const auto& held) {
        if constexpr (!std::is_same_v<decltype(held), const JsonValue&>) out = held;
      },
      value);
  return out;
}

bool same_digits(std::string_view a, std::string_view b) {
  return significant(a) == significant(b);
}

}  // namespace theta
