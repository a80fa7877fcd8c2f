#include "modules/dspy_adapter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "modules/json_schema.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

std::string description_list(const std::vector<Field>& fields) {
  std::string out;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field& field = fields[i];
    const bool is_default = field.description == "${" + field.name + "}";
    out += fmt::format("{}. `{}` ({}): {}\n", i + 1, field.name, field.type.name(),
                       is_default ? "" : field.description);
  }
  return std::string(strip(out));
}

std::string task(const Signature& signature) {
  std::string out = "In adhering to this structure, your objective is: ";
  for (const std::string_view line : split_lines(signature.instructions)) {
    out += "\n";
    // As textwrap.dedent: a line of blanks is an empty line.
    const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
    out.append("        ").append(blank ? "" : line);
  }
  return out;
}

/// What an output of a type has to look like.
std::string note_on(const Type& type) {
  switch (type.kind) {
    case Type::Kind::kStr:
      return "";
    case Type::Kind::kBool:
      return "must be True or False";
    case Type::Kind::kInt:
    case Type::Kind::kFloat:
      return "must be a single " + type.name() + " value";
    case Type::Kind::kLiteral:
      return (type.title.empty() ? "must exactly match (no extra characters) one of: "
                                 : "must be one of: ") +
             join(type.options(), "; ");
    default:
      return "must adhere to the JSON schema: " + json_schema(type);
  }
}

}  // namespace

std::string DspyAdapter::placeholder(const Field& field, bool output) {
  const std::string note = note_on(field.type);
  std::string out = "{" + field.name + "}";
  if (output && !note.empty()) out += "        # note: the value you produce " + note;
  return out;
}

std::string DspyAdapter::sections(const std::vector<Field>& fields, bool outputs) {
  std::vector<std::string> parts;
  for (const Field& field : fields) {
    parts.push_back(header(field) + "\n" + placeholder(field, outputs));
  }
  return join(parts, "\n\n");
}

std::string DspyAdapter::defused(const Signature& signature, std::string_view text) const {
  std::string out(text);
  if (text.find("[[ ## ") == std::string_view::npos) return out;
  std::vector<std::string> names = signature.names();
  names.emplace_back(kCompleted);
  for (const std::string& name : names) {
    const std::string whole = marker(name);
    out = replace_all(std::move(out), whole, "[ " + whole.substr(1));
  }
  return out;
}

std::string DspyAdapter::shown(const Signature& signature, const Field& field, const Value& value,
                               bool as_is) const {
  std::string text = field.type.text(value);
  return as_is ? text : defused(signature, text);
}

std::string DspyAdapter::requirement(const Field& field) {
  if (field.type.kind == Type::Kind::kStr) return "";
  return " (must be formatted as a valid Python " + field.type.name() + ")";
}

std::vector<Messages> DspyAdapter::format(const Signature& signature, std::span<const Demo> demos,
                                          std::span<const Record> inputs) const {
  std::vector<std::string> headers;
  for (const Field& field : signature.inputs) headers.push_back("\n\n" + header(field) + "\n");
  const auto user = [&](const Record& record, std::string_view before, std::string_view after,
                        bool as_is = false) {
    std::string out(before);
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const Field& field = signature.inputs[i];
      const Value* value = record.find(field.name);
      if (value != nullptr) out.append(headers[i]).append(shown(signature, field, *value, as_is));
    }
    out.append("\n\n").append(after);
    return std::string(strip(out));
  };
  const auto has = [](const Demo& demo) {
    return [&demo](const Field& field) { return demo.fields.find(field.name) != nullptr; };
  };

  Messages shared = {
      {"system",
       fmt::format("Your input fields are:\n{}\nYour output fields are:\n{}\n{}\n{}",
                   description_list(signature.inputs), description_list(signature.outputs),
                   structure(signature), task(signature))}};
  Messages complete;
  const auto fills = [](const Demo& demo) {
    return [&demo](const Field& field) {
      const Value* value = demo.fields.find(field.name);
      return value != nullptr && !is_null(*value);
    };
  };
  for (const Demo& demo : demos) {
    if (std::ranges::all_of(signature.inputs, fills(demo)) &&
        std::ranges::all_of(signature.outputs, fills(demo))) {
      complete.push_back({"user", user(demo.fields, "", "", demo.as_is)});
      complete.push_back({"assistant", answer(signature, demo, "")});
    } else if (std::ranges::any_of(signature.inputs, has(demo)) &&
               std::ranges::any_of(signature.outputs, has(demo))) {
      shared.push_back({"user", user(demo.fields,
                                     "This is an example of the task, though some input or "
                                     "output fields are not supplied.",
                                     "", demo.as_is)});
      shared.push_back(
          {"assistant", answer(signature, demo, "Not supplied for this particular example. ")});
    }
  }
  shared.insert(shared.end(), complete.begin(), complete.end());

  const std::string how_to_answer = reminder(signature);
  std::vector<Messages> all;
  all.reserve(inputs.size());
  for (const Record& record : inputs) {
    for (const Field& field : signature.inputs) record.at(field.name);
    Messages& messages = all.emplace_back();
    messages.reserve(shared.size() + 1);
    messages = shared;
    messages.push_back({"user", user(record, "", how_to_answer)});
  }
  return all;
}

}  // namespace theta
