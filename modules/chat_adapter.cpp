#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/ascii.hpp"
#include "modules/dspy_adapter.hpp"
#include "modules/gbnf.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// The name in a line `[[ ## name ## ]] rest`, and `rest`; an empty name for any other line. Blanks
/// within the brackets do not count, nor does what Markdown puts around them: `**[[ ## a ## ]]**`.
std::pair<std::string_view, std::string_view> read_header(std::string_view line) {
  constexpr std::string_view kMarks = "*`#";
  line = strip(line);
  const bool marked = !line.empty() && kMarks.find(line.front()) != kMarks.npos;
  if (marked) line = strip(ascii::trim_left(line, "*`# "));
  const std::size_t close = line.find("]]");
  if (!line.starts_with("[[") || close == std::string_view::npos) return {};
  std::string_view name = strip(line.substr(2, close - 2));
  if (!name.starts_with("##") || !name.ends_with("##") || name.size() < 4) return {};
  name = strip(name.substr(2, name.size() - 4));
  if (!std::ranges::all_of(name, is_word)) return {};
  const std::string_view rest = line.substr(close + 2);
  return {name, strip(marked ? ascii::trim_left(rest, "*`") : rest)};
}

/// What stands within the fence that a whole answer stands in, of which the first line may be gone.
std::string_view unfenced(std::string_view text) {
  constexpr std::string_view kFence = "```";
  std::string_view bare = strip(text);
  if (const std::size_t line = bare.find('\n'); bare.starts_with(kFence) && line != bare.npos)
    bare.remove_prefix(line + 1);
  if (!bare.ends_with(kFence)) return text;
  std::size_t fences = 0;
  for (std::size_t at = 0; (at = bare.find(kFence, at)) != bare.npos; at += kFence.size()) ++fences;
  return fences % 2 == 1 ? bare.substr(0, bare.size() - kFence.size()) : text;
}

/// A name and what stands under it.
using Section = std::pair<std::string_view, std::string>;

/// The sections of an answer.
std::vector<Section> read_sections(std::string_view answer) {
  std::vector<Section> sections;
  for (const std::string_view line : split_lines(answer)) {
    if (const auto [name, rest] = read_header(line); !name.empty()) {
      sections.emplace_back(name, rest);
    } else if (!sections.empty()) {
      sections.back().second.append("\n").append(line);
    }
  }
  return sections;
}

/// The sections of an answer whose headers stand anywhere: `[[ ## a ## ]] x [[ ## b ## ]] y`.
std::vector<Section> read_sections_in_line(std::string_view answer) {
  std::vector<Section> sections;
  for (std::size_t at = 0; (at = answer.find("[[ ## ", at)) != std::string_view::npos; ++at) {
    const std::string_view line = answer.substr(at, answer.find('\n', at) - at);
    const auto [name, rest] = read_header(line);
    if (name.empty()) continue;
    const std::size_t begin = answer.find("]]", at) + 2;
    const std::size_t end = answer.find("[[ ## ", begin);
    sections.emplace_back(name, answer.substr(begin, end - begin));
  }
  return sections;
}

/// The outputs of those sections.
Result<Record> read_outputs(const Signature& signature, const std::vector<Section>& sections) {
  Record out;
  for (const Field& field : signature.outputs) {
    // The first of a name counts.
    const auto named = std::ranges::find(sections, field.name, &Section::first);
    if (named == sections.end() && field.type.optional()) {
      out.set(field.name, JsonValue{"null"});
      continue;
    }
    Result<Value> value = named == sections.end()
                              ? Result<Value>(Error{Fault::kPrompt, "the answer has no section"})
                              : field.type.cast(strip(named->second));
    if (!value)
      return Error{Fault::kPrompt, fmt::format("{}: {}", field.name, value.error().message)};
    out.set(field.name, *std::move(value));
  }
  return out;
}

class ChatAdapter final : public DspyAdapter {
 public:
  std::string name() const override { return "chat"; }

  /// An object of the outputs, bare or in a fence, is an answer of its own as well.
  bool opens_field(const Signature& signature, std::string_view text) const override {
    text = strip(text);
    const std::string_view inside = strip(unfenced(text));
    if (!read_header(inside.substr(0, inside.find('\n'))).first.empty()) return true;
    return (text.starts_with('{') || text.starts_with("```")) &&
           make_json_adapter()->parse(signature, text);
  }

  /// What cannot be read as sections may be the outputs as a JSON object, as DSPy would ask for a
  /// second time, or sections whose headers stand within a line.
  Result<Record> parse(const Signature& signature, std::string_view text) const override {
    Result<Record> outputs = read_outputs(signature, read_sections(unfenced(text)));
    if (outputs) return outputs;
    if (Result<Record> json = make_json_adapter()->parse(signature, text)) return json;
    if (Result<Record> in_line = read_outputs(signature, read_sections_in_line(text)))
      return in_line;
    return outputs;
  }

  std::string answer_prefix(const Signature& signature, const Record& outputs_before,
                            std::size_t field) const override {
    std::string out;
    for (std::size_t i = 0; i < field; ++i) {
      const Field& before = signature.outputs[i];
      out +=
          header(before) + "\n" + shown(signature, before, outputs_before.at(before.name)) + "\n\n";
    }
    return out + header(signature.outputs.at(field)) + "\n";
  }

  std::vector<std::string> options(const Signature& signature, std::size_t field) const override {
    return signature.outputs.at(field).type.options();
  }

  std::string grammar(const Signature& signature, std::size_t count) const override {
    std::string root = "root ::=";
    for (std::size_t i = 0; i < count; ++i) {
      const Field& field = signature.outputs.at(i);
      if (i > 0) root += " " + gbnf::literal("\n\n" + header(field) + "\n");
      root += " " + gbnf::value(field.type);
    }
    if (signature.outputs[count - 1].type.kind == Type::Kind::kStr) {
      // A model ends a free text by going on to the next section; kept from it, it would ramble.
      root += " ( " + gbnf::literal("\n\n" + next_header(signature, count)) + " )?";
    }
    // `text` is what does not hold `[[ ##`: one rule for each character of it seen so far.
    return root + R"(
text ::= [^\[ \t\r\n] text0 | "[" text1
text0 ::= ( [^\[] text0 | "[" text1 )?
text1 ::= ( [^\[] text0 | "[" text2 )?
text2 ::= ( [^\[ ] text0 | "[" text2 | " " text3 )?
text3 ::= ( [^\[#] text0 | "[" text1 | "#" text4 )?
text4 ::= ( [^\[#] text0 | "[" text1 )?
)" + std::string(gbnf::kJson);
  }

  std::vector<std::string> stop(const Signature& signature, std::size_t count) const override {
    return {next_header(signature, count)};
  }

 protected:
  std::string structure(const Signature& signature) const override {
    return fmt::format(
        "All interactions will be structured in the following way, with the appropriate values "
        "filled in.\n\n{}\n\n{}\n\n{}",
        sections(signature.inputs, false), sections(signature.outputs, true), marker(kCompleted));
  }

  std::string reminder(const Signature& signature) const override {
    std::vector<std::string> fields;
    for (const Field& field : signature.outputs) {
      fields.push_back("`" + header(field) + "`" + requirement(field));
    }
    return fmt::format(
        "Respond with the corresponding output fields, starting with the field {}, and then ending "
        "with the marker for `{}`.",
        join(fields, ", then "), marker(kCompleted));
  }

  std::string answer(const Signature& signature, const Demo& demo,
                     std::string_view missing) const override {
    std::vector<std::string> parts;
    for (const Field& field : signature.outputs) {
      const Value* value = demo.fields.find(field.name);
      parts.push_back(
          header(field) + "\n" +
          (value != nullptr ? shown(signature, field, *value, demo.as_is) : std::string(missing)));
    }
    return fmt::format("{}\n\n{}\n", strip(join(parts, "\n\n")), marker(kCompleted));
  }

 private:
  static std::string next_header(const Signature& signature, std::size_t count) {
    return count < signature.outputs.size() ? header(signature.outputs[count]) : marker(kCompleted);
  }
};

}  // namespace

std::unique_ptr<Adapter> make_chat_adapter() { return std::make_unique<ChatAdapter>(); }

}  // namespace theta
