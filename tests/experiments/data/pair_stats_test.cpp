#include "experiments/data/pair_stats.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

class StatsOfPairs : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& lines) const {
    std::ofstream(folder_.path() / "pairs.jsonl") << lines;
    return folder_.path() / "pairs.jsonl";
  }
  TemporaryFolder folder_;
};

std::string row(const std::string& user, const std::string& chosen, const std::string& rejected,
                const nlohmann::json& more = nlohmann::json::object()) {
  nlohmann::json row = {
      {"user_id", user}, {"context", "Hi?"}, {"chosen", chosen}, {"rejected", rejected}};
  row.update(more);
  return row.dump() + "\n";
}

TEST_F(StatsOfPairs, CountPeopleChoicesAndLengths) {
  const PairStats stats =
      pair_stats(file(row("ann", "long text", "a") + row("ann", "b", "cc") + row("ann", "d", "e") +
                      row("bob", "f", "gg", {{"demographics", "a nurse"}})));
  EXPECT_EQ(stats.rows, 4U);
  EXPECT_EQ(stats.choices, 4U);
  EXPECT_EQ(stats.users, 2U);
  EXPECT_EQ(stats.described_users, 1U);
  EXPECT_EQ(stats.users_with_five, 0U);
  EXPECT_EQ(stats.choices_of_user.least, 1U);
  EXPECT_EQ(stats.choices_of_user.median, 1U);
  EXPECT_EQ(stats.choices_of_user.most, 3U);
  EXPECT_EQ(stats.chosen_letters.median, 1U);
  EXPECT_EQ(stats.chosen_letters.most, 9U);
  EXPECT_EQ(stats.context_letters.median, 3U);
  EXPECT_EQ(stats.longer_chosen, 1U);
  EXPECT_EQ(stats.shorter_chosen, 2U);
  EXPECT_FALSE(stats.agreement);
}

TEST_F(StatsOfPairs, LeaveOutWhatHoldsNoChoice) {
  const PairStats stats = pair_stats(file(
      row("ann", "same", "same") + row("ann", "a", "b") +
      R"({"judge": "ann", "winner": "tie", "conversation_a": [{"role": "user", "content": "q"},)"
      R"( {"role": "assistant", "content": "a"}], "conversation_b": [{"role": "user",)"
      R"( "content": "q"}, {"role": "assistant", "content": "b"}]})"
      "\n"));
  EXPECT_EQ(stats.rows, 3U);
  EXPECT_EQ(stats.equal_texts, 1U);
  EXPECT_EQ(stats.ties, 1U);
  EXPECT_EQ(stats.choices, 1U);
}

TEST_F(StatsOfPairs, TellHowFarPeopleAgreeWithAVoteEach) {
  // Of three people two chose x; one of these says so twice, and one later says otherwise.
  const PairStats stats =
      pair_stats(file(row("ann", "x", "y") + row("ann", "x", "y") + row("bob", "x", "y") +
                      row("cat", "y", "x") + row("cat", "x", "y") + row("cat", "other", "y")));
  EXPECT_EQ(stats.shared_pairs, 1U);
  EXPECT_EQ(stats.repeated, 2U);
  EXPECT_EQ(stats.reversed, 1U);
  ASSERT_TRUE(stats.agreement);
  EXPECT_NEAR(*stats.agreement, 1 / 3., 1e-12);  // of ann-bob, ann-cat and bob-cat
}

TEST_F(StatsOfPairs, TellWhichPlaceWasChosenWhereRowsSay) {
  const PairStats stats =
      pair_stats(file(row("ann", "a", "b", {{"flip", true}}) +
                      row("ann", "c", "d", {{"flip", false}}) + row("ann", "e", "f")));
  EXPECT_EQ(stats.places_said, 2U);
  EXPECT_EQ(stats.first_chosen, 1U);
  EXPECT_EQ(stats_json(stats).at("agreement"), nullptr);
}

TEST_F(StatsOfPairs, NameTheLineOfABadRow) {
  const auto path = file(row("ann", "a", "b") + "{\"user_id\": \"ann\", \"chosen\": \"a\"}\n");
  EXPECT_THAT(message_of<UserError>([&] { pair_stats(path); }),
              testing::StartsWith(path.string() + ":2: neither `chosen` and `rejected` nor "));
  EXPECT_EQ(message_of<UserError>([&] { pair_stats(file("")); }), path.string() + ": no rows");
}

}  // namespace
}  // namespace theta
