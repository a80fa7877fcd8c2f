#include "core/json_value.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace theta {
namespace {

std::string again(std::string_view text, JsonStyle style = JsonStyle::kSpaced) {
  return write_json(parse_json(text), style);
}

TEST(ParseJson, KeepsEveryDigitOfANumber) {
  for (const std::string number :
       {"0", "-7", "9223372036854775807", "9223372036854775808", "18446744073709551616",
        "-9223372036854775809", "12345678901234567890123", "100000000000000000000", "0.5",
        "0.1234567890123456789", "3.14159265358979323846"})
    EXPECT_EQ(again(number), number);
}

TEST(ParseJson, LeavesFloatsThatADoubleHoldsToPythonsSpelling) {
  EXPECT_EQ(again("[0.10, 1e2, 1.0, -0.0, 1e22, 1234567890123456.0]"),
            "[0.1, 100.0, 1.0, -0.0, 1e+22, 1234567890123456.0]");
}

TEST(ParseJson, ThrowsWhatTheLibraryThrows) {
  EXPECT_THROW(parse_json("{\"a\": }"), nlohmann::json::parse_error);
  EXPECT_THROW(parse_json("[1e400]"), nlohmann::json::out_of_range);
  EXPECT_THROW(parse_json(""), nlohmann::json::parse_error);
}

TEST(ParseJson, TakesTheLastOfEqualKeysAsPythonDoes) {
  EXPECT_EQ(again(R"({"a": 1, "b": 2, "a": 3})"), R"({"a": 3, "b": 2})");
}

TEST(WriteJson, WritesAsPythonDoes) {
  const std::string json = R"({"a": [1, {"é": null}, []], "b\t\"": true, "c": {}})";
  EXPECT_EQ(again(json), json);
  EXPECT_EQ(again(json, JsonStyle::kCompact), R"({"a":[1,{"é":null},[]],"b\t\"":true,"c":{}})");
  EXPECT_EQ(again(json, JsonStyle::kIndented), R"({
  "a": [
    1,
    {
      "é": null
    },
    []
  ],
  "b\t\"": true,
  "c": {}
})");
}

TEST(ValueOf, HoldsEveryJsonAndGivesItBack) {
  const std::vector<std::pair<std::string, Value>> cases = {
      {R"("a")", "a"},
      {"true", true},
      {"-3", std::int64_t{-3}},
      {"0.5", 0.5},
      {R"(["a", "b"])", std::vector<std::string>{"a", "b"}},
      {"[]", std::vector<std::string>{}},
      {"null", JsonValue{"null"}},
      {"18446744073709551615", JsonValue{"18446744073709551615"}},
      {"12345678901234567890123", JsonValue{"12345678901234567890123"}},
      {R"([1, "a"])", JsonValue{R"([1, "a"])"}},
      {R"({"a": [12345678901234567890123]})", JsonValue{R"({"a": [12345678901234567890123]})"}}};
  for (const auto& [json, value] : cases) {
    EXPECT_EQ(value_of(parse_json(json)), value) << json;
    EXPECT_EQ(write_json(json_of(value)), json);
  }
}

TEST(SameDigits, IgnoresHowANumberIsWritten) {
  EXPECT_TRUE(same_digits("0.50", "5e-1"));
  EXPECT_TRUE(same_digits("-100", "1e2"));
  EXPECT_TRUE(same_digits("0.000", "0"));
  EXPECT_FALSE(same_digits("0.12", "0.123"));
  EXPECT_FALSE(same_digits("101", "11"));
}

}  // namespace
}  // namespace theta
