// The command line of the real program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "experiments/commands/commands.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

Finished theta(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), theta_binary());
  return run_to_end(arguments);
}

TEST(CommandLine, TellsWhatItIsAskedForHelp) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--help"}, {"-h"}, {"help"}}) {
    const Finished finished = theta(arguments);
    EXPECT_EQ(finished.code, 0);
    EXPECT_THAT(finished.out, StartsWith("theta - optimises prompts"));
  }
  EXPECT_EQ(theta({}).code, 2);
}

TEST(CommandLine, SaysWhatTheOptionsOfACommandAreFor) {
  for (const std::string help : {"--help", "-h"}) {
    const Finished finished = theta({"run", help});
    EXPECT_EQ(finished.code, 0);
    EXPECT_THAT(finished.out, StartsWith("theta run CONFIG [--set key=value]... [--out DIR] "
                                         "[--dry-run] [--rate N]\n\nRuns an experiment"));
    EXPECT_THAT(finished.out, ContainsRegex("\n *--out DIR +the folder of the run"));
    EXPECT_THAT(finished.out, HasSubstr("Exit codes: 0 done"));
  }
}

TEST(CommandLine, KeepsTheHelpOfEveryCommandWithin100Columns) {
  for (const auto& command : make_commands()) {
    const std::string help = help_of(*command);
    for (std::size_t at = 0; at < help.size();) {
      const std::size_t end = help.find('\n', at);
      EXPECT_LE(end - at, 100U) << help.substr(at, end - at);
      at = end + 1;
    }
  }
}

TEST(CommandLine, ReadsWhatOptionsHaveWhereNoneIsGiven) {
  const auto sweep = make_sweep_command();
  EXPECT_EQ(parse(*sweep, {"a.yaml", "--set", "x=1", "--verbose"}).arguments,
            std::vector<std::string>{"a.yaml"});
  EXPECT_EQ(usage_of(*sweep),
            "theta sweep CONFIG|DIR [--set key=value]... [--out DIR] [--jobs N] [--leave] [--on "
            "slurm] [--workers N] [--sbatch OPTION]... [--dry-run] [--rate N]");
  EXPECT_EQ(usage_of(*make_replay_command()),
            "theta replay TABLE --optimizer NAME --budget N [--seed S] [--fresh F] "
            "[--threshold P] [--json]");
}

TEST(CommandLine, NamesEveryOptionInTheHelpAndInNoMoreThan100Columns) {
  const std::string help = theta({"--help"}).out;
  EXPECT_THAT(
      help,
      HasSubstr("\n  theta check CONFIG... [--set key=value]... [--config-only]\n      Reads"));
  EXPECT_THAT(help, HasSubstr("\n  theta predict PROMPT [DATA] [--input field=value]..."));
  for (std::size_t at = 0; at < help.size();) {
    const std::size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 100U) << help.substr(at, end - at);
    at = end + 1;
  }
}

TEST(CommandLine, SaysItsVersion) {
  const Finished finished = theta({"--version"});
  EXPECT_EQ(finished.code, 0);
  EXPECT_THAT(finished.out, testing::MatchesRegex("theta [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(CommandLine, RefusesWhatACommandDoesNotTake) {
  const auto refused = [](const std::vector<std::string>& arguments) {
    const Finished finished = theta(arguments);
    EXPECT_EQ(finished.code, 2);
    return finished.err;
  };
  EXPECT_EQ(refused({"fly"}), "unknown command 'fly'; see theta --help\n");
  EXPECT_EQ(
      refused({"persona"}),
      "theta persona is followed by one of fit, judge, prompt, ask, forget; see theta --help\n");
  EXPECT_EQ(
      refused({"persona", "fly"}),
      "theta persona is followed by one of fit, judge, prompt, ask, forget; see theta --help\n");
  EXPECT_EQ(refused({"persona", "fit", "x"}),
            "theta persona fit needs --prompt; see theta persona fit --help\n");
  EXPECT_EQ(refused({"report", "x", "--set", "a=1"}),
            "theta report takes no --set; see theta report --help\n");
  EXPECT_EQ(refused({"replay", "x", "--record", "--json"}),
            "theta replay --record takes no --json; see theta replay --record --help\n");
  EXPECT_EQ(refused({"replay", "x", "--out", "y"}),
            "theta replay takes no --out; see theta replay --help\n");
  EXPECT_EQ(refused({"check"}),
            "usage: theta check CONFIG... [--set key=value]... [--config-only]\n");
  EXPECT_EQ(refused({"replay", "x", "--budget", "9"}),
            "theta replay needs --optimizer; see theta replay --help\n");
}

TEST(CommandLine, RefusesNumbersThatAreTooSmall) {
  for (const std::string n : {"-1", "0"})
    EXPECT_EQ(theta({"sweep", "x.yaml", "--jobs", n}).err,
              "--jobs must be at least 1, not " + n + "\n");
  EXPECT_EQ(theta({"replay", "x", "--optimizer", "tpe", "--budget", "9", "--seed", "-1"}).err,
            "--seed must be at least 0, not -1\n");
}

/// A shell's command line about the program.
Finished shell(const std::string& behind) {
  return run_to_end({"/bin/sh", "-c", theta_binary() + (" " + behind)});
}

TEST(CommandLine, SaysThatItsOutputIsLost) {
  for (const std::string arguments : {"--help", "--version"}) {
    const Finished finished = shell(arguments + " >/dev/full");
    EXPECT_EQ(finished.code, 1);
    EXPECT_EQ(finished.err, "theta: the output cannot be written: No space left on device\n");
  }
}

TEST(CommandLine, EndsAsItWouldWhereNothingHearsIt) {
  EXPECT_EQ(shell("check nofile 2>/dev/full").code, 2);
  EXPECT_EQ(shell("check nofile 2>&-").code, 2);
  EXPECT_EQ(shell("--version >&- 2>&-").code, 0);
}

/// Of an untouched program on one test row, by the model that `task` describes.
Finished run_with(const std::string& task, const TemporaryFolder& folder) {
  folder.write("rows.csv", "text,label\nx,a\ny,b\nz,a\n");
  const auto config = folder.write("run.yaml", "models: {task: " + task + R"(}
name: small
seed: 1
data: {file: rows.csv, fields: {q: text, a: label}, split: {train: 1, validation: 1, test: 1, seed: 1}}
program: {signature: "q -> a"}
metric: exact_match
optimizers: []
)");
  return theta({"run", config.string(), "--out", (folder.path() / "out").string()});
}

TEST(CommandLine, NamesAModelThatCannotBeLoadedBeforeTheRunBegins) {
  const TemporaryFolder folder;
  folder.write("bad.gguf", "no model");
  const Finished finished = run_with("{path: bad.gguf}", folder);
  EXPECT_EQ(finished.code, 2) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("bad.gguf is not a GGUF file"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out"));
}

TEST(CommandLine, EndsARunThatNothingAnswersWithTheReason) {
  const TemporaryFolder folder;
  const Finished finished =
      run_with(R"({base_url: "http://127.0.0.1:1/v1", model: m, retries: 0})", folder);
  EXPECT_EQ(finished.code, 1) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("theta: untouched: none of 1 items was answered, the "
                                      "first with: http://127.0.0.1:1/v1: "));
}

}  // namespace
}  // namespace theta
