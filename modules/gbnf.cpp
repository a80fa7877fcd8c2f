#include "modules/gbnf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "modules/text.hpp"

namespace theta::gbnf {
namespace {

constexpr const char* kText = R"("\"" chars "\"")";

/// The break before a line that is indented by `more` levels than `depth`; empty on one line.
std::string line(int depth, int more) {
  if (depth < 0) return "";
  return "\n" + std::string(2 * static_cast<std::size_t>(depth + more), ' ');
}

/// What stands between two items.
std::string between(int depth) { return depth < 0 ? ", " : "," + line(depth, 1); }

/// Any number of items in brackets.
std::string series(const std::string& open, const std::string& item, const std::string& close,
                   int depth) {
  const auto at = [&](const std::string& text) { return text.empty() ? "" : literal(text) + " "; };
  return literal(open) + " ( " + at(line(depth, 1)) + item + " ( " + literal(between(depth)) + " " +
         item + " )* " + at(line(depth, 0)) + ")? " + literal(close);
}

template <typename Write>
std::string any_of(const std::vector<Type>& types, const Write& write) {
  std::vector<std::string> all;
  for (const Type& type : types) all.push_back(write(type));
  return "( " + join(all, " | ") + " )";
}

}  // namespace

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02X}", c);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string one_of(const std::vector<std::string>& texts) {
  std::vector<std::string> literals;
  for (const std::string& text : texts) literals.push_back(literal(text));
  return "( " + join(literals, " | ") + " )";
}

std::string value(const Type& type) {
  switch (type.kind) {
    case Type::Kind::kInt:
      return std::string(kInteger);
    case Type::Kind::kFloat:
      return std::string(kNumber);
    case Type::Kind::kBool:
    case Type::Kind::kLiteral:
      return one_of(type.options());
    case Type::Kind::kList:
    case Type::Kind::kDict:
    case Type::Kind::kRecord:
      return json(type);
    case Type::Kind::kNone:
      return literal("None");
    case Type::Kind::kUnion:
      if (const auto text = [](const Type& each) { return each.kind == Type::Kind::kStr; };
          std::ranges::none_of(type.of, text))
        return any_of(type.of, value);
      break;
    case Type::Kind::kAny:
    case Type::Kind::kStr:
      break;
  }
  return "text";
}

std::string json(const Type& type, int depth) {
  const auto inner = [&](const Type& each) { return json(each, depth < 0 ? depth : depth + 1); };
  switch (type.kind) {
    case Type::Kind::kStr:
      return kText;
    case Type::Kind::kInt:
      return std::string(kInteger);
    case Type::Kind::kFloat:
      return std::string(kNumber);
    case Type::Kind::kBool:
      return one_of({"true", "false"});
    case Type::Kind::kNone:
      return literal("null");
    case Type::Kind::kAny:
      return "json";
    case Type::Kind::kUnion:
      return any_of(type.of, [&](const Type& each) { return json(each, depth); });
    case Type::Kind::kLiteral: {
      std::vector<std::string> texts;
      for (const Value& value : type.literals) texts.push_back(write_json(json_of(value)));
      return one_of(texts);
    }
    case Type::Kind::kList:
      return series("[", type.of.empty() ? "json" : inner(type.of[0]), "]", depth);
    case Type::Kind::kDict:
      return series("{", R"("\"" chars "\": " )" + (type.of.empty() ? "json" : inner(type.of[0])),
                    "}", depth);
    case Type::Kind::kRecord: {
      std::string out;
      for (std::size_t i = 0; i < type.members.size(); ++i) {
        const std::string before = i == 0 ? "{" + line(depth, 1) : between(depth);
        out +=
            literal(before + json_quoted(type.members[i]) + ": ") + " " + inner(type.of[i]) + " ";
      }
      return out + literal(line(depth, 0) + "}");
    }
  }
  throw std::logic_error("unknown kind of type");
}

}  // namespace theta::gbnf
