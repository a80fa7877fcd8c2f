#include "experiments/experiment.hpp"

#include "core/sha256.hpp"

namespace theta {
namespace {

/// What cannot change a result, or is a path whose file name counts instead.
const std::vector<std::string> kNotHashed = {"models.*.threads",
                                             "models.*.path",
                                             "models.*.base_url",
                                             "models.*.api_key_env",
                                             "models.*.api_key_file",
                                             "models.*.in_flight",
                                             "models.*.requests_per_minute",
                                             "models.*.tokens_per_minute",
                                             "models.*.connect_timeout_s",
                                             "models.*.read_timeout_s",
                                             "models.*.total_timeout_s",
                                             "models.*.retries",
                                             "models.*.ca_file",
                                             "models.*.price",
                                             "budget",
                                             "cache",
                                             "data.file",
                                             "data.folder"};

std::string hash_of(const Config& config, const ModelTable& models) {
  std::string text = config.canonical(kNotHashed);
  for (const auto& [name, model] : models.models) text += "\n" + name + " " + model_name(model);
  const Config data = config.at("data");
  for (const char* key : {"file", "folder"})
    if (const auto path = data.find(key))
      text += "\n" + std::filesystem::path(path->text()).filename().string();
  return sha256(text).substr(0, 12);
}

}  // namespace

ExperimentOptions read_experiment(const Config& config) {
  if (!config.is_map()) config.fail("a config is a mapping with 'name', 'models', 'data', ...");
  ExperimentOptions options;
  options.name = config.text("name");
  if (options.name.empty() || options.name.find_first_of("/ \\") != std::string::npos)
    config.at("name").fail("a name is not empty and holds no space or slash: it names a folder");
  options.seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  if (config.find("personas")) {
    options.models = read_models(config.at("models"), {"teacher"}, {"student", "proposer"});
    options.models.stand_in("proposer", "teacher");
    options.experiment = read_persona_experiment(config);
  } else if (config.find("program")) {
    options.models = read_models(config.at("models"), {"task"}, {"proposer", "teacher"});
    for (const char* role : {"proposer", "teacher"}) options.models.stand_in(role, "task");
    options.experiment = read_program_experiment(config);
  } else {
    config.fail("a config needs a 'program' (a task to optimise) or 'personas' (SynthesizeMe)");
  }
  if (const auto budget = config.find("budget")) {
    options.budget = read_budget(*budget);
    if (options.budget.money && options.models.prices.empty())
      budget->at("money").fail("no model of this config has a 'price'");
  }
  if (const auto cache = config.find("cache")) options.cache = read_cache(*cache);
  config.finish();
  options.hash = hash_of(config, options.models);
  return options;
}

void run_experiment(const ExperimentOptions& options, RunContext& run) {
  run.stage("preparing");
  if (const auto* program = std::get_if<ProgramExperiment>(&options.experiment))
    run_program_experiment(*program, run);
  else
    run_persona_experiment(std::get<PersonaExperiment>(options.experiment), run);
}

}  // namespace theta
