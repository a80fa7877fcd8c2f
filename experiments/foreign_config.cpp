#include "experiments/foreign_config.hpp"

#include <algorithm>
#include <vector>

namespace theta {
namespace {

/// A tool's config: it has all of `keys` and none of ours.
struct ForeignConfig {
  std::vector<const char*> keys;
  const char* message;
};

const std::vector<ForeignConfig>& foreign_configs() {
  static const std::vector<ForeignConfig> all = {
      {{"prompts", "providers"},
       "this is promptfoo's config: `providers` are `models` here, `prompts` a `program` "
       "(signature, instructions), `tests` a file under `data`, `assert` the `metric`"},
      {{"providers", "tests"},
       "this is promptfoo's config: `providers` are `models` here, `prompts` a `program` "
       "(signature, instructions), `tests` a file under `data`, `assert` the `metric`"},
      {{"method", "parameters"},
       "this is a sweep of Weights & Biases: `parameters` with `values` are the lists of a `sweep` "
       "here, `program` is theta run itself, and `metric` is chosen under `metric`"},
      {{"command", "parameters"},
       "this is a sweep of Weights & Biases: `parameters` with `values` are the lists of a `sweep` "
       "here, `command` is theta run itself, and `metric` is chosen under `metric`"},
      {{"hydra"},
       "this is Hydra's config: its groups stand in one file here (YAML's `<<: *base` shares what "
       "is alike), overrides are --set key=value, and --multirun is a `sweep`"},
      {{"defaults"},
       "this is Hydra's config: its groups stand in one file here (YAML's `<<: *base` shares what "
       "is alike), overrides are --set key=value, and --multirun is a `sweep`"},
      {{"_target_"},
       "this is Hydra's config: a `_target_` is no object here; name a model under `models`, a "
       "task under `program` and an optimiser under `optimizers`"}};
  return all;
}

}  // namespace

void check_whose_config(const Config& config) {
  // Only what has no models may be another's: to ask for a key makes it known.
  if (!config.is_map() || config.find("models")) return;
  for (const ForeignConfig& foreign : foreign_configs()) {
    const auto has = [&](const char* key) { return config.find(key).has_value(); };
    if (!std::ranges::all_of(foreign.keys, has)) continue;
    config.find(foreign.keys.front())->fail(foreign.message);
  }
}

}  // namespace theta
