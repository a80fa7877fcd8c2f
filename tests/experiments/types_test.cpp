#include "experiments/types.hpp"

#include <gtest/gtest.h>

#include "tests/support/message_of.hpp"

namespace theta {
namespace {

Types read(const std::string& yaml) { return read_types(Config::parse(yaml, "c.yaml")); }

std::string error_of(const std::string& yaml) {
  return message_of<UserError>([&] { read(yaml); });
}

TEST(Types, AreEnumsAndRecordsOfThoseAbove) {
  const Types types = read(
      "types:\n"
      "  Mood: [good, bad]\n"
      "  Level: [1, 2.5, true, '3']\n"
      "  Person: {name: str, mood: Mood | None, tags: 'list[str]'}\n"
      "  Team: {lead: Person, people: 'list[Person]'}\n");
  ASSERT_EQ(types.size(), 4U);
  EXPECT_EQ(types[0].options(), (std::vector<std::string>{"good", "bad"}));
  EXPECT_EQ(types[1].literals, (std::vector<Value>{std::int64_t{1}, 2.5, true, "3"}));
  EXPECT_EQ(types[2].members, (std::vector<std::string>{"name", "mood", "tags"}));
  EXPECT_EQ(types[2].of[1].annotation(), "Mood | None");
  EXPECT_EQ(types[3].of[0], types[2]);
  EXPECT_TRUE(read("name: x").empty());
}

TEST(Types, AreReadOfJsonSchema) {
  const Types types = read(R"({"types": {
    "Mood": {"type": "string", "enum": ["good", "bad"]},
    "Person": {"type": "object", "title": "A person", "required": ["name", "home", "tags"],
      "properties": {
        "name": {"type": "string", "description": "in full"},
        "age": {"type": "integer"},
        "mood": {"$ref": "#/$defs/Mood"},
        "home": {"type": "object", "properties": {"street": {"type": "string"}}},
        "tags": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "scores": {"type": "object", "additionalProperties": {"type": "number"}}}}}})");
  ASSERT_EQ(types.size(), 2U);
  const Type& person = types[1];
  std::string members;
  for (std::size_t i = 0; i < person.members.size(); ++i)
    members += person.members[i] + ": " + person.of[i].annotation() + "\n";
  EXPECT_EQ(members,
            "name: str\nage: int | None\nmood: Mood | None\nhome: Person_home\n"
            "tags: list[str | None]\nscores: dict[str, float] | None\n");
}

TEST(Types, PointAtWhatCannotBeRead) {
  EXPECT_EQ(error_of("types: {Mood: []}"), "c.yaml:1:15: an enum has at least one value");
  EXPECT_EQ(error_of("types: {Mood: [a, a]}"), "c.yaml:1:19: 'a' is given twice");
  EXPECT_EQ(error_of("types: {Mood: good}"),
            "c.yaml:1:15: a type is a list of values, or a mapping of members to their types");
  EXPECT_EQ(error_of("types: {str: [a]}"), "c.yaml:1:14: there is a type 'str' already");
  EXPECT_EQ(error_of("types: {A b: [a]}"),
            "c.yaml:1:14: 'A b' is no name: letters, digits and underscores");
  EXPECT_EQ(error_of("types: {Person: {mood: Mod}, Mood: [good]}"),
            "c.yaml:1:24: column 1: unknown type 'Mod'; known are str, int, float, bool, Any, "
            "Literal['a', 'b'], list[str], dict[str, int], Optional[str], and what `types:` names");
  EXPECT_EQ(error_of("types: {P: {type: object, properties: {m: {$ref: '#/$defs/Mood'}}}}"),
            "c.yaml:1:50: there is no type 'Mood' above this one");
}

TEST(Types, OfASignatureAreWrittenSoThatTheyReadBack) {
  const Types types =
      read("types: {Mood: [good, 1], Person: {name: str, mood: Mood | None}, Other: [x]}");
  const Signature signature = Signature::parse("text -> people: list[Person]", "", types);
  EXPECT_EQ(types_json(signature),
            R"({"Mood": ["good", 1], "Person": {"name": "str", "mood": "Mood | None"}})");
  const Types back = read("{\"types\": " + types_json(signature) + "}");
  EXPECT_EQ(Signature::parse(signature.text(), "", back), signature);
}

}  // namespace
}  // namespace theta
