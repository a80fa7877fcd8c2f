#include "experiments/commands/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "core/log.hpp"
#include "core/models/http/key.hpp"
#include "core/models/http/model.hpp"
#include "core/models/llama/gguf_file.hpp"
#include "core/result.hpp"
#include "experiments/data/text_file.hpp"
#include "experiments/embedder.hpp"
#include "optimizers/optimizer.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// Data of so many bytes are read whole, as the run reads them; of more, so many bytes' rows.
constexpr std::uintmax_t kReadWhole = 1 << 20;
constexpr std::size_t kFirstBytes = 1 << 18;

/// Does what may find a fault, which is then told at the key that leads there.
template <typename F>
void at(const Config& key, const F& work) {
  try {
    work();
  } catch (const UserError& e) {
    key.fail(e.what());
  } catch (const RunError& e) {
    key.fail(e.what());
  }
}

void verify_model(const Config& model, const ModelOptions& options) {
  if (const auto* llama = std::get_if<LlamaOptions>(&options)) {
    at(model.at("path"), [&] { check_gguf(llama->path, GgufKind::kModel); });
    for (std::size_t i = 0; i < llama->lora.size(); ++i)
      at(model.at("lora").items()[i].at("path"),
         [&] { check_gguf(llama->lora[i].path, GgufKind::kAdapter); });
    return;
  }
  const auto& http = std::get<HttpOptions>(options);
  if (!http.api_key_env.empty()) at(model.at("api_key_env"), [&] { (void)read_key(http); });
  if (!http.api_key_file.empty()) at(model.at("api_key_file"), [&] { (void)read_key(http); });
  if (!http.ca_file.empty()) at(model.at("ca_file"), [&] { const HttpModel opened(http); });
}

void verify_models(const Config& config, const ModelTable& models, VerifiedFiles& verified) {
  for (const auto& [name, model] : models.models)
    if (verified.try_emplace("model " + models.sources.at(name)).second)
      verify_model(config.at("models").at(name), model);
}

/// A data file and the key that names it.
struct NamedFile {
  Config key;
  fs::path file;
};

bool is_small(const std::vector<NamedFile>& files) {
  std::uintmax_t bytes = 0;
  for (const auto& [key, file] : files) {
    at(key, [&] { check_data_file(file); });
    bytes += fs::file_size(file);
  }
  return bytes <= kReadWhole;
}

/// Reads the first rows. A fault that they show is looked for in all of them: rows that are left out
/// may be the first.
/// @param read  is given how many bytes; 0: all
template <typename F>
void read_first_rows(const F& read) {
  try {
    read(kFirstBytes);
  } catch (const UserError&) {
    read(0);
  }
}

/// Fails where a config names a column that rows lack; a field's own name stands in its signature.
[[noreturn]] void fail_at_column(const Config& config, const ProgramOptions& program,
                                 const MissingColumn& missing) {
  const Config data = config.at("data");
  for (const char* key : {"id", "group"})
    if (const auto named = data.find(key); named && dotted_path(named->text()) == missing.column)
      named->fail(missing.what());
  if (const auto split = data.find("split"))
    if (const auto named = split->find("column");
        named && dotted_path(named->text()) == missing.column)
      named->fail(missing.what());
  if (const auto fields = data.find("fields"))
    for (const auto& [field, named] : fields->entries())
      if (dotted_path(named.text()) == missing.column) named.fail(missing.what());
  const Config section = config.at("program");
  if (!program.has_steps()) section.at("signature").fail(missing.what());
  if (missing.column == program.answer().name)
    section.at("steps").items().back().at("signature").fail(missing.what());
  fail_without_input(section, program, missing.column, missing.there_are);
}

std::vector<NamedFile> files_of(const Config& data, const DataOptions& options) {
  std::vector<NamedFile> files;
  if (const auto* whole = std::get_if<WholeFile>(&options.source)) {
    files.push_back({data.at("file"), whole->file});
  } else if (const auto* splits = std::get_if<SplitFiles>(&options.source)) {
    for (const auto& [name, file] : {std::pair{"train", splits->train},
                                     {"validation", splits->validation},
                                     {"test", splits->test}})
      if (!file.empty())
        files.push_back({data.at(data.find("files") ? "files" : "splits").at(name), file});
  }
  return files;
}

/// The key whose file a message begins with; else `fallback`.
const Config& key_in(const std::string& message, const std::vector<NamedFile>& files,
                     const Config& fallback) {
  const auto named = std::ranges::find_if(
      files, [&](const NamedFile& one) { return message.starts_with(one.file.string() + ":"); });
  return named == files.end() ? fallback : named->key;
}

/// Which splits a config leaves empty.
struct Missing {
  bool train, validation;
};
Missing missing_splits(const DataOptions& data) {
  if (const auto* splits = std::get_if<SplitFiles>(&data.source)) {
    const bool drawn = splits->always_validates || splits->sizes.validation > 0;
    return {splits->train.empty(), splits->validation.empty() && (!drawn || splits->train.empty())};
  }
  if (!data.columns.split.empty()) return {false, false};  // which the rows tell
  const auto* whole = std::get_if<WholeFile>(&data.source);
  const auto* sentiment = std::get_if<SentimentOptions>(&data.source);
  const SplitSizes sizes = whole ? whole->sizes : sentiment ? sentiment->sizes : SplitSizes{};
  return {sizes.train == 0, sizes.validation == 0};
}

/// What an optimiser, or `calibrate: train`, has no examples for. @throws UserError
void check_splits(const Config& config, const ProgramExperiment& experiment) {
  const auto [train, validation] = missing_splits(experiment.data);
  const Config data = config.at("data");
  const bool a_file_each = data.find("files") || data.find("splits");
  const char* key = data.find("files")    ? "files"
                    : data.find("splits") ? "splits"
                    : data.find("file")   ? "split"
                                          : "sentiment";
  const auto fail = [&](const std::string& who, const std::string& split, const char* why) {
    data.at(key).fail(fmt::format("{} needs {} examples, {}: give '{}: {}' here", who, split, why,
                                  split, a_file_each ? "FILE" : "NUMBER"));
  };
  for (const OptimizerConfig& optimizer : experiment.optimizers) {
    const std::string who = "'" + optimizer.label + "'";
    if (validation) fail(who, "validation", "by which programs are chosen");
    if (train && needs_training(optimizer.options)) fail(who, "train", "which it learns from");
  }
  if (train && experiment.program.needs_training())
    fail("'calibrate: train'", "train", "on which scores are calibrated");
}

SplitSizes sizes_of(const UsersOptions& users) {
  const auto* tastes = std::get_if<TasteOptions>(&users);
  const auto* pairs = std::get_if<PairsOptions>(&users);
  return tastes ? tastes->users : pairs ? pairs->users : SplitSizes{1, 1, 1};
}

/// The same of people. @throws UserError
void check_splits(const Config& config, const UsersOptions& users, const RewardOptions& rewards) {
  const SplitSizes sizes = sizes_of(users);
  if (!rewards.rows.empty() && rewards.people.empty() && sizes.train == 0 && sizes.validation == 0)
    config.at("data")
        .at(std::holds_alternative<TasteOptions>(users) ? "tastes" : "pairs")
        .fail("'rewards' are fitted on other people's choices: give 'train: NUMBER' here");
}

void check_splits(const Config& config, const RewardExperiment& experiment) {
  check_splits(config, experiment.users, experiment.rewards);
}

void check_splits(const Config& config, const PersonaExperiment& experiment) {
  check_splits(config, experiment.users, experiment.rewards);
  const SplitSizes sizes = sizes_of(experiment.users);
  const bool tastes = std::holds_alternative<TasteOptions>(experiment.users);
  const auto fail = [&](const std::string& who, const char* split, const char* why) {
    config.at("data")
        .at(tastes ? "tastes" : "pairs")
        .fail(fmt::format("'{}' needs {} people, {}: give '{}: NUMBER' here", who, split, why,
                          split));
  };
  for (const auto& [optimizer, models] : experiment.optimizers) {
    if (sizes.validation == 0) fail(optimizer.label, "validation", "by whose choices Θ is chosen");
    if (sizes.train == 0 && needs_training(optimizer.options))
      fail(optimizer.label, "train", "whom it learns from");
  }
}

bool verify_data(const Config& config, const ProgramExperiment& experiment) {
  const Config data = config.at("data");
  const Signature signature = experiment.program.data_signature();
  const auto files = files_of(data, experiment.data);
  const bool small = is_small(files);
  Dataset loaded;
  try {
    if (small) {
      loaded = load_dataset(experiment.data, signature);
      (void)outputs_of(experiment.metric, signature, examples_of(loaded));
    } else {
      for (const auto& [key, file] : files)
        read_first_rows([&, &file = file](std::size_t bytes) {
          Columns columns = experiment.data.columns;
          columns.first_bytes = bytes;
          std::vector<std::string> said_by_the_run;
          (void)read_examples(file, columns, signature, said_by_the_run);
        });
    }
  } catch (const MissingColumn& e) {
    fail_at_column(config, experiment.program, e);
  } catch (const UserError& e) {
    key_in(e.what(), files, data).fail(e.what());
  }
  for (std::size_t i = 0; small && i < experiment.optimizers.size(); ++i)
    if (const auto most = experiment.optimizers[i].max_evaluations; most > 0)
      at(config.at("optimizers").items()[i].at("max_evaluations"),
         [&] { check_budget(loaded.validation.size(), most); });
  return small;
}

bool verify_people(const Config& data, const UsersOptions& users) {
  const auto* pairs = std::get_if<PairsOptions>(&users);
  if (pairs == nullptr) {
    at(data.at("tastes"), [&] { (void)load_users(users); });
    return true;
  }
  const Config key = data.at("pairs").at("file");
  const bool small = is_small({{key, pairs->file}});
  at(key, [&] {
    if (small)
      (void)load_users(users);
    else
      read_first_rows([&](std::size_t bytes) { read_first_pairs(*pairs, bytes); });
  });
  return small;
}

void verify_further_people(const Config& config, const RewardOptions& rewards) {
  if (rewards.people.empty()) return;
  const Config key = config.at("rewards").at("people");
  at(key, [&] {
    check_data_file(rewards.people);
    read_first_rows([&](std::size_t bytes) { read_first_pairs({.file = rewards.people}, bytes); });
  });
}

bool verify_data(const Config& config, const RewardExperiment& experiment) {
  verify_further_people(config, experiment.rewards);
  return verify_people(config.at("data"), experiment.users);
}

bool verify_data(const Config& config, const PersonaExperiment& experiment) {
  if (!experiment.theta_file.empty())
    at(config.at("personas").at("theta").at("load"), [&] { (void)make_theta(experiment); });
  verify_further_people(config, experiment.rewards);
  return verify_people(config.at("data"), experiment.users);
}

/// What the rows are read as: configs that agree in it find the same faults.
std::string data_key(const Config& config) {
  std::string key;
  for (const char* part : {"data", "program", "types", "metric", "optimizers"})
    if (const auto section = config.find(part)) key += section->canonical({}) + "\n";
  return key;
}

}  // namespace

void verify_splits(const Config& config, const ExperimentOptions& options) {
  std::visit([&](const auto& experiment) { check_splits(config, experiment); }, options.experiment);
}

void verify(const Config& config, const BenchmarkOptions& options) {
  VerifiedFiles verified;
  verify_models(config, options.models, verified);
  const Config build = config.at("build");
  const auto* prism = std::get_if<PrismFiles>(&options.source);
  if (prism == nullptr)
    return at(build.at("pairs"),
              [&] { check_data_file(std::get<std::filesystem::path>(options.source)); });
  for (const auto& [key, file] :
       {std::pair{"conversations", &prism->conversations},
        std::pair{"utterances", &prism->utterances}, std::pair{"survey", &prism->survey}})
    if (!file->empty()) at(build.at("prism").at(key), [&, file = file] { check_data_file(*file); });
}

bool verify(const Config& config, const ExperimentOptions& options, VerifiedFiles& verified) {
  verify_models(config, options.models, verified);
  if (const auto embedder = read_embedder(config))
    if (verified.try_emplace("embedder " + embedder->model.path.string()).second)
      at(config.at("embedder").at("path"),
         [&] { check_gguf(embedder->model.path, GgufKind::kModel); });
  if (options.cache.mode == CacheMode::kReplay)
    at(config.at("cache").at("path"), [&] { const AnswerCache opened(options.cache); });
  verify_splits(config, options);
  const auto [known, is_new] = verified.try_emplace("data " + data_key(config));
  if (is_new) {
    const Silence the_run_remarks_it;
    known->second =
        std::visit([&](const auto& experiment) { return verify_data(config, experiment); },
                   options.experiment);
  }
  return known->second;
}

}  // namespace theta
