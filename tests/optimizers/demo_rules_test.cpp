#include "optimizers/demo_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace theta {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<Example> rows(int n) {
  std::vector<Example> all;
  for (int i = 0; i < n; ++i)
    all.push_back({std::to_string(i),
                   "",
                   {{"text", "row " + std::to_string(i)},
                    {"label", i % 3 == 0   ? "a"
                              : i % 3 == 1 ? "b"
                                           : "c"},
                    {"unread", "x"}}});
  return all;
}

const Signature kLabels = Signature::parse("text -> label: Literal['a', 'b', 'c']");

TEST(DemoSetsByRule, HaveAsManyRowsOfEachLabelInTwoOrders) {
  Rng rng(1);
  const auto train = rows(30);
  const auto sets = demo_sets_by_rule(train, kLabels, 4, 12, rng);
  ASSERT_THAT(sets, SizeIs(6));
  for (std::size_t s = 0; s < sets.size(); ++s) {
    std::map<std::string, std::size_t> of;
    for (const auto& demo : sets[s]) {
      ++of[demo.fields.text("label")];
      EXPECT_EQ(demo.fields.find("unread"), nullptr);
      EXPECT_FALSE(demo.augmented);
    }
    for (const auto& [label, n] : of) EXPECT_EQ(n, std::size_t{1} << s / 2) << label;
  }
  EXPECT_EQ(sets[0].front(), sets[1].back());
}

TEST(DemoSetsByRule, StayBelowTheMostDemos) {
  Rng rng(1);
  const auto train = rows(30);
  EXPECT_THAT(demo_sets_by_rule(train, kLabels, 4, 6, rng), SizeIs(4));
  EXPECT_THAT(demo_sets_by_rule(train, kLabels, 4, 2, rng), IsEmpty());
}

TEST(DemoSetsByRule, SpreadOverTheTextsWhereThereAreNoLabels) {
  Rng rng(3);
  std::vector<Example> train = rows(9);
  for (int i = 0; i < 9; ++i) {
    Record& fields = train[static_cast<std::size_t>(i)].fields;
    fields.set("text", i == 4 ? "nothing like it" : "same words");
    fields.set("label", std::to_string(i));
  }
  const auto sets = demo_sets_by_rule(train, Signature::parse("text -> label"), 2, 24, rng);
  ASSERT_THAT(sets, SizeIs(1));
  ASSERT_THAT(sets[0], SizeIs(2));
  EXPECT_TRUE(sets[0][0].fields.text("text") == "nothing like it" ||
              sets[0][1].fields.text("text") == "nothing like it");
}

TEST(DemoSetsByRule, TakeAnswersThatRowsRepeatForLabelsAndAlternateThem) {
  Rng rng(1);
  const auto train = rows(9);
  const auto sets = demo_sets_by_rule(train, Signature::parse("text -> label"), 0, 6, rng);
  const auto labels = [](const std::vector<Demo>& demos) {
    std::string all;
    for (const Demo& demo : demos) all += demo.fields.text("label");
    return all;
  };
  ASSERT_THAT(sets, SizeIs(4));
  EXPECT_EQ(labels(sets[0]), "abc");
  EXPECT_EQ(labels(sets[1]), "cba");
  EXPECT_EQ(labels(sets[2]), "abcabc");
  EXPECT_EQ(labels(sets[3]), "cbacba");
}

TEST(DemoSetsByRule, HaveNoLabelsWhereAnswersAreManyOrOne) {
  Rng rng(1);
  const Signature free = Signature::parse("text -> label");
  EXPECT_THAT(demo_sets_by_rule(rows(5), free, 0, 6, rng), IsEmpty());  // three answers
  EXPECT_THAT(demo_sets_by_rule(rows(1), free, 0, 6, rng), IsEmpty());
}

TEST(DemoSetsByRule, AreNoneWithoutRowsThatHoldTheAnswer) {
  Rng rng(1);
  const auto train = rows(9);
  EXPECT_THAT(demo_sets_by_rule(train, Signature::parse("text -> other"), 4, 24, rng), IsEmpty());
}

}  // namespace
}  // namespace theta
