#include "experiments/runs/experiment.hpp"

#include <algorithm>
#include <set>

#include "core/sha256.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/files.hpp"
#include "experiments/foreign_config.hpp"

namespace theta {
namespace {

/// What cannot change a result; what is a path, for which the file's name and what it holds count;
/// and addresses, whose order does not count.
const std::vector<std::string> kNotHashed = {"models.*.path",
                                             "models.*.lora.*.path",
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
                                             "models.*.max_response_bytes",
                                             "models.*.ca_file",
                                             "models.*.price",
                                             "models.*.server.ready",
                                             "models.*.server.timeout_s",
                                             "budget",
                                             "embedder.path",
                                             "embedder.keep",
                                             "cache",
                                             "data.file",
                                             "data.files.*",
                                             "data.splits",
                                             "data.pairs.file",
                                             "personas.theta.load",
                                             "rewards.people",
                                             "program.load"};

const std::vector<std::string> kPaths = {
    "models.*.path",    "models.*.lora.*.path", "models.*.api_key_file",
    "models.*.ca_file", "cache.path",           "data.file",
    "data.files.*",     "data.splits.*",        "data.pairs.file",
    "embedder.path",    "embedder.keep",        "personas.theta.load",
    "rewards.people"};

/// The places of the files that rows or people of `data` are read from.
std::vector<std::pair<std::string, Config>> row_files(const Config& config) {
  std::vector<std::pair<std::string, Config>> files;
  const Config data = config.at("data");
  const auto add = [&](const Config& mapping, const char* key) {
    if (const auto file = mapping.find(key)) files.emplace_back(key, *file);
  };
  add(data, "file");
  for (const char* key : {"files", "splits"})
    if (const auto splits = data.find(key))
      for (const char* split : {"train", "validation", "test"}) add(*splits, split);
  if (const auto pairs = data.find("pairs")) add(*pairs, "file");
  return files;
}

/// The same, and those of further people, a Θ and a program.
std::vector<std::pair<std::string, Config>> data_files(const Config& config) {
  auto files = row_files(config);
  const auto add = [&](const Config& mapping, const char* key) {
    if (const auto file = mapping.find(key)) files.emplace_back(key, *file);
  };
  if (const auto rewards = config.find("rewards")) add(*rewards, "people");
  if (const auto personas = config.find("personas")) add(personas->at("theta"), "load");
  if (const auto program = config.find("program")) add(*program, "load");
  return files;
}

/// What a file holds, read once.
std::string hash_of_file(const std::filesystem::path& file, FileHashes& hashes,
                         std::string (*hash)(const std::filesystem::path&)) {
  const auto [known, is_new] = hashes.known.try_emplace(file);
  std::error_code ignored;  // the run says why it cannot read it
  if (is_new && hashes.read && std::filesystem::is_regular_file(file, ignored))
    known->second = hash(file);
  return known->second;
}

/// For the text that a run's hash is taken of: a file by its name and what it holds.
std::string name_and_hash(const std::filesystem::path& file, FileHashes& hashes,
                          std::string (*hash)(const std::filesystem::path&)) {
  return " " + file.filename().string() + " " + hash_of_file(file, hashes, hash);
}

/// The files of a model in this process, or the addresses of one on servers.
std::string source_of(const ModelOptions& model, FileHashes& hashes) {
  std::string text;
  if (const auto* http = std::get_if<HttpOptions>(&model)) {
    const std::set<std::string> urls(http->base_urls.begin(), http->base_urls.end());
    for (const std::string& url : urls) text += " " + url;
    return text;
  }
  const auto& llama = std::get<LlamaOptions>(model);
  text = name_and_hash(llama.path, hashes, sha256_sample);
  for (const LoraAdapter& lora : llama.lora)
    text += name_and_hash(lora.path, hashes, sha256_sample);
  return text;
}

/// Names and splits do not count: a row keeps its id.
std::string data_hash_of(const Config& config, FileHashes& hashes) {
  std::string text;
  for (const auto& [place, value] : row_files(config))
    text += place + " " + hash_of_file(path_of(value), hashes, sha256_file) + "\n";
  if (const auto tastes = config.at("data").find("tastes")) text += tastes->canonical({});
  return sha256(text).substr(0, 12);
}

std::string hash_of(const Config& config, const ModelTable& models, FileHashes& hashes) {
  std::string text = config.canonical(kNotHashed, secret_places());
  for (const auto& [name, model] : models.models) text += "\n" + name + source_of(model, hashes);
  for (const auto& [place, value] : data_files(config))
    text += "\n" + place + name_and_hash(path_of(value), hashes, sha256_file);
  if (const auto embedder = config.find("embedder"))
    text += "\nembedder" + name_and_hash(path_of(embedder->at("path")), hashes, sha256_sample);
  return sha256(text).substr(0, 12);
}

}  // namespace

ExperimentOptions read_experiment(const Config& config) {
  FileHashes hashes;
  return read_experiment(config, hashes);
}

ExperimentOptions read_experiment(const Config& config, FileHashes& hashes) {
  if (!config.is_map()) config.fail("a config is a mapping with 'name', 'models', 'data', ...");
  check_whose_config(config);
  ExperimentOptions options;
  options.name = config.text("name");
  const auto in_no_name = [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) <= ' ';
  };
  if (options.name.empty() || std::ranges::any_of(options.name, in_no_name))
    config.at("name").fail("a name is not empty and holds no space or slash: it names a folder");
  options.seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  if (config.find("personas")) {
    const PersonaExperiment experiment = read_persona_experiment(config);
    std::vector<std::string> optional = {"student", "proposer", "judge"};
    for (const std::string& student : experiment.students)
      if (student != "student") optional.push_back(student);
    options.models = read_models(config.at("models"), {"teacher"}, optional);
    options.models.stand_in("proposer", "teacher");
    options.experiment = experiment;
  } else if (config.find("program")) {
    const std::vector<Config> of_steps = step_models(config.at("program"));
    std::vector<std::string> optional = {"proposer", "teacher", "judge"};
    for (const Config& model : of_steps) optional.push_back(model.text());
    const ProgramExperiment experiment = read_program_experiment(config);
    const std::vector<std::string> judges = judges_of(experiment.metric);
    optional.insert(optional.end(), judges.begin(), judges.end());
    std::erase(optional, "task");
    const std::vector<std::string> asked = experiment.roles();
    for (const std::string& role : asked) std::erase(optional, role);
    options.models = read_models(config.at("models"), asked, optional);
    for (const char* role : {"task", "proposer", "teacher"})
      options.models.stand_in(role, asked.front());
    const auto is_there = [&table = options.models](const std::string& role) {
      return table.models.contains(table.resolve(role));
    };
    for (const Config& model : of_steps)
      if (!is_there(model.text()))
        model.fail("'" + model.text() + "' is not a model of this config: add it under 'models'");
    for (const std::string& judge : judges)
      if (!is_there(judge))
        config.at("metric").fail("the judge '" + judge +
                                 "' is not a model of this config: add it under 'models'");
    options.experiment = experiment;
  } else if (config.find("rewards")) {
    options.experiment = read_reward_experiment(config);
  } else {
    config.fail(
        "a config needs a 'program' (a task to optimise), 'personas' (SynthesizeMe) or 'rewards'");
  }
  if (const auto budget = config.find("budget")) {
    options.budget = read_budget(*budget);
    if (options.budget.money && options.models.prices.empty())
      budget->at("money").fail("no model of this config has a 'price'");
  }
  if (const auto cache = config.find("cache")) options.cache = read_cache(*cache);
  config.finish();
  options.data_hash = data_hash_of(config, hashes);
  options.hash = hash_of(config, options.models, hashes);
  return options;
}

Config resolved(const Config& config) {
  const auto absolute = [](const Config& path) {
    return path.text().empty() ? "" : absolute_path(path_of(path));
  };
  return config.resolved(kPaths, absolute, secret_places());
}

void run_experiment(const ExperimentOptions& options, RunContext& run) {
  run.stage("preparing");
  if (const auto* program = std::get_if<ProgramExperiment>(&options.experiment))
    run_program_experiment(*program, run);
  else if (const auto* personas = std::get_if<PersonaExperiment>(&options.experiment))
    run_persona_experiment(*personas, run);
  else
    run_reward_experiment(std::get<RewardExperiment>(options.experiment), run);
}

}  // namespace theta
