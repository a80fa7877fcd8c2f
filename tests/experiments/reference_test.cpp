// configs/README.md lists every key that a config may have, and no other.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/config.hpp"
#include "experiments/data/benchmark.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep.hpp"
#include "tests/support/places.hpp"

namespace theta {
namespace {

using Keys = std::map<std::string, std::set<std::string>>;  // by section

/// The texts in backticks of one cell of a Markdown table, or of a heading.
std::vector<std::string> in_backticks(const std::string& cell) {
  std::vector<std::string> out;
  for (std::size_t from = cell.find('`'); from != std::string::npos;) {
    const std::size_t to = cell.find('`', from + 1);
    if (to == std::string::npos) break;
    out.push_back(cell.substr(from + 1, to - from - 1));
    from = cell.find('`', to + 1);
  }
  return out;
}

/// The keys of the reference: the first column of every table with a column `default`. The table's
/// own header names its sections, or, where that is `key`, the heading above.
Keys listed() {
  Keys keys;
  std::ifstream in(std::filesystem::path(source_dir()) / "configs" / "README.md");
  std::vector<std::string> of_heading, sections;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) of_heading = in_backticks(line);
    if (!line.starts_with("|")) {
      sections.clear();
      continue;
    }
    const std::string first = line.substr(1, line.find('|', 1) - 1);
    if (line.find("| default |") != std::string::npos)
      sections = first == " key " ? of_heading : in_backticks(first);
    else
      for (const auto& section : sections)
        for (const auto& key : in_backticks(first)) keys[section].insert(key);
  }
  return keys;
}

/// Where a section of the reference stands in a config.
struct Place {
  const char* section;
  std::vector<std::string> path;  ///< an item of a sequence is `0`
};

std::optional<Config> child(const Config& config, const std::string& key) {
  if (!config.is_sequence()) return config.is_map() ? config.find(key) : std::nullopt;
  const auto items = config.items();
  return items.empty() ? std::nullopt : std::optional(items.front());
}

constexpr const char* kProgram = R"(name: a
models:
  task:
    path: m.gguf
    lora: [{path: l.gguf}]
    price: {prompt: 1, generated: 2}
  proposer: {base_url: "http://127.0.0.1:{port}/v1", model: m, server: {command: [s]}}
data: {file: rows.csv, split: {train: 1, validation: 1, test: 1}}
program: {signature: "a -> b: bool", answering: score, calibrate: train, calibrated_on: []}
optimizers:
  - {name: NAME, gate: {}, shorten: {}}
embedder: {path: e.gguf}
budget: {}
cache: {path: c.db}
)";
constexpr const char* kSentiment = R"(name: a
models: {task: {path: m.gguf}}
data: {sentiment: {}}
program: {signature: "sentence -> sentiment: Literal['positive', 'negative']"}
)";
constexpr const char* kDistilled = R"(name: a
models: {teacher: {path: m.gguf}, student: {path: s.gguf}}
data: {sentiment: {}}
program: {signature: "sentence -> sentiment: Literal['positive', 'negative']"}
distill: {}
)";
constexpr const char* kSplits = R"(name: a
models: {task: {path: m.gguf}}
data: {splits: {train: a.csv, validation: b.csv, test: c.csv}}
program: {signature: "a -> b"}
)";
constexpr const char* kFiles = R"(name: a
models: {task: {path: m.gguf}}
data: {files: {train: a.csv, test: c.csv}}
program: {signature: "a -> b, c: dict[str, int]"}
metric: METRIC
)";
constexpr const char* kTastes = R"(name: a
models: {teacher: {path: m.gguf}}
data: {tastes: {}}
personas:
  judge: {signature: "first, second -> better: Literal['First', 'Second']"}
  theta: {}
  demos: {chosen: 2}
  rows: [{row: personas}]
  compat: {}
optimizers: [{name: mipro}]
)";
constexpr const char* kPairs = R"(name: a
models: {teacher: {path: m.gguf}}
data: {pairs: {file: p.jsonl, test: 1}}
personas: {judge: {}, theta: {}}
)";

constexpr const char* kRewards = R"(name: a
data: {pairs: {file: p.jsonl, train: 1, test: 1}}
embedder: {path: e.gguf}
rewards: {}
)";

constexpr const char* kSweep = R"(sweep:
  grid: {program.max_tokens: {values: [8]}}
  random: {draws: 1, keys: {seed: {low: 1, high: 9, integer: true}, program.adapter: {values: [chat]}}}
)";

constexpr const char* kBuild = R"(name: a
models: {m: {path: m.gguf}}
build:
  prism: {conversations: c.jsonl}
  rating: {model: m}
  judges: {models: [m]}
  people: {}
  prompts: {}
)";

/// What the readers ask of a config, by section.
void add_asked(const std::string& text, Keys& keys) {
  const Config config = Config::parse(text, "config");
  FileHashes unread{.read = false};
  read_experiment(config, unread);
  static const std::vector<Place> places = {
      {"config", {}},
      {"models.NAME", {"models", "task"}},
      {"models.NAME", {"models", "proposer"}},
      {"lora.N", {"models", "task", "lora", "0"}},
      {"price", {"models", "task", "price"}},
      {"server", {"models", "proposer", "server"}},
      {"embedder", {"embedder"}},
      {"data", {"data"}},
      {"split", {"data", "split"}},
      {"splits", {"data", "splits"}},
      {"files", {"data", "files"}},
      {"sentiment", {"data", "sentiment"}},
      {"tastes", {"data", "tastes"}},
      {"pairs", {"data", "pairs"}},
      {"program", {"program"}},
      {"metric", {"metric"}},
      {"metric", {"metric", "weighted", "0"}},
      {"metric.judge", {"metric", "judge"}},
      {"optimizers.N", {"optimizers", "0"}},
      {"gate", {"optimizers", "0", "gate"}},
      {"glossary", {"optimizers", "0", "glossary"}},
      {"shorten", {"optimizers", "0", "shorten"}},
      {"proposer", {"optimizers", "0", "proposer"}},
      {"space", {"optimizers", "0", "space"}},
      {"distill", {"distill"}},
      {"personas", {"personas"}},
      {"demos", {"personas", "demos"}},
      {"rows.N", {"personas", "rows", "0"}},
      {"compat", {"personas", "compat"}},
      {"judge", {"personas", "judge"}},
      {"theta", {"personas", "theta"}},
      {"rewards", {"rewards"}},
      {"budget", {"budget"}},
      {"cache", {"cache"}},
  };
  for (const auto& [section, path] : places) {
    std::optional<Config> at = config;
    for (const std::string& key : path)
      if (at) at = child(*at, key);
    if (!at || !at->is_map()) continue;
    for (const std::string& key : at->known_keys()) keys[section].insert(key);
  }
}

TEST(ConfigReference, ListsTheKeysThatTheReadersAskFor) {
  Keys asked;
  const std::string program = kProgram;
  for (const char* name : {"labeled_few_shot", "knn_few_shot", "bootstrap_few_shot",
                           "random_search", "mipro, glossary: {}, proposer: {}, space: {}",
                           "mipro, faithful: true, proposer: {}", "copro", "gepa, proposer: {}"})
    add_asked(std::string(program).replace(program.find("NAME"), 4, name), asked);
  add_asked(std::string(program).replace(program.find("NAME"), 4,
                                         "pipeline, steps: [{name: labeled_few_shot}]"),
            asked);
  const std::string files = kFiles;
  for (const char* metric :
       {"{name: number, output: b}", "{name: regex, pattern: x}", "{weighted: [{name: f1}]}",
        "{name: json_fields, output: c, fields: [x]}", "{judge: {rubric: r, model: task}}",
        "{command: [./score]}"})
    add_asked(std::string(files).replace(files.find("METRIC"), 6, metric), asked);
  for (const char* config : {kSentiment, kDistilled, kSplits, kTastes, kPairs, kRewards})
    add_asked(config, asked);
  const Config sweep = Config::parse(std::string(kSplits) + kSweep, "config");
  read_sweep(sweep, {.read = false});
  static const std::vector<Place> axes = {
      {"sweep", {}},
      {"sweep.grid.KEY", {"grid", "program.max_tokens"}},
      {"sweep.random", {"random"}},
      {"sweep.random.keys.KEY", {"random", "keys", "seed"}},
      {"sweep.random.keys.KEY", {"random", "keys", "program.adapter"}}};
  for (const auto& [section, path] : axes) {
    Config at = sweep.at("sweep");
    for (const std::string& key : path) at = at.at(key);
    for (const std::string& key : at.known_keys()) asked[section].insert(key);
  }
  for (const char* key : {"sweep", "include"}) asked["config"].insert(key);
  const Config built = Config::parse(kBuild, "config");
  read_benchmark(built);
  for (const std::string& key : built.at("build").known_keys()) asked["build"].insert(key);
  for (const char* section : {"prism", "rating", "judges", "people", "prompts"})
    for (const std::string& key : built.at("build").at(section).known_keys())
      asked[fmt::format("build.{}", section)].insert(key);

  const Keys reference = listed();
  for (const auto& [section, keys] : asked) {
    ASSERT_TRUE(reference.contains(section)) << section;
    EXPECT_EQ(keys, reference.at(section)) << section;
  }
  for (const auto& [section, keys] : reference)
    EXPECT_TRUE(asked.contains(section)) << section << " is no section of a config";
}

}  // namespace
}  // namespace theta
