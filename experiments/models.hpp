#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "core/models/http/lessons.hpp"
#include "core/models/http/options.hpp"
#include "core/models/llama/options.hpp"
#include "core/records/answer_cache.hpp"
#include "core/records/recorded_model.hpp"
#include "experiments/runs/budget.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {

/// Where the answers of one model come from.
using ModelOptions = std::variant<LlamaOptions, HttpOptions>;

/// The `models:` section: every role (teacher, student, proposer, task) and its model.
struct ModelTable {
  std::map<std::string, ModelOptions> models;
  std::map<std::string, std::string> aliases;  ///< `proposer: teacher`
  std::map<std::string, std::string> sources;  ///< by name: the model's section as canonical JSON

  std::map<std::string, Price> prices;  ///< by name, of those that have one

  /// Of the model that a role stands for; nothing where none is given.
  Price price(const std::string& role) const;
  /// Where no model is named for a role, `name` is asked.
  void stand_in(const std::string& role, const std::string& name);

  /// The name under `models` that a role stands for.
  const std::string& resolve(const std::string& role) const;
};

/// One model: `{path: FILE.gguf, threads: 2, context: 4096, ...}` or
/// `{base_url: http://host:port/v1, model: NAME, api_key_env: VAR, ...}`; base_url may list
/// several.
ModelOptions read_model(const Config& model);

/// Where a model's section may hold secrets, as Config::canonical takes it: values there are shown,
/// hashed and kept as they are written, with the names of their variables.
extern const std::vector<std::string> kMayHoldSecrets;
/// The same of a whole config.
std::vector<std::string> secret_places();

/// Reads the section, which must name every role of `required` and no other than those and
/// `optional`.
ModelTable read_models(const Config& models, const std::vector<std::string>& required,
                       const std::vector<std::string>& optional = {});

/// What a model is called: its file's name, or the name that its servers know it by.
std::string model_name(const ModelOptions& options);

/// How each is run: file, conversion, adapters and mode; or the server's model.
std::vector<DescribedModel> described(const ModelTable& table);

/// `{path: FILE, mode: record | replay | off}`.
CacheOptions read_cache(const Config& cache);

/// What a model finds where it is made.
struct ModelHost {
  OnTrouble on_trouble = {};                          ///< told of servers that do not answer
  LessonsKept kept = {};                              ///< what was learnt of them before
  std::function<void(const std::string&)> note = {};  ///< told what is waited for
  /// The beginning of the path of the log of a server that is started: `runs/x/server`. Empty: in
  /// the temporary directory.
  std::filesystem::path logs = {};
};
std::unique_ptr<LanguageModel> make_model(const ModelOptions& options, ModelHost host = {});
/// What was learnt of a model, kept in a store, which outlives what is made with it.
LessonsKept lessons_in(Store& store, const ModelOptions& options);

/// An OnTrouble that logs.
void log_trouble(const std::string& server, const std::string& why, double seconds);
/// One that also says on the progress line, which outlives it, which servers do not answer.
OnTrouble show_trouble(Progress& progress);

/// Adds what a model's host did to a store's timing.
void record_counters(Store& store, const std::string& name, const HostCounters& host);

class ModelPool;

/// A part that a model plays in a run.
struct Role {
  std::string name;   ///< `teacher`, or `judge`
  std::string model;  ///< the name of its model under `models`

  auto operator<=>(const Role&) const = default;
};

/// What one role asked for in one stage of a run.
struct StageUsage {
  std::string stage;
  Role role;
  Usage usage;
};

/// Requests of one role in one stage that a service left without an answer.
struct StageLoss {
  std::string stage;
  Role role;
  std::int64_t requests = 0;
  std::string why;        ///< of the first
  bool measures = false;  ///< nothing was decided by what the stage asked for
};

/// The models of a run by role, each loaded when it is first asked for, and recorded in the store.
/// Roles that are aliases share the model and are counted apart.
class Models {
 public:
  enum class Purpose {
    kRun,
    kCount,    ///< a dry run: prompts are counted by the real tokenizer, answers are made up
    kForecast  ///< the same without a tokenizer: what matters is the number of calls
  };

  /// The references outlive this.
  /// @param pool    where the models come from that runs side by side share; null: they are its own
  /// @param ledger  what the run spends its budget by; null: it has none
  /// @param cache   answers shared with other runs
  /// @param folder  of the run, where servers that it starts leave their logs
  Models(ModelTable table, Store& store, Progress& progress, Purpose purpose = Purpose::kRun,
         ModelPool* pool = nullptr, Ledger* ledger = nullptr,
         std::shared_ptr<AnswerCache> cache = std::make_shared<AnswerCache>(),
         std::filesystem::path folder = {});
  ~Models();

  /// Tells of every request that a role asks its model, before that gets it. Comes before the first
  /// is asked.
  using OnAsked = std::function<void(const Role&, const Request&)>;
  void listen(OnAsked on_asked) { on_asked_ = std::move(on_asked); }

  /// Answers are made up: it is a dry run, or a forecast.
  bool made_up() const { return purpose_ != Purpose::kRun; }
  bool has(const std::string& role) const;
  const ModelOptions& options(const std::string& role) const {
    return table_.models.at(table_.resolve(role));
  }
  RecordedModel& operator[](const std::string& role) { return as(role, role); }
  /// The model of a role in another part, which is counted apart.
  RecordedModel& as(const std::string& part, const std::string& role);

  /// Begins a stage of the run: what is asked from here on is counted as its own. What was learnt of
  /// its models until then is kept as remarks of the run.
  /// @param measures  it asks for a row of the report, and nothing is decided by it
  void stage(std::string name, bool measures = false);
  /// What was asked, by stage and role, in the order of the stages.
  std::vector<StageUsage> usage_by_stage();
  std::map<Role, Usage> usage() const;
  /// What was lost, likewise.
  std::vector<StageLoss> lost_by_stage();
  /// Keeps the usage of each role in the store.
  void record_usage();

  /// Host counters of the run's own models and store hits, for the store's timing.
  void record_timing();

 private:
  LanguageModel& load(const std::string& name);
  LanguageModel& load_own(const std::string& name);

  ModelTable table_;
  Store& store_;
  Progress& progress_;
  const Purpose purpose_;
  ModelPool* const pool_;
  Ledger* const ledger_;
  std::string stage_;
  bool measures_ = false;  ///< stage_ does
  std::map<Role, Usage> before_stage_;
  std::vector<StageUsage> stages_;
  std::vector<StageLoss> lost_;
  std::shared_ptr<AnswerCache> cache_;
  const std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<LanguageModel>> loaded_;
  std::map<std::string, std::unique_ptr<BudgetedModel>> budgeted_;
  OnAsked on_asked_;
  std::map<Role, std::unique_ptr<LanguageModel>> overheard_;
  std::map<Role, std::unique_ptr<RecordedModel>> roles_;
};

}  // namespace theta
