#include "core/type.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "tests/support/message_of.hpp"

// What DSPy reads of answers of every type: tests/modules/answer_golden_test.cpp.

namespace theta {
namespace {

const Types& named() {
  static const Types types = [] {
    const Type mood{Type::Kind::kLiteral, {"good", "bad"}, {}, {}, "Mood"};
    const Type person{Type::Kind::kRecord,
                      {},
                      {Type{}, parse_type("int"), parse_type("Mood | None", {mood})},
                      {"name", "age", "mood"},
                      "Person"};
    return Types{mood, person};
  }();
  return types;
}

/// The cast value as text, or the message of the error.
std::string cast(const std::string& type, std::string_view answer) {
  const auto result = parse_type(type, named()).cast(answer);
  return result ? to_text(*result) : "error: " + result.error().message;
}

TEST(Type, ReadsWhatASignatureWrites) {
  for (const char* text : {"str",
                           "int",
                           "float",
                           "bool",
                           "Any",
                           "None",
                           "list",
                           "list[int]",
                           "list[list[str]]",
                           "dict",
                           "dict[str, int]",
                           "dict[str, list[float]]",
                           "str | None",
                           "int | str | None",
                           "list[int | None]",
                           "Literal['a', 1, -2, 1.5, True, None]",
                           "Literal[\"it's\", 'a\\nb']",
                           "Mood",
                           "list[Person]",
                           "Person | None"}) {
    EXPECT_EQ(parse_type(text, named()).annotation(), text);
  }
}

TEST(Type, ReadsThePythonOfUnions) {
  for (const char* text : {"Optional[str]", "Union[str, None]", "str|None|str", "Union[str | None]",
                           "Optional[Union[str, None]]"})
    EXPECT_EQ(parse_type(text), parse_type("str | None")) << text;
  EXPECT_EQ(parse_type("Union[str]"), Type{});
  EXPECT_EQ(parse_type("List[str]"), parse_type("list[str]"));
}

TEST(Type, PointsAtWhatItCannotRead) {
  const auto error = [](std::string_view text) {
    return message_of<UserError>([&] { parse_type(text, named()); });
  };
  EXPECT_EQ(error("list[int"), "column 9: expected ']' but found the end");
  EXPECT_EQ(error("list[int]]"), "column 10: expected the end but found ']'");
  EXPECT_EQ(error("list[Persn]"), "column 6: unknown type 'Persn'; did you mean 'Person'?");
  EXPECT_EQ(error("Literal['1', 1]"), "column 14: '1' is given twice");
}

TEST(Type, NamesWhatIsWrongInAnAnswer) {
  EXPECT_EQ(cast("list[int]", "[1, 'x']"), "error: [1]: 'x' is not a whole number");
  EXPECT_EQ(cast("list[int]", "none"), "error: 'none' is not list[int]");
  EXPECT_EQ(cast("list[Literal['red', 'blue']]", "[red, mauve]"),
            "error: [1]: 'mauve' is not one of Literal['red', 'blue']");
  EXPECT_EQ(cast("dict[str, int]", "{a: b}"), "error: [\"a\"]: 'b' is not a whole number");
  EXPECT_EQ(cast("Person", "[]"), "error: [] is not Person");
  EXPECT_EQ(cast("Person", "{name: Ann}"), "error: age: it is missing");
  EXPECT_EQ(cast("list[Person]", "[{name: Ann, age: old}]"),
            "error: [0].age: 'old' is not a whole number");
  EXPECT_EQ(cast("Person", "{name: Ann, age: 3, mood: so so}"),
            "error: mood: 'so so' is not Union[Mood, NoneType]");
  EXPECT_EQ(cast("int | None", "many"), "error: 'many' is not Union[int, NoneType]");
  EXPECT_EQ(cast("Mood", "so so"), "error: 'so so' is not one of Literal['good', 'bad']");
}

TEST(Type, TakesAMissingMemberThatMayBeNoneForNone) {
  EXPECT_EQ(cast("Person", "{name: Ann, age: 3}"),
            "{\"name\": \"Ann\", \"age\": 3, \"mood\": null}");
}

TEST(Type, KeepsEveryDigitOfANumberInAList) {
  EXPECT_EQ(cast("list[int]", "[12345678901234567890123]"), "[12345678901234567890123]");
}

TEST(Type, CastsJsonByWhatItHolds) {
  const auto cast_json = [](const std::string& type, const std::string& json) {
    const auto value = parse_type(type, named()).cast_json(parse_json(json));
    return value ? to_text(*value) : "error: " + value.error().message;
  };
  EXPECT_EQ(cast_json("str", "3"), "3");
  EXPECT_EQ(cast_json("str", "null"), "error: null is not a text");
  EXPECT_EQ(cast_json("str", "[1]"), "error: [1] is not a text");
  EXPECT_EQ(cast_json("int", "\"3\""), "3");
  EXPECT_EQ(cast_json("list[int]", "\"[1,]\""), "[1]");
  EXPECT_EQ(cast_json("str | None", "null"), "None");
  EXPECT_EQ(cast_json("int | str", "\"3\""), "3");
  EXPECT_EQ(parse_type("int | str").cast_json("3").operator*(), Value("3"));
  EXPECT_EQ(cast_json("Mood", "\"good\""), "good");
}

TEST(Type, ShowsListsAndObjectsAsJson) {
  EXPECT_EQ(parse_type("list[int]").text(JsonValue{"[1, 2]"}), "[1, 2]");
  EXPECT_EQ(parse_type("list").text(std::vector<std::string>{"a"}), "[\"a\"]");
  EXPECT_EQ(parse_type("str | None").text(JsonValue{"null"}), "None");
}

}  // namespace
}  // namespace theta
