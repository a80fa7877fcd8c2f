#include "experiments/data/split.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/result.hpp"

namespace theta {
namespace {

using testing::ThrowsMessage;

Example row(const std::string& id, const std::string& text) {
  return {id, id, {{"question", text}}};
}

TEST(Split, DrawsExactlyTheSizesAskedForWhateverTheSeed) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Split> splits = draw_split(50, {7, 11, 13}, seed, "rows");
    const auto count = [&](Split s) { return std::count(splits.begin(), splits.end(), s); };
    EXPECT_EQ(count(Split::kTrain), 7);
    EXPECT_EQ(count(Split::kValidation), 11);
    EXPECT_EQ(count(Split::kTest), 13);
    EXPECT_EQ(count(Split::kUnused), 19);
  }
}

TEST(Split, IsTheSameForTheSameSeedAndAnotherForAnother) {
  EXPECT_EQ(draw_split(50, {7, 11, 13}, 3, "rows"), draw_split(50, {7, 11, 13}, 3, "rows"));
  EXPECT_NE(draw_split(50, {7, 11, 13}, 3, "rows"), draw_split(50, {7, 11, 13}, 4, "rows"));
}

TEST(Split, SaysHowManyThereAreWhenTooManyAreAskedFor) {
  EXPECT_THAT(
      [] {
        draw_split(250, {75, 75, 101}, 0, "rows");
      },
      ThrowsMessage<UserError>("a split of 251 rows was asked for, there are 250"));
}

TEST(Split, AnIdInTwoSplitsIsRefusedByName) {
  Dataset data;
  data.train = {row("a", "1"), row("b", "2")};
  data.test = {row("c", "3")};
  EXPECT_NO_THROW(check_disjoint(data));
  data.test.push_back(row("b", "4"));
  EXPECT_THAT([&] { check_disjoint(data); },
              ThrowsMessage<UserError>("the id `b` stands in train and again in test"));
}

TEST(Split, CountsLaterRowsWhoseContentAnEarlierSplitHas) {
  Dataset data;
  data.train = {row("a", "same"), row("b", "same"), row("c", "x")};
  data.validation = {row("d", "same"), row("e", "y")};
  data.test = {row("f", "y"), row("g", "z"), row("h", "z")};
  EXPECT_EQ(count_shared_content(data), 2U);
}

}  // namespace
}  // namespace theta
