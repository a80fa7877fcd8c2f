#include "experiments/report/why.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/runs/run_record.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::HasSubstr;
using testing::Not;

class Why : public testing::Test {
 protected:
  void SetUp() override {
    put(store_, part::kConfigHash, "abc123");
    put(store_, part::kSeed, 7);
    put(store_, part::kRows, {"untouched", "mipro"});
    put(store_, part::kComparisons, {{"mipro", "untouched"}});
    put(store_, part::kPrompts,
        {{"untouched", "predict: Answer."}, {"mipro", "predict: Answer briefly.", "untouched"}});
    Decision gate{.estimate = .1, .low = .02, .high = .18, .p_better = .97, .claimed = .2};
    gate.n_fresh = 30;
    gate.found = gate.saved = true;
    put(store_, part::kGates, {{"mipro", gate}});
    std::vector<Outcome> before, after;
    for (int i = 0; i < 20; ++i) {
      before.push_back(outcome("untouched", i, i % 2));
      after.push_back(outcome("mipro", i, i == 1 ? 0 : 1));
    }
    store_.put_row("untouched", "task", before, {20, 400, 0});
    store_.put_row("mipro", "task", after, {20, 500, 0});
    const Candidate start{{0}, {{"predict", "Answer.", 0}}},
        found{{1}, {{"predict", "Answer briefly.", 2}}};
    store_.put_trial({"mipro", 1, TrialKind::kDefault, start, .5, 70, false, .5, .4, .6});
    store_.put_trial({"mipro", 2, TrialKind::kMinibatch, found, .8, 75, true, .7, .5, .9});
    store_.put_trial({"mipro", 3, TrialKind::kFull, found, .7, 140, false, .7, .6, .8});
  }

  static Outcome outcome(const std::string& method, int item, double score) {
    return {method, "task", "row " + std::to_string(item), "", 0, score};
  }

  TemporaryFolder folder_;
  Store store_{folder_.path() / "run.db"};
};

TEST_F(Why, NamesTheItemsThatTurnedWhatWasBelievedAndWhatChanged) {
  const std::string text = why_text(store_);
  EXPECT_THAT(text, HasSubstr("mipro, task: .95 ["));
  EXPECT_THAT(text, HasSubstr("over      untouched: +.450 ["));
  EXPECT_THAT(text, HasSubstr("            10 items better, 1 worse\n"));
  EXPECT_THAT(text,
              HasSubstr("better    row 0, row 2, row 4, row 6, row 8, row 10, row 12, row 14, "
                        "row 16, row 18\n"));
  EXPECT_THAT(text, HasSubstr("worse     row 1\n"));
  EXPECT_THAT(text, HasSubstr("search    +.100 [+.020, +.180], saved: P(better) = .97, on 30 fresh "
                              "rows; it claimed +.200\n"));
  EXPECT_THAT(text, HasSubstr("140 evaluations; its best leads from 75 on (--trial 3)\n"));
  EXPECT_THAT(text, HasSubstr("asked     20 calls, 500 prompt tokens, 0 generated for this row\n"));
  EXPECT_THAT(text, HasSubstr("predict: [-Answer.-]{+Answer briefly.+}\n"));
  EXPECT_THAT(text, Not(HasSubstr("untouched, task")));
}

TEST_F(Why, TellsOfATrial) {
  EXPECT_EQ(trial_text(store_, "", 2),
            "mipro, trial 2, minibatch: scored .800\n"
            "  then      the best was .70 [.50, .90], and this became it, after 75 evaluations\n"
            "  prompt    against what the search started from:\n\n"
            "predict: [-Answer.-]{+Answer briefly.+}\n[-0-]{+2+} demos\n\n");
  EXPECT_EQ(message_of<UserError>([&] { (void)trial_text(store_, "gepa", 2); }),
            "there is no search `gepa`; there are mipro");
  EXPECT_EQ(message_of<UserError>([&] { (void)trial_text(store_, "mipro", 9); }),
            "mipro has the trials 1 to 3, and no 9");
}

TEST_F(Why, KnowsTheRows) {
  EXPECT_EQ(message_of<UserError>([&] { (void)why_text(store_, "mirpo"); }),
            "there is no row `mirpo`; did you mean 'mipro'?; there are untouched, mipro");
  EXPECT_THAT(why_text(store_, "untouched"), HasSubstr("untouched, task: .50"));
}

}  // namespace
}  // namespace theta
