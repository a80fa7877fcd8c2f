// Several processes on one sweep.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/records/claim.hpp"
#include "core/records/store.hpp"
#include "tests/integration/sweep_runs.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;

class SweepWorkers : public SweepRuns {
 protected:
  fs::path out() const { return folder_.path() / "out"; }
  fs::path whole() const { return folder_.path() / "whole"; }

  /// Starts a worker, and waits until it has claimed as many runs as it may.
  std::unique_ptr<Process> start(const fs::path& config, const std::string& jobs = "1") {
    const std::size_t wanted = claims() + std::stoul(jobs), before = server_.requests();
    auto process = std::make_unique<Process>(command(config, "out", jobs));
    while (process->running() && (claims() < wanted || server_.requests() < before + 3))
      std::this_thread::sleep_for(1ms);
    return process;
  }
  static std::int64_t kept(const fs::path& record) {
    return Store(record, Store::Access::kRead).kept().calls;
  }
  /// Runs that are claimed, or whose claim is left.
  std::size_t claims() const {
    std::size_t n = 0;
    std::error_code none;
    for (const auto& run : fs::directory_iterator(out(), none))
      n += run.is_directory() && look_at_claim(run.path() / "run.db").number > 0 ? 1 : 0;
    return n;
  }
  /// Of two workers one is sent a signal, and the other ends with the report of one alone.
  void expect_other_to_finish(int signal, int code) {
    const fs::path file = config(kFour);
    ASSERT_EQ(sweep(file, "whole").code, 0);
    delay_ = 20ms;
    const auto a = start(file, "2"), b = start(file, "2");
    a->send(signal);
    EXPECT_EQ(a->wait().code, code);
    const Finished finished = b->wait();
    ASSERT_EQ(finished.code, 0) << finished.err;
    EXPECT_EQ(lasting_report(out()), lasting_report(whole()));
  }
};

TEST_F(SweepWorkers, ShareTheRunsAndEachEndsWithTheReportOfOne) {
  const fs::path file = config(kFour);
  const Finished one = sweep(file, "whole");
  ASSERT_EQ(one.code, 0) << one.err;
  delay_ = 20ms;
  const std::size_t before = server_.requests();
  const auto a = start(file), b = start(file);
  const std::string status = run_to_end({theta_binary(), "status", out()}).out;
  EXPECT_THAT(status, HasSubstr("2 running, 2 waiting\n"));
  EXPECT_THAT(status, HasSubstr(Holder::self().host + ":"));
  const Finished first = a->wait(), second = b->wait();
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(lasting_report(out()), lasting_report(whole()));
  EXPECT_EQ(first.out, second.out);
  // None was run twice: what was asked is what the two keep.
  const auto of_a = kept(out() / "cache.db"), of_b = kept(out() / "cache.2.db");
  EXPECT_GT(of_a, 0);
  EXPECT_GT(of_b, 0);
  EXPECT_EQ(static_cast<std::int64_t>(server_.requests() - before), of_a + of_b);
  EXPECT_EQ(claims(), 0U);
}

TEST_F(SweepWorkers, WhatAKilledOneWasAtIsTakenOverToTheSameReport) {
  expect_other_to_finish(SIGKILL, -SIGKILL);
  EXPECT_EQ(claims(), 0U);
}

TEST_F(SweepWorkers, OneThatIsStoppedGivesItsRunsBackToTheOthers) {
  expect_other_to_finish(SIGINT, 130);
}

TEST_F(SweepWorkers, OneMayLeaveTheRestToTheOthers) {
  const fs::path file = config("  seeds: [1]\n");
  delay_ = 20ms;
  const auto a = start(file);
  auto leaving = command(file, "out");
  leaving.push_back("--leave");
  const Finished left = run_to_end(leaving);
  EXPECT_EQ(left.code, 0) << left.err;
  EXPECT_EQ(left.out, "");
  EXPECT_THAT(left.err, EndsWith("theta: other workers are at 1 runs; theta status " +
                                 out().string() + " says how they stand\n"));
  EXPECT_EQ(a->wait().code, 0);
}

TEST_F(SweepWorkers, ARunThatFailsMeanwhileIsNotTriedAgainByTheOthersButNamedByAll) {
  const fs::path file =
      config("  list:\n    missing: {data.file: rows2.csv}\n    whole: {}\n  seeds: [1]\n");
  delay_ = 20ms;
  const auto a = start(file), b = start(file);
  const Finished first = a->wait(), second = b->wait();
  for (const Finished& finished : {first, second}) {
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.err, HasSubstr("theta: failed: missing, seed 1: "));
  }
}

TEST_F(SweepWorkers, AFolderIsTheSweepThatWasBegunInItWhateverBecameOfItsConfig) {
  const fs::path file = config(kFour);
  ASSERT_EQ(sweep(file, "whole").code, 0);
  delay_ = 20ms;
  start(file)->send(SIGKILL);
  fs::remove(file);
  delay_ = 0ms;
  const Finished finished = run_to_end({theta_binary(), "sweep", out()});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(lasting_report(out()), lasting_report(whole()));
  EXPECT_EQ(run_to_end({theta_binary(), "sweep", out(), "--set", "seed=2"}).err,
            "--set and --out go with a config; " + out().string() + " is a sweep's folder\n");
  EXPECT_EQ(run_to_end({theta_binary(), "sweep", folder_.path()}).err,
            folder_.path().string() + " holds no sweep\n");
  folder_.write("rows.csv", content(folder_.path() / "rows.csv") + "sentence number 24,good\n");
  const Finished changed = run_to_end({theta_binary(), "sweep", out()});
  EXPECT_EQ(changed.code, 2);
  EXPECT_THAT(changed.err, EndsWith("config.resolved.yaml: what it reads has changed since the "
                                    "sweep began: give the sweep's config in place of its "
                                    "folder\n"));
}

TEST_F(SweepWorkers, ARunOfAnotherMachineIsShownAndItsRecordLeftAlone) {
  ASSERT_EQ(sweep(config("  seeds: [1]\n"), "out").code, 0);
  const std::string run = lasting_report(out()).at("runs").at(0).at("folder");
  Claims there({"node2", "another kernel", 81});
  const auto claim = there.take(out() / run / "run.db");
  EXPECT_THAT(run_to_end({theta_binary(), "status", out()}).out, HasSubstr("running  node2:81 "));
  const Finished report = run_to_end({theta_binary(), "report", out() / run});
  EXPECT_EQ(report.code, 2);
  EXPECT_EQ(report.err, (out() / run).string() + " is in use by node2:81, on another machine\n");
}

TEST_F(SweepWorkers, WithoutSlurmNothingCanBeSubmittedAndItSaysSo) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  auto line = command(config(kFour), "out");
  line.insert(line.end(), {"--on", "slurm"});
  const Finished finished = run_to_end(line);
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, "there is no sbatch here: submit from a machine of the cluster\n");
  line.back() = "pbs";
  EXPECT_EQ(run_to_end(line).err, "--on takes slurm, not 'pbs'\n");
}

}  // namespace
}  // namespace theta
