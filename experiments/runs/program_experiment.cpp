#include "experiments/runs/program_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/rng.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/search_record.hpp"
#include "experiments/types.hpp"
#include "modules/evaluate.hpp"
#include "modules/predict.hpp"

namespace theta {
namespace {

constexpr const char* kUntouched = "untouched";
constexpr const char* kCalibrated = "calibrated";
constexpr const char* kModel = "task";

/// Remarks how many answers do not rest on what the program asks for, and why the first does not.
void remark_on_answers(const std::string& method, const std::vector<Result<Prediction>>& answers,
                       const RunContext& run) {
  std::size_t answered = 0, named = 0, uncalibrated = 0;
  std::string how;  // the first was named
  for (const auto& answer : answers) {
    if (!answer) continue;
    ++answered;
    if (answer->named && named++ == 0) how = answer->note;
    uncalibrated += answer->note.ends_with(kNotCalibrated);
  }
  const std::string row = fmt::format("{}, {}: ", method, kModel);
  if (named > 0)
    run.remark(row + "answers named, not scored",
               fmt::format(": {} of {}; the first was {}", named, answered, how));
  if (uncalibrated > 0)
    run.remark(row + "not calibrated", fmt::format(": {} of {} answers, as what calibrates was "
                                                   "named, not scored",
                                                   uncalibrated, answered));
}

/// Keeps for the report how often each option of the answer was chosen, and how often it is right.
void put_options(const std::string& method, const Field& answer, const std::vector<Example>& test,
                 const Evaluation& result, RunContext& run) {
  const std::vector<std::string> options = answer.type.options();
  const auto unlabelled = [&](const Example& one) { return !one.fields.find(answer.name); };
  if (options.empty() || std::ranges::any_of(test, unlabelled)) return;
  OptionCounts counts{method, kModel, {}};
  for (const std::string& option : options) {
    std::size_t chosen = 0, right = 0;
    for (std::size_t i = 0; i < test.size(); ++i) {
      if (result.status[i] == Outcome::Status::kFailed) continue;
      const auto& prediction = result.predictions[i];
      chosen += prediction && prediction->fields.text(answer.name) == option;
      right += test[i].fields.text(answer.name) == option;
    }
    counts.options.push_back({option, chosen, right});
  }
  put_one(run.store, part::kOptions, std::move(counts),
          [&](const OptionCounts& one) { return one.method == method && one.model == kModel; });
}

/// Scores a program on the test split and keeps the row.
/// @throws RunError if nothing was answered.
void put_test_row(const std::string& method, const Module& program,
                  const std::vector<Example>& test, const Metric& metric, RunContext& run) {
  run.stage(method + ": test", /*measures=*/true);
  RecordedModel& model = run.models[kModel];
  const auto asked = [&] {  // steps may have models of their own
    Usage all;
    for (const auto& [role, usage] : run.models.usage()) all += usage;
    return all;
  };
  const Usage before = asked();
  const Evaluation result = evaluate(program, test, metric, {.model = model, .stop = run.stop});
  remark_on_answers(method, result.predictions, run);
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const auto& prediction = result.predictions[i];
    outcomes.push_back({method, kModel, test[i].id, test[i].group, 0, result.scores[i], 0,
                        result.status[i], prediction ? "" : prediction.error().message});
  }
  put_options(method, program.predictors().back()->signature.outputs.back(), test, result, run);
  run.put_row(method, kModel, outcomes, asked() - before);
}

/// What a search adds to a program can outgrow the model's window, and scores nothing then; a
/// program that does not fit as it came is the user's to mend. @throws UserError.
void check_prompts(const Prepared& prepared, Models& models) {
  for (const StepOptions& step : prepared.program.steps) {
    const auto predict = make_predict(step);
    const PredictOptions& options = step.predict;
    std::vector<Request> wave;
    for (const auto* split : {&prepared.data.train, &prepared.data.validation, &prepared.data.test})
      for (const Example& example : *split) {
        Record inputs = example.fields;  // and of what other steps will give, nothing
        for (const Field& field : step.signature.inputs)
          if (!inputs.find(field.name)) inputs.set(field.name, "");
        Request& request = wave.emplace_back();
        request.messages = predict->messages(inputs);
        request.max_tokens = step.format.answering == Answering::kGenerate ? options.max_tokens : 1;
      }
    models[step.model.empty() ? kModel : step.model].check(wave);
  }
}

std::string shortened_name(const std::string& label) { return label + ", shortened"; }

/// What is left of a program that its optimiser's `shorten` allows, and a remark that says so.
std::unique_ptr<Module> shortened_program(const std::string& row, const Module& program,
                                          const Task& task, const OptimizerConfig& config,
                                          RunContext& run) {
  Shortened made = shorten(program, task, limits_of(config.options), *config.shorten);
  run.remark(row, fmt::format(": {} demos and pieces of instructions deleted, from {} to {} prompt "
                              "tokens; {} before, {} after on validation",
                              made.deleted, prompt_tokens(program, task.model),
                              prompt_tokens(*made.program, task.model), fraction(made.before, 2),
                              fraction(made.score, 2)));
  return std::move(made.program);
}

ProgramUse use_of(RunContext& run) {
  return {[&run](const std::string& role) -> LanguageModel& { return run.models[role]; },
          run.models.made_up()};
}

PromptModels models_of(const ProgramExperiment& experiment, const Models& models) {
  PromptModels all{models.options(kModel)};
  for (const StepOptions& step : experiment.program.steps)
    if (!step.model.empty()) all.roles.try_emplace(step.model, models.options(step.model));
  for (const std::string& judge : judges_of(experiment.metric))
    if (judge != kModel) all.roles.try_emplace(judge, models.options(judge));
  return all;
}

/// Remarks in which steps the saved prompt is asked otherwise than the program says.
void remark_on_formats(const Module& saved, const Module& student, const RunContext& run) {
  const auto now = saved.predictors(), before = student.predictors();
  for (std::size_t i = 0; i < now.size(); ++i)
    if (form_text(*now[i]) != form_text(*before[i]))
      run.remark(
          fmt::format("prompt.json: `{}` is asked in another format ({}) than the program "
                      "says ({}), which DSPy does not keep: there it is asked in DSPy's",
                      now[i]->name, form_text(*now[i]), form_text(*before[i])));
}

/// The metric of a run. In a dry run nobody's command grades the answers, which are made up, and a
/// judge is asked, but what it says is none.
Metric metric_of(const ProgramExperiment& experiment, const Signature& signature,
                 std::span<const Example* const> examples, RunContext& run) {
  const Grade made_up(0.5);
  const bool real = !run.models.made_up();
  if (!real && runs_command(experiment.metric))
    return [made_up](const Example&, const Prediction&) { return made_up; };
  Metric metric =
      make_metric(experiment.metric, signature, examples,
                  [&run](const std::string& role) -> LanguageModel& { return run.models[role]; });
  if (real || judges_of(experiment.metric).empty()) return metric;
  return BatchMetric{[made_up, metric](std::span<const Graded> wave, const std::stop_token& stop) {
    (void)grade(metric, wave, stop);
    return std::vector<Result<Grade>>(wave.size(), made_up);
  }};
}

}  // namespace

ProgramExperiment read_program_experiment(const Config& config) {
  ProgramExperiment experiment;
  const ProgramOptions program = read_program(config.at("program"), read_types(config));
  experiment.program = program;
  const Signature rows = program.data_signature();
  experiment.data = read_data_options(config.at("data"), rows);
  experiment.metric = read_metric(config, rows);
  // The answer of several steps is what the last gives.
  if (program.has_steps() && experiment.metric.outputs.empty())
    experiment.metric.outputs = {program.answer().name};
  experiment.data.columns.optional = unread_labels(experiment.metric, rows);
  if (std::holds_alternative<SentimentOptions>(experiment.data.source))
    for (const Field& field : rows.inputs)
      if (field.name != "sentence")
        fail_without_input(config.at("program"), program, field.name, "`sentence`");
  const auto seed = static_cast<std::uint64_t>(config.integer("seed", 0));
  experiment.baselines = read_baselines(config, program, experiment.metric);
  std::set<std::string> rows_of_its_own = {kUntouched, kCalibrated};
  for (const Baseline baseline : experiment.baselines.rows)
    rows_of_its_own.emplace(name_of(baseline));
  experiment.optimizers = read_optimizers(config, seed, *make_program(program), rows_of_its_own);
  return experiment;
}

Prepared prepare(const ProgramExperiment& experiment, RunContext& run) {
  const ProgramOptions& program = experiment.program;
  const Signature signature = program.data_signature();
  Prepared prepared{load_dataset(experiment.data, signature), program, nullptr, {}};
  const auto examples = examples_of(prepared.data);
  prepared.metric = metric_of(experiment, signature, examples, run);
  const auto seen = outputs_of(experiment.metric, signature, examples);
  const std::string& last = signature.outputs.back().name;
  if (!seen.empty() && experiment.metric.outputs.empty() && seen.front() != last)
    prepared.data.remarks.push_back(fmt::format(
        "the metric looks at `{}`, as the data have no column `{}`", seen.front(), last));
  for (StepOptions& step : prepared.program.steps)
    if (step.format.calibration == Calibration::kTrain)
      step.format.calibrated_on =
          calibration_inputs(step.signature, prepared.data.train, step.calibration_examples);
  prepared.student = make_program(prepared.program, use_of(run));
  return prepared;
}

Task task_of(const Prepared& prepared, RunContext& run) {
  const bool in_turn = std::ranges::any_of(prepared.program.steps, [&](const StepOptions& step) {
    return !step.model.empty() && run.models[step.model].unit() > 1;
  });
  return {.train = prepared.data.train,
          .validation = prepared.data.validation,
          .metric = prepared.metric,
          .model = run.models[kModel],
          .proposer = run.models["proposer"],
          .teacher = run.models["teacher"],
          .stop = run.stop,
          .in_turn = in_turn};
}

void run_program_experiment(const ProgramExperiment& experiment, RunContext& run) {
  const Prepared prepared = prepare(experiment, run);
  const auto& [data, compiled_program, student, metric] = prepared;
  const auto untouched = make_program(uncalibrated(experiment.program), use_of(run));
  for (const std::string& line : data.remarks) run.remark(line);

  SearchRecord record(run, "the untouched program");
  record.add_prompt(kUntouched, *untouched);
  std::unique_ptr<Module> best = student->clone();
  double best_gain = 0;
  const auto keep = [&] {
    record.keep();
    save_prompt(run.folder / "prompt.json", *best, compiled_program,
                models_of(experiment, run.models), metric_json(experiment.metric),
                experiment.data.columns);
  };
  check_prompts(prepared, run.models);
  for (const OptimizerConfig& config : experiment.optimizers)
    check_gated(data.validation, config.gate, config.max_evaluations);
  for (const Baseline baseline : experiment.baselines.rows)
    record.add_row(std::string(name_of(baseline)));
  keep();
  put_baselines(experiment.baselines, data, experiment.program.data_signature(), metric, run);
  record.add_row(kUntouched);
  keep();
  put_test_row(kUntouched, *untouched, data.test, metric, run);
  // Like with like: what calibration brings is no search's gain.
  const char* student_row = kUntouched;
  if (compiled_program.needs_training()) {
    student_row = kCalibrated;
    record.add_row(kCalibrated);
    record.compare(kCalibrated, kUntouched);
    keep();
    put_test_row(kCalibrated, *student, data.test, metric, run);
  }
  for (const OptimizerConfig& config : experiment.optimizers) {
    const std::string& name = config.label;
    run.stage(name);
    const Compiled compiled = record.compile(config, name, *student, task_of(prepared, run));
    record.add_row(name);
    record.compare(name, student_row);
    record.add_prompt(name, *compiled.program);
    const bool is_best = compiled.gate.saved && compiled.gate.estimate > best_gain;
    if (is_best) {
      best_gain = compiled.gate.estimate;
      best = compiled.program->clone();
    }
    keep();  // also what a budget or a person stopped, before more is asked
    put_test_row(name, *compiled.program, data.test, metric, run);
    if (!config.shorten || !compiled.gate.saved) continue;
    const std::string shorter = shortened_name(name);
    run.stage(shorter);
    const auto shortened =
        shortened_program(shorter, *compiled.program, task_of(prepared, run), config, run);
    record.add_row(shorter);
    record.compare(shorter, name);
    record.add_prompt(shorter, *shortened);
    if (is_best) best = shortened->clone();
    keep();
    put_test_row(shorter, *shortened, data.test, metric, run);
  }
  remark_on_formats(*best, *student, run);
}

}  // namespace theta
