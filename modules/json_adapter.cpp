#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/json_value.hpp"
#include "modules/dspy_adapter.hpp"
#include "modules/gbnf.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

using json = nlohmann::ordered_json;

/// The text from an opening brace to the one that closes it, braces within quotes not counted.
std::optional<std::string_view> balanced(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return std::nullopt;
}

/// The first JSON object in a text, whatever stands around it: a fence, a word before.
std::optional<json> first_object(std::string_view text) {
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos; ++at) {
    if (const auto candidate = balanced(text.substr(at))) {
      try {
        return parse_json(*candidate);
      } catch (const json::exception&) {
      }
    }
  }
  return std::nullopt;
}

/// A scalar as DSPy's str() would show it; nullopt for null, lists and objects.
std::optional<std::string> scalar_text(const json& value) {
  if (value.is_null() || value.is_structured()) return std::nullopt;
  return to_text(value_of(value));
}

Result<Value> cast(const Type& type, const json& value) {
  if (type.kind == Type::Kind::kList && value.is_array()) {
    std::vector<std::string> items;
    for (const json& item : value) {
      if (!item.is_string())
        return Error{Fault::kPrompt, "a list of texts holds " + write_json(item)};
      items.push_back(item.get<std::string>());
    }
    return Value(std::move(items));
  }
  const auto text = scalar_text(value);
  if (!text) return Error{Fault::kPrompt, "not a value of type " + type.name()};
  if (type.kind == Type::Kind::kStr) return Value(*text);
  return type.cast(*text);
}

/// A value in an object that is indented by 2, as Python's json.dumps(indent=2).
std::string written(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return json_quoted(*text);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (std::holds_alternative<JsonValue>(value))
    return replace_all(write_json(json_of(value), JsonStyle::kIndented), "\n", "\n  ");
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list == nullptr) return to_text(value);
  if (list->empty()) return "[]";
  std::vector<std::string> items;
  for (const std::string& item : *list) items.push_back("    " + json_quoted(item));
  return "[\n" + join(items, ",\n") + "\n  ]";
}

std::string object(const std::vector<std::pair<std::string, std::string>>& members) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : members)
    lines.push_back("  " + json_quoted(name) + ": " + value);
  return "{\n" + join(lines, ",\n") + "\n}";
}

bool is_quoted(const Type& type) {
  return type.kind == Type::Kind::kStr || (type.kind == Type::Kind::kLiteral && !type.numbers);
}

/// What stands between the end of the value before and the first character of a field's value.
std::string opening(const Field& field, bool first) {
  return (first ? "{\n  " : ",\n  ") + json_quoted(field.name) + ": " +
         (is_quoted(field.type) ? "\"" : "");
}

class JsonAdapter final : public DspyAdapter {
 public:
  std::string name() const override { return "json"; }

  /// What stands before an object is passed over, whatever it is.
  bool opens_field(const Signature&, std::string_view) const override { return false; }

  Result<Record> parse(const Signature& signature, std::string_view text) const override {
    const auto answered = first_object(text);
    if (!answered) return Error{Fault::kPrompt, "the answer holds no JSON object"};
    Record out;
    for (const Field& field : signature.outputs) {
      const auto member = answered->find(field.name);
      if (member == answered->end()) {
        return Error{Fault::kPrompt, field.name + ": the answer has no such member"};
      }
      Result<Value> value = cast(field.type, *member);
      if (!value) {
        return Error{Fault::kPrompt, fmt::format("{}: {}", field.name, value.error().message)};
      }
      out.set(field.name, *std::move(value));
    }
    return out;
  }

  std::string answer_prefix(const Signature& signature, const Record& outputs_before,
                            std::size_t field) const override {
    std::string out;
    for (std::size_t i = 0; i <= field; ++i) {
      const Field& at = signature.outputs.at(i);
      out += opening(at, i == 0);
      if (i == field) break;
      // opening() has written the first quote of a text.
      out += written(outputs_before.at(at.name)).substr(is_quoted(at.type) ? 1 : 0);
    }
    return out;
  }

  std::vector<std::string> options(const Signature& signature, std::size_t field) const override {
    const Type& type = signature.outputs.at(field).type;
    if (type.kind == Type::Kind::kBool) return {"true", "false"};
    if (type.numbers) return type.literals;
    std::vector<std::string> out;
    for (const std::string& option : type.options()) out.push_back(json_quoted(option).substr(1));
    return out;
  }

  std::string grammar(const Signature& signature, std::size_t count) const override {
    std::string root = "root ::=";
    for (std::size_t i = 0; i < count; ++i) {
      const Field& field = signature.outputs.at(i);
      if (i > 0) root += " " + gbnf::literal(opening(field, false));
      switch (field.type.kind) {
        case Type::Kind::kStr:
          root += R"( chars "\"")";
          break;
        case Type::Kind::kBool:
        case Type::Kind::kLiteral:
          root += " " + gbnf::one_of(options(signature, i));
          break;
        default:
          root += " " + gbnf::value(field.type);
      }
    }
    return root + R"( "\n}"
list ::= "[" ( "\n    \"" chars "\"" ( ",\n    \"" chars "\"" )* "\n  " )? "]"
)" + std::string(gbnf::kChars);
  }

  /// An object ends where its brace closes; cut before, it would not parse.
  std::vector<std::string> stop(const Signature&, std::size_t) const override { return {}; }

 protected:
  std::string structure(const Signature& signature) const override {
    std::vector<std::pair<std::string, std::string>> members;
    for (const Field& field : signature.outputs) {
      members.emplace_back(field.name, json_quoted(placeholder(field, true)));
    }
    return fmt::format(
        "All interactions will be structured in the following way, with the appropriate values "
        "filled in.\n\nInputs will have the following structure:\n\n{}\n\nOutputs will be a JSON "
        "object with the following fields.\n\n{}",
        sections(signature.inputs, false), object(members));
  }

  std::string reminder(const Signature& signature) const override {
    std::vector<std::string> fields;
    for (const Field& field : signature.outputs) {
      fields.push_back("`" + field.name + "`" + requirement(field));
    }
    return fmt::format("Respond with a JSON object in the following order of fields: {}.",
                       join(fields, ", then "));
  }

  std::string answer(const Signature& signature, const Demo& demo,
                     std::string_view missing) const override {
    std::vector<std::pair<std::string, std::string>> members;
    for (const Field& field : signature.outputs) {
      const Value* value = demo.fields.find(field.name);
      members.emplace_back(field.name, written(value ? *value : Value(std::string(missing))));
    }
    return object(members);
  }
};

}  // namespace

std::unique_ptr<Adapter> make_json_adapter() { return std::make_unique<JsonAdapter>(); }

}  // namespace theta
