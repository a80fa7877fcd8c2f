#include "experiments/runs/program_experiment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "core/rng.hpp"
#include "experiments/data/data_config.hpp"
#include "experiments/files.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/row_prompt.hpp"
#include "experiments/runs/search_record.hpp"
#include "experiments/types.hpp"
#include "modules/predict.hpp"

namespace theta {
namespace {

constexpr const char* kUntouched = "untouched";
constexpr const char* kCalibrated = "calibrated";
constexpr const char* kModel = "task";

/// A row of the report.
struct RowName {
  std::string method, model;
};

struct NamedDistillRow {
  std::string_view name;
  DistillRow row;
};
constexpr NamedDistillRow kDistillRows[] = {{"as_is", DistillRow::kAsIs},
                                            {"demo_free", DistillRow::kDemoFree},
                                            {"reoptimised", DistillRow::kReoptimised},
                                            {"anew", DistillRow::kAnew}};

/// Remarks how many answers do not rest on what the program asks for, and why the first does not.
void remark_on_answers(const RowName& name, const std::vector<Result<Prediction>>& answers,
                       const RunContext& run) {
  std::size_t answered = 0, named = 0, uncalibrated = 0;
  std::string how;  // the first was named
  for (const auto& answer : answers) {
    if (!answer) continue;
    ++answered;
    if (answer->named && named++ == 0) how = answer->note;
    uncalibrated += answer->note.ends_with(kNotCalibrated);
  }
  const std::string row = fmt::format("{}, {}: ", name.method, name.model);
  if (named > 0)
    run.remark(row + "answers named, not scored",
               fmt::format(": {} of {}; the first was {}", named, answered, how));
  if (uncalibrated > 0)
    run.remark(row + "not calibrated", fmt::format(": {} of {} answers, as what calibrates was "
                                                   "named, not scored",
                                                   uncalibrated, answered));
}

/// Keeps for the report how often each option of the answer was chosen, and how often it is right.
void put_options(const RowName& name, const Field& answer, const std::vector<Example>& test,
                 const Evaluation& result, RunContext& run) {
  OptionCounts counts{name.method, name.model, count_options(answer, test, result)};
  if (counts.options.empty()) return;
  put_one(run.store, part::kOptions, std::move(counts), [&](const OptionCounts& one) {
    return one.method == name.method && one.model == name.model;
  });
}

/// Scores a program on the test split and keeps the row.
/// @throws RunError if nothing was answered.
void put_test_row(const RowName& name, const Module& program, const std::vector<Example>& test,
                  const Metric& metric, RunContext& run) {
  const auto& [method, role] = name;
  run.stage(method + (role == kModel ? "" : ", " + role) + ": test", /*measures=*/true);
  RecordedModel& model = run.models[role];
  const auto asked = [&] {  // steps may have models of their own
    Usage all;
    for (const auto& [each, usage] : run.models.usage()) all += usage;
    return all;
  };
  const Usage before = asked();
  const Evaluation result = evaluate(program, test, metric, {.model = model, .stop = run.stop});
  remark_on_answers(name, result.predictions, run);
  std::vector<Outcome> outcomes;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const auto& prediction = result.predictions[i];
    outcomes.push_back({method, role, test[i].id, test[i].group, 0, result.scores[i], 0,
                        result.status[i], prediction ? "" : prediction.error().message});
  }
  put_options(name, program.predictors().back()->signature.outputs.back(), test, result, run);
  run.put_row(method, role, outcomes, asked() - before);
}

/// What a search adds to a program can outgrow the model's window, and scores nothing then; a
/// program that does not fit as it came is the user's to mend. @throws UserError.
void check_prompts(const Prepared& prepared, const std::string& role, Models& models) {
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
    models[step.model.empty() ? role : step.model].check(wave);
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

PromptModels models_of(const ProgramExperiment& experiment, const std::string& role,
                       const Models& models) {
  PromptModels all{models.options(role)};
  for (const StepOptions& step : experiment.program.steps)
    if (!step.model.empty()) all.roles.try_emplace(step.model, models.options(step.model));
  for (const std::string& judge : judges_of(experiment.metric))
    if (judge != role) all.roles.try_emplace(judge, models.options(judge));
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

/// The rows of one model, and its searches.
class ProgramRun {
 public:
  /// All outlive this.
  /// @param role  of the model: the record's name for it
  ProgramRun(const ProgramExperiment& experiment, const Prepared& prepared, std::string role,
             SearchRecord& record, RunContext& run)
      : experiment_(experiment),
        prepared_(prepared),
        role_(std::move(role)),
        record_(record),
        run_(run),
        best_(prepared.student->clone()) {}

  /// Scores the program as it came, and as it is calibrated.
  void put_student_rows(const Module& untouched) {
    put_row(kUntouched, untouched);
    if (!prepared_.program.needs_training()) return;
    // Like with like: what calibration brings is no search's gain.
    student_row_ = kCalibrated;
    compare(kCalibrated, kUntouched);
    put_row(kCalibrated, *prepared_.student);
  }

  /// Compiles the program, and scores what comes of it.
  /// @param elsewhere  see Task
  /// @return what was found, saved or not
  Compiled search(const OptimizerConfig& config, const std::string& name,
                  std::shared_ptr<const Searched> elsewhere = {}) {
    run_.stage(name);
    Task task = task_of(prepared_, run_, role_);
    task.elsewhere = std::move(elsewhere);
    Compiled compiled = record_.compile(config, name, *prepared_.student, task);
    compare(name, student_row_);
    record_.add_prompt(name, *compiled.program, kUntouched);
    const bool is_best = compiled.gate.saved && compiled.gate.estimate > best_gain_;
    if (is_best) {
      best_gain_ = compiled.gate.estimate;
      best_ = compiled.program->clone();
    }
    put_row(name, *compiled.program);
    if (config.shorten && compiled.gate.saved) shorten(config, name, *compiled.program, is_best);
    return compiled;
  }

  /// Scores a program that was found with another model.
  void put_moved_row(const std::string& name, const Module& program) {
    // What the options' scores say is the other model's own.
    const auto moved = program.clone();
    for (Predictor* predictor : moved->predictors())
      if (predictor->format) predictor->format->option_map.reset();
    compare(name, student_row_);
    record_.add_prompt(name, *moved, kUntouched);
    put_row(name, *moved);
  }

  void compare(const std::string& name, const std::string& against) {
    record_.compare(name, against);
  }

  /// Leaves the best program where a run leaves its prompt, also what a budget or a person stopped.
  void keep() const {
    record_.keep();
    write_whole(run_.folder / experiment_.prompt_of(role_), saved(*best_));
  }
  void finish() const { remark_on_formats(*best_, *prepared_.student, run_); }

 private:
  std::string saved(const Module& program) const {
    return prompt_json(program, prepared_.program, models_of(experiment_, role_, run_.models),
                       metric_json(experiment_.metric), experiment_.data.columns);
  }

  void put_row(const std::string& name, const Module& program) {
    record_.add_row(name);
    put_row_prompt(run_.store, name, role_, saved(program));
    keep();  // before more is asked
    put_test_row({name, role_}, program, prepared_.data.test, prepared_.metric, run_);
  }

  void shorten(const OptimizerConfig& config, const std::string& name, const Module& program,
               bool is_best) {
    const std::string shorter = shortened_name(name);
    run_.stage(shorter);
    Task task = task_of(prepared_, run_, role_);
    task.gate = config.gate;
    const auto shortened = shortened_program(shorter, program, task, config, run_);
    if (const auto broken = worse_anchor(program, *shortened, task)) {
      run_.remark(fmt::format("{}: left out, as it is worse on anchor {}", shorter, *broken));
      return;
    }
    compare(shorter, name);
    record_.add_prompt(shorter, *shortened, name);
    if (is_best) best_ = shortened->clone();
    put_row(shorter, *shortened);
  }

  const ProgramExperiment& experiment_;
  const Prepared& prepared_;
  const std::string role_;
  SearchRecord& record_;
  RunContext& run_;
  std::unique_ptr<Module> best_;  ///< of those that passed their gate
  double best_gain_ = 0;
  std::string student_row_ = kUntouched;
};

/// Where the lead of a search last changed hands, which says how much of its budget it needed.
void remark_on_lead(const std::string& name, const Compiled& compiled, RunContext& run) {
  std::int64_t since = 0;
  for (const TrialRecord& trial : compiled.trials)
    if (trial.improved) since = trial.evaluations;
  if (compiled.gain)
    run.remark(name, fmt::format(": its winner leads from evaluation {} of {} on", since,
                                 compiled.trials.back().evaluations));
}

/// What the teacher's searches found, in a student: as it is, and searched for anew.
void distill_into(const std::string& role, const ProgramExperiment& experiment,
                  const Prepared& prepared, const std::vector<Compiled>& found,
                  const Module& untouched, SearchRecord& record, RunContext& run) {
  const DistillOptions& options = *experiment.distill;
  ProgramRun student(experiment, prepared, role, record, run);
  student.put_student_rows(untouched);
  for (std::size_t i = 0; i < found.size(); ++i) {
    OptimizerConfig config = experiment.optimizers[i];
    if (options.max_evaluations > 0) config.max_evaluations = options.max_evaluations;
    const std::string moved = fmt::format("{}, {}'s prompt", config.label, options.teacher);
    const bool is_there = found[i].gate.saved || run.models.made_up();
    if (!is_there)
      run.remark(fmt::format("{}: {} keeps the untouched program: there is no prompt to move",
                             config.label, options.teacher));
    if (is_there && options.makes(DistillRow::kAsIs))
      student.put_moved_row(moved, *found[i].program);
    if (is_there && options.makes(DistillRow::kDemoFree))
      student.put_moved_row(moved + " without demos", *without_demos(*found[i].program));
    const auto search = [&](const std::string& name, std::shared_ptr<const Searched> elsewhere) {
      if (is_there && options.makes(DistillRow::kAsIs)) student.compare(name, moved);
      remark_on_lead(name, student.search(config, name, std::move(elsewhere)), run);
    };
    const std::string again = config.label + ", re-optimised";
    if (options.makes(DistillRow::kReoptimised)) search(again, found[i].searched);
    if (options.makes(DistillRow::kAnew)) search(again + " anew", nullptr);
  }
  student.finish();
}

/// `{teacher: ROLE, student: ROLE or a list, rows: [..], max_evaluations: N}`
DistillOptions read_distill(const Config& distill) {
  DistillOptions options;
  options.teacher = distill.text("teacher", options.teacher);
  if (const auto student = distill.find("student"))
    options.students =
        student->is_sequence() ? distill.texts("student") : std::vector{student->text()};
  if (options.students.empty()) distill.at("student").fail("names no model");
  std::set<std::string> named{options.teacher};
  for (const std::string& student : options.students)
    if (!named.insert(student).second)
      distill.at("student").fail("`" + student + "` is named twice: a student is another model");
  if (const auto rows = distill.find("rows")) {
    options.rows.clear();
    for (const Config& row : rows->items()) {
      const auto known = std::ranges::find(kDistillRows, row.text(), &NamedDistillRow::name);
      if (known == std::end(kDistillRows))
        row.fail("there is no row `" + row.text() +
                 "`; there are as_is, demo_free, reoptimised and anew");
      options.rows.push_back(known->row);
    }
  }
  options.max_evaluations = distill.integer("max_evaluations", 0);
  if (options.max_evaluations < 0) distill.at("max_evaluations").fail("is at least 1");
  return options;
}

}  // namespace

std::vector<OptionCount> count_options(const Field& answer, std::span<const Example> rows,
                                       const Evaluation& result) {
  const auto unlabelled = [&](const Example& one) { return !one.fields.find(answer.name); };
  if (std::ranges::any_of(rows, unlabelled)) return {};
  std::vector<OptionCount> counts;
  for (const std::string& option : answer.type.options()) {
    std::size_t chosen = 0, right = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (result.status[i] == Outcome::Status::kFailed) continue;
      const auto& prediction = result.predictions[i];
      chosen += prediction && prediction->fields.text(answer.name) == option;
      right += rows[i].fields.text(answer.name) == option;
    }
    counts.push_back({option, chosen, right});
  }
  return counts;
}

bool DistillOptions::makes(DistillRow row) const {
  return std::ranges::find(rows, row) != rows.end();
}

ProgramExperiment read_program_experiment(const Config& config) {
  ProgramExperiment experiment;
  ProgramOptions program = read_program(config.at("program"), read_types(config));
  read_start(config.at("program"), program);
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
  if (const auto distill = config.find("distill")) experiment.distill = read_distill(*distill);
  return experiment;
}

std::vector<std::string> ProgramExperiment::roles() const {
  if (!distill) return {kModel};
  std::vector<std::string> all{distill->teacher};
  all.insert(all.end(), distill->students.begin(), distill->students.end());
  return all;
}

std::string ProgramExperiment::prompt_of(const std::string& role) const {
  return !distill || role == distill->students.front() ? "prompt.json" : role + ".json";
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
  if (program.start)
    for (const std::string& line : program.start->known) prepared.data.remarks.push_back(line);
  return prepared;
}

Task task_of(const Prepared& prepared, RunContext& run, const std::string& role) {
  const bool in_turn = std::ranges::any_of(prepared.program.steps, [&](const StepOptions& step) {
    return !step.model.empty() && run.models[step.model].unit() > 1;
  });
  return {.train = prepared.data.train,
          .validation = prepared.data.validation,
          .metric = prepared.metric,
          .model = run.models[role],
          .proposer = run.models["proposer"],
          .teacher = run.models["teacher"],
          .stop = run.stop,
          .in_turn = in_turn};
}

void run_program_experiment(const ProgramExperiment& experiment, RunContext& run) {
  const Prepared prepared = prepare(experiment, run);
  const auto untouched = make_program(uncalibrated(experiment.program), use_of(run));
  for (const std::string& line : prepared.data.remarks) run.remark(line);

  SearchRecord record(run, "the untouched program");
  record.add_prompt(kUntouched, *untouched);
  for (const std::string& role : experiment.roles()) check_prompts(prepared, role, run.models);
  for (const OptimizerConfig& config : experiment.optimizers)
    check_gated(prepared.data.validation, config.gate, config.max_evaluations);
  for (const Baseline baseline : experiment.baselines.rows)
    record.add_row(std::string(name_of(baseline)));

  ProgramRun first(experiment, prepared, experiment.roles().front(), record, run);
  first.keep();
  put_baselines(experiment.baselines, prepared.data, experiment.program.data_signature(),
                prepared.metric, run);
  first.put_student_rows(*untouched);
  std::vector<Compiled> found;
  for (const OptimizerConfig& config : experiment.optimizers)
    found.push_back(first.search(config, config.label));
  first.finish();
  if (!experiment.distill) return;
  for (const std::string& student : experiment.distill->students)
    distill_into(student, experiment, prepared, found, *untouched, record, run);
}

}  // namespace theta
