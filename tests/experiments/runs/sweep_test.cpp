#include "experiments/runs/sweep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "experiments/commands/commands.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

constexpr const char* kSweep = R"(name: task
seed: 7
models:
  task: {path: model.gguf, threads: 2}
data: {file: reviews.csv, split: {train: 4, validation: 2, test: 2}}
program:
  signature: "sentence -> mood: Literal['good', 'bad']"
  adapter: terse
optimizers:
  - {name: mipro, num_trials: 2}
sweep:
  list:
    scored: {program.answering: score}
    long: {program.max_tokens: 99, data.split.seed: 3}
  grid:
    optimizers.0.surrogate: [paired, random]
  seeds: [1, 2]
)";

Sweep sweep_of(const std::string& text) { return read_sweep(Config::parse(text, "sweep.yaml")); }

std::string with(const std::string& from, const std::string& to) {
  std::string text = kSweep;
  return text.replace(text.find(from), from.size(), to);
}

std::string error_of(const std::string& text) {
  return message_of<UserError>([&] { sweep_of(text); });
}

TEST(Sweep, RunsEveryCombinationWithTheListOutsideAndTheSeedsInside) {
  const Sweep sweep = sweep_of(kSweep);
  EXPECT_EQ(sweep.name, "task");
  std::vector<std::string> labels;
  std::vector<std::size_t> groups;
  for (const SweepRun& run : sweep.runs) {
    labels.push_back(run.label());
    groups.push_back(run.group);
  }
  EXPECT_THAT(labels,
              ElementsAre("scored, surrogate=paired, seed 1", "scored, surrogate=paired, seed 2",
                          "scored, surrogate=random, seed 1", "scored, surrogate=random, seed 2",
                          "long, surrogate=paired, seed 1", "long, surrogate=paired, seed 2",
                          "long, surrogate=random, seed 1", "long, surrogate=random, seed 2"));
  EXPECT_THAT(groups, ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
}

TEST(Sweep, EachRunIsTheConfigWithItsValuesPutInAndHasItsHash) {
  const SweepRun run = std::move(sweep_of(kSweep).runs.at(6));
  Config alone = Config::parse(kSweep, "sweep.yaml");
  alone.erase("sweep");
  for (const char* set :
       {"program.max_tokens=99", "data.split.seed=3", "optimizers.0.surrogate=random", "seed=1"})
    alone.set(set);
  EXPECT_EQ(run.options.hash, read_experiment(alone).hash);
  EXPECT_EQ(run.config.dump(), alone.dump());
  EXPECT_EQ(run.options.seed, 1U);
}

TEST(Sweep, SeedsMoveFurtherKeysThatAreNamed) {
  std::string text = with("  seeds: [1, 2]", "  seeds: {values: [1, 2], also: [data.split.seed]}");
  text.replace(text.find(", data.split.seed: 3"), 20, "");
  const Sweep sweep = sweep_of(text);
  ASSERT_EQ(sweep.runs.size(), 8U);
  EXPECT_EQ(sweep.runs[1].label(), "scored, surrogate=paired, seed 2");
  EXPECT_EQ(sweep.runs[1].config.at("data").at("split").integer("seed", 0), 2);
  EXPECT_EQ(sweep.runs[1].group, 0U);
  EXPECT_EQ(error_of(with("  seeds: [1, 2]", "  seeds: {values: [1, 2], also: [data.split.seed]}")),
            "sweep.yaml:17:34: 'data.split.seed' is on another axis of this sweep already");
}

TEST(Sweep, AListWithoutNamesIsNamedByWhatItChanges) {
  const Sweep sweep = sweep_of(with(
      "    scored: {program.answering: score}\n    long: {program.max_tokens: 99, "
      "data.split.seed: 3}\n",
      "    - {program.answering: score}\n    - {program.max_tokens: 99, data.split.seed: 3}\n"));
  EXPECT_EQ(sweep.runs.at(0).setting, "answering=score, surrogate=paired");
  EXPECT_EQ(sweep.runs.at(4).setting, "max_tokens=99, seed=3, surrogate=paired");
}

TEST(Sweep, AChangedRunIsAnotherAndTheOthersStayTheSame) {
  const auto folders = [](const Sweep& sweep) {
    std::set<std::string> out;
    for (const SweepRun& run : sweep.runs) out.insert(folder_of(run, "x"));
    return out;
  };
  const auto before = folders(sweep_of(kSweep));
  const auto more = folders(sweep_of(with("seeds: [1, 2]", "seeds: [1, 2, 3]")));
  EXPECT_EQ(more.size(), 12U);
  EXPECT_TRUE(std::ranges::includes(more, before));
  for (const auto& folder : folders(sweep_of(with("num_trials: 2", "num_trials: 3"))))
    EXPECT_FALSE(before.contains(folder));
  for (const auto& folder : folders(sweep_of(with("reviews.csv", "other.csv"))))
    EXPECT_FALSE(before.contains(folder));
}

struct BrokenSweep {
  std::string sentence, from, to, message;
};
void PrintTo(const BrokenSweep& broken, std::ostream* out) { *out << broken.message; }

struct SweepErrors : testing::TestWithParam<BrokenSweep> {};

TEST_P(SweepErrors, SaysOneLineAtThePlaceAndSoDoesThetaCheck) {
  const auto& [sentence, from, to, message] = GetParam();
  const std::string text = with(from, to);
  EXPECT_EQ(error_of(text), "sweep.yaml" + message);
  const TemporaryFolder folder;
  const fs::path file = folder.write("sweep.yaml", text);
  testing::internal::CaptureStderr();
  EXPECT_EQ(check_configs({file}, {}, true), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), file.string() + message + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Where, SweepErrors,
    testing::Values(
        BrokenSweep{"AnAxisNamesNoKey", "optimizers.0.surrogate", "optimizers.0.surogate",
                    ":16:5: unknown key 'surogate'; did you mean 'surrogate'?"},
        BrokenSweep{"AnAxisOfTheListNamesNoKey", "program.max_tokens", "progam.max_tokens",
                    ":14:12: unknown key 'progam'; did you mean 'program'?"},
        BrokenSweep{"AnAxisNamesNoItem", "optimizers.0", "optimizers.1",
                    ":16:5: 'optimizers' has 1 items, counted from 0: '1' is none of them"},
        BrokenSweep{"AnAxisLeadsThroughAText", "program.answering", "program.adapter.x",
                    ":13:14: 'adapter' is neither a mapping nor a sequence"},
        BrokenSweep{
            "AValueIsWrong", "[paired, random]", "[paired, randm]",
            ":16:38: 'surrogate' is not one of paired, gp, tpe, random: 'randm'; did you mean "
            "'random'?"},
        BrokenSweep{"ASeedIsNoInteger", "[1, 2]", "[1, two]",
                    ":17:14: 'seed' is not an integer: 'two'"},
        BrokenSweep{"AnAxisHasNoValue", "[paired, random]", "[]",
                    ":16:29: an axis without a value leaves nothing to run"},
        BrokenSweep{"AnAxisIsNoSequence", "[paired, random]", "paired",
                    ":16:29: 'optimizers.0.surrogate' is not a sequence: 'paired'"},
        BrokenSweep{"TwoAxesChangeOneKey", "optimizers.0.surrogate: [paired, random]",
                    "program.answering: [generate, score]",
                    ":16:5: 'program.answering' is on another axis of this sweep already"},
        BrokenSweep{"TwoRunsAreOne", "optimizers.0.surrogate: [paired, random]",
                    "budget.calls: [1, 2]",
                    ":12:3: the runs 'scored, calls=1, seed 1' and 'scored, calls=2, seed 1' "
                    "are one and the same: they differ in nothing that can change a result "
                    "(missing files of one name count as one)"},
        BrokenSweep{"TwoRunsAreOneWhereTheModelsAreMissing",
                    "optimizers.0.surrogate: [paired, random]",
                    "models.task.path: [/none/a/m.gguf, /none/b/m.gguf]",
                    ":12:3: the runs 'scored, path=/none/a/m.gguf, seed 1' and 'scored, "
                    "path=/none/b/m.gguf, seed 1' are one and the same: they differ in nothing "
                    "that can change a result (missing files of one name count as one)"},
        BrokenSweep{"ThereAreTooManyRuns", "[1, 2]",
                    "[" +
                        [] {
                          std::string seeds = "0";
                          for (int i = 1; i < 2501; ++i) seeds += "," + std::to_string(i);
                          return seeds;
                        }() +
                        "]",
                    ":12:3: a sweep has at most 10000 runs"},
        BrokenSweep{"AKindOfAxisIsUnknown",
                    "  seeds:", "  seed:", ":17:3: unknown key 'seed'; did you mean 'seeds'?"},
        BrokenSweep{"TheSweepIsEmpty",
                    std::string(kSweep).substr(std::string(kSweep).find("  list:")), "  {}\n",
                    ":12:3: a sweep needs a 'grid', a 'list', a 'zip', 'random' or 'seeds'"},
        BrokenSweep{"TheConfigItselfIsWrong", "adapter: terse", "adapter: tense",
                    ":8:12: 'adapter' is not one of chat, json, terse: 'tense'; did you mean "
                    "'terse'?"}),
    [](const auto& one) { return one.param.sentence; });

TEST(Sweep, ThetaCheckListsTheRuns) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("sweep.yaml", with("  seeds: [1, 2]\n", ""));
  testing::internal::CaptureStdout();
  EXPECT_EQ(check_configs({file}, {}, true), 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            file.string() +
                ": ok (task, 4 runs)\n"
                "  scored, surrogate=paired\n  scored, surrogate=random\n"
                "  long, surrogate=paired\n  long, surrogate=random\n");
}

TEST(Sweep, IsNotRunAsOneRun) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("sweep.yaml", kSweep);
  Progress silent(false, 0, nullptr);
  try {
    make_run_command()->run({file.string()}, {silent, {}});
    FAIL();
  } catch (const UserError& e) {
    EXPECT_EQ(e.what(), file.string() + ":12:3: this is a sweep of runs: theta sweep CONFIG");
  }
}

TEST(Sweep, FilesOfOneNameAreTwoRunsIfTheyHoldOtherRows) {
  const TemporaryFolder folder;
  std::string list = "  list:\n";
  for (const char* name : {"x", "y"}) {
    fs::create_directory(folder.path() / name);
    list +=
        "    - {data.file: " + folder.write(name + std::string("/d.csv"), name).string() + "}\n";
  }
  std::string text = kSweep;
  const auto from = text.find("  list:"), to = text.find("  grid:");
  const Sweep sweep = sweep_of(text.replace(from, to - from, list));
  EXPECT_EQ(sweep.runs.size(), 8U);
}

TEST(Sweep, JsonIsASweepToo) {
  const Sweep sweep = sweep_of(R"({"name": "t", "models": {"task": {"path": "m.gguf"}},
    "data": {"file": "r.csv", "split": {"train": 1, "validation": 1, "test": 1}},
    "program": {"signature": "a -> b"}, "sweep": {"seeds": [1, 2]}})");
  ASSERT_EQ(sweep.runs.size(), 2U);
  EXPECT_EQ(sweep.runs[1].label(), "seed 2");
}

}  // namespace
}  // namespace theta
