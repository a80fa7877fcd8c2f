#include "experiments/report/sweep_report.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// A sweep whose runs, one a seed, compared method b with a on 40 items of 8 users.
class SweepReportTest : public ::testing::Test {
 protected:
  /// @param better  items that b alone gets right; it alone gets one wrong
  void add_run(int better) {
    const auto seed = json_["runs"].size() + 1;
    const auto name = "seed-" + std::to_string(seed);
    json_["runs"].push_back({{"folder", name},
                             {"label", name},
                             {"setting", "plain"},
                             {"values", json::object()},
                             {"group", 0},
                             {"seed", seed}});
    std::filesystem::create_directories(folder_.path() / name);
    folder_.write("sweep.json", json_.dump());
    std::vector<Outcome> a, b;
    for (int i = 0; i < 40; ++i) {
      const auto item = std::to_string(i), user = "u" + std::to_string(i % 8);
      a.push_back({"a", "m", item, user, 0, i < 20 || i == 39 ? 1.0 : 0.0});
      b.push_back({"b", "m", item, user, 0, i < 20 + better ? 1.0 : 0.0});
    }
    a[0].status = Outcome::Status::kFailed;
    Store store(folder_.path() / name / "run.db");
    put(store, part::kConfigHash, "x");
    put(store, part::kSeed, static_cast<std::uint64_t>(seed));
    put(store, part::kComparisons, {{"b", "a"}});
    put(store, part::kState, RunState::kDone);
    store.put_row("a", "m", a, {});
    store.put_row("b", "m", b, {});
  }
  SweepReport report() const { return make_sweep_report(folder_.path()); }

  TemporaryFolder folder_;
  json json_ = {{"name", "sweep"}, {"runs", json::array()}};
};

TEST_F(SweepReportTest, OfOneSeedComparesAsItsRunDoes) {
  add_run(8);
  const auto sweep = report();
  const auto run = make_report(Store(folder_.path() / "seed-1" / "run.db", Store::Access::kRead));
  ASSERT_EQ(sweep.paired.size(), 1u);
  EXPECT_EQ(sweep.paired[0].mean, run.paired[0].difference);
  EXPECT_EQ(sweep.paired[0].estimate.interval().low, run.paired[0].low);
  EXPECT_EQ(sweep.paired[0].estimate.interval().high, run.paired[0].high);
  EXPECT_EQ(sweep.paired[0].estimate.p(), run.paired[0].p);
}

TEST_F(SweepReportTest, LeavesNoDifferenceOutExactlyWhereItsTestIsSignificant) {
  for (const int better : {12, 13, 14}) add_run(better);
  const auto clear = json::parse(to_json(report()))["paired"][0];
  EXPECT_GT(clear["low"], 0);
  EXPECT_LT(clear["p"], .05);
  add_run(-12);
  const auto mixed = json::parse(to_json(report()))["paired"][0];
  EXPECT_LT(mixed["low"], 0);
  EXPECT_GT(mixed["p"], .05);
}

TEST_F(SweepReportTest, SaysWhatIsMissingAndHowIntervalsWereComputed) {
  add_run(8);
  add_run(9);
  const auto sweep = report();
  EXPECT_THAT(to_table(sweep), HasSubstr("missing: 0, 2 of the other"));
  const auto written = json::parse(to_json(sweep));
  EXPECT_EQ(written["paired"][0]["missing_against"], 2);
  EXPECT_EQ(written["paired"][0]["users"], 8);
  EXPECT_EQ(written["paired"][0]["interval"], "t over seeds and items (Satterthwaite)");
  EXPECT_EQ(written["rows"][0]["interval"], "t over seeds and each run's interval (MOVER)");
}

}  // namespace
}  // namespace theta
