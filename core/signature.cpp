#include "core/signature.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <utility>

#include "core/json_value.hpp"
#include "core/nearest.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

constexpr std::string_view kSpace = " \t\n\r\f\v";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool is_quoted(std::string_view text) {
  return text.size() > 1 && text.front() == text.back() &&
         (text.front() == '\'' || text.front() == '"');
}

std::string_view unquote(std::string_view text) {
  return is_quoted(text) ? text.substr(1, text.size() - 2) : text;
}

/// DSPy's quotes around a literal: single unless only they occur in it.
std::string in_quotes(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos;
  const bool has_double = text.find('"') != std::string::npos;
  if (has_single && !has_double) return '"' + text + '"';
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\\';
    out += c;
  }
  return out + '\'';
}

std::string literal_name(const Type& type) {
  std::string out;
  for (const auto& literal : type.literals)
    out += (out.empty() ? "" : ", ") + (type.numbers ? literal : in_quotes(literal));
  return "Literal[" + out + "]";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// Four hexadecimal digits at `at`.
std::optional<std::uint32_t> hex4(std::string_view text, std::size_t at) {
  std::uint32_t code = 0;
  if (at + 4 > text.size()) return std::nullopt;
  const char* const end = text.data() + at + 4;
  const auto [stop, error] = std::from_chars(text.data() + at, end, code, 16);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return code;
}

/// Reads the quoted string that begins at `at`, in Python's or JSON's spelling, and moves `at`
/// behind it.   @return nullopt, with `at` at the fault, if it is not one.
std::optional<std::string> read_quoted(std::string_view text, std::size_t& at) {
  constexpr std::string_view kNames = "\\'\"/nrtbf";
  constexpr std::string_view kMeans = "\\'\"/\n\r\t\b\f";
  const char quote = text[at];
  std::string out;
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      at = i + 1;
      return out;
    }
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const std::size_t backslash = i++;
    if (i == text.size()) break;
    if (const std::size_t name = kNames.find(text[i]); name != std::string_view::npos) {
      out += kMeans[name];
      continue;
    }
    auto code = text[i] == 'u' ? hex4(text, i + 1) : std::nullopt;
    if (code && *code >= 0xd800 && *code < 0xdc00 && text.substr(i + 5).starts_with("\\u")) {
      // A character beyond 16 bits is written as two escapes.
      const auto second = hex4(text, i + 7);
      if (second && *second >= 0xdc00 && *second < 0xe000) {
        code = 0x10000 + ((*code - 0xd800) << 10) + (*second - 0xdc00);
        i += 6;
      }
    }
    if (!code || (*code >= 0xd800 && *code < 0xe000)) {
      at = backslash;
      return std::nullopt;
    }
    append_utf8(out, *code);
    i += 4;
  }
  return std::nullopt;
}

// --- casting ------------------------------------------------------------------------------------

Error unparsable(std::string_view text, const std::string& wanted) {
  return {Fault::kPrompt, "'" + std::string(text) + "' is not " + wanted};
}

std::optional<bool> read_bool(std::string_view text) {
  static const std::array<std::string_view, 7> kTrue = {"true", "yes", "y", "t", "on", "1", "1.0"};
  static const std::array<std::string_view, 7> kFalse = {"false", "no", "n",  "f",
                                                         "off",   "0",  "0.0"};
  const std::string word = lower(text);
  if (std::ranges::find(kTrue, word) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, word) != kFalse.end()) return false;
  return std::nullopt;
}

/// A whole number or decimal, `true` and `false` counting 1 and 0 as they do in Python.
template <typename T>
std::optional<T> read_number(std::string_view text) {
  const std::string word = lower(text);
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

/// The first bracketed list in the text; what stands around it (`Here:`, a code fence) is ignored.
std::optional<std::vector<std::string>> read_list(std::string_view text) {
  std::size_t at = text.find('[');
  if (at == std::string_view::npos) return std::nullopt;
  ++at;
  const auto skip = [&] { at = std::min(text.find_first_not_of(kSpace, at), text.size()); };
  std::vector<std::string> items;
  for (skip(); at < text.size(); skip()) {
    if (text[at] == ']') return items;
    if (text[at] != '\'' && text[at] != '"') return std::nullopt;
    auto item = read_quoted(text, at);
    if (!item) return std::nullopt;
    items.push_back(*std::move(item));
    skip();
    if (at < text.size() && text[at] == ',') {
      ++at;
    } else if (at == text.size() || text[at] != ']') {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// DSPy's parse_value for a Literal: exact, else trimmed, out of `Literal[...]`, out of quotes.
std::optional<std::string> read_literal(const std::vector<std::string>& literals,
                                        std::string_view text) {
  const auto known = [&](std::string_view x) { return std::ranges::find(literals, x); };
  if (const auto it = known(text); it != literals.end()) return *it;
  text = trim(text);
  if ((text.starts_with("Literal[") || text.starts_with("str[")) && text.ends_with(']')) {
    text.remove_prefix(text.find('[') + 1);
    text.remove_suffix(1);
  }
  if (const auto it = known(unquote(text)); it != literals.end()) return *it;
  return std::nullopt;
}

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
    margin = std::min(margin, lines[i].find_first_not_of(kSpace));
  }
  lines[0].erase(0, lines[0].find_first_not_of(kSpace));
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
      word = lower(word);
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
  explicit Parser(std::string_view text) : text_(text) {}

  Signature parse() {
    Signature out;
    out.inputs = fields("an input field", "->");
    if (!take("->")) fail_expected("',' or '->'");
    out.outputs = fields("an output field", "");
    if (text_.substr(at_).starts_with("->")) fail(at_, "a second '->'; a signature has one");
    if (at_ < text_.size()) fail_expected("',' or the end");
    return out;
  }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& message) const {
    // Columns count characters, not bytes.
    const auto column = 1 + std::ranges::count_if(text_.substr(0, at), [](char c) {
                          return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
                        });
    throw UserError("column " + std::to_string(column) + ": " + message);
  }

  [[noreturn]] void fail_expected(const std::string& what) const {
    std::string found = "the end";
    if (text_.substr(at_).starts_with("->")) {
      found = "'->'";
    } else if (at_ < text_.size()) {
      std::size_t end = at_ + 1;
      while (end < text_.size() && is_word(text_[at_]) && is_word(text_[end])) ++end;
      while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xc0U) == 0x80U) ++end;
      found = "'" + std::string(text_.substr(at_, end - at_)) + "'";
    }
    fail(at_, "expected " + what + " but found " + found);
  }

  static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

  void skip_space() { at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size()); }

  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    skip_space();
    return true;
  }

  std::string word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    const std::string out(text_.substr(begin, at_ - begin));
    skip_space();
    return out;
  }

  /// Fields up to the end or to `stop`; a comma may follow the last one, as in Python.
  std::vector<Field> fields(const std::string& what, std::string_view stop) {
    std::vector<Field> out;
    skip_space();
    do {
      const bool ends =
          at_ == text_.size() || (!stop.empty() && text_.substr(at_).starts_with(stop));
      if (ends && !out.empty()) break;
      const std::size_t begin = at_;
      if (ends || !std::isalpha(static_cast<unsigned char>(text_[at_]))) fail_expected(what);
      std::string name = word();
      for (const auto& [seen, is_input] : seen_) {
        if (seen != name) continue;
        const bool both = is_input && stop.empty();
        fail(begin, "'" + name + (both ? "' is both an input and an output" : "' is given twice"));
      }
      seen_.emplace_back(name, !stop.empty());
      out.push_back(make_field(std::move(name), take(":") ? type() : Type{}));
    } while (take(","));
    return out;
  }

  Type type() {
    static const std::vector<std::string> kNames = {"str",  "int",     "float",
                                                    "bool", "Literal", "list"};
    const std::size_t begin = at_;
    if (at_ == text_.size() || !is_word(text_[at_])) fail_expected("a type");
    const std::string name = word();
    const auto known = std::ranges::find(kNames, name);
    if (known == kNames.end()) {
      const auto near = nearest(name, kNames);
      fail(begin, "unknown type '" + name + "'; " +
                      (near ? "did you mean '" + *near + "'?"
                            : "known are str, int, float, bool, Literal['a', 'b'] and list[str]"));
    }
    const auto kind = static_cast<Type::Kind>(known - kNames.begin());
    Type out{kind, {}};
    if (kind == Type::Kind::kList) {
      if (!take("[")) fail_expected("'[str]'");
      const std::size_t item = at_;
      if (word() != "str") fail(item, "a list holds str: list[str]");
      if (!take("]")) fail_expected("']'");
    } else if (kind == Type::Kind::kLiteral) {
      if (!take("[")) fail_expected("'['");
      const std::size_t members = at_;
      do {
        if (!out.literals.empty() && at_ < text_.size() && text_[at_] == ']') break;
        const bool number = at_number();
        if (!out.literals.empty() && number != out.numbers)
          fail(members, "a Literal holds texts or whole numbers, not both");
        out.numbers = number;
        out.literals.push_back(literal(out.literals, number));
      } while (take(","));
      if (!take("]")) fail_expected("',' or ']'");
    }
    return out;
  }

  bool at_number() const {
    const std::string_view digits =
        text_.substr(at_ + (text_.substr(at_).starts_with('-') ? 1 : 0));
    return !digits.empty() && std::isdigit(static_cast<unsigned char>(digits[0]));
  }

  /// A whole number in its one spelling.
  std::optional<std::string> number() {
    const std::size_t begin = at_++;
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == '.')) ++at_;
    const std::string_view text = text_.substr(begin, at_ - begin);
    const auto value = read_int(text);
    if (!value || to_text(*value) != text)
      fail(begin,
           "a Literal holds texts and whole numbers, and '" + std::string(text) + "' is neither");
    return std::string(text);
  }

  std::string literal(const std::vector<std::string>& before, bool is_number) {
    const std::size_t begin = at_;
    if (!is_number && (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"'))) {
      fail_expected("a quoted value or a whole number");
    }
    auto value = is_number ? number() : read_quoted(text_, at_);
    if (!value && at_ == begin) fail(begin, "this quote is never closed");
    if (!value) fail(at_, "unknown escape; write \\\\ for a backslash");
    if (std::ranges::find(before, *value) != before.end()) {
      fail(begin, in_quotes(*value) + " is given twice");
    }
    skip_space();
    return *std::move(value);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::pair<std::string, bool>> seen_;  // names so far; true: an input
};

std::string field_text(const Field& field) {
  Type type = field.type;
  if (type == Type{}) return field.name;
  for (std::string& literal : type.literals) literal = escaped(literal);
  return field.name + ": " + type.name();
}

void require_new(const Signature& signature, const Field& field) {
  if (signature.find(field.name)) {
    throw UserError("the signature already has a field '" + field.name + "'");
  }
}

}  // namespace

std::string Type::name() const {
  switch (kind) {
    case Kind::kStr:
      return "str";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kBool:
      return "bool";
    case Kind::kLiteral:
      return literal_name(*this);
    case Kind::kList:
      return "list[str]";
  }
  throw std::logic_error("unknown kind of type");
}

std::vector<std::string> Type::options() const {
  if (kind == Kind::kBool) return {"True", "False"};
  return literals;
}

Result<Value> Type::cast(std::string_view text) const {
  const std::string_view bare = unquote(trim(text));
  const auto result = [&](auto value, const std::string& wanted) -> Result<Value> {
    if (value) return Value(*std::move(value));
    return unparsable(trim(text), wanted);
  };
  switch (kind) {
    case Kind::kStr:
      return Value(std::string(text));
    case Kind::kInt:
      return result(read_int(bare), "a whole number");
    case Kind::kFloat:
      return result(read_float(bare), "a number");
    case Kind::kBool:
      return result(read_bool(bare), "True or False");
    case Kind::kLiteral: {
      auto one = read_literal(literals, text);
      if (one && numbers) return result(read_int(*one), name());
      return result(std::move(one), "one of " + name());
    }
    case Kind::kList:
      return result(read_list(text), "a list of quoted texts");
  }
  throw std::logic_error("unknown kind of type");
}

Result<Value> Type::read(std::string_view text) const {
  Result<Value> value = cast(text);
  if (!value || kind != Kind::kFloat || same_digits(to_text(*value), trim(text))) return value;
  return Value(std::string(trim(text)));
}

std::string Type::text(const Value& value) const {
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (!list || kind == Kind::kStr) return to_text(value);
  std::string out;
  for (const std::string& item : *list) {
    if (!out.empty()) out += ", ";
    out += nlohmann::json(item).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return "[" + out + "]";
}

Signature Signature::parse(std::string_view text, std::string instructions) {
  return Parser(text).parse().with_instructions(std::move(instructions));
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
  return signature.prepend_output(make_field("reasoning"));
}

}  // namespace theta
