#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/persona.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// `ID.persona.json`, of an id that may hold anything.
std::string file_of(const std::string& id) {
  std::string name;
  for (const char c : id) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
    name += plain || (c == '.' && !name.empty()) ? c : '_';
  }
  return name + ".persona.json";
}

/// @throws UserError where something else stands in the place of what is to be written.
void check_place(const fs::path& out, const std::string& id) {
  std::error_code ignored;
  if (!fs::exists(out, ignored)) return;
  const auto json = nlohmann::json::parse(read_whole(out), nullptr, false);
  const nlohmann::json::json_pointer place("/metadata/theta/personas/person/id");
  if (json.is_discarded() || !json.contains(place) || json.at(place) != id)
    throw UserError(
        fmt::format("{} is there already, and is not the persona of `{}`: choose another --out",
                    out.string(), id));
}

/// What is written holds this person alone: neither who else is known of nor how people are drawn.
PersonaPrompt prompt_of(const PersonaPrompt& given, Person person) {
  PersonaPrompt prompt = given;
  prompt.people = PairsOptions{};
  prompt.test = {person.id};
  prompt.made_with.clear();
  prompt.person = std::move(person);
  return prompt;
}

std::string measured(const Measured& one) {
  return fmt::format("{:.2f} [{:.2f}, {:.2f}]", one.value, one.interval.low, one.interval.high);
}

void print(const Person& person, const fs::path& out) {
  const PersonTest& test = person.test;
  fmt::print("{}: {} pairs\n", visible(person.id), person.pairs.size());
  fmt::print("persona: {}\n", person.persona.empty() ? "none: no text explains these choices better"
                                                     : visible(person.persona));
  fmt::print("demos: {} of the pairs\n", person.demos.size());
  fmt::print(
      "right on {} pairs that the persona was not made from (cross-validated, both orders):\n"
      "  with the persona     {}\n  without it           {}\n  difference           {:+.2f} "
      "[{:+.2f}, {:+.2f}]\n",
      test.pairs, measured(test.accuracy), measured(test.plain_accuracy), test.difference.value,
      test.difference.interval.low, test.difference.interval.high);
  fmt::print("P(it predicts this person better) {:.2f}: {}\n", test.p_better,
             person.use ? "use it" : "do not use it, the judge without it is as good");
  fmt::print("{}\n", out.string());
}

class PersonaFit final : public Command {
 public:
  PersonaFit()
      : Command(
            {.name = "persona fit",
             .arguments = "PAIRS",
             .loads_models = true,
             .help =
                 R"(Writes the persona of one person from what they chose, with demos of their own pairs, and
tests both on pairs that they were not made from, beside the judge that knows nothing of
the person. PAIRS are rows of `user_id`, `chosen`, `rejected` and, where there is one,
`context`; THETA is the prompt.json of a run on people. The other `theta persona` commands
read FILE, which holds THETA too and is its owner's alone. Exits with 0 also where the
persona is not to be used.)"}) {}

  void declare(Options& options) override {
    options.add_options()("prompt", option::text(prompt_, "THETA")->required(),
                          "the prompt that writes the persona")(
        "user", option::text(user_, "ID"), "whose choices, where PAIRS are of several people")(
        "out", option::text(out_, "FILE"), "what is written (default ID.persona.json)")(
        "demos", option::number(demos_, "N", "demos", 0),
        "the person's pairs that the judge is shown, at most and where they help (default 3)");
    option::person(options, given_);
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    given_.prompt = prompt_;
    SavedPrompt saved = load_prompt(given_);
    const PersonaPrompt& prompt = personas_of(saved);
    std::vector<std::string> remarks;
    const User user = read_person(arguments[0], user_, remarks);
    for (const std::string& line : remarks) spdlog::warn("{}", line);
    const fs::path out = out_.empty() ? file_of(user.id) : out_;
    check_place(out, user.id);

    Runnable runnable(saved, given_);
    const auto theta = runnable.theta(saved);
    auto person = runnable.ask(
        [&](const Call& call) {
          return fit_person(prompt.settings, prompt.pool, *theta, user,
                            static_cast<std::size_t>(demos_), call);
        },
        host.stop);
    if (!person) {
      if (person.error().fault != Fault::kService) throw UserError(person.error().message);
      tell("theta: incomplete: no persona, because an answer is missing: " +
           person.error().message);
      return kAnswersMissing;
    }
    save_prompt(out, *theta, saved.options, saved.models.model, prompt_of(prompt, *person));
    print(*person, out);
    return 0;
  }

 private:
  PromptArguments given_;
  std::string prompt_, user_, out_;
  std::int64_t demos_ = 3;
};

}  // namespace

std::unique_ptr<Command> make_persona_fit_command() { return std::make_unique<PersonaFit>(); }

}  // namespace theta
