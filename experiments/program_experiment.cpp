#include "experiments/program_experiment.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/rng.hpp"
#include "experiments/data_config.hpp"
#include "experiments/prompt_file.hpp"
#include "modules/evaluate.hpp"

namespace theta {
namespace {

constexpr const char* kUntouched = "untouched";
constexpr const char* kCalibrated = "calibrated";
constexpr const char* kModel = "task";

const std::vector<std::string> kOptimizers = {"labeled_few_shot", "bootstrap_few_shot",
                                              "random_search", "mipro"};

ProposerOptions read_proposer(const Config& options) {
  ProposerOptions proposer;
  if (const auto section = options.find("proposer")) {
    proposer.adapter = make_adapter(section->choice("adapter", {"chat", "json", "terse"}, "chat"));
    proposer.data_summary = section->boolean("data_summary", proposer.data_summary);
    proposer.program_summary = section->boolean("program_summary", proposer.program_summary);
    proposer.demos = section->boolean("demos", proposer.demos);
    proposer.tips = section->boolean("tips", proposer.tips);
    proposer.temperature = section->number("temperature", proposer.temperature);
    proposer.max_tokens = static_cast<int>(section->integer("max_tokens", proposer.max_tokens, 1));
    proposer.attempts = static_cast<int>(section->integer("attempts", proposer.attempts, 1));
  }
  return proposer;
}

BootstrapOptions read_bootstrap(const Config& options, BootstrapOptions bootstrap) {
  bootstrap.max_bootstrapped = read_size(options, "max_bootstrapped", bootstrap.max_bootstrapped);
  bootstrap.max_labeled = read_size(options, "max_labeled", bootstrap.max_labeled);
  bootstrap.max_rounds = read_size(options, "max_rounds", bootstrap.max_rounds, 1);
  bootstrap.threshold = options.number("threshold", bootstrap.threshold);
  return bootstrap;
}

MiproOptions read_mipro(const Config& options, std::uint64_t seed) {
  MiproOptions mipro;
  mipro.num_instructions = read_size(options, "num_instructions", mipro.num_instructions, 1);
  mipro.num_demo_sets = read_size(options, "num_demo_sets", mipro.num_demo_sets, 1);
  mipro.max_bootstrapped = read_size(options, "max_bootstrapped", mipro.max_bootstrapped);
  mipro.max_labeled = read_size(options, "max_labeled", mipro.max_labeled);
  mipro.num_trials = read_size(options, "num_trials", mipro.num_trials);
  mipro.minibatch_size = read_size(options, "minibatch_size", mipro.minibatch_size);
  mipro.full_every = read_size(options, "full_every", mipro.full_every, 1);
  mipro.surrogate = options.choice("surrogate", {"paired", "gp", "tpe", "random"}, mipro.surrogate);
  mipro.max_prompt_tokens = read_size(options, "max_prompt_tokens", 0);
  for (const auto& name : options.texts("frozen")) mipro.frozen.insert(name);
  mipro.instructions = options.texts("instructions");
  mipro.proposer = read_proposer(options);
  mipro.seed = seed;
  return mipro;
}

OptimizerOptions read_optimizer(const Config& options, std::uint64_t seed) {
  options.at("name");
  const std::string name = options.choice("name", kOptimizers, "");
  if (name == "labeled_few_shot") return LabeledFewShotOptions{.k = read_size(options, "k", 16, 1)};
  if (name == "bootstrap_few_shot") return read_bootstrap(options, {});
  if (name == "mipro") return read_mipro(options, seed);
  RandomSearchOptions search;
  search.num_candidates =
      static_cast<int>(options.integer("num_candidates", search.num_candidates, 1));
  search.bootstrap = read_bootstrap(options, search.bootstrap);
  search.seed = seed;
  return search;
}

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options) {
  struct Make {
    std::unique_ptr<Optimizer> operator()(const LabeledFewShotOptions& o) const {
      return std::make_unique<LabeledFewShot>(o);
    }
    std::unique_ptr<Optimizer> operator()(const BootstrapOptions& o) const {
      return std::make_unique<BootstrapFewShot>(o);
    }
    std::unique_ptr<Optimizer> operator()(const RandomSearchOptions& o) const {
      return std::make_unique<RandomSearch>(o);
    }
    std::unique_ptr<Optimizer> operator()(const MiproOptions& o) const {
      return std::make_unique<Mipro>(o);
    }
  };
  return std::visit(Make{}, options);
}

/// Scores a program on the test split and keeps the row.
void put_test_row(const std::string& method, const Module& program,
                  const std::vector<Example>& test, const Metric& metric, RunContext& run) {
  RecordedModel& model = run.models[kModel];
  run.progress.stage(method + ": test", static_cast<std::int64_t>(test.size()));
  const Usage before = model.asked();
  const Evaluation result = evaluate(program, test, metric, {.model = model, .stop = run.stop});
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < test.size(); ++i)
    outcomes.push_back(
        {method, kModel, test[i].id, test[i].group, 0, result.scores[i], 0, result.status[i]});
  run.store.put_row(method, kModel, outcomes, model.asked() - before);
}

std::string prompt_text(const Module& program) {
  std::string out;
  for (const Predictor* predictor : program.predictors()) {
    out += predictor->name + ": " + predictor->signature.instructions + "\n";
    for (const Demo& demo : predictor->demos) {
      for (const auto& [name, value] : demo.fields)
        out += "  " + name + ": " + to_text(value) + "\n";
      out += "\n";
    }
  }
  return out;
}

}  // namespace

ProgramExperiment read_program_experiment(const Config& config) {
  ProgramExperiment experiment;
  experiment.program = read_program(config.at("program"));
  experiment.data = read_data_options(config.at("data"), experiment.program.signature);
  experiment.metric = config.choice("metric", {"exact_match", "contains", "f1"}, "exact_match");
  const auto seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  std::set<std::string> names;
  if (const auto optimizers = config.find("optimizers"))
    for (const Config& options : optimizers->items()) {
      experiment.optimizers.push_back(read_optimizer(options, seed));
      if (!names.insert(options.text("name", "")).second)
        options.at("name").fail("'" + options.text("name", "") +
                                "' stands here again, and its rows are told apart by its name");
    }
  return experiment;
}

void run_program_experiment(const ProgramExperiment& experiment, RunContext& run) {
  const Dataset data = load_dataset(experiment.data, experiment.program.signature);
  const auto untouched = make_program(experiment.program);
  ProgramOptions compiled_program = experiment.program;
  for (const Example& example : data.train) {
    auto& calibration = compiled_program.calibration;
    if (calibration.size() == experiment.program.calibration_examples) break;
    Record& inputs = calibration.emplace_back();
    for (const Field& field : experiment.program.signature.inputs)
      inputs.set(field.name, example.fields.at(field.name));
  }
  const auto student = make_program(compiled_program);
  const Metric metric =
      make_metric(experiment.metric, experiment.program.signature.outputs.back().name);
  const auto role = [&](const char* name) -> RecordedModel& {
    return run.models[run.models.has(name) ? name : kModel];
  };

  nlohmann::json rows = {kUntouched}, comparisons = nlohmann::json::array(),
                 prompts = nlohmann::json::array({{"untouched", prompt_text(*untouched)}});
  std::unique_ptr<Module> best = student->clone();
  double best_score = -1;
  put_test_row(kUntouched, *untouched, data.test, metric, run);
  if (!compiled_program.calibration.empty()) {
    put_test_row(kCalibrated, *student, data.test, metric, run);
    rows.push_back(kCalibrated);
    comparisons.push_back({kCalibrated, kUntouched});
  }
  for (const OptimizerOptions& options : experiment.optimizers) {
    const auto optimizer = make_optimizer(options);
    const std::string name = optimizer->name();
    run.progress.stage(name, 0);
    double top = 0;
    const Task task{.train = data.train,
                    .validation = data.validation,
                    .metric = metric,
                    .model = run.models[kModel],
                    .proposer = role("proposer"),
                    .teacher = role("teacher"),
                    .stop = run.stop,
                    .on_trial = [&](const TrialRecord& trial) {
                      run.store.put_trial(trial);
                      if (trial.kind != "minibatch") top = std::max(top, trial.score);
                      run.progress.note(fmt::format("trial {}, best {:.3f}", trial.number, top));
                      return false;
                    }};
    Compiled compiled = optimizer->compile(*student, task);
    run.progress.note("");
    put_test_row(name, *compiled.program, data.test, metric, run);
    rows.push_back(name);
    comparisons.push_back({name, kUntouched});
    prompts.push_back({name, prompt_text(*compiled.program)});
    if (compiled.validation_score > best_score) {
      best_score = compiled.validation_score;
      best = std::move(compiled.program);
    }
  }
  run.store.set_meta("rows", rows.dump());
  run.store.set_meta("comparisons", comparisons.dump());
  run.store.set_meta("prompts", prompts.dump());
  save_prompt(run.folder / "prompt.json", *best, compiled_program, run.models.options(kModel),
              experiment.metric);
}

}  // namespace theta
