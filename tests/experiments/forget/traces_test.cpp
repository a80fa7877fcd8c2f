#include "experiments/forget/traces.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

constexpr const char* kLetter = "I walked to the lighthouse on the longest evening of June.";
constexpr const char* kShared = "As an AI language model, I have no opinion on lighthouses.";
constexpr const char* kBoats = "A second letter, of the boats in the bay.";
constexpr const char* kGulls = "A third letter, of the gulls on the roof.";

Traces traces(const std::string& user = "ann-marie") {
  return Traces(
      {.user = user,
       .pairs = {{"Write to me", kLetter, kShared}, {"", kBoats, "tiny"}, {"", kGulls, "tiny"}},
       .personas = {"Longs for letters that smell of the sea"},
       .of_others = {kShared, kBoats, kGulls}});
}

TEST(Traces, AreTheIdAsAWord) {
  EXPECT_TRUE(traces().told_by("ann-marie"));
  EXPECT_TRUE(traces().told_by("of `ann-marie`: 4"));
  EXPECT_TRUE(traces().told_by("ann-marie.12"));
  EXPECT_FALSE(traces().told_by("joann-marie"));
  EXPECT_FALSE(traces().told_by("ann-marie-2"));
  EXPECT_FALSE(traces().told_by("ann-maries"));
}

TEST(Traces, AreTheirPairsThatAreNamedByTheId) {
  const Traces named(
      {.user = "ann", .pairs = {}, .personas = {}, .of_others = {}, .pair_ids = {"ann-1"}});
  EXPECT_TRUE(named.told_by("the pair ann-1"));
  EXPECT_FALSE(named.told_by("the pair ann-2"));
}

TEST(Traces, OfAnIdThatIsNoNameAreSoughtInQuotesOnly) {
  EXPECT_TRUE(traces("12").told_by("12"));
  EXPECT_TRUE(traces("12").told_by(R"({"user": "12"})"));
  EXPECT_TRUE(traces("12").told_by("<td>12</td>"));
  EXPECT_FALSE(traces("12").told_by("12 of 40 rows"));
}

TEST(Traces, AreTheirTextsHoweverTheyAreQuoted) {
  const std::string letter = kLetter;
  EXPECT_TRUE(traces().told_by("Chosen: " + letter + "\nRejected: x"));
  EXPECT_EQ(traces().find("0123456789" + letter)->at, 10u);
  EXPECT_EQ(traces().find(letter)->what, "a text");
  const Traces lines(
      {.user = "ann-marie",
       .pairs = {{"", "She said \"come <in> at once\"\nand left the door ajar", "b"}},
       .personas = {}});
  EXPECT_TRUE(lines.told_by(R"({"a": "She said \"come <in> at once\"\nand left the door ajar"})"));
  EXPECT_TRUE(
      lines.told_by("She said &quot;come &lt;in&gt; at once&quot;<br>and left the door ajar"));
}

TEST(Traces, OfALongTextAreFoundInAPartOfIt) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "word" + std::to_string(i) + " ";
  const Traces long_text({.user = "ann-marie", .pairs = {{"", text, "b"}}, .personas = {}});
  EXPECT_TRUE(long_text.told_by(text.substr(70, 140)));
}

TEST(Traces, AreTheirPersonas) {
  EXPECT_EQ(traces().find("x Longs for letters that smell of the sea")->what, "a persona");
}

TEST(Traces, AreNoTextsThatOthersHaveToo) {
  EXPECT_FALSE(traces().told_by(kShared));
  EXPECT_FALSE(traces().told_by(kBoats));
  EXPECT_FALSE(traces().told_by("tiny"));
  EXPECT_EQ(traces().texts_sought(), 2u);  // the letter and the persona
  EXPECT_EQ(traces().texts_shared(), 3u);
  EXPECT_EQ(traces().texts_short(), 3u);  // `Write to me`, and `tiny` twice
}

TEST(Traces, AreSeveralOfTheirPairsTogether) {
  EXPECT_TRUE(traces().told_by(std::string(kBoats) + "\n" + kGulls));
}

TEST(Traces, OfSharedTextsAreNoneInAFileOfEverybody) {
  EXPECT_FALSE(traces().find(std::string(kBoats) + "\n" + kGulls));
}

}  // namespace
}  // namespace theta
