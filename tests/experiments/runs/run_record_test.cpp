#include "experiments/runs/run_record.hpp"

#include <gmock/gmock.h>

#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

class RunRecordTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Store store_{folder_.path() / "run.db"};
};

TEST_F(RunRecordTest, GivesBackWhatItKept) {
  put(store_, part::kSeed, 18446744073709551615U);
  put(store_, part::kState, RunState::kIncomplete);
  put(store_, part::kNote, "two\nlines");
  put(store_, part::kProposals, {{"mipro", {{"asked", 12}, {"copied", 3}}}, {"gepa", {}}});
  put(store_, part::kGates, {{"mipro", {.estimate = .1 + .2, .n_fresh = 30, .saved = true}}});
  EXPECT_EQ(get(store_, part::kSeed), 18446744073709551615U);
  EXPECT_EQ(get(store_, part::kState), RunState::kIncomplete);
  EXPECT_EQ(get(store_, part::kNote), "two\nlines");
  const auto proposals = get(store_, part::kProposals);
  ASSERT_EQ(proposals.size(), 2U);
  EXPECT_EQ(proposals[0].counts[1], (std::pair<std::string, std::int64_t>("copied", 3)));
  EXPECT_TRUE(proposals[1].counts.empty());
  const SearchVerdict verdict = get(store_, part::kGates).at(0);
  EXPECT_EQ(verdict.search, "mipro");
  EXPECT_EQ(verdict.gate.estimate, .1 + .2);  // to the last bit
  EXPECT_EQ(verdict.gate.n_fresh, 30U);
  EXPECT_TRUE(verdict.gate.saved);
}

TEST_F(RunRecordTest, GivesBackTheCandidatesOfAFront) {
  const Candidate candidate{{0, 3}, {{"predict", "Say \"yes\".", 2}}};
  put(store_, part::kFronts, {{"mipro", {{candidate, .5, .25, 12}}}});
  const Tradeoff point = get(store_, part::kFronts).at(0).points.at(0);
  EXPECT_EQ(point.candidate, candidate);
  EXPECT_EQ(point.prompt_tokens, 12U);
}

TEST_F(RunRecordTest, KnowsATimeLeftFromNone) {
  put(store_, part::kStanding, {.stage = "mipro", .seconds = 3, .left_s = 2.5});
  EXPECT_EQ(get(store_, part::kStanding).left_s, 2.5);
  put(store_, part::kStanding, {.stage = "mipro", .seconds = 4, .trouble = "timeout"});
  EXPECT_EQ(get(store_, part::kStanding).left_s, std::nullopt);
  EXPECT_EQ(get(store_, part::kStanding).trouble, "timeout");
}

TEST_F(RunRecordTest, TellsAPartThatWasLeftFromNone) {
  EXPECT_FALSE(find(store_, part::kStudent));
  EXPECT_TRUE(get(store_, part::kRows).empty());
  put(store_, part::kStudent, "");
  EXPECT_TRUE(find(store_, part::kStudent));
}

TEST_F(RunRecordTest, ReplacesBytesThatAreNotUtf8) {
  put(store_, part::kPrompts, {{"untouched", "cut \xc3"}});
  EXPECT_EQ(get(store_, part::kPrompts).at(0).text, "cut \xef\xbf\xbd");
}

TEST_F(RunRecordTest, NamesThePartThatIsDamaged) {
  const auto why = [&](const auto& part) {
    return message_of<RunError>([&] { get(store_, part); });
  };
  for (const char* text :
       {"{", "[[]]", R"([{"method": "a"}])", R"([{"method": 1, "against": "b"}])"}) {
    store_.set_meta("comparisons", text);
    EXPECT_EQ(why(part::kComparisons),
              "the run's record is damaged: its comparisons cannot be read")
        << text;
  }
  store_.set_meta("state", "asleep");
  EXPECT_EQ(why(part::kState), "the run's record is damaged: its state cannot be read");
  store_.set_meta("seed", "x");
  EXPECT_EQ(why(part::kSeed), "the run's record is damaged: its seed cannot be read");
}

TEST_F(RunRecordTest, PutsOneInPlaceOfItsEarlierSelf) {
  const auto put_options = [&](const std::string& method, std::size_t chosen) {
    put_one(store_, part::kOptions, {method, "task", {{"good", chosen, 5}}},
            [&](const OptionCounts& one) { return one.method == method; });
  };
  put_options("untouched", 1);
  put_options("mipro", 2);
  put_options("untouched", 3);
  const auto all = get(store_, part::kOptions);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].method, "untouched");
  EXPECT_EQ(all[0].options[0].chosen, 3U);
}

TEST_F(RunRecordTest, KeepsARemarkOnceAndTheLatestOfWhatItIsAbout) {
  EXPECT_TRUE(add_remark(store_, "the data have no column `x`"));
  EXPECT_FALSE(add_remark(store_, "the data have no column `x`"));
  EXPECT_TRUE(add_remark(store_, "named", ": 3 of 10"));
  EXPECT_TRUE(add_remark(store_, "named", ": 4 of 20"));
  EXPECT_THAT(get(store_, part::kRemarks),
              ElementsAre("the data have no column `x`", "named: 4 of 20"));
}

}  // namespace
}  // namespace theta
