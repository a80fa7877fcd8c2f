#include "core/utf8.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

TEST(Utf8, AcceptsEveryLengthUpToTheLastCodePoint) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF"));
}

TEST(Utf8, RefusesWhatIsCutOverlongASurrogateOrBeyondTheLastCodePoint) {
  EXPECT_FALSE(is_utf8("caf\xE9"));
  EXPECT_FALSE(is_utf8("\xE2\x82"));
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("\xC0\xAF"));
  EXPECT_FALSE(is_utf8("\xE0\x80\xAF"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_utf8("\xF0\x80\x80\xAF"));
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));
}

TEST(Utf8, FindsTheLongestBeginning) {
  EXPECT_EQ(utf8_prefix(""), 0U);
  EXPECT_EQ(utf8_prefix("caf\xC3\xA9"), 5U);
  EXPECT_EQ(utf8_prefix("\xF0\x9F\x98\x80x\xFFy"), 5U);
  EXPECT_EQ(utf8_prefix("ab\xE2\x82"), 2U);
}

TEST(Utf8, LooksAtEveryByteOfALongText) {
  for (std::size_t i = 0; i < 40; ++i) {
    std::string text(40, 'a');
    EXPECT_TRUE(is_utf8(text.substr(0, i) + "é" + text));
    text[i] = '\xFF';
    EXPECT_FALSE(is_utf8(text)) << i;
  }
}

TEST(Utf8, ReadsWindows1252WithItsQuotesAndLatin1) {
  EXPECT_EQ(windows_1252_to_utf8("caf\xE9 \x93x\x94 \x80"), "café “x” €");
}

}  // namespace
}  // namespace theta
