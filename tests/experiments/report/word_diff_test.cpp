#include "experiments/report/word_diff.hpp"

#include <gtest/gtest.h>

#include <string>

namespace theta {
namespace {

std::string diff(std::string_view before, std::string_view after) {
  return diff_text(word_diff(before, after));
}

TEST(WordDiff, MarksWordsThatWentAndCame) {
  EXPECT_EQ(diff("Answer the question well.", "Answer every question in one word."),
            "Answer [-the-]{+every+} question [-well.-]{+in one word.+}");
  EXPECT_EQ(diff("a b c", "a b c"), "a b c");
  EXPECT_EQ(diff("", "a b"), "{+a b+}");
  EXPECT_EQ(diff("a b", ""), "[-a b-]");
  EXPECT_EQ(diff("b", "a b"), "{+a +}b");
  EXPECT_EQ(diff("a a", "a"), "a[- a-]");
  EXPECT_EQ(diff("", ""), "");
}

TEST(WordDiff, GivesBackBothTexts) {
  const std::string before = "one  two\n\nthree four\tfive six",
                    after = "two three\n five seven  six";
  std::string first, second;
  for (const auto& [kind, text] : word_diff(before, after)) {
    if (kind != DiffPiece::Kind::kAdded) first += text;
    if (kind != DiffPiece::Kind::kRemoved) second += text;
  }
  EXPECT_EQ(first, before);
  EXPECT_EQ(second, after);
}

TEST(WordDiff, TakesTheMiddleOfHugeTextsForChanged) {
  std::string before = "begin ", after = "begin ";
  for (int i = 0; i < 9000; ++i) {
    before += "x ";
    after += "y ";
  }
  const auto pieces = word_diff(before + "end", after + "end");
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[0], (DiffPiece{DiffPiece::Kind::kSame, "begin "}));
  EXPECT_EQ(pieces[3].text, " end");
}

}  // namespace
}  // namespace theta
