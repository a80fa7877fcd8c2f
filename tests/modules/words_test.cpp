#include "modules/words.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theta {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// The words of a text beside nothing: without what may be an article.
std::vector<std::string> words(std::string_view text) { return counted(words_of(text), {}); }

std::vector<std::string> beside(std::string_view text, std::string_view other) {
  return counted(words_of(text), words_of(other));
}

TEST(Words, StandBetweenSpacesOfEveryKind) {
  EXPECT_THAT(words(" new\u00a0york\tcity\u202fhall\u3000x\x1f"
                    "y\n"),
              ElementsAre("new", "york", "city", "hall", "x", "y"));
  EXPECT_THAT(words(" \u00a0\n"), IsEmpty());
}

TEST(Words, LosePunctuationOfEveryScript) {
  EXPECT_THAT(words("\u201cIt\u2019s\u201d, \u00bfno? 1,000 < x \u00abU.S.A.\u00bb"),
              ElementsAre("its", "no", "1000", "x", "usa"));
}

TEST(Words, FoldCaseInFullInEveryScript) {
  EXPECT_EQ(words("STRASSE"), words("Stra\u00dfe"));
  EXPECT_EQ(words("\u03a3\u039f\u03a6\u039f\u03a3"), words("\u03c3\u03bf\u03c6\u03bf\u03c2"));
  EXPECT_EQ(words("\u041c\u041e\u0421\u041a\u0412\u0410"),
            words("\u043c\u043e\u0441\u043a\u0432\u0430"));
  EXPECT_EQ(words("\ufb01n"), words("FIN"));  // a ligature
  EXPECT_NE(words("resume"), words("r\u00e9sum\u00e9"));
}

TEST(Words, AreTheSameComposedAndDecomposed) {
  EXPECT_EQ(words("cafe\u0301"), words("CAF\u00c9"));
  EXPECT_EQ(words("\u1112\u1161\u11ab\u1100\u1173\u11af"), words("\ud55c\uae00"));  // Hangul
  EXPECT_EQ(words("q\u0307\u0323"), words("q\u0323\u0307"));  // the order of two marks
}

TEST(Words, ShowNothingThatCannotBeSeen) {
  EXPECT_EQ(words("co\u00adoperate\u200b \ufefflake"), words("cooperate lake"));
}

TEST(Words, PartAtALongDash) {
  EXPECT_THAT(words("Paris\u2014France"), ElementsAre("paris", "france"));
  EXPECT_THAT(words("2019\u20132020 well-known"), ElementsAre("20192020", "wellknown"));
}

TEST(Words, AreLettersWhereAScriptHasNoSpaces) {
  EXPECT_THAT(words("\u5317\u4eac\u3002GPT\u7b54"),
              ElementsAre("\u5317", "\u4eac", "gpt", "\u7b54"));
  EXPECT_THAT(words("\uc11c\uc6b8 \uc2dc"), ElementsAre("\uc11c\uc6b8", "\uc2dc"));  // Korean has
}

TEST(Words, ReadWhatIsNoUtf8) { EXPECT_THAT(words("a\xff"), ElementsAre("a\ufffd")); }

TEST(Articles, DoNotCountInFrontOfAWord) {
  EXPECT_THAT(words("The  U.S.A., a Nation! An \"old\" one; the (big) dog"),
              ElementsAre("usa", "nation", "old", "one", "big", "dog"));
  EXPECT_THAT(words("once Upon A Time A\ndog"), ElementsAre("once", "upon", "time", "dog"));
}

TEST(Articles, AreWordsWhereTheyStandAlone) {
  for (const char* text : {"A", "(A)", "a)", "\"a\"", "A.", "**A**", "A:", "  A\n"}) {
    EXPECT_THAT(words(text), ElementsAre("a")) << text;
  }
  EXPECT_THAT(words("Hepatitis A"), ElementsAre("hepatitis", "a"));
  EXPECT_THAT(words("A, B"), ElementsAre("a", "b"));
  EXPECT_THAT(words("A - a dog"), ElementsAre("a", "dog"));
}

TEST(Articles, CountBesideAChoiceOnlyWhereTheyReadAsItsName) {
  for (const char* text : {"The choice is (A).", "A", "Option A fits best", "A is right.",
                           "I take A because the sun shines", "A\nThe sun shines",
                           "A would be right", "A \u2014 the sun", "Both A and B"}) {
    EXPECT_THAT(beside(text, "(A)"), testing::Contains("a")) << text;
  }
  for (const char* text : {"A dog", "The choice is (B), a good one.", "What a day! A dog barks.",
                           "THE CHOICE IS A DOG", "Once Upon A Time", "the dog", "(B)", ""}) {
    EXPECT_THAT(beside(text, "(A)"), testing::Not(testing::Contains("a"))) << text;
  }
}

TEST(Articles, CountWhereTheOtherTextHasThemAsWords) {
  EXPECT_THAT(beside("the hepatitis A virus", "Hepatitis A"),
              ElementsAre("hepatitis", "a", "virus"));
  EXPECT_THAT(beside("a hepatitis virus", "Hepatitis B"), ElementsAre("hepatitis", "virus"));
}

}  // namespace
}  // namespace theta
