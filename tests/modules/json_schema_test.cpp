#include "modules/json_schema.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "modules/adapter.hpp"
#include "tests/support/named_types.hpp"

namespace theta {
namespace {

TEST(AnswerSchema, IsStrictAndInTheOrderOfTheOutputs) {
  auto signature =
      Signature::parse("q -> why, label: Literal['b', 'a'], age: int | None, tags: list[str]");
  const auto adapter = make_adapter({.adapter = "json"});
  EXPECT_EQ(adapter->schema(signature, 2),
            R"({"type":"object","properties":{"why":{"type":"string"},"label":{"type":"string",)"
            R"("enum":["b","a"]}},"required":["why","label"],"additionalProperties":false})");
  EXPECT_NE(adapter->schema(signature, 4).find("null"), std::string::npos);
  EXPECT_EQ(make_adapter({.adapter = "chat"})->schema(signature, 4), "");
}

TEST(AnswerSchema, ClosesEveryObject) {
  const auto signature = Signature::parse(
      "q -> person: Person", "",
      named_types(nlohmann::ordered_json::parse(R"({"Person": {"name": "str", "age": "int"}})")));
  EXPECT_EQ(make_adapter({.adapter = "json"})->schema(signature, 1),
            R"({"type":"object","properties":{"person":{"$ref":"#/$defs/Person"}},)"
            R"("required":["person"],"additionalProperties":false,"$defs":{"Person":{)"
            R"("type":"object","properties":{"name":{"type":"string","title":"Name"},)"
            R"("age":{"type":"integer","title":"Age"}},"required":["name","age"],)"
            R"("title":"Person","additionalProperties":false}}})");
}

TEST(AnswerSchema, IsNoneWhereAValueMayHoldAnything) {
  for (const std::string type : {"dict[str, int]", "Any", "list", "list[Any]"}) {
    const auto signature = Signature::parse("q -> a: " + type);
    EXPECT_EQ(make_adapter({.adapter = "json"})->schema(signature, 1), "") << type;
  }
}

}  // namespace
}  // namespace theta
