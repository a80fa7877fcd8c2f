#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "core/http_options.hpp"
#include "core/llama_model.hpp"
#include "core/recorded_model.hpp"

namespace theta {

/// Where the answers of one model come from.
using ModelOptions = std::variant<LlamaOptions, HttpOptions>;

/// The `models:` section: every role (teacher, student, proposer, task) and its model.
struct ModelTable {
  std::map<std::string, ModelOptions> models;
  std::map<std::string, std::string> aliases;  ///< `proposer: teacher`

  /// The name under `models` that a role stands for.
  const std::string& resolve(const std::string& role) const;
};

/// One model: `{path: FILE.gguf, threads: 2, context: 4096, ...}` or
/// `{base_url: http://host:port/v1, model: NAME, api_key_env: VAR, ...}`.
ModelOptions read_model(const Config& model);

/// Reads the section, which must name every role of `required` and no other than those and
/// `optional`.
ModelTable read_models(const Config& models, const std::vector<std::string>& required,
                       const std::vector<std::string>& optional = {});

/// What decides the answers of a model and is no path: the file's name or the server's model name.
std::string model_name(const ModelOptions& options);

/// JSON `[[name, how it is run], ...]`: file, conversion, adapters and mode; or the server's model.
std::string described(const ModelTable& table);

std::unique_ptr<LanguageModel> make_model(const ModelOptions& options);

/// The models of a run by role, each loaded when it is first asked for, and recorded in the store.
/// Roles that are aliases share the model and are counted apart.
class Models {
 public:
  enum class Purpose {
    kRun,
    kCount  ///< a dry run: prompts are counted by the real tokenizer, answers are made up
  };

  /// The references outlive this.
  Models(ModelTable table, Store& store, Progress& progress, Purpose purpose = Purpose::kRun);
  ~Models();

  bool has(const std::string& role) const;
  const ModelOptions& options(const std::string& role) const {
    return table_.models.at(table_.resolve(role));
  }
  RecordedModel& operator[](const std::string& role);

  /// Usage and host counters by role, for the store's timing.
  void record_timing();
  std::map<std::string, Usage> usage() const;

 private:
  LanguageModel& load(const std::string& name);

  ModelTable table_;
  Store& store_;
  Progress& progress_;
  Purpose purpose_;
  std::map<std::string, std::unique_ptr<LanguageModel>> loaded_;
  std::map<std::string, std::unique_ptr<RecordedModel>> roles_;
};

}  // namespace theta
