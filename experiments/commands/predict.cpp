#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/runs/saved_prompt.hpp"

namespace theta {
namespace {

/// What is to be answered.
std::vector<Record> inputs_of(const PromptArguments& arguments, const SavedPrompt& saved) {
  const Signature signature = saved.options.data_signature();
  if (arguments.data.empty()) return {given_inputs(arguments, signature)};
  std::vector<Record> inputs;
  Signature unlabelled = signature;
  unlabelled.outputs.clear();
  for (const auto& example : rows_of(arguments.data, saved.columns, unlabelled))
    inputs.push_back(example.fields);
  return inputs;
}

int predict(const PromptArguments& arguments, std::stop_token stop) {
  if (arguments.data.empty() && !(arguments.columns.empty() && arguments.rows.empty()))
    throw UserError("--field and --rows say how a file is read, and none is given");
  if (!arguments.data.empty() && !arguments.inputs.empty())
    throw UserError("give a file of examples or --input, not both");
  const SavedPrompt saved = load_prompt(arguments);
  const std::vector<Record> inputs = inputs_of(arguments, saved);
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

class PredictCommand final : public Command {
 public:
  PredictCommand()
      : Command(
            {.name = "predict",
             .arguments = "PROMPT [DATA]",
             .most = 2,
             .loads_models = true,
             .help =
                 R"(Answers one example, or every row of a file as JSON lines. Reads files and keeps answers
like eval.)"}) {}

  void declare(Options& options) override {
    options.add_options()("input", option::texts(given_.inputs, "field=value"),
                          "an input of the one example");
    option::prompt(options, given_);
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    given_.prompt = arguments[0];
    if (arguments.size() > 1) given_.data = arguments[1];
    return predict(given_, host.stop);
  }

 private:
  PromptArguments given_;
};

}  // namespace

std::unique_ptr<Command> make_predict_command() { return std::make_unique<PredictCommand>(); }

}  // namespace theta
