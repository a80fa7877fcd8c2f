#include "core/value.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/result.hpp"
#include "core/rng.hpp"

namespace theta {
namespace {

using Texts = std::vector<std::string>;

// Expected texts: dspy 3.4.1, format_field_value of each value in a field of type str.
TEST(ToText, WritesFloatsAsPythonDoes) {
  EXPECT_EQ(to_text(0.9), "0.9");
  EXPECT_EQ(to_text(1e-7), "1e-07");
  EXPECT_EQ(to_text(1.0), "1.0");
  EXPECT_EQ(to_text(-0.0), "-0.0");
  EXPECT_EQ(to_text(0.0001), "0.0001");
  EXPECT_EQ(to_text(0.00001), "1e-05");
  EXPECT_EQ(to_text(1e15), "1000000000000000.0");
  EXPECT_EQ(to_text(1e16), "1e+16");
  EXPECT_EQ(to_text(123456789012345678.0), "1.2345678901234568e+17");
  EXPECT_EQ(to_text(1.5e300), "1.5e+300");
  EXPECT_EQ(to_text(5e-324), "5e-324");
  EXPECT_EQ(to_text(-1234.5), "-1234.5");
  EXPECT_EQ(to_text(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(to_text(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(ToText, WritesFloatsThatReadBackToTheSameBits) {
  Rng rng(1);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = static_cast<std::uint64_t>(rng.next()) << 32 | rng.next();
    double x = 0;
    std::memcpy(&x, &bits, sizeof x);
    if (x != x) continue;
    EXPECT_EQ(std::strtod(to_text(x).c_str(), nullptr), x) << to_text(x);
  }
}

TEST(ToText, WritesIntegersAndBooleansAsPythonDoes) {
  EXPECT_EQ(to_text(std::int64_t{3}), "3");
  EXPECT_EQ(to_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(to_text(true), "True");
  EXPECT_EQ(to_text(false), "False");
}

TEST(ToText, LeavesAStringAsItIs) { EXPECT_EQ(to_text(" a\n«b» "), " a\n«b» "); }

TEST(ToText, NumbersTheItemsOfAList) {
  EXPECT_EQ(to_text(Texts{"x", "y"}), "[1] «x»\n[2] «y»");
  EXPECT_EQ(to_text(Texts{"x"}), "«x»");
  EXPECT_EQ(to_text(Texts{}), "N/A");
}

TEST(ToText, PutsListItemsWithLinesOrGuillemetsOnLinesOfTheirOwn) {
  EXPECT_EQ(to_text(Texts{"x\ny", "«", "a"}),
            "[1] «««\n    x\n    y\n»»»\n[2] «««\n    «\n»»»\n[3] «a»");
}

TEST(ToText, ShowsNullAsPythonDoesAndOtherJsonAsItIs) {
  const std::vector<Value> values = {JsonValue{"null"}, JsonValue{R"({"a": [1, null]})"}, "null"};
  EXPECT_EQ(to_text(values[0]), "None");
  EXPECT_EQ(to_text(values[1]), R"({"a": [1, null]})");
  EXPECT_TRUE(is_null(values[0]));
  EXPECT_FALSE(is_null(values[1]));
  EXPECT_FALSE(is_null(values[2]));
}

TEST(Record, FindsFieldsByName) {
  const Record record{{"first", "a"}, {"n", std::int64_t{3}}};
  EXPECT_EQ(record.text("n"), "3");
  EXPECT_EQ(*record.find("first"), Value("a"));
  EXPECT_EQ(record.find("second"), nullptr);
}

TEST(Record, NamesAMissingFieldAndThoseThatAreThere) {
  const Record record{{"context", "a"}, {"first", "b"}};
  try {
    record.at("contxt");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "field 'contxt' is missing; did you mean 'context'? (there are: context, first)");
  }
  try {
    Record().at("x");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "field 'x' is missing (there are: none)");
  }
}

TEST(Record, KeepsTheOrderInWhichFieldsWereSet) {
  Record record;
  record.set("b", "1");
  record.set("a", "2");
  record.set("b", true);
  EXPECT_EQ(record, (Record{{"b", true}, {"a", "2"}}));
  EXPECT_EQ(record.size(), 2U);
}

}  // namespace
}  // namespace theta
