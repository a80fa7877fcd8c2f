#include "experiments/runs/budget.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/records/recorded_model.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

constexpr Price kPrice = {1e6, 2e6};  // a dollar a prompt token, two a generated one

template <typename Amount>
Budget budget(std::optional<Amount> Budget::*kind, double amount) {
  Budget out;
  out.*kind = static_cast<Amount>(amount);
  return out;
}

/// Answers of 10 prompt tokens and 1 generated one behind a budget, in the record of a run.
class BudgetTest : public testing::Test {
 protected:
  /// How many of the requests were answered, and what is said then.
  std::pair<std::size_t, std::string> ask_all(const Budget& limit, std::size_t requests,
                                              std::size_t unit = 1, std::size_t wave = 1) {
    Store store(folder_.path() / "run.db");
    Ledger ledger(limit);
    ScriptedModel model(
        [](const Request&) {
          Response response = say("yes");
          response.prompt_tokens = 10;
          response.generated_tokens = 1;
          return response;
        },
        {.unit = unit});
    BudgetedModel budgeted(model, ledger, store, kPrice);
    RecordedModel recorded(budgeted, store, nullptr);
    std::vector<Request> all;
    for (std::size_t i = 0; i < requests; ++i) all.push_back(user_request(std::to_string(i)));
    std::size_t answered = 0;
    try {
      for (std::size_t i = 0; i < all.size(); i += wave)
        recorded.complete(std::span(all).subspan(i, std::min(wave, all.size() - i)),
                          [&](std::size_t, const Result<Response>&) { ++answered; }, {});
    } catch (const Interrupted&) {
    }
    return {answered, ledger.spent().value_or("")};
  }
  using End = std::pair<std::size_t, std::string>;
  TemporaryFolder folder_;
};

TEST_F(BudgetTest, StopsAtTheCallsAndNeverBeyond) {
  EXPECT_EQ(ask_all(budget(&Budget::calls, 3), 5), End(3, "the budget of 3 calls is spent"));
}

TEST_F(BudgetTest, OfExactlyWhatIsNeededIsEnough) {
  EXPECT_EQ(ask_all(budget(&Budget::calls, 5), 5), End(5, ""));
}

TEST_F(BudgetTest, OfExactlyTheTokensOrTheMoneyThatAreNeededIsEnough) {
  EXPECT_EQ(ask_all(budget(&Budget::tokens, 33), 3), End(3, ""));
  EXPECT_EQ(ask_all(budget(&Budget::tokens, 33), 3), End(3, ""));  // from the record
  EXPECT_EQ(ask_all(budget(&Budget::money, 60), 5, 1, 5), End(5, ""));
  EXPECT_EQ(ask_all(budget(&Budget::tokens, 33), 6), End(5, "the budget of 33 tokens is spent"));
}

TEST_F(BudgetTest, StopsInTheMiddleOfAWaveWhoseRestIsBeyondIt) {
  EXPECT_EQ(ask_all(budget(&Budget::tokens, 22), 5, 1, 5).second,
            "the budget of 22 tokens is spent");
}

TEST_F(BudgetTest, AnswersAsManyOfAWaveAsItHasCallsFor) {
  EXPECT_EQ(ask_all(budget(&Budget::calls, 3), 5, 1, 5), End(3, "the budget of 3 calls is spent"));
}

TEST_F(BudgetTest, AsksNoUnitThatItHasNotCallsForAsAWhole) {
  EXPECT_EQ(ask_all(budget(&Budget::calls, 3), 6, 2, 6), End(2, "the budget of 3 calls is spent"));
}

TEST_F(BudgetTest, CountsTokensAndMoneyOfBothKinds) {
  EXPECT_EQ(ask_all(budget(&Budget::tokens, 22), 5), End(2, "the budget of 22 tokens is spent"));
  EXPECT_EQ(ask_all(budget(&Budget::money, 13), 9).second, "the budget of 13 dollars is spent");
}

TEST_F(BudgetTest, CountsWhatTheRecordHoldsAndGoesOnWhenItIsRaised) {
  EXPECT_EQ(ask_all(budget(&Budget::calls, 3), 5).first, 3U);
  EXPECT_EQ(ask_all(budget(&Budget::calls, 3), 5), End(3, "the budget of 3 calls is spent"));
  EXPECT_EQ(ask_all(budget(&Budget::calls, 4), 5), End(4, "the budget of 4 calls is spent"));
  EXPECT_EQ(ask_all(budget(&Budget::calls, 9), 5), End(5, ""));
}

TEST_F(BudgetTest, DoesNotCountWhatACacheAnsweredWhenTheRunGoesOn) {
  AnswerCache cache({folder_.path() / "cache.db", CacheMode::kRecord});
  const std::vector<Request> all = {user_request("a"), user_request("b")};
  ScriptedModel model([](const Request&) { return say("yes"); });
  for (const char* run : {"first.db", "second.db"}) {
    Store store(folder_.path() / run);
    RecordedModel recorded(model, store, nullptr, &cache);
    (void)ask(recorded, all, {});
  }
  Store store(folder_.path() / "second.db");
  Ledger ledger(budget(&Budget::calls, 1));
  BudgetedModel budgeted(model, ledger, store, kPrice);
  EXPECT_EQ(ledger.admit(2), 1U);
}

TEST(Ledger, IsSpentWhenItsMinutesAre) {
  Ledger ledger(budget(&Budget::minutes, 0.5));
  ledger.set_seconds(29);
  EXPECT_EQ(ledger.spent(), std::nullopt);
  EXPECT_EQ(ledger.admit(2), 2U);
  ledger.set_seconds(30);
  EXPECT_EQ(ledger.spent(), "the budget of 0.5 minutes is spent");
  EXPECT_EQ(ledger.admit(2), 0U);
}

}  // namespace
}  // namespace theta
