#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/nearest.hpp"
#include "core/private_file.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/report/mlflow.hpp"
#include "experiments/runs/prompt_export.hpp"

namespace theta {
namespace {

constexpr const char* kMlflow = "mlflow";

const ExportForm& form_called(const std::string& name) {
  std::vector<std::string> names;
  for (const ExportForm& form : export_forms()) {
    if (form.name == name) return form;
    names.emplace_back(form.name);
  }
  names.emplace_back(kMlflow);
  throw UserError(fmt::format("--to {}: there is no such form{}; there are {}", name,
                              did_you_mean(name, names), fmt::join(names, ", ")));
}

class ExportCommand final : public Command {
 public:
  ExportCommand()
      : Command(
            {.name = "export",
             .arguments = "PROMPT|DIR [DATA|FOLDER]",
             .most = 2,
             .help =
                 R"(Writes a prompt for use elsewhere, --to one of: text; messages (a request to an
OpenAI-compatible server), anthropic, gemini; python (a script without dependencies); and, of
the rows of a file, batch (OpenAI's) or sft (TRL's). A saved prompt is itself a DSPy state.
A run's folder or a sweep's, --to mlflow: into a FOLDER of MLflow's file store.)"}) {}

  void declare(Options& options) override {
    options.add_options()("to", option::text(form_, "FORM"), "the form (default messages)")(
        "out", option::text(out_, "FILE"), "the file (default: prints it)");
    option::prompt(options, given_);
  }

  int run(const std::vector<std::string>& arguments, const Host&) override {
    if (form_ == kMlflow) return to_mlflow(arguments);
    const ExportForm& form = form_called(form_);
    given_.prompt = arguments[0];
    if (arguments.size() > 1) given_.data = arguments[1];
    if (form.of_rows && given_.data.empty())
      throw UserError(fmt::format("--to {} is of rows: give a file of them", form.name));
    if (!form.of_rows && !given_.data.empty())
      throw UserError(
          fmt::format("--to {} is of no rows: leave {} out", form.name, given_.data.string()));
    const SavedPrompt saved = load_prompt(given_);
    std::vector<Example> rows;
    if (form.of_rows) {
      Signature signature = saved.options.data_signature();
      if (form.name == "batch") signature.outputs.clear();
      rows = rows_of(given_.data, saved.columns, signature);
    }
    const AskedPrompt prompt(saved);
    for (const std::string& line : prompt.left_out()) tell("theta: " + line);
    const std::string text = form.write(prompt, rows);
    if (out_.empty())
      fmt::print("{}", text);
    else
      write_private_file(out_, text);
    return 0;
  }

 private:
  static int to_mlflow(const std::vector<std::string>& arguments) {
    if (arguments.size() < 2) throw UserError("--to mlflow: name the FOLDER of the file store too");
    const MlflowExport done = export_to_mlflow(arguments[0], arguments[1]);
    for (const std::string& line : done.left_out) tell("theta: left out: " + line);
    fmt::print("{} runs of {} are in {}\n", done.runs, done.experiment, arguments[1]);
    return 0;
  }

  PromptArguments given_;
  std::string form_ = "messages", out_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() { return std::make_unique<ExportCommand>(); }

}  // namespace theta
