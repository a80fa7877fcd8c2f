#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/persona.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDigits = 10'000;  // of a probability that is printed

double rounded(double probability) { return std::round(probability * kDigits) / kDigits; }

Json json_of(const PredictedChoice& choice, bool with_persona) {
  const double first = choice.first;
  return {{"choice", first > 0.5   ? "first"
                     : first < 0.5 ? "second"
                                   : "either"},
          {"probability", rounded(std::max(first, 1 - first))},
          {"first_by_order", {rounded(choice.shown_first), rounded(choice.shown_second)}},
          {"named", choice.named},
          {"persona", with_persona}};
}

class PersonaJudge final : public Command {
 public:
  PersonaJudge()
      : Command(
            {.name = "persona judge",
             .arguments = "PERSON [ROWS]",
             .most = 2,
             .loads_models = true,
             .help =
                 R"(Predicts which of two texts the person of a file of `theta persona fit` chooses, a JSON
line a pair: the choice, its probability, and P(first) in each order that the judge was
asked in. ROWS have `first`, `second` and, where there are any, `context` and `pair_id`;
`-` reads JSON lines from the standard input. Where the persona is not to be used, the
judge without it answers. A judge that only names its choice (`named`) has the probability
that such choices had when they were tested.)"}) {}

  void declare(Options& options) override {
    options.add_options()("first", option::text(first_, "TEXT"), "one text")(
        "second", option::text(second_, "TEXT"), "the other")(
        "context", option::text(context_, "TEXT"), "what was asked before them")(
        "anyway", option::flag(anyway_), "with the persona also where it is not to be used");
    option::person(options, given_);
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    given_.prompt = arguments[0];
    SavedPrompt saved = load_prompt(given_);
    const PersonaPrompt& prompt = personas_of(saved);
    const Person& person = person_of(saved);
    const bool with_persona = uses_persona(saved, anyway_);
    const std::vector<PreferencePair> pairs = pairs_of(arguments);
    if (!with_persona)
      spdlog::warn("{}: the persona is not to be used, and the judge answers without it",
                   saved.file);
    Runnable runnable(saved, given_);
    const auto choices = runnable.ask(
        [&](const Call& call) {
          return predict_choices(prompt.settings, person, with_persona, pairs, call);
        },
        host.stop);
    return print(pairs, choices, with_persona, arguments.size() > 1);
  }

 private:
  std::vector<PreferencePair> pairs_of(const std::vector<std::string>& arguments) const {
    const bool given = !(first_.empty() && second_.empty() && context_.empty());
    const bool of_file = arguments.size() > 1;
    if (given == of_file) throw UserError("give --first and --second, or a file of rows");
    std::vector<std::string> remarks;
    std::vector<PreferencePair> pairs;
    if (given) {
      for (const auto& [option, text] :
           {std::pair("first", &first_), {"second", &second_}, {"context", &context_}}) {
        if (text->empty() && text != &context_)
          throw UserError(fmt::format("--{} is missing", option));
        if (!is_utf8(*text)) throw UserError(fmt::format("--{} is not UTF-8", option));
      }
      if (first_ == second_) throw UserError("--first and --second are the same text");
      pairs.push_back({.id = "row 1", .context = context_, .chosen = first_, .rejected = second_});
    } else {
      pairs = read_open_pairs(arguments[1], remarks);
    }
    for (const std::string& line : remarks) spdlog::warn("{}", line);
    return pairs;
  }

  static int print(const std::vector<PreferencePair>& pairs,
                   const std::vector<Result<PredictedChoice>>& choices, bool with_persona,
                   bool of_file) {
    bool answered = false;
    std::size_t lost = 0;
    std::string why;  // of the first that was lost
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto& choice = choices[i];
      Json row;
      if (of_file) row["pair_id"] = pairs[i].id;
      if (choice)
        row.update(json_of(*choice, with_persona));
      else
        row["error"] = choice.error().message;
      answered = answered || choice;
      if (!choice && choice.error().fault == Fault::kService && lost++ == 0)
        why = choice.error().message;
      fmt::print("{}\n", write_json(row, JsonStyle::kCompact));
    }
    if (lost > 0)
      tell(fmt::format("theta: incomplete: {} of {} pairs got no answer, the first because: {}",
                       lost, pairs.size(), why));
    return !answered ? 1 : lost > 0 ? kAnswersMissing : 0;
  }

  PromptArguments given_;
  std::string first_, second_, context_;
  bool anyway_ = false;
};

}  // namespace

std::unique_ptr<Command> make_persona_judge_command() { return std::make_unique<PersonaJudge>(); }

}  // namespace theta
