#include "core/json_repair.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/rng.hpp"

// What json_repair of DSPy reads likewise: tests/modules/answer_golden_test.cpp.

namespace theta {
namespace {

std::string repaired(std::string_view text, std::string_view opening = "[{") {
  const auto json = repaired_json(text, opening);
  return json ? write_json(*json) : "none";
}

TEST(RepairedJson, ReadsJsonAsItIs) {
  EXPECT_EQ(repaired(R"({"a": [1, 2.50, "x\u00e9"], "b": {"c": null}})"),
            R"({"a": [1, 2.5, "xé"], "b": {"c": null}})");
  EXPECT_EQ(repaired("{\"n\": 12345678901234567890123}"), "{\"n\": 12345678901234567890123}");
}

TEST(RepairedJson, ReadsWhatTheLibraryOfPythonReadsWorse) {
  EXPECT_EQ(repaired("{\"a\" 1}"), "{\"a\": 1}");
  EXPECT_EQ(repaired("['it's', 'b']"), "[\"it's\", \"b\"]");
  EXPECT_EQ(repaired("{\"a\": \"b\" // \"c\"\n}"), "{\"a\": \"b\"}");
  EXPECT_EQ(repaired("{\"a\": `b`}"), "{\"a\": \"b\"}");
  EXPECT_EQ(repaired("{\"a\": \"He said \"no\", then left.\", \"b\": 1}"),
            "{\"a\": \"He said \\\"no\\\", then left.\", \"b\": 1}");
  EXPECT_EQ(repaired("{\"a\": \"One, two, thr"), "{\"a\": \"One, two, thr\"}");
  EXPECT_EQ(repaired("{\"a\": [\"x\", \"y z]}"), "{\"a\": [\"x\", \"y z\"]}");
}

TEST(RepairedJson, BeginsAtTheBracketThatIsAskedFor) {
  EXPECT_EQ(repaired("[see] {\"a\": 1}", "{"), "{\"a\": 1}");
  EXPECT_EQ(repaired("no brackets"), "none");
  EXPECT_EQ(repaired("[1]", "{"), "none");
}

TEST(RepairedJson, EndsWithAnyText) {
  const std::string marks = "{}[]()\"'`,:;=\\/#* \n\tab1.-u";
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    Rng rng(seed);
    std::string text = "{";
    for (std::size_t n = rng.below(24); n > 0; --n) text += marks[rng.below(marks.size())];
    const auto json = repaired_json(text);
    ASSERT_TRUE(json) << text;
    EXPECT_NO_THROW(parse_json(write_json(*json))) << text;
  }
  EXPECT_EQ(repaired(std::string(5000, '[')).substr(0, 3), "[[[");
}

}  // namespace
}  // namespace theta
