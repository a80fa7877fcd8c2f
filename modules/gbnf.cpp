#include "modules/gbnf.hpp"

#include <fmt/format.h>

#include "modules/text.hpp"

namespace theta::gbnf {

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
      return "list";
    case Type::Kind::kStr:
      break;
  }
  return "text";
}

}  // namespace theta::gbnf
