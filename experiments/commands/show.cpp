#include <fmt/format.h>

#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/runs/prompt_export.hpp"

namespace theta {
namespace {

class ShowCommand final : public Command {
 public:
  ShowCommand()
      : Command(
            {.name = "show",
             .arguments = "PROMPT",
             .help =
                 R"(Prints what the model is sent, message by message, and how it is asked. {{field}} stands
for an input that is not given.)"}) {}

  void declare(Options& options) override {
    options.add_options()("input", option::texts(given_.inputs, "field=value"), "an input");
    option::prompt(options, given_);
  }

  int run(const std::vector<std::string>& arguments, const Host&) override {
    given_.prompt = arguments[0];
    const SavedPrompt saved = load_prompt(given_);
    const AskedPrompt prompt(saved);
    const Record inputs = given_inputs(given_, saved.options.data_signature());
    for (const AskedPrompt::Step& step : prompt.steps()) {
      if (prompt.steps().size() > 1) fmt::print("# {}\n", step.name);
      for (const auto& [role, content] : prompt.messages(step, inputs))
        fmt::print("{}:\n{}\n\n", role, content);
      fmt::print("({}, {})\n", step.model, how_asked(step));
    }
    return 0;
  }

 private:
  PromptArguments given_;
};

}  // namespace

std::unique_ptr<Command> make_show_command() { return std::make_unique<ShowCommand>(); }

}  // namespace theta
