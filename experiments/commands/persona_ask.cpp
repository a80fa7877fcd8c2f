#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/persona.hpp"

namespace theta {
namespace {

class PersonaAsk final : public Command {
 public:
  PersonaAsk()
      : Command(
            {.name = "persona ask",
             .arguments = "PERSON CANDIDATES",
             .least = 2,
             .most = 2,
             .loads_models = true,
             .help =
                 R"(Proposes the pair to ask the person of a file of `theta persona fit` next, as a JSON line:
that whose answer is expected to raise most the accuracy of the best of several personas
on the other candidates (the knowledge gradient, see configs/README.md), and P(first).
CANDIDATES are rows of `first`, `second` and, where there are any, `context` and
`pair_id`; `-` reads JSON lines from the standard input.)"}) {}

  void declare(Options& options) override {
    options.add_options()("samples", option::number(samples_, "N", "samples", 2),
                          "personas that are written to be told apart (default 8)")(
        "top", option::number(top_, "N", "top", 1), "how many pairs to propose (default 1)");
    option::person(options, given_);
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    given_.prompt = arguments[0];
    SavedPrompt saved = load_prompt(given_);
    const PersonaPrompt& prompt = personas_of(saved);
    const Person& person = person_of(saved);
    std::vector<std::string> remarks;
    const auto given = read_open_pairs(arguments[1], remarks);
    for (const std::string& line : remarks) spdlog::warn("{}", line);
    const auto candidates = open_for(person, given);
    if (candidates.size() < given.size())
      spdlog::warn("{}: {} of {} pairs are left out, as the person has chosen between them",
                   arguments[1], given.size() - candidates.size(), given.size());
    if (candidates.size() < 2)
      throw UserError(arguments[1] +
                      ": at least two pairs are needed that the person has not chosen between: an "
                      "answer is worth what it says of the others");
    Runnable runnable(saved, given_);
    const auto theta = runnable.theta(saved);
    const auto next = runnable.ask(
        [&](const Call& call) {
          return next_pairs(prompt.settings, *theta, person, candidates, static_cast<int>(samples_),
                            call);
        },
        host.stop);
    if (!next) {
      if (next.error().fault != Fault::kService) throw UserError(next.error().message);
      tell("theta: incomplete: no pair, because an answer is missing: " + next.error().message);
      return kAnswersMissing;
    }
    for (std::size_t i = 0; i < next->ranked.size() && i < static_cast<std::size_t>(top_); ++i)
      print(next->ranked[i], candidates[next->ranked[i].pair]);
    if (next->ranked.front().gradient == 0)
      spdlog::warn("no answer is expected to change which of {} personas predicts best",
                   next->personas.size());
    return 0;
  }

 private:
  static void print(const NextPair& next, const PreferencePair& pair) {
    nlohmann::ordered_json row = {{"pair_id", pair.id}};
    if (!pair.context.empty()) row["context"] = pair.context;
    row["first"] = pair.chosen;
    row["second"] = pair.rejected;
    row["knowledge_gradient"] = next.gradient;
    row["p_first"] = next.first;
    fmt::print("{}\n", write_json(row, JsonStyle::kCompact));
  }

  PromptArguments given_;
  std::int64_t samples_ = 8, top_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_persona_ask_command() { return std::make_unique<PersonaAsk>(); }

}  // namespace theta
