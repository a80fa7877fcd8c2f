#pragma once

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/type.hpp"

namespace theta {

/// The types of a golden file: `{Mood: [good, bad], Person: {name: str, mood: Mood}}`.
inline Types named_types(const nlohmann::ordered_json& definitions) {
  Types types;
  for (const auto& [title, definition] : definitions.items()) {
    Type type;
    type.title = title;
    type.kind = definition.is_array() ? Type::Kind::kLiteral : Type::Kind::kRecord;
    for (const auto& [key, part] : definition.items()) {
      if (definition.is_array()) {
        type.literals.push_back(value_of(part));
      } else {
        type.members.push_back(key);
        type.of.push_back(parse_type(part.get<std::string>(), types));
      }
    }
    types.push_back(std::move(type));
  }
  return types;
}

}  // namespace theta
