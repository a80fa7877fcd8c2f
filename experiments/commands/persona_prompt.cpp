#include <fmt/format.h>

#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/persona.hpp"

namespace theta {

namespace {

class PersonaPromptCommand final : public Command {
 public:
  PersonaPromptCommand()
      : Command(
            {.name = "persona prompt",
             .arguments = "PERSON",
             .help = R"(Prints the system prompt of a model that writes for the person of a file of
`theta persona fit`. Refused where the persona is not to be used.)"}) {}

  void declare(Options& options) override {
    options.add_options()("anyway", option::flag(anyway_),
                          "also where the persona is not to be used");
  }

  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    PromptArguments given;
    given.prompt = arguments[0];
    SavedPrompt saved = load_prompt(given);
    const Judge judge = personas_of(saved).settings.make_judge();
    if (!uses_persona(saved, anyway_))
      throw UserError(saved.file +
                      ": the persona does not predict this person better than none does, and is "
                      "not to be used; --anyway prints it all the same");
    fmt::print("{}\n", visible(generation_prompt(person_of(saved), judge)));
    return 0;
  }

 private:
  bool anyway_ = false;
};

}  // namespace

std::unique_ptr<Command> make_persona_prompt_command() {
  return std::make_unique<PersonaPromptCommand>();
}

}  // namespace theta
