#include "core/type.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"

namespace theta {
namespace {

using Kind = Type::Kind;

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

/// With the escapes of what a quoted text cannot hold as it is.
std::string escaped(const std::string& text) {
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

template <typename List, typename Write>
std::string joined(const List& list, std::string_view separator, const Write& write) {
  std::string out;
  for (const auto& each : list) {
    if (!out.empty()) out += separator;
    out += write(each);
  }
  return out;
}

/// @param escapes  for a signature: literals as they read back, and unions with `|`
std::string written(const Type& type, bool escapes) {
  const auto inner = [&](const Type& each) { return written(each, escapes); };
  switch (type.kind) {
    case Kind::kStr:
      return "str";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kBool:
      return "bool";
    case Kind::kAny:
      return "Any";
    case Kind::kNone:
      return escapes ? "None" : "NoneType";
    case Kind::kRecord:
      return type.title;
    case Kind::kList:
      return type.of.empty() ? "list" : "list[" + inner(type.of[0]) + "]";
    case Kind::kDict:
      return type.of.empty() ? "dict" : "dict[str, " + inner(type.of[0]) + "]";
    case Kind::kUnion:
      return escapes ? joined(type.of, " | ", inner)
                     : "Union[" + joined(type.of, ", ", inner) + "]";
    case Kind::kLiteral: {
      if (!type.title.empty()) return type.title;
      const auto literal = [&](const Value& value) {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) return to_text(value);
        return in_quotes(escapes ? escaped(*text) : *text);
      };
      return "Literal[" + joined(type.literals, ", ", literal) + "]";
    }
  }
  throw std::logic_error("unknown kind of type");
}

}  // namespace

std::string Type::name() const { return written(*this, false); }

std::string Type::annotation() const { return written(*this, true); }

std::vector<std::string> Type::options() const {
  if (kind == Kind::kBool) return {"True", "False"};
  std::vector<std::string> out;
  for (const Value& literal : literals) out.push_back(to_text(literal));
  return out;
}

bool Type::optional() const {
  return kind == Kind::kNone ||
         (kind == Kind::kUnion && std::ranges::find(of, Kind::kNone, &Type::kind) != of.end());
}

bool Type::structured() const {
  return kind == Kind::kList || kind == Kind::kDict || kind == Kind::kRecord;
}

std::string Type::text(const Value& value) const {
  const bool list = std::holds_alternative<std::vector<std::string>>(value);
  return list && kind != Kind::kStr ? write_json(json_of(value)) : to_text(value);
}

}  // namespace theta
