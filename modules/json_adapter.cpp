#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json_repair.hpp"
#include "core/json_value.hpp"
#include "modules/dspy_adapter.hpp"
#include "modules/gbnf.hpp"
#include "modules/json_schema.hpp"
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

/// The first JSON object of a text that has one of the outputs, whatever stands around it: a fence,
/// a word before; else the first of all.
/// @param repairs  what is nearly JSON counts as well
std::optional<json> answered_object(const Signature& signature, std::string_view text,
                                    bool repairs) {
  std::optional<json> first;
  const auto answers = [&](std::optional<json> read) {
    if (!read || !read->is_object() || read->empty()) return false;
    const bool any = std::ranges::any_of(
        signature.outputs, [&](const Field& field) { return read->contains(field.name); });
    if (any || !first) first = std::move(read);
    return any;
  };
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos; ++at) {
    if (const auto candidate = balanced(text.substr(at))) {
      try {
        if (answers(parse_json(*candidate))) return first;
      } catch (const json::exception&) {
      }
    }
  }
  if (!repairs) return first;
  for (std::size_t at = 0; (at = text.find('{', at)) != std::string_view::npos; ++at)
    if (answers(repaired_json(text.substr(at), "{"))) return first;
  return first;
}

/// Whether a quote in a text ends a member: a comma or a brace comes behind it.
bool ends_member(std::string_view text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string_view::npos; ++at) {
    const std::string_view rest = strip(text.substr(at + 1));
    const bool escaped = at > 0 && text[at - 1] == '\\';
    if (!escaped && (rest.starts_with(',') || rest.starts_with('}'))) return true;
  }
  return false;
}

/// A value in an object that is indented by 2, as Python's json.dumps(indent=2).
std::string written(const Value& value) {
  return replace_all(write_json(json_of(value), JsonStyle::kIndented), "\n", "\n  ");
}

std::string object(const std::vector<std::pair<std::string, std::string>>& members) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : members)
    lines.push_back("  " + json_quoted(name) + ": " + value);
  return "{\n" + join(lines, ",\n") + "\n}";
}

bool is_quoted(const Type& type) {
  const auto is_text = [](const Value& value) {
    return std::holds_alternative<std::string>(value);
  };
  return type.kind == Type::Kind::kStr ||
         (type.kind == Type::Kind::kLiteral && std::ranges::all_of(type.literals, is_text));
}

/// What stands between the end of the value before and the first character of a field's value.
std::string opening(const Field& field, bool first) {
  return (first ? "{\n  " : ",\n  ") + json_quoted(field.name) + ": " +
         (is_quoted(field.type) ? "\"" : "");
}

class JsonAdapter final : public DspyAdapter {
 public:
  std::string name() const override { return "json"; }

  /// An object, bare or in a fence, or a section of DSPy's other adapter. `{\"` goes on with a text.
  bool opens_field(const Signature& signature, std::string_view text) const override {
    text = strip(text);
    if (text.starts_with("```") || text.starts_with("[[ ## ")) return true;
    if (!text.starts_with('{')) return false;
    const std::string_view inside = strip(text.substr(1));
    const auto is_key = [&](const Field& field) { return inside.starts_with(field.name + ":"); };
    return inside.starts_with('"') || inside.starts_with('\'') || inside.starts_with("//") ||
           inside.starts_with("/*") || std::ranges::any_of(signature.outputs, is_key);
  }

  Result<Record> parse(const Signature& signature, std::string_view text) const override {
    // Behind the prefix that an answer is made to begin with, words that close no text may be
    // anything but JSON: a model that did not go on from the prefix.
    const std::string prefix = answer_prefix(signature, {}, 0);
    const bool repairs = !text.starts_with(prefix) || !is_quoted(signature.outputs[0].type) ||
                         ends_member(text.substr(prefix.size()));
    const auto answered = answered_object(signature, text, repairs);
    if (!answered) return Error{Fault::kPrompt, "the answer holds no JSON object"};
    Record out;
    for (const Field& field : signature.outputs) {
      const auto member = answered->find(field.name);
      if (member == answered->end() && field.type.optional()) {
        out.set(field.name, JsonValue{"null"});
        continue;
      }
      if (member == answered->end()) {
        return Error{Fault::kPrompt, field.name + ": the answer has no such member"};
      }
      Result<Value> value = field.type.cast_json(*member);
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
    std::vector<std::string> out;
    for (const Value& option : type.literals)
      out.push_back(write_json(json_of(option)).substr(is_quoted(type) ? 1 : 0));
    return out;
  }

  std::string grammar(const Signature& signature, std::size_t count) const override {
    std::string root = "root ::=";
    for (std::size_t i = 0; i < count; ++i) {
      const Field& field = signature.outputs.at(i);
      if (i > 0) root += " " + gbnf::literal(opening(field, false));
      if (field.type.kind == Type::Kind::kStr)
        root += R"( chars "\"")";
      else if (const auto all = options(signature, i); !all.empty())
        root += " " + gbnf::one_of(all);
      else
        root += " " + gbnf::json(field.type, 1);
    }
    return root + " \"\\n}\"\n" + std::string(gbnf::kJson);
  }

  std::string schema(const Signature& signature, std::size_t count) const override {
    return answer_schema(signature, count);
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
