#include "modules/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theta {
namespace {

using testing::ElementsAre;

TEST(Strip, RemovesUnicodeWhitespaceAtBothEnds) {
  EXPECT_EQ(strip(" \t\r\n\u00a0a b\u3000\u2028\n"), "a b");
  EXPECT_EQ(strip("\u200b"), "\u200b");  // no space in Python either
  EXPECT_EQ(strip(" \n"), "");
}

TEST(SplitLines, KeepsEmptyLinesButOpensNoneBehindTheLastNewline) {
  EXPECT_THAT(split_lines("a\r\n\nb\rc\n"), ElementsAre("a", "", "b\rc"));
  EXPECT_THAT(split_lines("\n"), ElementsAre(""));
  EXPECT_THAT(split_lines(""), ElementsAre());
  EXPECT_THAT(split_lines("a\r"), ElementsAre("a\r"));
}

TEST(ReplaceAll, ReadsFromTheLeft) {
  EXPECT_EQ(replace_all("[[[ ##", "[[ ##", "[ [ ##"), "[[ [ ##");
  EXPECT_EQ(replace_all("aaa", "aa", "b"), "ba");
}

TEST(Shorten, CutsBetweenCharacters) {
  EXPECT_EQ(shorten("naïve", 6), "naïve");
  EXPECT_EQ(shorten("naïve", 4), "naï...");
  EXPECT_EQ(shorten("naïve", 3), "na...");
}

TEST(JsonQuoted, KeepsNonAsciiAndReplacesWhatIsNoText) {
  EXPECT_EQ(json_quoted("é \"\n\x01"), "\"é \\\"\\n\\u0001\"");
  EXPECT_EQ(json_quoted("\xff"), "\"\ufffd\"");
}

}  // namespace
}  // namespace theta
