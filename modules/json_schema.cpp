#include "modules/json_schema.hpp"

#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/utf8.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;
using Kind = Type::Kind;

bool is_named(const Type& type) { return !type.title.empty(); }

/// pydantic's title of a member: `nick_name` is `Nick Name`.
std::string title_of(const std::string& member) {
  std::string out;
  bool in_word = false;
  const auto text = icu::UnicodeString::fromUTF8(member);
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 letter = text.char32At(i);
    append_utf8(out, static_cast<std::uint32_t>(in_word ? u_tolower(letter) : u_totitle(letter)));
    in_word = u_isalpha(letter) != 0;
  }
  return std::string(strip(replace_all(out, "_", " ")));
}

/// Whether a member of this type has a title of its own: not where its type is named.
bool has_title(const Type& type) {
  if (type.kind != Kind::kUnion || !type.optional() || type.of.size() > 2) return !is_named(type);
  return std::ranges::none_of(type.of, is_named);
}

/// Builds schemas, and those of the named types that they refer to.
class Schemas {
 public:
  /// @param closed  objects hold their members and nothing else
  explicit Schemas(bool closed) : closed_(closed) {}

  /// The schema of a type where it is used; of a named one it is a reference.
  Json of(const Type& type) {
    if (!is_named(type)) return whole(type);
    if (!named_.contains(type.title)) {
      named_[type.title] = {};  // a type that holds itself would else never end
      named_[type.title] = whole(type);
    }
    return {{"$ref", "#/$defs/" + type.title}};
  }

  /// The schema of a type that is told whole.
  Json whole(const Type& type) {
    switch (type.kind) {
      case Kind::kStr:
        return {{"type", "string"}};
      case Kind::kInt:
        return {{"type", "integer"}};
      case Kind::kFloat:
        return {{"type", "number"}};
      case Kind::kBool:
        return {{"type", "boolean"}};
      case Kind::kNone:
        return {{"type", "null"}};
      case Kind::kAny:
        return Json::object();
      case Kind::kLiteral:
        return literal(type);
      case Kind::kList:
        return {{"type", "array"}, {"items", type.of.empty() ? Json::object() : of(type.of[0])}};
      case Kind::kDict: {
        const bool any = type.of.empty() || type.of[0].kind == Kind::kAny;
        return {{"type", "object"}, {"additionalProperties", any ? Json(true) : of(type.of[0])}};
      }
      case Kind::kUnion: {
        Json alternatives = Json::array();
        for (const Type& each : type.of)
          if (each.kind != Kind::kNone) alternatives.push_back(of(each));
        if (type.optional()) alternatives.push_back({{"type", "null"}});
        return {{"anyOf", std::move(alternatives)}};
      }
      case Kind::kRecord:
        return record(type);
    }
    throw std::logic_error("unknown kind of type");
  }

  const std::map<std::string, Json>& named() const { return named_; }

 private:
  static Json literal(const Type& type) {
    Json out, values = Json::array();
    for (const Value& value : type.literals) values.push_back(json_of(value));
    const auto all = [&](auto is) { return std::ranges::all_of(values, is); };
    if (all([](const Json& one) { return one.is_string(); })) out["type"] = "string";
    if (all([](const Json& one) { return one.is_boolean(); })) out["type"] = "boolean";
    if (all([](const Json& one) { return one.is_number_integer(); })) out["type"] = "integer";
    if (all([](const Json& one) { return one.is_number_float(); })) out["type"] = "number";
    if (values.size() == 1 && !is_named(type))
      out["const"] = values[0];
    else
      out["enum"] = std::move(values);
    if (is_named(type)) out["title"] = type.title;
    return out;
  }

  Json record(const Type& type) {
    Json properties = Json::object();
    for (std::size_t i = 0; i < type.members.size(); ++i) {
      Json member = of(type.of[i]);
      if (has_title(type.of[i])) member["title"] = title_of(type.members[i]);
      properties[type.members[i]] = std::move(member);
    }
    Json out = {{"type", "object"},
                {"properties", std::move(properties)},
                {"required", type.members},
                {"title", type.title}};
    if (closed_) out["additionalProperties"] = false;
    return out;
  }

  const bool closed_;
  std::map<std::string, Json> named_;
};

/// Whether a value of the type may hold members of any name.
bool is_open(const Type& type) {
  return type.kind == Kind::kAny || type.kind == Kind::kDict ||
         (type.kind == Kind::kList && type.of.empty()) || std::ranges::any_of(type.of, is_open);
}

/// The keys of every object in DSPy's order.
Json sorted(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value) out.push_back(sorted(item));
    return out;
  }
  if (!value.is_object()) return value;
  std::map<std::pair<bool, std::string>, Json> members;
  for (const auto& [key, member] : value.items()) members[{key != "type", key}] = sorted(member);
  Json out = Json::object();
  for (auto& [key, member] : members) out[key.second] = std::move(member);
  return out;
}

}  // namespace

std::string json_schema(const Type& type) {
  Schemas schemas(false);
  Json schema = schemas.whole(type);
  for (const auto& [title, named] : schemas.named()) schema["$defs"][title] = named;
  return write_json(sorted(schema));
}

std::string answer_schema(const Signature& signature, std::size_t count) {
  Schemas schemas(true);
  Json properties = Json::object(), required = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    const Field& field = signature.outputs.at(i);
    if (is_open(field.type)) return "";
    properties[field.name] = schemas.of(field.type);
    required.push_back(field.name);
  }
  Json schema = {{"type", "object"},
                 {"properties", std::move(properties)},
                 {"required", std::move(required)},
                 {"additionalProperties", false}};
  for (const auto& [title, named] : schemas.named()) schema["$defs"][title] = named;
  return schema.dump();
}

}  // namespace theta
