#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/data/pair_stats.hpp"
#include "experiments/report/text_table.hpp"

namespace theta {
namespace {

std::string text_of(const Spread& spread) {
  return fmt::format("{} ({} to {})", spread.median, spread.least, spread.most);
}

/// `123 of 456, .27`
std::string share(std::size_t part, std::size_t whole) {
  if (whole == 0) return "none";
  return fmt::format("{} of {}, {}", part, whole,
                     fraction(static_cast<double>(part) / static_cast<double>(whole), 2));
}

/// A row a fact.
Table stats_table(const PairStats& stats) {
  Table table{{{"of the file"}, {""}}};
  const auto add = [&](std::string what, std::string value) {
    table.rows.push_back({std::move(what), std::move(value)});
  };
  add("rows", std::to_string(stats.rows));
  add("choices", std::to_string(stats.choices));
  if (stats.ties > 0) add("left out: no winner", std::to_string(stats.ties));
  if (stats.equal_texts > 0) add("left out: equal texts", std::to_string(stats.equal_texts));
  add("people", std::to_string(stats.users));
  add("choices of a person, median", text_of(stats.choices_of_user));
  add("people with 5 choices or more", share(stats.users_with_five, stats.users));
  if (stats.described_users > 0)
    add("people with demographics", share(stats.described_users, stats.users));
  if (stats.no_context < stats.choices)
    add("letters of a context, median", text_of(stats.context_letters));
  if (stats.no_context > 0)
    add("choices without a context", share(stats.no_context, stats.choices));
  add("letters of a chosen text, median", text_of(stats.chosen_letters));
  add("letters of a rejected text, median", text_of(stats.rejected_letters));
  add("the longer text was chosen",
      share(stats.longer_chosen, stats.longer_chosen + stats.shorter_chosen));
  if (stats.places_said > 0)
    add("the first text was chosen", share(stats.first_chosen, stats.places_said));
  if (stats.repeated > 0) {
    add("chosen between before by the same person", share(stats.repeated, stats.choices));
    add("of those, otherwise than before", share(stats.reversed, stats.repeated));
  }
  if (stats.agreement) {
    add("pairs that several people chose between", std::to_string(stats.shared_pairs));
    add("two people chose alike (chance: .50)", fraction(*stats.agreement, 2));
  }
  return table;
}

class DataStats final : public Command {
 public:
  DataStats()
      : Command({.name = "data stats",
                 .arguments = "PAIRS",
                 .help = R"(What a file of people's choices holds: people, choices, lengths, in
which place and of what length the chosen text is, repeated pairs, and how far people agree.
Rows are as for the config's `pairs:`.)"}) {}

  void declare(Options& options) override {
    options.add_options()("json", option::flag(json_), "as JSON");
  }

  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    const PairStats stats = pair_stats(arguments[0]);
    if (json_) {
      fmt::print("{}\n", write_json(stats_json(stats), JsonStyle::kIndented));
      return 0;
    }
    fmt::print("{}", text_table(stats_table(stats)));
    for (const std::string& line : stats.remarks) fmt::print("{}\n", visible(line));
    return 0;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_data_stats_command() { return std::make_unique<DataStats>(); }

}  // namespace theta
