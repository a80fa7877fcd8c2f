#include "experiments/runs/replay.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/report/report_json.hpp"
#include "experiments/report/report_tables.hpp"

namespace theta {
namespace {

class Replay final : public Command {
 public:
  Replay()
      : Command(
            {.name = "replay",
             .arguments = "TABLE",
             .help =
                 R"(Runs an optimiser on recorded scores instead of a model and prints each new incumbent:
after how many evaluations, and the instruction and demo set of each predictor. NAME is
paired, gp, tpe (DSPy's MIPROv2), random (full evaluations), mipro, copro or gepa; the
last two are given the table's instructions in a seeded order in place of proposals. The
last line is what the gate says of the winner over the first choices.)"}) {}

  void declare(Options& options) override {
    options.add_options()("optimizer", option::text(optimizer_, "NAME")->required(),
                          "which optimiser")(
        "budget", option::number(budget_, "N", "budget", 0)->required(), "how many evaluations")(
        "seed", option::number(seed_, "S", "seed", 0), "of all that is drawn (default 0)")(
        "fresh", option::share(gate_.fresh, "F", "fresh"),
        "the share of the examples that the gate keeps from the search (default .3); 0: the "
        "search has the whole table, and its own belief decides")(
        "threshold", option::share(gate_.threshold, "P", "threshold"),
        "the probability of being better that a winner needs (default .9)")(
        "json", option::flag(json_), "prints a JSON object a line");
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const ScoreTable table = read_score_table(arguments[0]);
    const auto print = [&](std::int64_t evaluations, const Combination& incumbent) {
      if (json_)
        fmt::print("{{\"evaluations\": {}, \"combination\": [{}]}}\n", evaluations,
                   fmt::join(incumbent, ", "));
      else
        fmt::print("{:>8}  {}\n", evaluations, key_of(incumbent));
    };
    const auto [winner, gate] = replay(table, optimizer_, budget_,
                                       static_cast<std::uint64_t>(seed_), print, gate_, host.stop);
    if (json_) {
      nlohmann::ordered_json line = {{"gate", gate_json(gate)}};
      line["gate"]["combination"] = winner;
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("{:>8}  {}: {}\n", "gate", key_of(winner), gate_text(gate));
    }
    return 0;
  }

 private:
  std::string optimizer_;
  std::int64_t budget_ = 0, seed_ = 0;
  GateOptions gate_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_replay_command() { return std::make_unique<Replay>(); }

}  // namespace theta
