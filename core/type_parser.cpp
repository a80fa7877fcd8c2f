#include "core/type_parser.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json_value.hpp"
#include "core/nearest.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

constexpr const char* kKnown =
    "known are str, int, float, bool, Any, Literal['a', 'b'], list[str], dict[str, int], "
    "Optional[str], and what `types:` names";

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

class TypeReader {
 public:
  TypeReader(TextCursor& cursor, const Types& named) : at_(cursor), named_(named) {}

  /// Alternatives that `|` parts.
  Type read() {
    Type first = one();
    if (!at_.sees("|")) return first;
    std::vector<Type> alternatives{std::move(first)};
    while (at_.take("|")) alternatives.push_back(one());
    return union_of(std::move(alternatives));
  }

 private:
  /// Flat and each alternative once, as Python has it.
  static Type union_of(std::vector<Type> alternatives) {
    Type out{Type::Kind::kUnion, {}};
    for (Type& each : alternatives) {
      const auto add = [&](Type type) {
        if (std::ranges::find(out.of, type) == out.of.end()) out.of.push_back(std::move(type));
      };
      if (each.kind == Type::Kind::kUnion)
        std::ranges::for_each(each.of, add);
      else
        add(std::move(each));
    }
    if (out.of.size() > 1) return out;
    return Type(std::move(out.of.front()));
  }

  Type one() {
    const std::size_t begin = at_.at();
    if (!at_.sees_word()) at_.fail_expected("a type");
    const std::string name = at_.word();
    const auto titled = std::ranges::find(named_, name, &Type::title);
    if (titled != named_.end()) return *titled;
    if (name == "str") return {Type::Kind::kStr, {}};
    if (name == "int") return {Type::Kind::kInt, {}};
    if (name == "float") return {Type::Kind::kFloat, {}};
    if (name == "bool") return {Type::Kind::kBool, {}};
    if (name == "Any") return {Type::Kind::kAny, {}};
    if (name == "None" || name == "NoneType") return {Type::Kind::kNone, {}};
    if (name == "Literal") return literal();
    if (name == "list" || name == "List") return list();
    if (name == "dict" || name == "Dict") return dict();
    if (name == "Optional" || name == "Union") return alternatives(name == "Optional");
    std::vector<std::string> known = {"str",     "int",  "float", "bool",     "Any",  "None",
                                      "Literal", "list", "dict",  "Optional", "Union"};
    for (const Type& type : named_) known.push_back(type.title);
    const auto near = nearest(name, known);
    at_.fail(begin, "unknown type '" + name + "'; " +
                        (near ? "did you mean '" + *near + "'?" : std::string(kKnown)));
  }

  void expect(std::string_view token, const std::string& what) {
    if (!at_.take(token)) at_.fail_expected(what);
  }

  Type list() {
    Type out{Type::Kind::kList, {}};
    if (!at_.take("[")) return out;
    out.of = {read()};
    expect("]", "']'");
    return out;
  }

  Type dict() {
    Type out{Type::Kind::kDict, {}};
    if (!at_.take("[")) return out;
    const std::size_t key = at_.at();
    if (read() != Type{}) at_.fail(key, "the keys of a dict are texts: dict[str, ..]");
    expect(",", "',' and the type of the values");
    out.of = {read()};
    expect("]", "']'");
    return out;
  }

  Type alternatives(bool optional) {
    expect("[", "'['");
    std::vector<Type> out;
    do {
      out.push_back(read());
    } while (!optional && at_.take(","));
    expect("]", optional ? "']'" : "',' or ']'");
    if (optional) out.push_back({Type::Kind::kNone, {}});
    return union_of(std::move(out));
  }

  Type literal() {
    Type out{Type::Kind::kLiteral, {}};
    expect("[", "'['");
    do {
      if (!out.literals.empty() && at_.sees("]")) break;
      const std::size_t begin = at_.at();
      Value value = member();
      const auto same = [&](const Value& seen) { return to_text(seen) == to_text(value); };
      if (std::ranges::any_of(out.literals, same))
        at_.fail(begin, "'" + to_text(value) + "' is given twice");
      out.literals.push_back(std::move(value));
    } while (at_.take(","));
    expect("]", "',' or ']'");
    return out;
  }

  /// A member of a Literal.
  Value member() {
    if (at_.sees("'") || at_.sees("\"")) return quoted();
    const std::string_view rest = at_.rest();
    if (rest.empty() || (!at_.sees_word() && rest[0] != '-'))
      at_.fail_expected("a quoted value or a number");
    const std::size_t begin = at_.at();
    const std::string word(rest.substr(0, rest.find_first_of(" \t\r\n,]")));
    at_.move_to(begin + word.size());
    if (word == "True" || word == "False") return word == "True";
    if (word == "None") return JsonValue{"null"};
    if (auto number = parsed_number(word); number && to_text(*number) == word) return *number;
    at_.fail(begin, "a Literal holds texts, numbers, True, False and None, and '" + word +
                        "' is none of them");
  }

  static std::optional<Value> parsed_number(const std::string& word) {
    if (word.find_first_of("0123456789") == std::string::npos) return std::nullopt;
    try {
      return value_of(parse_json(word));
    } catch (const nlohmann::json::exception&) {
      return std::nullopt;
    }
  }

  Value quoted() {
    const std::size_t begin = at_.at();
    std::size_t end = begin;
    auto value = read_quoted(at_.text(), end);
    if (!value && end == begin) at_.fail(begin, "this quote is never closed");
    if (!value) at_.fail(end, "unknown escape; write \\\\ for a backslash");
    at_.move_to(end);
    return *std::move(value);
  }

  TextCursor& at_;
  const Types& named_;
};

}  // namespace

Type read_type(TextCursor& cursor, const Types& named) { return TypeReader(cursor, named).read(); }

Type parse_type(std::string_view text, const Types& named) {
  TextCursor cursor(text);
  Type type = read_type(cursor, named);
  if (!cursor.at_end()) cursor.fail_expected("the end");
  return type;
}

}  // namespace theta
