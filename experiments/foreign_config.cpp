#include "experiments/foreign_config.hpp"

#include <algorithm>
#include <vector>

namespace theta {
namespace {

constexpr const char* kPromptfoo =
    "this is promptfoo's config: `providers` are `models` here, `prompts` a `program` (signature, "
    "instructions), `tests` a file under `data`, `assert` the `metric`; `theta import` makes it so";
constexpr const char* kWandb =
    "this is a sweep of Weights & Biases: `parameters` with `values` are the lists of a `sweep` "
    "here, `program` is theta run itself, and `metric` is chosen under `metric`";
constexpr const char* kWandbRun =
    "this is a run's config of Weights & Biases: write each key's `value` under its own key here, "
    "as theta's configs have them";
constexpr const char* kHydra =
    "this is Hydra's config: its groups stand in one file here (YAML's `<<: *base` shares what is "
    "alike), overrides are --set key=value, and --multirun is a `sweep`";
constexpr const char* kTarget =
    "this is Hydra's config: a `_target_` is no object here; name a model under `models`, a task "
    "under `program` and an optimiser under `optimizers`";

constexpr const char* kOptuna =
    "this is Optuna's config: trials are an optimiser's `num_trials` here, what a search tries is "
    "its `space`, or a `sweep`";
constexpr const char* kState =
    "this is a saved program, not a config: theta predict and theta eval take it, and a config as "
    "`program: {load: FILE}`";

/// A config of another tool: it has all of these keys, and neither `models` nor `rewards`.
struct ForeignConfig {
  std::vector<const char*> keys;
  const char* message;
};

const std::vector<ForeignConfig>& foreign_configs() {
  static const std::vector<ForeignConfig> all = {{{"prompts", "providers"}, kPromptfoo},
                                                 {{"prompts", "targets"}, kPromptfoo},
                                                 {{"prompts", "tests"}, kPromptfoo},
                                                 {{"providers", "tests"}, kPromptfoo},
                                                 {{"targets", "redteam"}, kPromptfoo},
                                                 {{"method", "parameters"}, kWandb},
                                                 {{"command", "parameters"}, kWandb},
                                                 {{"wandb_version"}, kWandbRun},
                                                 {{"_wandb"}, kWandbRun},
                                                 {{"study_name"}, kOptuna},
                                                 {{"direction", "n_trials"}, kOptuna},
                                                 {{"signature", "demos"}, kState},
                                                 {{"hydra"}, kHydra},
                                                 {{"defaults"}, kHydra},
                                                 {{"_target_"}, kTarget}};
  return all;
}

}  // namespace

void check_whose_config(const Config& config) {
  // Only what has neither may be another's: to ask for a key makes it known.
  if (!config.is_map() || config.find("models") || config.find("rewards")) return;
  for (const ForeignConfig& foreign : foreign_configs()) {
    const auto has = [&](const char* key) { return config.find(key).has_value(); };
    if (!std::ranges::all_of(foreign.keys, has)) continue;
    config.find(foreign.keys.front())->fail(foreign.message);
  }
  for (const char* own : {"name", "data", "program", "personas", "sweep", "build"})
    if (config.find(own)) return;
  std::string keys;
  for (const auto& [key, value] : config.entries()) {
    if (value.is_map() && value.find("_target_")) value.at("_target_").fail(kTarget);
    if (value.is_map() && value.find("signature") && value.find("demos")) config.fail(kState);
    if (keys.size() < 100) keys += (keys.empty() ? "`" : ", `") + key + "`";
  }
  config.fail("no config of theta's: it has " + keys +
              ", and none of `name`, `models`, `data`, `program`");
}

}  // namespace theta
