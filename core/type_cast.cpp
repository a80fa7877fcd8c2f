#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/ascii.hpp"
#include "core/json_repair.hpp"
#include "core/json_value.hpp"
#include "core/type.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;
using Kind = Type::Kind;

std::string_view trim(std::string_view text) { return ascii::trim(text, ascii::kBlank); }

bool is_quoted(std::string_view text) {
  return text.size() > 1 && text.front() == text.back() &&
         (text.front() == '\'' || text.front() == '"');
}

std::string_view unquote(std::string_view text) {
  return is_quoted(text) ? text.substr(1, text.size() - 2) : text;
}

Error unparsable(std::string_view text, const std::string& wanted) {
  return {Fault::kPrompt, "'" + std::string(text) + "' is not " + wanted};
}

/// What a value of a type is called where another one stands.
std::string wanted(const Type& type) {
  switch (type.kind) {
    case Kind::kInt:
      return "a whole number";
    case Kind::kFloat:
      return "a number";
    case Kind::kBool:
      return "True or False";
    case Kind::kLiteral: {
      Type bare = type;
      bare.title.clear();
      return "one of " + bare.name();
    }
    case Kind::kStr:
      return "a text";
    default:
      return type.name();
  }
}

// --- scalars ------------------------------------------------------------------------------------

std::optional<bool> read_bool(std::string_view text) {
  static const std::array<std::string_view, 7> kTrue = {"true", "yes", "y", "t", "on", "1", "1.0"};
  static const std::array<std::string_view, 7> kFalse = {"false", "no", "n",  "f",
                                                         "off",   "0",  "0.0"};
  const std::string word = ascii::lower(text);
  if (std::ranges::find(kTrue, word) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, word) != kFalse.end()) return false;
  return std::nullopt;
}

/// A whole number or decimal, `true` and `false` counting 1 and 0 as they do in Python.
template <typename T>
std::optional<T> read_number(std::string_view text) {
  const std::string word = ascii::lower(text);
  if (word == "true") return T{1};
  if (word == "false") return T{0};
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> read_float(std::string_view text) {
  const auto value = read_number<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

/// Beyond 64 bits a whole number is its digits.
std::optional<Value> read_int(std::string_view text) {
  if (const auto value = read_number<std::int64_t>(text)) return *value;
  std::string_view digits = text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (!digits.empty() && digits.find_first_not_of("0123456789") == digits.npos) {
    digits.remove_prefix(digits.find_first_not_of('0'));
    return JsonValue{(text.starts_with('-') ? "-" : "") + std::string(digits)};
  }
  const auto value = read_float(text);  // 3.0 and 1e3 are whole
  constexpr double kExact = 9007199254740992.0;
  if (!value || *value != std::floor(*value) || std::abs(*value) > kExact) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

/// DSPy's parse_value for a Literal: exact, else trimmed, out of `Literal[...]`, out of quotes; then
/// without what small models put around a label: `**First**`, `First.`
std::optional<Value> read_literal(const std::vector<Value>& literals, std::string_view text) {
  std::optional<Value> found;
  const auto known = [&](std::string_view x) {
    const auto it = std::ranges::find_if(literals, [&](const Value& v) { return to_text(v) == x; });
    if (it != literals.end()) found = *it;
    return found.has_value();
  };
  if (known(text)) return found;
  text = trim(text);
  if ((text.starts_with("Literal[") || text.starts_with("str[")) && text.ends_with(']')) {
    text.remove_prefix(text.find('[') + 1);
    text.remove_suffix(1);
  }
  if (known(unquote(text))) return found;
  const bool stopped = text.ends_with('.');
  if (stopped) text.remove_suffix(1);
  text = ascii::trim(text, "*`");
  if (!stopped && text.ends_with('.')) text.remove_suffix(1);
  if (known(unquote(text))) return found;
  // JSON's spelling of what is no text.
  const std::string word = ascii::lower(text);
  if (word == "true" && known("True")) return found;
  if (word == "false" && known("False")) return found;
  if (word == "null" && known("None")) return found;
  return std::nullopt;
}

// --- JSON ---------------------------------------------------------------------------------------

/// Takes a JSON value for one of a type, as pydantic does: what is missing or of another kind is a
/// fault, which is named with its place; members beyond a record's are left out.
class Taker {
 public:
  /// @return nullopt with fault() set
  std::optional<Json> take(const Type& type, const Json& value) {
    switch (type.kind) {
      case Kind::kAny:
        return value;
      case Kind::kStr:
        return value.is_string() ? std::optional(value) : failed(type, value);
      case Kind::kNone:
        return value.is_null() ? std::optional(value) : failed(type, value);
      case Kind::kLiteral:
        for (const Value& literal : type.literals)
          if (literal == value_of(value)) return value;
        return failed(type, value);
      case Kind::kList:
        return value.is_array() ? list(type, value) : failed(type, value);
      case Kind::kDict:
        return value.is_object() ? dict(type, value) : failed(type, value);
      case Kind::kRecord:
        return value.is_object() ? record(type, value) : failed(type, value);
      case Kind::kUnion:
        return alternative(type, value);
      default:
        return scalar(type, value);
    }
  }
  const std::string& fault() const { return fault_; }

 private:
  std::nullopt_t failed(const Type& type, const Json& value) {
    if (!fault_.empty()) return std::nullopt;
    fault_ = value.is_string() ? "'" + value.get<std::string>() + "'" : write_json(value);
    fault_ = (place_.empty() ? "" : place_ + ": ") + fault_ + " is not " + wanted(type);
    return std::nullopt;
  }

  /// An int, a float or a bool.
  std::optional<Json> scalar(const Type& type, const Json& value) {
    if (value.is_null() || value.is_structured()) return failed(type, value);
    const auto cast = type.cast(to_text(value_of(value)));
    if (!cast) return failed(type, value);
    return json_of(*cast);
  }

  std::optional<Json> part(const Type& type, const Json& value, const std::string& place) {
    const std::size_t before = place_.size();
    place_ += place;
    auto out = take(type, value);
    place_.resize(before);
    return out;
  }

  std::optional<Json> list(const Type& type, const Json& value) {
    if (type.of.empty()) return value;
    Json out = Json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      auto item = part(type.of[0], value[i], "[" + std::to_string(i) + "]");
      if (!item) return std::nullopt;
      out.push_back(*std::move(item));
    }
    return out;
  }

  std::optional<Json> dict(const Type& type, const Json& value) {
    if (type.of.empty()) return value;
    Json out = Json::object();
    for (const auto& [key, each] : value.items()) {
      auto item = part(type.of[0], each, "[" + write_json(key) + "]");
      if (!item) return std::nullopt;
      out[key] = *std::move(item);
    }
    return out;
  }

  std::optional<Json> record(const Type& type, const Json& value) {
    Json out = Json::object();
    for (std::size_t i = 0; i < type.members.size(); ++i) {
      const std::string& name = type.members[i];
      const std::string place = (place_.empty() ? "" : ".") + name;
      const auto member = value.find(name);
      if (member == value.end() && !type.of[i].optional()) {
        if (fault_.empty()) fault_ = place_ + place + ": it is missing";
        return std::nullopt;
      }
      auto item = part(type.of[i], member == value.end() ? Json() : *member, place);
      if (!item) return std::nullopt;
      out[name] = *std::move(item);
    }
    return out;
  }

  /// The first alternative that takes the value as it is, else the first that takes it.
  std::optional<Json> alternative(const Type& type, const Json& value) {
    std::optional<Json> first;
    for (const Type& each : type.of) {
      Taker taker;
      auto taken = taker.take(each, value);
      if (taken && *taken == value && taken->type() == value.type()) return taken;
      if (taken && !first) first = std::move(taken);
    }
    return first ? first : failed(type, value);
  }

  std::string place_;  ///< `[0].age`
  std::string fault_;
};

/// An answer as JSON where it is such, else its text.
/// @param structured  a list or an object is wanted, and may stand among words
Json json_of_answer(std::string_view text, bool structured) {
  const std::string_view bare = trim(text);
  const bool opens = bare.starts_with('[') || bare.starts_with('{') || bare.starts_with("```");
  if (structured || opens)
    if (auto json = repaired_json(text)) return *std::move(json);
  if (is_quoted(bare)) return std::string(unquote(bare));
  const std::string word = ascii::lower(bare);
  if (word == "true" || word == "false") return word == "true";
  if (word.empty() || word == "null" || word == "none") return nullptr;
  try {
    if (Json number = parse_json(bare); !number.is_string()) return number;
  } catch (const Json::exception&) {
  }
  return std::string(text);
}

/// Whether an answer of this type is the text itself.
bool is_verbatim(const Type& type) {
  return type.kind == Kind::kStr ||
         (type.kind == Kind::kUnion && type.optional() &&
          std::ranges::find(type.of, Kind::kStr, &Type::kind) != type.of.end());
}

}  // namespace

Result<Value> Type::cast(std::string_view text) const {
  if (is_verbatim(*this)) return Value(std::string(text));
  const std::string_view bare = unquote(trim(text));
  const auto result = [&](auto value) -> Result<Value> {
    if (value) return Value(*std::move(value));
    return unparsable(trim(text), wanted(*this));
  };
  switch (kind) {
    case Kind::kInt:
      return result(read_int(bare));
    case Kind::kFloat:
      return result(read_float(bare));
    case Kind::kBool:
      return result(read_bool(bare));
    case Kind::kLiteral:
      return result(read_literal(literals, text));
    default:
      break;
  }
  const Json json = json_of_answer(text, structured());
  // A text that is no JSON is told whole.
  if (structured() && !json.is_structured()) return unparsable(trim(text), wanted(*this));
  return cast_json(json);
}

Result<Value> Type::cast_json(const Json& value) const {
  const bool scalar = !value.is_null() && !value.is_structured();
  const bool known = kind == Kind::kAny || kind == Kind::kUnion || kind == Kind::kNone;
  // What an answer's JSON has as a text may be that of any type: "3", "['a']".
  if (scalar && kind == Kind::kStr) return Value(to_text(value_of(value)));
  if (scalar && !known) return cast(to_text(value_of(value)));
  Taker taker;
  if (const auto taken = taker.take(*this, value)) return value_of(*taken);
  return Error{Fault::kPrompt, taker.fault()};
}

Result<Value> Type::read(std::string_view text) const {
  Result<Value> value = cast(text);
  if (!value || kind != Kind::kFloat) return value;
  if (same_digits(to_text(*value), trim(text))) return value;
  return Value(std::string(trim(text)));
}

}  // namespace theta
