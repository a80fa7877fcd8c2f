#include "core/signature.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <utility>

#include "core/ascii.hpp"
#include "core/nearest.hpp"
#include "core/type_parser.hpp"

namespace theta {
namespace {

constexpr const char* kReasoning = "reasoning";

// --- instructions -------------------------------------------------------------------------------

/// Python's inspect.cleandoc, through which DSPy reads every instruction: the common indentation of
/// all lines but the first and the empty lines at both ends are no part of it.
std::string cleandoc(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else if (c == '\t') {
      lines.back().append(8 - lines.back().size() % 8, ' ');
    } else {
      lines.back() += c;
    }
  }
  std::size_t margin = std::string::npos;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    margin = std::min(margin, lines[i].find_first_not_of(ascii::kBlank));
  }
  lines[0].erase(0, lines[0].find_first_not_of(ascii::kBlank));
  if (margin != std::string::npos) {
    for (std::size_t i = 1; i < lines.size(); ++i) lines[i].erase(0, margin);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  const auto first = std::ranges::find_if(lines, [](const auto& line) { return !line.empty(); });
  std::string out;
  for (auto it = first; it != lines.end(); ++it) out += (it == first ? "" : "\n") + *it;
  return out;
}

std::string default_instructions(const Signature& signature) {
  const auto names = [](const std::vector<Field>& fields) {
    std::string out;
    for (const Field& field : fields) out += (out.empty() ? "`" : ", `") + field.name + "`";
    return out;
  };
  return "Given the fields " + names(signature.inputs) + ", produce the fields " +
         names(signature.outputs) + ".";
}

/// DSPy's infer_prefix, whose four regular expressions these are.
std::string infer_prefix(const std::string& name) {
  static const std::array<std::regex, 4> kBoundaries = {
      std::regex("(.)([A-Z][a-z]+)"), std::regex("([a-z0-9])([A-Z])"),
      std::regex("([a-zA-Z])([0-9])"), std::regex("([0-9])([a-zA-Z])")};
  std::string snake = name;
  for (const auto& boundary : kBoundaries) snake = std::regex_replace(snake, boundary, "$1_$2");

  std::string out;
  for (std::size_t begin = 0; begin <= snake.size();) {
    const std::size_t end = std::min(snake.find('_', begin), snake.size());
    std::string word = snake.substr(begin, end - begin);
    const bool acronym = std::ranges::none_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
    if (!acronym) {
      word = ascii::lower(word);
      word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
    }
    if (begin > 0) out += ' ';
    out += word;
    begin = end + 1;
  }
  return out;
}

// --- the text form ------------------------------------------------------------------------------

class Parser {
 public:
  Parser(std::string_view text, const Types& named) : at_(text), named_(named) {}

  Signature parse() {
    Signature out;
    out.inputs = fields("an input field", "->");
    if (!at_.take("->")) at_.fail_expected("',' or '->'");
    out.outputs = fields("an output field", "");
    if (at_.sees("->")) at_.fail(at_.at(), "a second '->'; a signature has one");
    if (!at_.at_end()) at_.fail_expected("',' or the end");
    return out;
  }

 private:
  /// Fields up to the end or to `stop`; a comma may follow the last one, as in Python.
  std::vector<Field> fields(const std::string& what, std::string_view stop) {
    std::vector<Field> out;
    do {
      const bool ends = at_.at_end() || (!stop.empty() && at_.sees(stop));
      if (ends && !out.empty()) break;
      const std::size_t begin = at_.at();
      if (ends || !std::isalpha(static_cast<unsigned char>(at_.rest()[0]))) at_.fail_expected(what);
      std::string name = at_.word();
      for (const auto& [seen, is_input] : seen_) {
        if (seen != name) continue;
        const bool both = is_input && stop.empty();
        at_.fail(begin,
                 "'" + name + (both ? "' is both an input and an output" : "' is given twice"));
      }
      seen_.emplace_back(name, !stop.empty());
      out.push_back(make_field(std::move(name), at_.take(":") ? read_type(at_, named_) : Type{}));
    } while (at_.take(","));
    return out;
  }

  TextCursor at_;
  const Types& named_;
  std::vector<std::pair<std::string, bool>> seen_;  // names so far; true: an input
};

std::string field_text(const Field& field) {
  return field.type == Type{} ? field.name : field.name + ": " + field.type.annotation();
}

void require_new(const Signature& signature, const Field& field) {
  if (signature.find(field.name)) {
    throw UserError("the signature already has a field '" + field.name + "'");
  }
}

}  // namespace

Signature Signature::parse(std::string_view text, std::string instructions, const Types& named) {
  return Parser(text, named).parse().with_instructions(std::move(instructions));
}

Signature Signature::with_instructions(std::string text) const {
  Signature out = *this;
  out.instructions = text.empty() ? default_instructions(*this) : cleandoc(text);
  return out;
}

Signature Signature::prepend_output(Field field) const {
  require_new(*this, field);
  Signature out = *this;
  out.outputs.insert(out.outputs.begin(), std::move(field));
  return out;
}

Signature Signature::append_input(Field field) const {
  require_new(*this, field);
  Signature out = *this;
  out.inputs.push_back(std::move(field));
  return out;
}

Signature Signature::describe(std::string_view name, std::string description) const {
  Signature out = *this;
  for (auto* fields : {&out.inputs, &out.outputs}) {
    for (Field& field : *fields) {
      if (field.name == name) {
        field.description = std::move(description);
        return out;
      }
    }
  }
  throw UserError("the signature has no field '" + std::string(name) + "'" +
                  did_you_mean(name, names()));
}

std::vector<std::string> Signature::names() const {
  std::vector<std::string> out;
  for (const auto* fields : {&inputs, &outputs})
    for (const Field& field : *fields) out.push_back(field.name);
  return out;
}

const Field* Signature::find(std::string_view name) const {
  for (const auto* fields : {&inputs, &outputs}) {
    const auto it = std::ranges::find(*fields, name, &Field::name);
    if (it != fields->end()) return &*it;
  }
  return nullptr;
}

std::string Signature::text() const {
  const auto side = [](const std::vector<Field>& fields) {
    std::string out;
    for (const Field& field : fields) out += (out.empty() ? "" : ", ") + field_text(field);
    return out;
  };
  return side(inputs) + " -> " + side(outputs);
}

Field make_field(std::string name, Type type, std::string description) {
  Field out;
  out.prefix = infer_prefix(name) + ":";
  out.description = description.empty() ? "${" + name + "}" : std::move(description);
  out.type = std::move(type);
  out.name = std::move(name);
  return out;
}

Signature chain_of_thought(const Signature& signature) {
  return signature.prepend_output(make_field(kReasoning));
}

bool reasons(const Signature& signature) {
  return signature.outputs.size() > 1 && signature.outputs.front().name == kReasoning;
}

Signature without_reasoning(Signature signature) {
  if (reasons(signature)) signature.outputs.erase(signature.outputs.begin());
  return signature;
}

}  // namespace theta
