#include "experiments/report/comparison.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "experiments/runs/run_record.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Runs of one row or more, on items that stand alone or belong to four users.
class Comparison : public testing::Test {
 protected:
  struct Made {
    std::string name, data = "d1", prompt = "predict: Answer.", config = "seed: 1\n";
    std::vector<std::vector<Outcome>> rows = {};
  };
  static std::vector<Outcome> row(const std::string& method, const std::string& model, int from,
                                  int to, int right, bool people = false) {
    std::vector<Outcome> out;
    for (int i = from; i < to; ++i)
      out.push_back({method, model, fmt::format("row {}", i),
                     people ? fmt::format("user {}", i % 4) : "", 0, i < right ? 1.0 : 0.0});
    return out;
  }
  fs::path make(const Made& run) const {
    const fs::path folder = folder_.path() / run.name;
    fs::create_directories(folder);
    Store store(folder / "run.db");
    put(store, part::kConfigHash, "hash-" + run.name);
    put(store, part::kDataHash, run.data);
    put(store, part::kName, run.name);
    put(store, part::kSeed, 1);
    put(store, part::kConfig, run.config);
    put(store, part::kPrompts, {{"mipro", run.prompt}});
    for (const auto& outcomes : run.rows)
      store.put_row(outcomes.front().method, outcomes.front().model, outcomes, {20, 400, 7});
    return folder;
  }
  std::string error_of(const fs::path& a, const fs::path& b, const ComparedRows& rows = {}) const {
    std::string text = message_of<UserError>([&] { (void)compare_runs(a, b, rows); });
    for (std::size_t at; (at = text.find(folder_.path().string() + "/")) != text.npos;)
      text.erase(at, folder_.path().string().size() + 1);
    return text;
  }

  TemporaryFolder folder_;
};

TEST_F(Comparison, SaysWhatTheSecondRunHasOverTheFirstAndWhichItemsTurned) {
  auto better = row("mipro", "tiny", 0, 20, 13);
  better[2].score = 0;
  const auto a = make({.name = "a", .rows = {row("mipro", "tiny", 0, 20, 10)}}),
             b = make({.name = "b",
                       .prompt = "predict: Answer briefly.",
                       .config = "seed: 1\nprogram: {adapter: json}\n",
                       .rows = {better}});
  const RunComparison comparison = compare_runs(a, b);
  ASSERT_EQ(comparison.rows.size(), 1U);
  const auto& paired = comparison.rows[0].paired;
  EXPECT_DOUBLE_EQ(paired.difference, .1);
  EXPECT_EQ(paired.judgements, 20U);
  EXPECT_EQ(paired.interval, "jackknife t by items");
  std::vector<std::string> turned;
  for (const auto& one : comparison.rows[0].turned)
    turned.push_back(fmt::format("{} {} {}", one.item, one.against, one.score));
  EXPECT_THAT(turned, ElementsAre("row 2 1 0", "row 10 0 1", "row 11 0 1", "row 12 0 1"));
  const std::string text = to_table(comparison);
  EXPECT_THAT(text, HasSubstr("a: a, config hash-a, seed 1\n"));
  EXPECT_THAT(text, HasSubstr("\nmipro, tiny\n            3 items better, 1 worse\n"));
  EXPECT_THAT(text, HasSubstr("  better    row 10, row 11, row 12\n  worse     row 2\n"));
  EXPECT_THAT(text, HasSubstr("program.adapter  -  json\n"));
  EXPECT_THAT(text, HasSubstr("predict: [-Answer.-]{+Answer briefly.+}\n"));
}

TEST_F(Comparison, PairsPeoplesItemsByPerson) {
  const auto a = make({.name = "a", .rows = {row("theta", "judge", 0, 20, 10, true)}}),
             b = make({.name = "b", .rows = {row("theta", "judge", 0, 20, 13, true)}});
  const RunComparison comparison = compare_runs(a, b);
  EXPECT_EQ(comparison.rows.at(0).paired.users, 4U);
  EXPECT_EQ(comparison.rows.at(0).paired.interval, "jackknife t by users");
  EXPECT_EQ(comparison.rows.at(0).turned.at(0).group, "user 2");
  EXPECT_THAT(to_table(comparison), HasSubstr("an interval rests on 4 users"));
}

TEST_F(Comparison, SaysOnceWhatIsSaidWhereverUsersAre) {
  const auto a = make({.name = "a", .rows = {row("theta", "judge", 0, 20, 10, true)}}),
             b = make({.name = "b", .rows = {row("theta", "judge", 0, 20, 13, true)}});
  for (const auto& folder : {a, b}) {
    Store store(folder / "run.db");
    put(store, part::kNote, "The users are simulated.");
  }
  EXPECT_THAT(compare_runs(a, b).remarks, ElementsAre("The users are simulated."));
}

TEST_F(Comparison, TakesOfTwoOrdersOfAnItemTheMean) {
  auto before = row("theta", "judge", 0, 8, 0), after = row("theta", "judge", 0, 8, 8);
  for (int i = 0; i < 8; ++i) {
    before.push_back(before[static_cast<std::size_t>(i)]);
    before.back().variant = 1;
    after.push_back(before.back());
  }
  const auto comparison =
      compare_runs(make({.name = "a", .rows = {before}}), make({.name = "b", .rows = {after}}));
  ASSERT_EQ(comparison.rows.at(0).turned.size(), 8U);
  EXPECT_EQ(comparison.rows[0].turned[0].score, .5);
}

TEST_F(Comparison, CountsWhatOnlyOneRunScored) {
  auto fewer = row("mipro", "tiny", 5, 20, 10);
  fewer[0].status = Outcome::Status::kFailed;
  const auto comparison =
      compare_runs(make({.name = "a", .rows = {row("mipro", "tiny", 0, 20, 10)}}),
                   make({.name = "b", .rows = {fewer}}));
  EXPECT_EQ(comparison.rows.at(0).paired.judgements, 14U);
  EXPECT_THAT(to_table(comparison), HasSubstr("missing: 6, 0 of the other"));
}

TEST_F(Comparison, ComparesAMethodUnderTheModelThatEachRunHas) {
  const auto a = make(
                 {.name = "a",
                  .rows = {row("mipro", "small", 0, 20, 10), row("gepa", "small", 0, 20, 12)}}),
             b = make({.name = "b", .rows = {row("mipro", "large", 0, 20, 15)}});
  const auto comparison = compare_runs(a, b);
  ASSERT_EQ(comparison.rows.size(), 1U);
  EXPECT_THAT(to_table(comparison), HasSubstr("mipro   small, then large  "));
  EXPECT_THAT(to_table(comparison), HasSubstr("in A alone: gepa, small\n"));
}

TEST_F(Comparison, ComparesTheRowsThatAreNamed) {
  const auto a = make({.name = "a", .rows = {row("mipro", "tiny", 0, 20, 10)}}),
             b = make({.name = "b", .rows = {row("gepa", "tiny", 0, 20, 15)}});
  EXPECT_EQ(error_of(a, b),
            "a and b have no row of one name: say with --row and --with which to compare (mipro; "
            "gepa)");
  EXPECT_EQ(compare_runs(a, b, {"mipro", "gepa"}).rows.at(0).paired.difference, .25);
  EXPECT_EQ(error_of(a, b, {"mirpo", "gepa"}),
            "a has no row `mirpo`; did you mean 'mipro'?; it has mipro");
}

TEST_F(Comparison, RefusesRunsThatHaveNothingToPair) {
  const auto a = make({.name = "a", .rows = {row("mipro", "tiny", 0, 10, 5)}}),
             apart = make({.name = "apart", .rows = {row("mipro", "tiny", 10, 20, 5)}}),
             other =
                 make({.name = "other", .data = "d2", .rows = {row("mipro", "tiny", 0, 10, 5)}});
  EXPECT_EQ(error_of(a, apart),
            "a and apart share no item that both scored: nothing can be paired");
  EXPECT_EQ(error_of(a, other),
            "a and other read other data: items of one id are not the same, and cannot be paired");
  EXPECT_EQ(error_of(a, a), "a is compared with itself");
  EXPECT_EQ(error_of(a, folder_.path() / "none"), "none holds no run");
  folder_.write("a/sweep.json", "{}");
  EXPECT_EQ(error_of(a, apart), "a holds a sweep: name the folder of one of its runs");
}

TEST_F(Comparison, SaysWhereItCannotKnowThatTheDataAreTheSame) {
  const auto comparison =
      compare_runs(make({.name = "a", .data = "", .rows = {row("mipro", "tiny", 0, 20, 10)}}),
                   make({.name = "b", .rows = {row("mipro", "tiny", 0, 20, 12)}}));
  EXPECT_THAT(comparison.remarks,
              ElementsAre("a record does not say what its data held: items are taken for the same "
                          "by their ids alone"));
}

TEST_F(Comparison, JsonAndThePageHoldTheSameAndHostileTextIsInert) {
  const std::string hostile = "<script>alert(1)</script>";
  auto before = row("mipro", "tiny", 0, 20, 10), after = row("mipro", "tiny", 0, 20, 10);
  before[0].item = after[0].item = hostile;
  after[0].score = 0;
  const auto comparison = compare_runs(make({.name = "a", .prompt = "x", .rows = {before}}),
                                       make({.name = "b", .prompt = hostile, .rows = {after}}));
  const auto written = json::parse(to_json(comparison));
  EXPECT_EQ(written["rows"][0]["turned"],
            json::parse(R"([{"item": "<script>alert(1)</script>", "user": "", "a": 1, "b": 0}])"));
  EXPECT_EQ(written["rows"][0]["difference"], -.05);
  EXPECT_EQ(written["prompts"][0]["diff"][1]["text"], hostile);
  const std::string page = to_html(comparison);
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
  EXPECT_THAT(page, HasSubstr("<ins>&lt;script&gt;alert(1)&lt;/script&gt;</ins>"));
}

}  // namespace
}  // namespace theta
