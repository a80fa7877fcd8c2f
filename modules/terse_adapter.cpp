#include <fmt/format.h>

#include <algorithm>

#include "modules/adapter.hpp"
#include "modules/gbnf.hpp"
#include "modules/json_schema.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

using namespace std::string_view_literals;

/// A text on one line: what Python calls a line break becomes a space.
std::string one_line(std::string_view text) {
  std::string out(strip(text));
  for (const auto line_break : {"\r\n"sv, "\n"sv, "\r"sv, "\v"sv, "\f"sv, "\x1c"sv, "\x1d"sv,
                                "\x1e"sv, "\u0085"sv, "\u2028"sv, "\u2029"sv}) {
    out = replace_all(std::move(out), line_break, " ");
  }
  return out;
}

/// What opens a field's line: its prefix with a colon at the end.
std::string label(const Field& field) {
  std::string text = one_line(field.prefix);
  if (text.empty()) text = field.name;
  return text.ends_with(':') ? text : text + ":";
}

/// `Label: value`; nothing but the label for an empty value.
std::string line(const Field& field, const Value& value) {
  const std::string text = one_line(field.type.text(value));
  return label(field) + (text.empty() ? "" : " " + text);
}

/// An input of several lines as a block below its label, indented, so that none of its lines can be
/// taken for a field's.
std::string block(const Field& field, const Value& value) {
  const std::string text = field.type.text(value);
  const auto lines = split_lines(strip(text));
  if (lines.size() < 2) return line(field, value);
  std::string out = label(field);
  for (const std::string_view each : lines) out += "\n  " + one_line(each);
  return out;
}

/// The lines of those fields that a record holds, each written by `write`.
std::string lines_of(const std::vector<Field>& fields, const Record& record,
                     std::string (*write)(const Field&, const Value&)) {
  std::vector<std::string> out;
  for (const Field& field : fields) {
    if (const Value* value = record.find(field.name)) out.push_back(write(field, *value));
  }
  return join(out, "\n");
}

/// `Label can be a, b or c.` for an output that has options: it does not begin as the field's line
/// does, which small models would copy the first option from.
std::string options_line(const Field& field) {
  std::string out = label(field);
  out.replace(out.size() - 1, 1, " can be ");
  const std::vector<std::string> options = field.type.options();
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (i > 0) out += i + 1 == options.size() ? " or " : ", ";
    out += one_line(options[i]);
  }
  return out + ".";
}

/// `Label is JSON of the schema {..}.` for an output of several parts.
std::string schema_line(const Field& field) {
  std::string out = label(field);
  out.replace(out.size() - 1, 1, " is JSON of the schema ");
  return out + json_schema(field.type) + ".";
}

/// Whether a small model has to be told what an output's JSON looks like.
bool has_schema(const Type& type) {
  return type.structured() && !(type.kind == Type::Kind::kList && type.of == std::vector{Type{}});
}

/// @throws UserError if a line could belong to two fields.
void check_labels(const Signature& signature) {
  std::vector<Field> fields = signature.inputs;
  fields.insert(fields.end(), signature.outputs.begin(), signature.outputs.end());
  for (const Field& a : fields) {
    for (const Field& b : fields) {
      if (&a != &b && label(b).starts_with(label(a))) {
        throw UserError(
            fmt::format("the terse adapter cannot tell `{}` from `{}`: prefix `{}` "
                        "begins like `{}`",
                        b.name, a.name, label(b), label(a)));
      }
    }
  }
}

class TerseAdapter final : public Adapter {
 public:
  TerseAdapter(bool list_options, InstructionPlace place)
      : list_options_(list_options), place_(place) {}

  std::string name() const override { return "terse"; }

  std::vector<Messages> format(const Signature& signature, std::span<const Demo> demos,
                               std::span<const Record> inputs) const override {
    check_labels(signature);
    std::vector<std::string> parts;
    for (const Demo& demo : demos) {
      const std::string asked = lines_of(signature.inputs, demo.fields, block);
      const std::string answered = lines_of(signature.outputs, demo.fields, line);
      if (!asked.empty() && !answered.empty()) parts.push_back(asked + "\n" + answered);
    }
    const bool behind = !parts.empty() && place_ != InstructionPlace::kBefore;
    const bool before = !behind || place_ == InstructionPlace::kBoth;
    if (before) parts.insert(parts.begin(), instruction(signature));
    if (behind) parts.push_back(instruction(signature));
    parts.emplace_back();  // the input's
    std::vector<Messages> all;
    for (const Record& record : inputs) {
      for (const Field& field : signature.inputs) record.at(field.name);
      parts.back() = lines_of(signature.inputs, record, block);
      all.push_back({{"user", join(parts, "\n\n")}});
    }
    return all;
  }

  /// Lines that begin like a field's are indented.
  std::string defused(const Signature& signature, std::string_view text) const override {
    std::vector<std::string> lines;
    for (const std::string_view each : split_lines(text)) {
      lines.push_back(one_line(each));
      if (opens_field(signature, lines.back())) lines.back().insert(0, "  ");
    }
    return join(lines, "\n");
  }

  bool opens_field(const Signature& signature, std::string_view text) const override {
    const auto opens = [text = strip(text)](const Field& field) {
      return text.starts_with(label(field));
    };
    return std::ranges::any_of(signature.inputs, opens) ||
           std::ranges::any_of(signature.outputs, opens);
  }

  Result<Record> parse(const Signature& signature, std::string_view answer) const override {
    Record sections;
    std::string open;
    for (const std::string_view whole : split_lines(answer)) {
      const std::string_view text = strip(whole);
      const auto opens = [&](const Field& field) { return text.starts_with(label(field)); };
      const auto output = std::ranges::find_if(signature.outputs, opens);
      if (output != signature.outputs.end() && sections.find(output->name) == nullptr) {
        open = output->name;
        sections.set(open, std::string(strip(text.substr(label(*output).size()))));
      } else if (output != signature.outputs.end() ||
                 std::ranges::any_of(signature.inputs, opens)) {
        open.clear();  // the model goes on to the next example
      } else if (!open.empty()) {
        sections.set(open, sections.text(open) + "\n" + std::string(text));
      }
    }
    Record out;
    for (const Field& field : signature.outputs) {
      const Value* content = sections.find(field.name);
      if (content == nullptr && field.type.optional()) {
        out.set(field.name, JsonValue{"null"});
        continue;
      }
      if (content == nullptr) {
        return Error{Fault::kPrompt,
                     fmt::format("{}: the answer has no line `{}`", field.name, label(field))};
      }
      const std::string_view text = strip(std::get<std::string>(*content));
      // What stands below a value that fits on a line is talk; a list or an object may have several.
      const std::string_view first = strip(text.substr(0, text.find('\n')));
      const bool whole = field.type.kind == Type::Kind::kStr || field.type.structured();
      Result<Value> value = field.type.cast(whole ? text : first);
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
    for (std::size_t i = 0; i < field; ++i) {
      const Field& before = signature.outputs[i];
      out += line(before, outputs_before.at(before.name)) + "\n";
    }
    return out + label(signature.outputs.at(field));
  }

  /// With the space in front: behind a colon, models know ` First` as one token.
  std::vector<std::string> options(const Signature& signature, std::size_t field) const override {
    std::vector<std::string> out = signature.outputs.at(field).type.options();
    for (std::string& option : out) option.insert(0, " ");
    return out;
  }

  std::string grammar(const Signature& signature, std::size_t count) const override {
    std::string root = "root ::=";
    for (std::size_t i = 0; i < count; ++i) {
      const Field& field = signature.outputs.at(i);
      root += " " + gbnf::literal((i > 0 ? "\n" + label(field) : "") + " ") + " " +
              gbnf::value(field.type);
    }
    return root + R"(
text ::= [^ \t\n\r\x0B\x0C] [^\n\r\x0B\x0C]*
)" + std::string(gbnf::kJson);
  }

  std::vector<std::string> stop(const Signature& signature, std::size_t count) const override {
    if (count < signature.outputs.size()) return {"\n" + label(signature.outputs[count])};
    if (count == 1) return {"\n"};
    return {"\n\n", "\n" + label(signature.inputs.at(0))};
  }

 private:
  /// With what it has to say of the outputs.
  std::string instruction(const Signature& signature) const {
    std::string out(strip(signature.instructions));
    for (const Field& field : signature.outputs) {
      if (list_options_ && !field.type.options().empty()) out += "\n" + options_line(field);
      if (has_schema(field.type)) out += "\n" + schema_line(field);
    }
    return out;
  }

  const bool list_options_;
  const InstructionPlace place_;
};

}  // namespace

std::unique_ptr<Adapter> make_terse_adapter(bool list_options, InstructionPlace place) {
  return std::make_unique<TerseAdapter>(list_options, place);
}

}  // namespace theta
