#include "optimizers/trial_log.hpp"

#include <gtest/gtest.h>

namespace theta {
namespace {

TEST(TrialLog, NumbersTrialsAndTellsWhatIsSpentUpToEach) {
  TrialLog log(0, {});
  std::vector<std::int64_t> told;
  const auto tell = [&](const Trial& trial) { told.push_back(trial.evaluations); };
  log.spend(10);
  log.add({.score = 1}, tell);
  log.spend(5);
  log.add({.score = 0}, tell, 12);
  log.add({.score = 0}, {});
  EXPECT_EQ(told, (std::vector<std::int64_t>{10, 12}));
  EXPECT_EQ(log.trials().at(2).number, 3);
  EXPECT_EQ(log.trials().at(2).evaluations, 15);
}

TEST(TrialLog, AffordsWhatTheBudgetHasRoomFor) {
  TrialLog limited(20, {});
  limited.spend(15);
  EXPECT_TRUE(limited.affords(5));
  EXPECT_FALSE(limited.affords(6));
  TrialLog unlimited(0, {});
  EXPECT_TRUE(unlimited.affords(1'000'000));
}

TEST(TrialLog, EndsTheWorkAfterTheTrialThatAskedToStop) {
  std::stop_source source;
  TrialLog log(0, source.get_token());
  bool gone_on = false;
  EXPECT_FALSE(log.run([&] {
    log.add({}, [&](const Trial&) { source.request_stop(); });
    gone_on = true;
  }));
  EXPECT_FALSE(gone_on);
  EXPECT_TRUE(log.stopped());
  EXPECT_EQ(log.trials().size(), 1U);
}

TEST(TrialLog, IsInterruptedWhereThereIsNoTrialToEndWith) {
  std::stop_source source;
  source.request_stop();
  TrialLog log(0, source.get_token());
  EXPECT_THROW(log.run([&] { log.check(); }), Interrupted);
}

}  // namespace
}  // namespace theta
