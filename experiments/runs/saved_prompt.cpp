#include "experiments/runs/saved_prompt.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/utf8.hpp"
#include "experiments/models.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/runs/state_file.hpp"
#include "experiments/types.hpp"
#include "modules/program_state.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

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

/// The section of a prompt that says what it is of, with what the command line changes in it.
Config block_of(const std::string& state, const std::string& file,
                const PromptArguments& arguments) {
  Config config = Config::parse(state, file).literal();
  const auto metadata = config.find("metadata");
  if (!metadata || !metadata->find("theta")) config.set("metadata.theta={}");
  Config block = *config.at("metadata").find("theta");
  const bool by_theta = block.find("program").has_value();
  if (by_theta) say_what_calibrates(block);
  for (const auto& set : arguments.sets) block.set(set);
  // A prompt that does not say was made before the terse adapter could list options.
  if (by_theta && !block.at("program").find("options") &&
      block.at("program").text("adapter", "") == "terse")
    block.set("program.options=hidden");
  const auto program = block.find("program");
  if (!program || !(program->find("signature") || program->find("steps")) || !block.find("model"))
    config.fail(
        "this prompt was not saved by theta run: say what it is of with --set "
        "program.signature='question -> answer', and what it is for with --set "
        "model.path=FILE.gguf, or model.base_url=URL and model.model=NAME");
  if (!arguments.metric.empty()) block.set("metric=" + arguments.metric);
  return block;
}

/// The models that a block names, and that of the state's lm where it names none.
PromptModels models_in(Config& block, const std::string& lm, const std::string& file,
                       const std::vector<std::string>& allowed_hosts) {
  if (block.at("model").find("base_url") && !block.at("model").find("model") && !lm.empty()) {
    block.set("model.model=" + nlohmann::json(lm).dump());
    spdlog::warn("{}: of its lm: model {}; --set model.model=.. gives another", file, lm);
  }
  PromptModels models{read_saved_model(block.at("model"), allowed_hosts)};
  for (const Config& role : step_models(block.at("program")))
    (void)block.at("models").at(role.text());
  if (const auto named = block.find("models"))
    for (const auto& [role, model] : named->entries())
      models.roles.try_emplace(role, read_saved_model(model, allowed_hosts, "models." + role));
  return models;
}

void adopt_samplings(const LoadedState& loaded, const Config& section, SavedPrompt& saved) {
  const bool has_steps = saved.options.has_steps();
  for (std::size_t i = 0; i < saved.options.steps.size(); ++i)
    adopt_sampling(loaded.sampling.at(i), has_steps ? section.at("steps").items()[i] : section,
                   has_steps ? fmt::format("program.steps.{}", i) : "program", saved.file,
                   saved.options.steps[i].predict);
}

/// Reads a file as the prompt's own data were, unless the command line says otherwise.
void adopt_columns(const PromptArguments& arguments, SavedPrompt& saved) {
  std::map<std::string, std::string> columns(saved.columns.fields.begin(),
                                             saved.columns.fields.end());
  if (!arguments.rows.empty()) saved.columns.rows = arguments.rows;
  for (const auto& given : arguments.columns) {
    const auto [field, column] = split_at_equals(given, "field");
    (void)known_field(saved.options.data_signature(), field, "--field");
    columns[field] = dotted_path(column);
  }
  // What the program was made with lies in a .json file; a file of lines or cells has no such path.
  if (arguments.rows.empty() && arguments.data.extension() != ".json") saved.columns.rows.clear();
  saved.columns.fields.assign(columns.begin(), columns.end());
}

/// The folder of the run that made a prompt, if it may be written to; else empty.
fs::path run_of(const PromptArguments& arguments) {
  const fs::path folder = arguments.prompt.parent_path();
  const bool of_a_run = !arguments.of_person && fs::exists(folder / kRecordFile);
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
  const fs::path record = prompt.parent_path() / kRecordFile;
  if (!fs::exists(record)) return nullptr;
  return std::make_unique<const Store>(record, Store::Access::kRead);
}

}  // namespace

std::pair<std::string, std::string> split_at_equals(const std::string& text, const char* what) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos)
    throw UserError(fmt::format("--{} wants name=value, not '{}'", what, text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

const Field& known_field(const Signature& signature, const std::string& name, const char* what) {
  if (const Field* field = signature.find(name)) return *field;
  throw UserError(fmt::format("{}: the signature has no field `{}`; it has {}", what, name,
                              fmt::join(signature.names(), ", ")));
}

Record given_inputs(const PromptArguments& arguments, const Signature& signature) {
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
  return record;
}

SavedPrompt load_prompt(const PromptArguments& arguments) {
  SavedPrompt saved;
  saved.file = arguments.prompt.string();
  saved.state = read_state_file(arguments.prompt);
  Config block = block_of(saved.state, saved.file, arguments);
  const Config section = block.at("program");
  saved.predictor = section.text("predictor", "");
  saved.options = read_program(section, read_types(block));
  (void)block.find("metric");  // that eval alone reads
  if (const auto personas = block.find("personas")) saved.personas = read_persona_prompt(*personas);
  saved.columns = read_file_format(block, saved.options.data_signature());
  const LoadedState loaded =
      load_state(*make_program(saved.options), saved.state, saved.file, saved.predictor);
  saved.models = models_in(block, loaded.model, saved.file, arguments.allowed_hosts);
  block.finish();
  for (const std::string& line : loaded.remarks) spdlog::warn("{}", line);
  adopt_samplings(loaded, section, saved);
  adopt_columns(arguments, saved);
  saved.block = block;
  return saved;
}

std::vector<Example> rows_of(const std::filesystem::path& file, const Columns& columns,
                             const Signature& signature) {
  std::vector<std::string> remarks;
  std::vector<Example> examples = read_examples(file, columns, signature, remarks);
  for (const std::string& line : remarks) spdlog::warn("{}", line);
  return examples;
}

Runnable::Runnable(const SavedPrompt& saved, const PromptArguments& arguments)
    : file_(cache_of(arguments)),
      cache_({file_, file_.empty() ? CacheMode::kOff : CacheMode::kRecord}),
      scratch_(run_of(arguments)),
      made_by_(record_beside(arguments.prompt)),
      model_(add(saved.models.model)) {
  for (const auto& [role, options] : saved.models.roles) roles_.emplace(role, &add(options));
  program_ = make_program(saved.options,
                          {[this](const std::string& role) -> LanguageModel& { return as(role); }});
  load_state(*program_, saved.state, saved.file, saved.predictor);
}

std::unique_ptr<Predict> Runnable::theta(const SavedPrompt& saved) const {
  auto theta = make_predict(saved.options.steps.front());
  *theta->predictors().front() = *program_->predictors().front();
  return theta;
}

LanguageModel& Runnable::as(const std::string& role) {
  if (role == "task") return model_;
  const auto found = roles_.find(role);
  if (found != roles_.end()) return *found->second;
  throw UserError(fmt::format(
      "`{0}` is no model of this prompt: give it with --set models.{0}.path=FILE.gguf, or "
      "models.{0}.base_url=URL and models.{0}.model=NAME",
      role));
}

LanguageModel& Runnable::add(const ModelOptions& options) {
  LanguageModel& model = *models_.emplace_back(make_model(options, {.on_trouble = log_trouble}));
  RecordedModel& recorded =
      *recorded_.emplace_back(std::make_unique<RecordedModel>(model, record_, nullptr, &cache_));
  if (made_by_) recorded.know(*made_by_);
  return recorded;
}

Interrupted Runnable::interrupted() const {
  return Interrupted(fmt::format(
      "stopped; the answers are in {}, and the same command goes on from there", file_.string()));
}

}  // namespace theta
