#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/json_repair.hpp"
#include "core/json_value.hpp"
#include "core/type.hpp"
#include "tests/support/named_types.hpp"
#include "tests/support/places.hpp"

// tests/golden/dspy_answers.json: scripts/golden_dspy.py.

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

Json golden() {
  std::ifstream file(source_dir() + "/tests/golden/dspy_answers.json");
  return Json::parse(file);
}

TEST(AnswerGolden, RepairsJsonAsDspyDoes) {
  for (const Json& one : golden().at("repaired")) {
    const auto text = one.at(0).get<std::string>();
    const auto json = repaired_json(text);
    EXPECT_EQ(json ? write_json(*json) : "none", write_json(one.at(1))) << text;
  }
}

TEST(AnswerGolden, ReadsAnswersOfEveryTypeAsDspyDoes) {
  const Json cases = golden();
  const Types named = named_types(cases.at("types"));
  for (const Json& one : cases.at("read")) {
    const auto type = one.at(0).get<std::string>(), text = one.at(1).get<std::string>();
    const auto value = parse_type(type, named).cast(text);
    const std::string expected =
        one.at(2).is_string() ? "error" : write_json(one.at(2).at("value"));
    // A member that may be None is None where it is missing: laxer than pydantic.
    EXPECT_EQ(value ? write_json(json_of(*value)) : "error", expected) << type << ": " << text;
  }
}

}  // namespace
}  // namespace theta
