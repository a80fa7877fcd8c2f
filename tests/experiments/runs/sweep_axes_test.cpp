#include "experiments/runs/sweep_axes.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/result.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/runs/sweep.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

/// @param section  in the flow style that JSON and YAML share
std::vector<Setting> settings_of(const std::string& section,
                                 const std::string& base = "{a: 0, b: {c: 0}, l: [{name: x}]}") {
  return read_settings(Config::parse(base, "base"), Config::parse(section, "sweep.yaml"));
}

std::vector<std::string> labels_of(const std::string& section) {
  std::vector<std::string> labels;
  for (const Setting& setting : settings_of(section)) labels.push_back(setting.label);
  return labels;
}

std::string error_of(const std::string& section) {
  return message_of<UserError>([&] { settings_of(section); });
}

TEST(SweepAxes, ZippedKeysGoTogether) {
  EXPECT_THAT(
      labels_of("{zip: {a: [1, 2], b.c: [3, 4]}, grid: {l.0.name: [x, y]}}"),
      ElementsAre("a=1, c=3, name=x", "a=1, c=3, name=y", "a=2, c=4, name=x", "a=2, c=4, name=y"));
  EXPECT_EQ(error_of("{zip: {a: [1, 2], b.c: [3]}}"),
            "sweep.yaml:1:24: 'b.c' has 1 values and 'a' 2: what is zipped has as many");
}

TEST(SweepAxes, ANumberOfSeedsCountsFromOne) {
  const auto settings = settings_of("{grid: {a: [5, 6]}, seeds: 3}");
  ASSERT_EQ(settings.size(), 6U);
  const Config last = with_changes(Config::parse("{a: 0}", "base"), settings[5].changes);
  EXPECT_EQ(last.canonical({}), R"({"a":6,"seed":3})");
  EXPECT_EQ(settings[2].group, 0U);
  EXPECT_EQ(settings[3].group, 1U);
  EXPECT_EQ(error_of("{seeds: 0}"), "sweep.yaml:1:9: a sweep has 1 to 10000 seeds, not 0");
}

TEST(SweepAxes, AnAxisCountsOnlyWhereItsConditionHoldsAndNoRunComesTwice) {
  EXPECT_THAT(
      labels_of("{grid: {l.0.name: [x, y, z], l.0.n: {values: [1, 2], when: {l.0.name: "
                "[x, z]}}, l.0.m: {values: [7], when: {l.0.n: 2}}}}"),
      ElementsAre("name=x, n=1", "name=x, n=2, m=7", "name=y", "name=z, n=1", "name=z, n=2, m=7"));
}

TEST(SweepAxes, AConditionSeesTheConfigWhereNoAxisChangesIt) {
  EXPECT_THAT(labels_of("{grid: {a: {values: [1, 2], when: {l.0.name: x}}}}"),
              ElementsAre("a=1", "a=2"));
  EXPECT_THAT(labels_of("{list: [{l.0: {name: q}}, {a: 5}], grid: {b.c: {values: [1, 2], when: "
                        "{l.0.name: q}}}}"),
              ElementsAre(R"(0={"name":"q"}, c=1)", R"(0={"name":"q"}, c=2)", "a=5"));
}

TEST(SweepAxes, AConditionThatIsNeverMetOrLooksAheadIsAnError) {
  EXPECT_EQ(error_of("{grid: {l.0.name: [x], a: {values: [1], when: {l.0.nam: x}}}}"),
            "sweep.yaml:1:48: no run of this sweep meets this condition");
  EXPECT_EQ(error_of("{grid: {a: {values: [1], when: {l.0.name: x}}, l.0.name: [x, y]}}"),
            "sweep.yaml:1:33: 'l.0.name' is not settled yet: its axis comes later");
}

TEST(SweepAxes, DrawsLieInTheirRangesAndAreWhole) {
  for (int seed = 0; seed < 20; ++seed) {
    std::set<std::string> whole;
    for (const Setting& one : settings_of(
             fmt::format("{{random: {{seed: {}, draws: 50, keys: {{a: {{low: 2, high: 4, integer: "
                         "true}}, b.c: {{low: .001, high: 10, log: true}}}}}}}}",
                         seed))) {
      const double c = one.changes[1].value.number();
      EXPECT_TRUE(c >= .001 && c <= 10) << c;
      EXPECT_EQ(one.changes[0].value.integer(), one.changes[0].value.number());
      whole.insert(one.values[0].value);
    }
    EXPECT_THAT(whole, ElementsAre("2", "3", "4"));
  }
}

TEST(SweepAxes, ALogarithmicScaleGivesEveryDecadeItsShare) {
  int low = 0;
  for (const Setting& one :
       settings_of("{random: {draws: 400, keys: {a: {low: .0001, high: 1, log: true}}}}"))
    low += one.changes[0].value.number() < .01;
  EXPECT_NEAR(low, 200, 40);
}

TEST(SweepAxes, FurtherDrawsAndKeysLeaveTheOthersAsTheyAre) {
  const auto few = labels_of("{random: {draws: 3, keys: {a: {low: 0, high: 1}}}}");
  const auto more = labels_of("{random: {draws: 5, keys: {a: {low: 0, high: 1}}}}");
  const auto wider =
      labels_of("{random: {draws: 3, keys: {b.c: {low: 0, high: 9}, a: {low: 0, high: 1}}}}");
  const auto other = labels_of("{random: {draws: 3, seed: 1, keys: {a: {low: 0, high: 1}}}}");
  for (std::size_t i = 0; i < few.size(); ++i) {
    EXPECT_EQ(few[i], more[i]);
    EXPECT_THAT(wider[i], testing::EndsWith(few[i]));
    EXPECT_NE(few[i], other[i]);
  }
}

TEST(SweepAxes, NoTwoDrawsAreAlikeAndTooManyAreRefused) {
  EXPECT_THAT(labels_of("{random: {draws: 4, keys: {a: [1, 2], b.c: [3, 4]}}}"),
              UnorderedElementsAre("a=1, c=3", "a=1, c=4", "a=2, c=3", "a=2, c=4"));
  EXPECT_EQ(error_of("{random: {draws: 5, keys: {a: [1, 2], b.c: [3, 4]}}}"),
            "sweep.yaml:1:28: of 500 draws no more than 4 differ: lower 'draws', or give more "
            "values");
}

TEST(SweepAxes, ADrawnKeyCountsOnlyWhereItsConditionHolds) {
  EXPECT_THAT(
      labels_of("{random: {draws: 3, keys: {l.0.name: [x, y], l.0.n: {values: [1, 2], when: "
                "{l.0.name: y}}}}}"),
      UnorderedElementsAre("name=x", "name=y, n=1", "name=y, n=2"));
}

TEST(SweepAxes, RangesAreChecked) {
  const auto of = [](const std::string& range) {
    return error_of("{random: {draws: 1, keys: {a: " + range + "}}}");
  };
  EXPECT_EQ(of("{low: 2, high: 1}"), "sweep.yaml:1:46: 'high' is not above 'low'");
  EXPECT_EQ(of("{low: 0, high: 1, log: true}"),
            "sweep.yaml:1:37: a logarithmic scale begins above 0");
  EXPECT_EQ(of("{low: .5, high: 3, integer: true}"),
            "sweep.yaml:1:37: 'low' is not an integer: '.5'");
  EXPECT_EQ(of("{low: 1, high: 3, int: true}"),
            "sweep.yaml:1:49: unknown key 'int'; did you mean 'integer'?");
  EXPECT_EQ(of("{low: 1}"), "sweep.yaml:1:31: 'high' is missing here");
  EXPECT_EQ(error_of("{random: {keys: {a: [1]}}}"), "sweep.yaml:1:10: 'draws' is missing here");
}

TEST(SweepAxes, KeysThatEndAlikeAreToldApart) {
  EXPECT_THAT(labels_of("{grid: {x.0.n: [1], x.1.n: [2], y: [3]}}"),
              ElementsAre("0.n=1, 1.n=2, y=3"));
}

TEST(SweepAxes, EveryAxisHasItsValueForTheReport) {
  const auto settings = settings_of(
      "{list: {one: {a: 1}}, zip: {b.c: [2], b.d: [3]}, grid: {e: [4]}, random: {draws: 1, keys: "
      "{f: [5], g: [6]}}}");
  std::vector<std::string> values;
  for (const auto& [axis, value] : settings.at(0).values) values.push_back(axis + "=" + value);
  EXPECT_THAT(values, ElementsAre("list=one", "c, d=2, 3", "e=4", "f=5", "g=6"));
}

constexpr const char* kYaml = R"(name: task
models: {task: {path: model.gguf}}
data: {file: reviews.csv, split: {train: 4, validation: 2, test: 2}}
program: {signature: "sentence -> mood: Literal['good', 'bad']"}
optimizers: [{name: mipro}]
sweep:
  list:
    short: {program.max_tokens: 8}
    long: {program.max_tokens: 99}
  zip: {data.split.train: [4, 6], data.split.test: [2, 3]}
  grid:
    optimizers.0.name: [mipro, gepa]
    optimizers.0.num_trials: {values: [2, 3], when: {optimizers.0.name: mipro}}
  random: {draws: 2, keys: {program.temperature: {low: 0.1, high: 1}}}
  seeds: 2
)";
constexpr const char* kJson = R"({"sweep": {"seeds": 2,
  "random": {"keys": {"program.temperature": {"high": 1.0, "low": 0.1}}, "draws": 2},
  "zip": {"data.split.train": [4, 6], "data.split.test": [2, 3]},
  "grid": {"optimizers.0.name": ["mipro", "gepa"],
    "optimizers.0.num_trials": {"when": {"optimizers.0.name": ["mipro"]}, "values": [2, 3]}},
  "list": {"short": {"program.max_tokens": 8}, "long": {"program.max_tokens": 99}}},
  "optimizers": [{"name": "mipro"}], "name": "task", "models": {"task": {"path": "model.gguf"}},
  "program": {"signature": "sentence -> mood: Literal['good', 'bad']"},
  "data": {"split": {"train": 4, "validation": 2, "test": 2}, "file": "reviews.csv"}})";

TEST(SweepAxes, TheSameSweepInYamlAndJsonHasTheSameRunsInTheSameFolders) {
  const Sweep yaml = read_sweep(Config::parse(kYaml, "a.yaml")),
              json = read_sweep(Config::parse(kJson, "b.json"));
  ASSERT_EQ(yaml.runs.size(), 2U * 2 * (2 + 1) * 2 * 2);
  ASSERT_EQ(json.runs.size(), yaml.runs.size());
  for (std::size_t i = 0; i < yaml.runs.size(); ++i) {
    EXPECT_EQ(json.runs[i].label(), yaml.runs[i].label());
    EXPECT_EQ(folder_of(json.runs[i], "x"), folder_of(yaml.runs[i], "x"));
  }
}

TEST(SweepAxes, ADrawnValueThatARunCannotHaveIsAnErrorAtItsRange) {
  std::string text = kYaml;
  text.replace(text.find("program.temperature"), 19, "program.max_tokens2");
  EXPECT_EQ(message_of<UserError>([&] { read_sweep(Config::parse(text, "a.yaml")); }),
            "a.yaml:14:29: unknown key 'max_tokens2'; did you mean 'max_tokens'?");
  text = kYaml;
  text.replace(text.find("program.temperature"), 19, "data.split.seed");
  EXPECT_EQ(message_of<UserError>([&] { read_sweep(Config::parse(text, "a.yaml")); }),
            "a.yaml:14:46: 'seed' is not an integer: '0.6017'");
}

TEST(SweepAxes, CheckingAConfigOfSomebodyElseOpensNoFileThatItIncludes) {
  const TemporaryFolder folder;
  folder.write("base.yaml", kYaml);
  const auto file = folder.write("own.yaml", "include: base.yaml\nname: own\n");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(check_configs({file}, {}, true), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            file.string() +
                ":1:10: --config-only opens no other file: check without it what this "
                "names\n");
  testing::internal::GetCapturedStdout();
}

}  // namespace
}  // namespace theta
