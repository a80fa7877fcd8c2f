#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/records/store.hpp"
#include "tests/integration/sweep_runs.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using testing::EndsWith;
using testing::HasSubstr;

TEST_F(SweepRuns, MakesOneTableOverItsRunsAndTheSameReportWhateverTheJobs) {
  const fs::path file = config(kFour);
  const Finished one = sweep(file, "one", "1"), four = sweep(file, "four", "4");
  ASSERT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(four.code, 0) << four.err;
  EXPECT_EQ(lasting_report(folder_.path() / "one"), lasting_report(folder_.path() / "four"));
  const auto report = lasting_report(folder_.path() / "one");
  ASSERT_EQ(report.at("runs").size(), 4U);
  ASSERT_EQ(report.at("rows").size(), 4U);  // untouched and random_search, of both settings
  for (const auto& row : report.at("rows")) {
    EXPECT_EQ(row.at("seeds"), 2);
    double mean = 0;
    for (const double accuracy : row.at("accuracies")) mean += accuracy / 2;
    EXPECT_NEAR(row.at("accuracy"), mean, 1e-6);
  }
  for (const auto& run : report.at("runs"))
    EXPECT_EQ(lasting_report(folder_.path() / "one" / run.at("folder")),
              lasting_report(folder_.path() / "four" / run.at("folder")));
  EXPECT_TRUE(fs::exists(folder_.path() / "one" / "report.html"));
}

TEST_F(SweepRuns, TwoRunsAreComparedItemByItemUnlessTheyReadOtherData) {
  ASSERT_EQ(sweep(config("  grid: {optimizers.0.num_candidates: [1, 2]}\n"), "one").code, 0);
  const fs::path one = folder_.path() / "one", shown = folder_.path() / "shown";
  const auto folder_of = [](const fs::path& swept, std::size_t i) {
    return swept / lasting_report(swept).at("runs").at(i).at("folder").get<std::string>();
  };
  const fs::path a = folder_of(one, 0), b = folder_of(one, 1);
  const Finished finished =
      run_to_end({theta_binary(), "report", a, b, "--out", shown, "--csv", shown});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("optimizers.0.num_candidates  1  2\n"));
  const auto json = ordered_json::parse(content(shown / "comparison.json"));
  EXPECT_EQ(json.at("rows").at(1).at("b").at("method"), "random_search");
  EXPECT_EQ(json.at("rows").at(1).at("judgements"), 10);
  EXPECT_THAT(content(shown / "comparison.html"), HasSubstr("<h2>Paired differences</h2>"));
  EXPECT_THAT(content(shown / "rows.csv"), testing::StartsWith("a.method,a.model,a.accuracy,"));

  folder_.write("rows.csv", content(folder_.path() / "rows.csv") + "sentence number 24,good\n");
  ASSERT_EQ(sweep(config("  seeds: [1]\n"), "two").code, 0);
  const fs::path other = folder_of(folder_.path() / "two", 0);
  const Finished refused = run_to_end({theta_binary(), "report", a, other});
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.err, a.string() + " and " + other.string() +
                             " read other data: items of one id are not the same, and cannot be "
                             "paired\n");
}

TEST_F(SweepRuns, ARunOfASweepIsTheRunAlone) {
  ASSERT_EQ(sweep(config("  seeds: [1, 2]\n"), "sweep").code, 0);
  const auto run = lasting_report(folder_.path() / "sweep").at("runs").at(1).at("folder");
  std::string alone = content(folder_.path() / "sweep.yaml");
  alone = folder_.write("alone.yaml", alone.substr(0, alone.find("sweep:")));
  const Finished finished = run_to_end(
      {theta_binary(), "run", alone, "--set", "seed=2", "--out", folder_.path() / "alone"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(lasting_report(folder_.path() / "alone"),
            lasting_report(folder_.path() / "sweep" / run));
}

TEST_F(SweepRuns, AsksNothingTwiceNotEvenOfAnotherRun) {
  ASSERT_EQ(sweep(config(kFour), "out").code, 0);
  const fs::path out = folder_.path() / "out";
  const Store cache(out / "cache.db", Store::Access::kRead);
  EXPECT_EQ(static_cast<std::int64_t>(server_.requests()), cache.kept().calls);
  std::int64_t asked = 0;
  const auto report = lasting_report(out);
  for (const auto& run : report.at("runs")) asked += run.at("calls").get<std::int64_t>();
  EXPECT_GT(asked, cache.kept().calls);
}

TEST_F(SweepRuns, RunsNoFinishedRunAgainAndOnlyWhatIsNew) {
  ASSERT_EQ(sweep(config("  seeds: [1, 2]\n"), "out").code, 0);
  const std::size_t before = server_.requests();
  const auto report = content(folder_.path() / "out" / "report.json");
  dead_ = true;
  const Finished again = sweep(config("  seeds: [1, 2]\n"), "out");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(server_.requests(), before);
  EXPECT_EQ(content(folder_.path() / "out" / "report.json"), report);
  dead_ = false;
  ASSERT_EQ(sweep(config("  seeds: [1, 2, 3]\n"), "out").code, 0);
  EXPECT_GT(server_.requests(), before);
  EXPECT_EQ(lasting_report(folder_.path() / "out").at("runs").size(), 3U);
}

TEST_F(SweepRuns, RunsAFinishedRunAgainWhoseDataHaveChanged) {
  ASSERT_EQ(sweep(config("  seeds: [1, 2]\n"), "out").code, 0);
  const std::size_t before = server_.requests();
  folder_.write("rows.csv", content(folder_.path() / "rows.csv") + "sentence number 24,good\n");
  ASSERT_EQ(sweep(config("  seeds: [1, 2]\n"), "out").code, 0);
  EXPECT_GT(server_.requests(), before);
}

TEST_F(SweepRuns, KilledItGoesOnToTheSameReportAndAsksNothingTwice) {
  const fs::path file = config(kFour);
  ASSERT_EQ(sweep(file, "whole").code, 0);
  const std::size_t total = server_.requests();
  delay_ = std::chrono::milliseconds(5);
  for (const int signal : {SIGKILL, SIGINT, SIGKILL}) {
    const std::size_t before = server_.requests();
    Process process(command(file, "killed"));
    while (process.running() && server_.requests() < before + total / 6)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    process.send(signal);
    const Finished finished = process.wait();
    if (signal == SIGKILL) {
      EXPECT_EQ(finished.code, -SIGKILL) << finished.err;
    } else {
      EXPECT_EQ(finished.code, 130);
      EXPECT_THAT(finished.err, EndsWith("theta: stopped; what is done is in " +
                                         (folder_.path() / "killed").string() +
                                         ", and the same command goes on from there\n"));
    }
  }
  delay_ = std::chrono::milliseconds(0);
  const Finished finished = sweep(file, "killed");
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(lasting_report(folder_.path() / "killed"), lasting_report(folder_.path() / "whole"));
}

TEST_F(SweepRuns, AFailedRunStopsNoOtherIsNamedAndGoesOnOnceItCan) {
  const fs::path file =
      config("  list:\n    whole: {}\n    missing: {data.file: rows2.csv}\n  seeds: [1]\n");
  const Finished finished = sweep(file, "out");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr("theta: failed: missing, seed 1: "));
  EXPECT_THAT(finished.err, HasSubstr("rows2.csv"));
  EXPECT_THAT(finished.out, HasSubstr("1 of 2 runs are done"));
  const auto states_of = states(folder_.path() / "out");
  EXPECT_EQ(states_of.at("whole, seed 1"), "done");
  EXPECT_EQ(states_of.at("missing, seed 1"), "failed");
  fs::copy(folder_.path() / "rows.csv", folder_.path() / "rows2.csv");
  EXPECT_EQ(sweep(file, "out").code, 0);
  EXPECT_EQ(states(folder_.path() / "out").at("missing, seed 1"), "done");
}

TEST_F(SweepRuns, StatusShowsEveryRunWhileTheSweepGoesOnAndAfterIt) {
  const fs::path out = folder_.path() / "out";
  delay_ = std::chrono::milliseconds(20);
  Process process(command(config("  seeds: [1, 2]\n"), "out", "1"));
  while (process.running() && server_.requests() < 15)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const Finished live = run_to_end({theta_binary(), "status", out});
  EXPECT_EQ(live.code, 0) << live.err;
  EXPECT_THAT(live.out, HasSubstr(" running "));
  EXPECT_THAT(live.out, EndsWith("1 running, 1 waiting\n"));
  process.send(SIGKILL);
  process.wait();
  EXPECT_THAT(run_to_end({theta_binary(), "status", out}).out, EndsWith("1 stopped, 1 waiting\n"));
  delay_ = std::chrono::milliseconds(0);
  ASSERT_EQ(sweep(config("  seeds: [1, 2]\n"), "out").code, 0);
  const Finished after = run_to_end({theta_binary(), "status", out});
  EXPECT_THAT(after.out, EndsWith("2 done\n"));
  const auto run = lasting_report(out).at("runs").at(0);
  EXPECT_THAT(after.out, HasSubstr(run.at("folder").get<std::string>() + "  done"));
  EXPECT_THAT(after.out, HasSubstr(std::to_string(run.at("calls").get<int>())));
}

TEST_F(SweepRuns, ADamagedRecordFailsItsRunAloneWithOneLine) {
  ASSERT_EQ(sweep(config("  seeds: [1]\n"), "out").code, 0);
  const fs::path out = folder_.path() / "out";
  const std::string damaged = lasting_report(out).at("runs").at(0).at("folder");
  std::ofstream(out / damaged / "run.db", std::ios::binary) << std::string(5000, 'x');
  const std::string why =
      (out / damaged / "run.db").string() + " is damaged, or never was a database";
  const Finished finished = sweep(config("  seeds: [1, 2]\n"), "out");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr("theta: failed: seed 1: " + why));
  EXPECT_THAT(states(out),
              testing::ElementsAre(std::pair("seed 1", "failed"), std::pair("seed 2", "done")));
  EXPECT_THAT(run_to_end({theta_binary(), "status", out}).out, HasSubstr(why));
  fs::remove(out / damaged / "run.db");
  EXPECT_EQ(sweep(config("  seeds: [1, 2]\n"), "out").code, 0);
}

TEST_F(SweepRuns, StatusOfAFolderWithoutARunIsAnError) {
  const Finished finished = run_to_end({theta_binary(), "status", folder_.path()});
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, folder_.path().string() + " holds neither a run nor a sweep\n");
}

TEST_F(SweepRuns, ADryRunSumsOverTheRunsAndAsksNothing) {
  auto dry = command(config(kFour), "out");
  dry.push_back("--dry-run");
  const Finished finished = run_to_end(dry);
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(server_.requests(), 0U);
  EXPECT_FALSE(fs::exists(folder_.path() / "out"));
  std::istringstream lines(finished.out);
  std::vector<double> calls;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("num_candidates") || line.starts_with("in all"))
      calls.push_back(std::atof(line.c_str() + 26));
  ASSERT_EQ(calls.size(), 5U) << finished.out;
  EXPECT_GT(calls[0], 0);
  EXPECT_EQ(calls[4], calls[0] + calls[1] + calls[2] + calls[3]);
}

TEST_F(SweepRuns, ABudgetStopsARunWithWhatItHasAndARaisedOneLetsItGoOn) {
  const std::string text = content(config(""));
  const fs::path plain = folder_.write("plain.yaml", text.substr(0, text.find("sweep:")));
  const auto run = [&](const std::string& out, const std::string& budget) {
    return run_to_end(
        {theta_binary(), "run", plain, "--out", folder_.path() / out, "--set", "budget=" + budget});
  };
  ASSERT_EQ(run("whole", "{calls: 1000}").code, 0);
  const std::size_t total = server_.requests();
  const fs::path out = folder_.path() / "out";
  for (std::size_t calls = 4; calls < total; calls += 7) {
    const std::string why = fmt::format("the budget of {} calls is spent", calls);
    const Finished stopped = run("out", fmt::format("{{calls: {}}}", calls));
    EXPECT_EQ(stopped.code, 3) << stopped.err;
    EXPECT_THAT(stopped.out, HasSubstr("Stopped early: " + why + ".\n"));
    EXPECT_LE(server_.requests(), total + calls);
    EXPECT_EQ(lasting_report(out).at("stopped"), why);
    EXPECT_TRUE(fs::exists(out / "prompt.json"));
    EXPECT_THAT(run_to_end({theta_binary(), "status", out}).out, HasSubstr(why));
  }
  ASSERT_EQ(run("out", "{calls: 1000}").code, 0);
  EXPECT_EQ(server_.requests(), 2 * total);
  EXPECT_EQ(lasting_report(out), lasting_report(folder_.path() / "whole"));
}

TEST_F(SweepRuns, ABudgetOfEachRunStopsTheSweepsRunsAndIsNamed) {
  const Finished finished = [&] {
    auto limited = command(config("  seeds: [1, 2]\n"), "out");
    limited.insert(limited.end(), {"--set", "budget={tokens: 1500}"});
    return run_to_end(limited);
  }();
  EXPECT_EQ(finished.code, 3) << finished.err;
  EXPECT_THAT(finished.err,
              HasSubstr("theta: stopped: seed 1: the budget of 1500 tokens is spent\n"
                        "theta: stopped: seed 2: the budget of 1500 tokens is spent\n"));
}

TEST_F(SweepRuns, ADryRunSaysWhatEachStageAsksForAndCosts) {
  const std::string text = content(config("", ", price: {prompt: 2, generated: 4}"));
  const Finished finished =
      run_to_end({theta_binary(), "run",
                  folder_.write("plain.yaml", text.substr(0, text.find("sweep:"))), "--dry-run"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  std::istringstream lines(finished.out);
  std::map<std::string, std::vector<double>> stages;
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find_first_of("0123456789", line.find("  "));  // behind the stage
    std::istringstream words(first == std::string::npos ? "" : line.substr(first));
    std::vector<double> numbers;
    for (double number; words >> number;) numbers.push_back(number);
    if (numbers.size() == 4) stages[line.substr(0, line.find("  "))] = numbers;
  }
  ASSERT_TRUE(stages.contains("untouched: test")) << finished.out;
  EXPECT_EQ(stages.at("untouched: test")[0], 10);
  for (const auto& [stage, n] : stages)
    EXPECT_NEAR(n[3], (2 * n[1] + 4 * n[2]) / 1e6, 1e-4) << stage;
  EXPECT_EQ(server_.requests(), 0U);
}

TEST_F(SweepRuns, EveryRoleIsCountedApartInTheReport) {
  const std::string text = content(config(""));
  const fs::path plain = folder_.write("plain.yaml", text.substr(0, text.find("sweep:")));
  ASSERT_EQ(run_to_end({theta_binary(), "run", plain, "--out", folder_.path() / "out"}).code, 0);
  std::int64_t rows = 0;
  const auto report = lasting_report(folder_.path() / "out");
  for (const auto& row : report.at("rows")) rows += row.at("calls").get<std::int64_t>();
  std::map<std::string, std::int64_t> calls;
  for (const auto& usage : report.at("usage_by_role")) {
    EXPECT_EQ(usage.at("model"), "tiny");
    calls[usage.at("role")] = usage.at("calls");
  }
  EXPECT_EQ(calls.at("proposer"), 0);
  EXPECT_GT(calls.at("teacher"), 0);  // the task model bootstraps its own demos
  EXPECT_GT(calls.at("task"), rows);  // the search beside the test rows
}

TEST_F(SweepRuns, SumsWhatEachRoleAskedOverTheRuns) {
  const Finished finished = sweep(config("  seeds: [1, 2]\n"), "out");
  ASSERT_EQ(finished.code, 0) << finished.err;
  const fs::path out = folder_.path() / "out";
  const auto calls = [](const ordered_json& report) {
    std::map<std::string, std::int64_t> of_role;
    for (const auto& usage : report.at("usage_by_role"))
      of_role[usage.at("role")] = usage.at("calls");
    return of_role;
  };
  const auto report = lasting_report(out);
  std::map<std::string, std::int64_t> sums;
  for (const auto& run : report.at("runs"))
    for (const auto& [role, n] : calls(lasting_report(out / run.at("folder")))) sums[role] += n;
  EXPECT_GT(sums.at("task"), 0);
  EXPECT_EQ(calls(report), sums);
  EXPECT_THAT(content(out / "report.html"), HasSubstr("<tr><td>task</td><td>tiny</td>"));
  EXPECT_THAT(finished.out, HasSubstr("\ntask      tiny "));
}

TEST_F(SweepRuns, PingSaysWhatAnswersAndWhatIsWrong) {
  const fs::path file = config(
      "  list:\n    here: {}\n    nowhere: {models.task.model: other, models.task.base_url: "
      "\"http://127.0.0.1:1/v1\"}\n");
  const Finished finished = run_to_end({theta_binary(), "ping", file});
  EXPECT_EQ(finished.code, 1);
  EXPECT_EQ(std::ranges::count(finished.out, '\n'), 1);
  EXPECT_THAT(finished.out, testing::StartsWith("task: "));
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1);
  EXPECT_THAT(finished.err, testing::StartsWith("task: "));
  EXPECT_THAT(finished.err, HasSubstr("127.0.0.1:1"));
  dead_ = true;
  EXPECT_THAT(run_to_end({theta_binary(), "ping", file}).err, HasSubstr("503"));
}

TEST_F(SweepRuns, PingAsksEveryAddressOnceOfAKind) {
  const fs::path file = config("  seeds: [1]\n");
  const Finished finished = run_to_end(
      {theta_binary(), "ping", file, "--set",
       fmt::format("models.task.base_url=['{}', 'http://127.0.0.1:1/v1']", server_.url())});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.out,
              testing::StartsWith(fmt::format("task: tiny answers at {}: task (", server_.url())));
  EXPECT_THAT(finished.err, testing::StartsWith("task: http://127.0.0.1:1/v1: cannot connect: "
                                                "Connection refused; task asked: "));
  EXPECT_EQ(std::ranges::count(finished.out, '('), static_cast<int>(server_.requests()));
}

/// The embedded engine: two runs at once on one model that computes in units.
TEST(SweepOfTheSmallestModel, GivesWhatEachRunGivesAlone) {
  if (const auto missing = missing_for_small_runs(); !missing.empty()) GTEST_SKIP() << missing;
  const TemporaryFolder folder;
  const std::string config = R"(name: task
seed: 1
models:
  task: {path: "${THETA_CACHE}/models/smollm2-135m-instruct-q4_1.gguf", context: 2048, unit: 8}
data: {sentiment: {train: 10, validation: 10, test: 12, seed: 7}}
program:
  signature: "sentence -> sentiment: Literal['positive', 'negative']"
  adapter: terse
  answering: score
baselines: []
optimizers:
  - {name: random_search, num_candidates: 2, max_bootstrapped: 1, max_labeled: 1}
)";
  const fs::path out = folder.path() / "sweep", alone = folder.path() / "alone";
  const Finished swept =
      run_to_end({theta_binary(), "sweep",
                  folder.write("s.yaml", config + "sweep: {seeds: [1, 2]}\n"), "--out", out});
  ASSERT_EQ(swept.code, 0) << swept.err;
  const Finished one =
      run_to_end({theta_binary(), "run", folder.write("a.yaml", config), "--out", alone});
  ASSERT_EQ(one.code, 0) << one.err;
  const auto runs = lasting_report(out).at("runs");
  EXPECT_EQ(lasting_report(out / runs.at(0).at("folder")), lasting_report(alone));
  const auto timing = ordered_json::parse(content(out / "report.json")).at("timing");
  double asked = 0;
  for (const auto& run : runs) asked += run.at("calls").get<double>();
  EXPECT_LT(timing.at("smollm2-135m-instruct-q4_1.gguf attempts"), asked);
}

}  // namespace
}  // namespace theta
