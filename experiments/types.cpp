#include "experiments/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// A scalar of a config as the text, number, boolean or null that it is.
Value constant(const Config& value) {
  const std::string text = value.text();
  for (const auto read : {+[](const Config& c) { return Value(c.integer()); },
                          +[](const Config& c) { return Value(c.number()); },
                          +[](const Config& c) { return Value(c.boolean()); }}) {
    try {
      return read(value);
    } catch (const UserError&) {
    }
  }
  return text;
}

/// Reads definitions one after another; each knows those before it.
class Definitions {
 public:
  Types read(const Config& section) {
    for (const auto& [title, definition] : section.entries()) {
      check_title(title, definition);
      Type type = one(title, definition);
      types_.push_back(std::move(type));
    }
    return std::move(types_);
  }

 private:
  void check_title(const std::string& title, const Config& at) const {
    const auto is_word = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    if (title.empty() || std::isdigit(static_cast<unsigned char>(title[0])) ||
        !std::ranges::all_of(title, is_word))
      at.fail("'" + title + "' is no name: letters, digits and underscores");
    constexpr std::array kTaken = {"str",   "int",     "float", "bool",    "list",
                                   "dict",  "List",    "Dict",  "None",    "NoneType",
                                   "Union", "Literal", "Any",   "Optional"};
    if (std::ranges::find(kTaken, title) != kTaken.end() ||
        std::ranges::find(types_, title, &Type::title) != types_.end())
      at.fail("there is a type '" + title + "' already");
  }

  Type one(const std::string& title, const Config& definition) {
    if (definition.is_sequence()) return enum_of(title, definition);
    if (!definition.is_map())
      definition.fail("a type is a list of values, or a mapping of members to their types");
    if (is_schema(definition)) {
      Type type = of_schema(title, definition);
      if (type.kind != Type::Kind::kRecord && type.kind != Type::Kind::kLiteral)
        definition.fail("a schema that is named is an object with properties, or an enum");
      return type;
    }
    return record_of(title, definition.entries(),
                     [this](const std::string&, const Config& at) { return annotation(at); });
  }

  Type annotation(const Config& at) const {
    try {
      return parse_type(at.text(), types_);
    } catch (const UserError& e) {
      at.fail(e.what());
    }
  }

  static Type enum_of(const std::string& title, const Config& values) {
    Type type{Type::Kind::kLiteral, {}};
    type.title = title;
    for (const Config& value : values.items()) {
      Value one = constant(value);
      const auto same = [&](const Value& seen) { return to_text(seen) == to_text(one); };
      if (std::ranges::any_of(type.literals, same))
        value.fail("'" + to_text(one) + "' is given twice");
      type.literals.push_back(std::move(one));
    }
    if (type.literals.empty()) values.fail("an enum has at least one value");
    return type;
  }

  template <typename Read>
  static Type record_of(const std::string& title,
                        const std::vector<std::pair<std::string, Config>>& members,
                        const Read& read) {
    Type type{Type::Kind::kRecord, {}};
    type.title = title;
    for (const auto& [name, member] : members) {
      type.members.push_back(name);
      type.of.push_back(read(name, member));
    }
    return type;
  }

  // --- JSON Schema ---

  static bool is_schema(const Config& definition) {
    constexpr std::array kTypes = {"object", "array", "string", "integer", "number", "boolean"};
    if (const auto properties = definition.find("properties"); properties && properties->is_map())
      return true;
    if (const auto values = definition.find("enum"); values && values->is_sequence()) return true;
    const auto type = definition.find("type");
    return type && type->is_scalar() && std::ranges::find(kTypes, type->text()) != kTypes.end();
  }

  /// @param title  of what it defines: an object or an enum without a `title` of its own
  Type of_schema(const std::string& title, const Config& schema) {
    for (const char* told : {"title", "description", "$schema", "required", "additionalProperties"})
      (void)schema.find(told);
    if (const auto reference = schema.find("$ref")) return referred(*reference);
    for (const char* either : {"anyOf", "oneOf"})
      if (const auto all = schema.find(either)) return union_of(title, *all);
    if (const auto values = schema.find("enum")) {
      (void)schema.find("type");
      return enum_of(title, *values);
    }
    const std::string type = schema.choice(
        "type", {"object", "array", "string", "integer", "number", "boolean", "null"}, "object");
    if (type == "string") return {Type::Kind::kStr, {}};
    if (type == "integer") return {Type::Kind::kInt, {}};
    if (type == "number") return {Type::Kind::kFloat, {}};
    if (type == "boolean") return {Type::Kind::kBool, {}};
    if (type == "null") return {Type::Kind::kNone, {}};
    if (type == "array") {
      Type list{Type::Kind::kList, {}};
      if (const auto items = schema.find("items")) list.of = {of_schema(title + "Item", *items)};
      return list;
    }
    if (const auto properties = schema.find("properties"))
      return object(title, schema, *properties);
    Type dict{Type::Kind::kDict, {}};
    const auto values = schema.find("additionalProperties");
    if (values && values->is_map()) dict.of = {of_schema(title + "Value", *values)};
    return dict;
  }

  Type object(const std::string& title, const Config& schema, const Config& properties) {
    const auto required = schema.texts("required");
    return record_of(
        title, properties.entries(), [&](const std::string& name, const Config& member) {
          Type type = of_schema(title + "_" + name, member);
          const bool has_to_be =
              !schema.find("required") || std::ranges::find(required, name) != required.end();
          if (has_to_be || type.optional()) return type;
          Type out{Type::Kind::kUnion, {}};
          out.of = type.kind == Type::Kind::kUnion ? std::move(type.of) : std::vector{type};
          out.of.push_back({Type::Kind::kNone, {}});
          return out;
        });
  }

  Type referred(const Config& reference) const {
    const std::string path = reference.text();
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto found = std::ranges::find(types_, name, &Type::title);
    if (found == types_.end()) reference.fail("there is no type '" + name + "' above this one");
    return *found;
  }

  Type union_of(const std::string& title, const Config& all) {
    Type out{Type::Kind::kUnion, {}};
    for (const Config& each : all.items()) out.of.push_back(of_schema(title, each));
    if (out.of.empty()) all.fail("it has no alternatives");
    return out.of.size() == 1 ? Type(out.of.front()) : out;
  }

  Types types_;
};

void collect(const Type& type, Types& found) {
  for (const Type& part : type.of) collect(part, found);
  if (type.title.empty() || std::ranges::find(found, type.title, &Type::title) != found.end())
    return;
  found.push_back(type);
}

}  // namespace

Types read_types(const Config& root) {
  const auto section = root.find("types");
  return section ? Definitions().read(*section) : Types{};
}

std::string types_json(const Signature& signature) {
  Types found;
  for (const auto* fields : {&signature.inputs, &signature.outputs})
    for (const Field& field : *fields) collect(field.type, found);
  Json out = Json::object();
  for (const Type& type : found) {
    Json& definition = out[type.title];
    for (const Value& value : type.literals) definition.push_back(json_of(value));
    for (std::size_t i = 0; i < type.members.size(); ++i)
      definition[type.members[i]] = type.of[i].annotation();
  }
  return write_json(out);
}

}  // namespace theta
