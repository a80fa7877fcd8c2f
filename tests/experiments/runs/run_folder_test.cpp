#include "experiments/runs/run_folder.hpp"

#include <gtest/gtest.h>

#include "core/records/claim.hpp"
#include "core/records/store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

TEST(ReadStatus, ShowsTheBestOfTheSearchesAsEachOfThemStands) {
  const TemporaryFolder folder;
  {
    Store store(folder.path() / "run.db");
    store.put_trial({"copro", 1, TrialKind::kDefault, {}, .5, 60, false, .5, .375, .625});
    store.put_trial({"mipro", 1, TrialKind::kDefault, {}, .5, 60, false, .5, .375, .625});
    store.put_trial({"mipro", 2, TrialKind::kMinibatch, {}, 1, 62, true, .875, .75, 1});
    store.put_trial({"mipro", 3, TrialKind::kMinibatch, {}, 0, 64, false, .75, .5, 1});
  }
  EXPECT_EQ(read_status(folder.path()).best, .75);
}

TEST(ReadStatus, OfARunWhoseRecordIsBeingMadeIsThatOfItsClaim) {
  const TemporaryFolder folder;
  folder.write("run.db", "");
  EXPECT_EQ(read_status(folder.path()).state, RunState::kFailed);
  Claims claims;
  const auto claim = claims.take(folder.path() / "run.db");
  const RunStatus status = read_status(folder.path());
  EXPECT_EQ(status.state, RunState::kRunning);
  EXPECT_EQ(status.worker, Holder::self().name());
}

}  // namespace
}  // namespace theta
