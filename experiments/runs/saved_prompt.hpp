#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/config.hpp"
#include "core/records/answer_cache.hpp"
#include "core/records/recorded_model.hpp"
#include "experiments/data/dataset_file.hpp"
#include "experiments/files.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/persona_prompt.hpp"
#include "experiments/runs/prompt_file.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {

/// What a person says of a prompt to run.
struct PromptArguments {
  std::filesystem::path prompt;      ///< prompt.json of a run, or any DSPy state with our block
  std::filesystem::path data;        ///< rows; empty: one example from `inputs`
  std::vector<std::string> inputs;   ///< `field=value`
  std::vector<std::string> columns;  ///< `field=column`: over those the prompt was made with
  std::string rows;                  ///< path to the rows of a .json file; empty: the prompt's own
  std::string metric;                ///< empty: the one the prompt was made with
  std::vector<std::string> sets;     ///< `model.path=...`: over the model the prompt was made with
  std::vector<std::string> allowed_hosts;  ///< servers that the prompt may name itself
  /// Where answers are kept and found again; empty: answers.db beside a prompt in its run's folder,
  /// else nowhere.
  std::string cache;
  /// What is asked is about one person, and nothing of it is left beside the prompt.
  bool of_person = false;
};

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

/// @throws UserError for what is wrong with the prompt, or said of it.
SavedPrompt load_prompt(const PromptArguments& arguments);

/// `name=value`.   @throws UserError that names the option `what`.
std::pair<std::string, std::string> split_at_equals(const std::string& text, const char* what);
/// The field that an argument names.   @throws UserError if there is none.
const Field& known_field(const Signature& signature, const std::string& name, const char* what);
/// The one example that is made of `inputs`.
/// @throws UserError that names the option for what is no input, no text or given twice.
Record given_inputs(const PromptArguments& arguments, const Signature& signature);
/// The examples of a file; what is to be known of them is logged.
std::vector<Example> rows_of(const std::filesystem::path& file, const Columns& columns,
                             const Signature& signature);

/// A saved prompt with its models. Their answers last in the cache; the record is of this process
/// alone. What the run that made the prompt was answered is not asked again, so that its rows come
/// out the same.
class Runnable {
 public:
  Runnable(const SavedPrompt& saved, const PromptArguments& arguments);

  const Module& program() const { return *program_; }
  /// The program of one step, as what it is.
  std::unique_ptr<Predict> theta(const SavedPrompt& saved) const;

  /// The model of a role.   @throws UserError that says how to name one.
  LanguageModel& as(const std::string& role);

  /// Does what asks the models. @throws Interrupted that says how to go on.
  template <typename F>
  auto ask(const F& work, std::stop_token stop) {
    try {
      return work(Call{.model = model_, .stop = std::move(stop)});
    } catch (const Interrupted&) {
      if (file_.empty()) throw;
      throw interrupted();
    }
  }

 private:
  LanguageModel& add(const ModelOptions& options);
  Interrupted interrupted() const;

  const std::filesystem::path file_;
  AnswerCache cache_;
  const ScratchFolder scratch_;
  Store record_{scratch_.path() / kRecordFile};
  const std::unique_ptr<const Store> made_by_;
  std::vector<std::unique_ptr<LanguageModel>> models_;
  std::vector<std::unique_ptr<RecordedModel>> recorded_;
  LanguageModel& model_;
  std::map<std::string, LanguageModel*> roles_;
  std::unique_ptr<Module> program_;
};

}  // namespace theta
