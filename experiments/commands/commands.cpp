#include "experiments/commands/commands.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/json_value.hpp"
#include "core/log.hpp"
#include "core/models/outage.hpp"
#include "core/utf8.hpp"
#include "core/visible.hpp"
#include "experiments/commands/dry_run.hpp"
#include "experiments/commands/ping.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/data/dataset_file.hpp"
#include "experiments/files.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/sweep_report.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/persona_prompt.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/state_file.hpp"
#include "experiments/runs/sweep.hpp"
#include "experiments/types.hpp"
#include "modules/evaluate.hpp"
#include "modules/program_state.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

void print_report(const std::string& table, const fs::path& folder) {
  fmt::print("{}\nreport: {}\n", visible(table), (folder / "report.html").string());
}

/// A saved prompt, read.
struct SavedPrompt {
  std::string file, state;
  std::string predictor;  ///< the one of a state with several that is run; empty: the only one
  ProgramOptions options;
  PromptModels models;          ///< of its steps, and judges
  std::optional<Config> block;  ///< metadata.theta
  Columns columns;
  std::optional<PersonaPrompt> personas;  ///< of a prompt Θ
};

std::pair<std::string, std::string> split_at_equals(const std::string& text, const char* what) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    throw UserError(fmt::format("--{} wants name=value, not '{}'", what, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// The field that an argument names.   @throws UserError if there is none.
const Field& known_field(const Signature& signature, const std::string& name, const char* what) {
  if (const Field* field = signature.find(name)) return *field;
  throw UserError(fmt::format("{}: the signature has no field `{}`; it has {}", what, name,
                              fmt::join(signature.names(), ", ")));
}

/// Samples as the `lm` of a predictor's state says, but where the step's own section does.
/// @param place  of the section, as --set names it
void adopt_sampling(const SavedSampling& saved, const Config& section, const std::string& place,
                    const std::string& file, PredictOptions& options) {
  std::vector<std::string> adopted;
  const auto adopt = [&](const char* key, const auto& said, auto& option) {
    if (!said || section.find(key)) return;
    option = *said;
    adopted.push_back(fmt::format("{} {}", key, option));
  };
  adopt("temperature", saved.temperature, options.temperature);
  adopt("top_p", saved.top_p, options.top_p);
  adopt("max_tokens", saved.max_tokens, options.max_tokens);
  if (!adopted.empty())
    spdlog::warn("{}: of its lm: {}; --set {}.temperature=.. gives another", file,
                 fmt::join(adopted, ", "), place);
}

/// A prompt made before the inputs that calibrate were a choice of `calibrate` says `none` of it.
void say_what_calibrates(Config& block) {
  const Config program = block.at("program");
  const auto steps = program.find("steps");
  const std::size_t n = steps ? steps->items().size() : 1;
  for (std::size_t i = 0; i < n; ++i) {
    const Config step = steps ? steps->items()[i] : program;
    if (step.find("calibrated_on") && step.text("calibrate", "none") == "none")
      block.set((steps ? fmt::format("program.steps.{}", i) : "program") + ".calibrate=train");
  }
}

SavedPrompt load_prompt(const PromptArguments& arguments) {
  SavedPrompt saved;
  saved.file = arguments.prompt.string();
  saved.state = read_state_file(arguments.prompt);
  Config config = Config::parse(saved.state, saved.file).literal();
  const auto metadata = config.find("metadata");
  if (!metadata || !metadata->find("theta")) config.set("metadata.theta={}");
  auto block = config.at("metadata").find("theta");
  const bool by_theta = block->find("program").has_value();
  if (by_theta) say_what_calibrates(*block);
  for (const auto& set : arguments.sets) block->set(set);
  // A prompt that does not say was made before the terse adapter could list options.
  if (by_theta && !block->at("program").find("options") &&
      block->at("program").text("adapter", "") == "terse")
    block->set("program.options=hidden");
  if (!block->find("program") || !block->find("model"))
    config.fail(
        "this prompt was not saved by theta run: say what it is of with --set "
        "program.signature='question -> answer', and what it is for with --set "
        "model.path=FILE.gguf, or model.base_url=URL and model.model=NAME");
  const Config section = block->at("program");
  saved.predictor = section.text("predictor", "");
  saved.options = read_program(section, read_types(*block));
  if (!arguments.metric.empty()) block->set("metric=" + arguments.metric);
  (void)block->find("metric");  // that eval alone reads
  saved.block = *block;
  if (const auto personas = block->find("personas"))
    saved.personas = read_persona_prompt(*personas);
  saved.columns = read_file_format(*block, saved.options.data_signature());
  std::map<std::string, std::string> columns(saved.columns.fields.begin(),
                                             saved.columns.fields.end());
  const LoadedState loaded =
      load_state(*make_program(saved.options), saved.state, saved.file, saved.predictor);
  if (block->at("model").find("base_url") && !block->at("model").find("model") &&
      !loaded.model.empty()) {
    block->set("model.model=" + nlohmann::json(loaded.model).dump());
    spdlog::warn("{}: of its lm: model {}; --set model.model=.. gives another", saved.file,
                 loaded.model);
  }
  saved.models.model = read_saved_model(block->at("model"), arguments.allowed_hosts);
  for (const Config& role : step_models(section)) (void)block->at("models").at(role.text());
  if (const auto models = block->find("models"))
    for (const auto& [role, model] : models->entries())
      saved.models.roles.try_emplace(
          role, read_saved_model(model, arguments.allowed_hosts, "models." + role));
  block->finish();
  for (const std::string& line : loaded.remarks) spdlog::warn("{}", line);
  for (std::size_t i = 0; i < saved.options.steps.size(); ++i) {
    const bool steps = saved.options.has_steps();
    adopt_sampling(loaded.sampling.at(i), steps ? section.at("steps").items()[i] : section,
                   steps ? fmt::format("program.steps.{}", i) : "program", saved.file,
                   saved.options.steps[i].predict);
  }
  if (!arguments.rows.empty()) saved.columns.rows = arguments.rows;
  for (const auto& given : arguments.columns) {
    const auto [field, column] = split_at_equals(given, "field");
    (void)known_field(saved.options.data_signature(), field, "--field");
    columns[field] = dotted_path(column);
  }
  // What the program was made with lies in a .json file; a file of lines or cells has no such path.
  if (arguments.rows.empty() && arguments.data.extension() != ".json") saved.columns.rows.clear();
  saved.columns.fields.assign(columns.begin(), columns.end());
  return saved;
}

/// The examples of a file; what is to be known of them is logged.
std::vector<Example> rows_of(const fs::path& file, const Columns& columns,
                             const Signature& signature) {
  std::vector<std::string> remarks;
  std::vector<Example> examples = read_examples(file, columns, signature, remarks);
  for (const std::string& line : remarks) spdlog::warn("{}", line);
  return examples;
}

/// The folder of the run that made a prompt, if it can be written to; else empty.
fs::path run_of(const PromptArguments& arguments) {
  const fs::path folder = arguments.prompt.parent_path();
  const bool of_a_run = fs::exists(folder / "run.db");
  if (!of_a_run || access((folder / ".").c_str(), W_OK) != 0) return {};
  return folder.empty() ? fs::path(".") : folder;
}

/// Where the answers to a saved prompt are kept; empty: nowhere.
fs::path cache_of(const PromptArguments& arguments) {
  if (!arguments.cache.empty()) return arguments.cache;
  const fs::path folder = run_of(arguments);
  return folder.empty() ? fs::path() : folder / "answers.db";
}

/// The record of the run that made a prompt, where that lies beside it.
std::unique_ptr<const Store> record_beside(const fs::path& prompt) {
  const fs::path record = prompt.parent_path() / "run.db";
  if (!fs::exists(record)) return nullptr;
  return std::make_unique<const Store>(record, Store::Access::kRead);
}

/// A saved prompt with its models. Their answers last in the cache; the record is of this process
/// alone. What the run that made the prompt was answered is not asked again, so that its rows come
/// out the same.
class Runnable {
 public:
  Runnable(const SavedPrompt& saved, const PromptArguments& arguments)
      : file_(cache_of(arguments)),
        cache_({file_, file_.empty() ? CacheMode::kOff : CacheMode::kRecord}),
        scratch_(run_of(arguments)),
        made_by_(record_beside(arguments.prompt)),
        model_(add(saved.models.model)) {
    for (const auto& [role, options] : saved.models.roles) roles_.emplace(role, &add(options));
    program_ = make_program(
        saved.options, {[this](const std::string& role) -> LanguageModel& { return as(role); }});
    load_state(*program_, saved.state, saved.file, saved.predictor);
  }

  const Module& program() const { return *program_; }

  /// The model of a role.   @throws UserError that says how to name one.
  LanguageModel& as(const std::string& role) {
    if (role == "task") return model_;
    const auto found = roles_.find(role);
    if (found != roles_.end()) return *found->second;
    throw UserError(fmt::format(
        "`{0}` is no model of this prompt: give it with --set models.{0}.path=FILE.gguf, or "
        "models.{0}.base_url=URL and models.{0}.model=NAME",
        role));
  }

  /// Does what asks the models. @throws Interrupted that says how to go on.
  template <typename F>
  auto ask(const F& work, std::stop_token stop) {
    try {
      return work(Call{.model = model_, .stop = std::move(stop)});
    } catch (const Interrupted&) {
      if (file_.empty()) throw;
      throw Interrupted(
          fmt::format("stopped; the answers are in {}, and the same command goes on from there",
                      file_.string()));
    }
  }

 private:
  LanguageModel& add(const ModelOptions& options) {
    LanguageModel& model = *models_.emplace_back(make_model(options, log_trouble));
    RecordedModel& recorded =
        *recorded_.emplace_back(std::make_unique<RecordedModel>(model, record_, nullptr, &cache_));
    if (made_by_) recorded.know(*made_by_);
    return recorded;
  }

  const fs::path file_;
  AnswerCache cache_;
  const ScratchFolder scratch_;
  Store record_{scratch_.path() / "run.db"};
  const std::unique_ptr<const Store> made_by_;
  std::vector<std::unique_ptr<LanguageModel>> models_;
  std::vector<std::unique_ptr<RecordedModel>> recorded_;
  LanguageModel& model_;
  std::map<std::string, LanguageModel*> roles_;
  std::unique_ptr<Module> program_;
};

}  // namespace

Config load_config(const fs::path& file, const std::vector<std::string>& sets) {
  Config config = Config::load(file);
  for (const auto& set : sets) config.set(set);
  return config;
}

int run_command(const RunArguments& arguments, Progress& progress, std::stop_token stop) {
  const Config config = load_config(arguments.config, arguments.sets);
  refuse_sweep(config);
  const ExperimentOptions options = read_experiment(config);
  VerifiedFiles verified;
  verify(config, options, verified);
  if (arguments.dry_run) {
    dry_run(options, stop);
    return 0;
  }
  const fs::path folder = arguments.out.empty()
                              ? fs::path("runs") / (options.name + "-" + options.hash)
                              : arguments.out;
  try {
    make_folder(folder);
    progress.plan(forecast_calls(options, stop, folder));
    const Report report = run_in_folder(config, options, folder, progress, stop);
    if (const auto trials = trials_table(report); !trials.empty())
      fmt::print("{}\n", visible(trials));
    print_report(to_table(report), folder);
    if (!report.stopped.empty()) return kBudgetSpent;
    if (report.incomplete.empty()) return 0;
    tell(fmt::format("theta: incomplete: {}", report.incomplete));
    // What only a row's test lacks is counted in the row, and nothing else rests on it.
    return std::ranges::all_of(report.lost, &Report::Loss::measures) ? 0 : kAnswersMissing;
  } catch (const Interrupted&) {
    throw stopped_in(folder);
  }
}

int sweep_command(const SweepArguments& arguments, Progress& progress, std::stop_token stop) {
  const Sweep sweep = read_sweep(load_config(arguments.config, arguments.sets));
  if (arguments.dry_run) {
    dry_run(sweep, stop);
    return 0;
  }
  const fs::path folder =
      arguments.out.empty() ? fs::path("runs") / (sweep.name + "-sweep") : arguments.out;
  const SweepEnd end = run_sweep(sweep, folder, arguments.jobs, progress, stop);
  print_report(finish_sweep_report(folder), folder);
  for (const auto& line : end.stopped) tell(fmt::format("theta: stopped: {}", line));
  for (const auto& line : end.incomplete) tell(fmt::format("theta: incomplete: {}", line));
  for (const auto& line : end.failed) tell(fmt::format("theta: failed: {}", line));
  if (!end.failed.empty()) return 1;
  if (!end.incomplete.empty()) return kAnswersMissing;
  return end.stopped.empty() ? 0 : kBudgetSpent;
}

int ping_command(const fs::path& file, const std::vector<std::string>& sets, std::stop_token stop) {
  return ping(load_config(file, sets), std::move(stop));
}

int check_command(const std::vector<fs::path>& configs, const std::vector<std::string>& sets,
                  bool config_only) {
  int wrong = 0;
  for (const auto& file : configs) {
    try {
      Config config = load_config(file, sets);
      if (config_only) config = config.without_environment();
      VerifiedFiles verified;
      const auto look = [&](const Config& run, const ExperimentOptions& options) {
        if (!config_only) return verify(run, options, verified);
        verify_splits(run, options);
        return false;
      };
      if (is_sweep(config)) {
        const Sweep sweep = read_sweep(config, {.read = false});
        for (const SweepRun& run : sweep.runs) look(run.config, run.options);
        fmt::print("{}: ok ({}, {} runs)\n", file.string(), sweep.name, sweep.runs.size());
      } else {
        FileHashes unread{.read = false};
        const ExperimentOptions options = read_experiment(config, unread);
        const bool small = look(config, options);
        fmt::print("{}: ok ({}{})\n", file.string(), options.name,
                   small ? ", " + read_experiment(config).hash : "");
      }
    } catch (const UserError& e) {
      tell(e.what());
      ++wrong;
    }
  }
  return wrong;
}

void report_command(const fs::path& folder) {
  if (holds_sweep(folder)) return print_report(finish_sweep_report(folder), folder);
  const Report report = make_report(Store(folder / "run.db", Store::Access::kRead));
  write_report(report, folder);
  print_report(to_table(report), folder);
}

void status_command(const fs::path& folder) {
  std::vector<ListedRun> runs;
  if (holds_sweep(folder))
    runs = read_sweep_list(folder).runs;
  else
    runs.push_back({"", folder.filename().string(), "", 0, 0});
  if (!holds_sweep(folder) && !fs::exists(folder / "run.db"))
    throw UserError(folder.string() + " holds neither a run nor a sweep");
  std::vector<std::vector<std::string>> rows;
  std::map<std::string, std::size_t> states;
  for (const ListedRun& run : runs) {
    const RunStatus status = read_status(folder / run.folder);
    ++states[name_of(status.state)];
    rows.push_back({run.label, run.folder, name_of(status.state), fraction_or_dash(status.best),
                    std::to_string(status.kept.calls),
                    std::to_string(status.kept.prompt_tokens + status.kept.generated_tokens),
                    status.left_s ? clock_text(*status.left_s) : "-",
                    status.state == RunState::kRunning ? status.stage : status.error});
  }
  std::string counts;
  for (const auto& [state, n] : states)
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", n, state);
  fmt::print("{}{}\n",
             text_table({{{"run"},
                          {"folder"},
                          {"state"},
                          {"best", true},
                          {"calls", true},
                          {"tokens", true},
                          {"left", true},
                          {""}},
                         rows}),
             counts);
}

namespace {

/// Makes the row that a prompt Θ is named for, on its people or those of a file.
int eval_people(const SavedPrompt& saved, const PromptArguments& arguments, std::stop_token stop) {
  if (!(arguments.columns.empty() && arguments.rows.empty() && arguments.metric.empty()))
    throw UserError("--field, --rows and --metric are of a task, and this prompt is of people");
  const PersonaPrompt& prompt = *saved.personas;
  const std::vector<User> people = people_of(prompt, arguments.data);
  Runnable saved_theta(saved, arguments);
  const auto theta = make_predict(saved.options.steps.front());
  *theta->predictors().front() = *saved_theta.program().predictors().front();
  const PersonaRow row = saved_theta.ask(
      [&](const Call& call) { return score_people(prompt, *theta, people, call); }, stop);
  for (const std::string& line : row.remarks()) tell(line);
  using Status = Outcome::Status;
  const auto count = [&](Status status) {
    return std::ranges::count(row.outcomes, status, &Outcome::status);
  };
  double sum = 0;
  for (const Outcome& outcome : row.outcomes)
    if (outcome.status != Status::kFailed) sum += outcome.score;
  const auto answered = std::ssize(row.outcomes) - count(Status::kFailed);
  if (answered == 0)
    throw Outage(fmt::format("none of {} judgements was answered, the first with: {}",
                             row.outcomes.size(), row.outcomes.at(0).why));
  fmt::print(
      "accuracy {:.4f} on {} judgements of {} people, made as the row `{}` ({} unparsable, {} "
      "refused, {} failed)\n",
      sum / static_cast<double>(answered), row.outcomes.size(), people.size(), prompt.row,
      count(Status::kUnparsable), count(Status::kRefused), count(Status::kFailed));
  const auto lost = std::ranges::find(row.outcomes, Status::kFailed, &Outcome::status);
  if (lost == row.outcomes.end()) return 0;
  tell(fmt::format(
      "theta: incomplete: {} of {} judgements got no answer and are no part of the accuracy, the "
      "first because: {}",
      count(Status::kFailed), row.outcomes.size(), lost->why));
  return kAnswersMissing;
}

}  // namespace

int eval_command(const PromptArguments& arguments, std::stop_token stop) {
  SavedPrompt saved = load_prompt(arguments);
  if (saved.personas) return eval_people(saved, arguments, stop);
  if (arguments.data.empty()) throw UserError("give a file of examples to score this prompt on");
  const Signature signature = saved.options.data_signature();
  const MetricOptions options = read_saved_metric(*saved.block, signature);
  saved.block->finish();
  saved.columns.optional = unread_labels(options, signature);
  const auto examples = rows_of(arguments.data, saved.columns, signature);
  std::vector<const Example*> labelled;
  for (const Example& example : examples) labelled.push_back(&example);
  Runnable runnable(saved, arguments);
  const Metric metric =
      make_metric(options, signature, labelled,
                  [&](const std::string& name) -> LanguageModel& { return runnable.as(name); });
  const Evaluation result = runnable.ask(
      [&](const Call& call) { return evaluate(runnable.program(), examples, metric, call); }, stop);
  fmt::print("{} {:.4f} on {} examples ({} unparsable, {} refused, {} failed)\n",
             metric_name(options), result.mean(), examples.size(), result.n_unparsable,
             result.n_refused, result.n_failed);
  if (result.n_failed == 0) return 0;
  const auto lost = std::ranges::find(result.status, Outcome::Status::kFailed);
  tell(fmt::format(
      "theta: incomplete: {} of {} rows got no answer and are no part of the mean, the "
      "first because: {}",
      result.n_failed, examples.size(),
      result.predictions[static_cast<std::size_t>(lost - result.status.begin())].error().message));
  return kAnswersMissing;
}

int predict_command(const PromptArguments& arguments, std::stop_token stop) {
  if (arguments.data.empty() && !(arguments.columns.empty() && arguments.rows.empty()))
    throw UserError("--field and --rows say how a file is read, and none is given");
  if (!arguments.data.empty() && !arguments.inputs.empty())
    throw UserError("give a file of examples or --input, not both");
  const SavedPrompt saved = load_prompt(arguments);
  const Signature signature = saved.options.data_signature();
  std::vector<Record> inputs;
  if (arguments.data.empty()) {
    Record record;
    for (const auto& input : arguments.inputs) {
      const auto [name, text] = split_at_equals(input, "input");
      const Field& field = known_field(signature, name, "--input");
      if (!is_utf8(text)) throw UserError("--input " + name + " is not UTF-8");
      if (record.find(name) != nullptr) throw UserError("--input " + name + " is given twice");
      Result<Value> value = field.type.read(text);
      if (!value) throw UserError("--input " + name + ": " + value.error().message);
      record.set(name, *std::move(value));
    }
    inputs.push_back(std::move(record));
  } else {
    Signature unlabelled = signature;
    unlabelled.outputs.clear();
    for (const auto& example : rows_of(arguments.data, saved.columns, unlabelled))
      inputs.push_back(example.fields);
  }
  Runnable runnable(saved, arguments);
  const auto predictions =
      runnable.ask([&](const Call& call) { return runnable.program().run(inputs, call); }, stop);
  bool answered = false;
  std::size_t lost = 0;
  std::string why;  // of the first that was lost
  for (const auto& prediction : predictions) {
    answered = answered || prediction;
    if (!prediction && prediction.error().fault == Fault::kService && lost++ == 0)
      why = prediction.error().message;
    nlohmann::ordered_json row;
    if (prediction)
      for (const auto& [name, value] : prediction->fields) row[name] = json_of(value);
    else
      row["error"] = prediction.error().message;
    fmt::print("{}\n", write_json(row, JsonStyle::kCompact));
  }
  if (lost > 0)
    tell(fmt::format("theta: incomplete: {} of {} rows got no answer, the first because: {}", lost,
                     predictions.size(), why));
  return !answered ? 1 : lost > 0 ? kAnswersMissing : 0;
}

}  // namespace theta
