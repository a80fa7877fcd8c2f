#include "experiments/commands.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "experiments/dataset_file.hpp"
#include "experiments/experiment.hpp"
#include "experiments/report.hpp"
#include "modules/evaluate.hpp"
#include "modules/program_state.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

Config load_config(const fs::path& file, const std::vector<std::string>& sets) {
  Config config = Config::load(file);
  for (const auto& set : sets) config.set(set);
  return config;
}

void write_file(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw RunError("cannot write " + file.string());
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError(file.string() + ": there is no such file");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Prints and writes what the store of `folder` says.
void finish_report(const Store& store, const fs::path& folder) {
  const Report report = make_report(store);
  write_report(report, folder);
  fmt::print("{}\nreport: {}\n", to_table(report), (folder / "report.html").string());
}

void claim(Store& store, const fs::path& folder, const ExperimentOptions& options) {
  const auto hash = store.meta("config_hash");
  if (hash && *hash != options.hash)
    throw UserError(
        fmt::format("{} holds a run of another config ({}; this one is {}): give another "
                    "--out, or remove it",
                    folder.string(), *hash, options.hash));
  store.set_meta("config_hash", options.hash);
  store.set_meta("name", options.name);
  store.set_meta("seed", std::to_string(options.seed));
}

void dry_run(const ExperimentOptions& options, Progress& progress) {
  std::string scratch = (fs::temp_directory_path() / "theta-dry-run-XXXXXX").string();
  if (!mkdtemp(scratch.data())) throw RunError("cannot make a folder in the temporary directory");
  struct Remove {
    fs::path folder;
    ~Remove() {
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
  } const remove{scratch};
  Store store(fs::path(scratch) / "run.db");
  Models models(options.models, store, progress, Models::Purpose::kCount);
  RunContext context{scratch, options.seed, store, models, progress, {}};
  run_experiment(options, context);
  progress.finish();
  fmt::print("{} needs about\n{:<12}{:>10}{:>16}{:>18}\n", options.name, "model", "calls",
             "prompt tokens", "generated tokens");
  for (const auto& [role, usage] : models.usage())
    fmt::print("{:<12}{:>10}{:>16}{:>18}\n", role, usage.calls, usage.prompt_tokens,
               usage.generated_tokens);
  fmt::print(
      "Made-up answers were counted, so that real ones can bootstrap more or fewer. What is asked "
      "again and\nprefixes that are shared are computed once: the host reads fewer prompt "
      "tokens.\n");
}

/// A saved prompt made runnable.
struct SavedPrompt {
  ProgramOptions options;
  std::unique_ptr<Predict> program;
  ModelOptions model;
  std::string metric;
  Columns columns;
};

std::pair<std::string, std::string> split_at_equals(const std::string& text, const char* what) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    throw UserError(fmt::format("--{} wants name=value, not '{}'", what, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

SavedPrompt load_prompt(const PromptArguments& arguments) {
  const std::string name = arguments.prompt.string();
  const std::string state = read_file(arguments.prompt);
  Config config = Config::parse(state, name);
  for (const auto& set : arguments.sets) config.set("metadata.theta." + set);
  const auto block = config.at("metadata").find("theta");
  if (!block || !block->find("program") || !block->find("model"))
    config.fail(
        "this prompt was not saved by theta run: metadata.theta with its 'program' and 'model' "
        "is missing");
  SavedPrompt saved{
      read_program(block->at("program")),
      nullptr,
      read_model(block->at("model")),
      arguments.metric.empty() ? block->text("metric", "exact_match") : arguments.metric,
      {}};
  saved.program = make_program(saved.options);
  load_state(*saved.program, state, name);
  for (const auto& column : arguments.columns)
    saved.columns.fields.push_back(split_at_equals(column, "field"));
  return saved;
}

}  // namespace

void run_command(const RunArguments& arguments, Progress& progress, std::stop_token stop) {
  const Config config = load_config(arguments.config, arguments.sets);
  const ExperimentOptions options = read_experiment(config);
  if (arguments.dry_run) return dry_run(options, progress);

  const fs::path folder = arguments.out.empty()
                              ? fs::path("runs") / (options.name + "-" + options.hash)
                              : arguments.out;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw UserError(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  Store store(folder / "run.db");
  claim(store, folder, options);
  store.set_meta("config", config.dump());
  store.set_meta("models", described(options.models));
  write_file(folder / "config.resolved.yaml", config.dump());

  Models models(options.models, store, progress);
  RunContext context{folder, options.seed, store, models, progress, stop};
  try {
    run_experiment(options, context);
  } catch (const Interrupted&) {
    models.record_timing();
    throw Interrupted(
        fmt::format("stopped; what is done is in {}, and the same command goes on from there",
                    folder.string()));
  }
  models.record_timing();
  progress.finish();
  finish_report(store, folder);
}

int check_command(const std::vector<fs::path>& configs, const std::vector<std::string>& sets) {
  int wrong = 0;
  for (const auto& file : configs) {
    try {
      const ExperimentOptions options = read_experiment(load_config(file, sets));
      fmt::print("{}: ok ({}, {})\n", file.string(), options.name, options.hash);
    } catch (const UserError& e) {
      fmt::print(stderr, "{}\n", e.what());
      ++wrong;
    }
  }
  return wrong;
}

void report_command(const fs::path& folder) {
  finish_report(Store(folder / "run.db", Store::Access::kRead), folder);
}

void eval_command(const PromptArguments& arguments, std::stop_token stop) {
  const SavedPrompt saved = load_prompt(arguments);
  const Signature& signature = saved.options.signature;
  std::vector<Field> fields = signature.inputs;
  fields.insert(fields.end(), signature.outputs.begin(), signature.outputs.end());
  const auto examples = read_examples(arguments.data, saved.columns, fields);
  const auto model = make_model(saved.model);
  const Metric metric = make_metric(saved.metric, signature.outputs.back().name);
  const Evaluation result =
      evaluate(*saved.program, examples, metric, Call{.model = *model, .stop = stop});
  fmt::print("{} {:.4f} on {} examples ({} unparsable, {} failed)\n", saved.metric, result.mean(),
             examples.size(), result.n_unparsable, result.n_failed);
}

void predict_command(const PromptArguments& arguments, std::stop_token stop) {
  const SavedPrompt saved = load_prompt(arguments);
  const Signature& signature = saved.options.signature;
  std::vector<Record> inputs;
  if (arguments.data.empty()) {
    Record record;
    for (const auto& input : arguments.inputs) {
      auto [name, value] = split_at_equals(input, "input");
      record.set(std::move(name), std::move(value));
    }
    inputs.push_back(std::move(record));
  } else {
    for (const auto& example : read_examples(arguments.data, saved.columns, signature.inputs))
      inputs.push_back(example.fields);
  }
  const auto model = make_model(saved.model);
  const auto predictions = saved.program->run(inputs, Call{.model = *model, .stop = stop});
  for (const auto& prediction : predictions) {
    nlohmann::ordered_json row;
    if (prediction)
      for (const auto& [name, value] : prediction->fields)
        std::visit([&](const auto& v) { row[name] = v; }, value);
    else
      row["error"] = prediction.error().message;
    fmt::print("{}\n", row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

}  // namespace theta
