#include "experiments/runs/sweep.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/dry_run.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/report/sweep_report.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class SweepCommand final : public Command {
 public:
  SweepCommand()
      : Command(
            {.name = "sweep",
             .arguments = "CONFIG",
             .loads_models = true,
             .help =
                 R"(Runs every combination of the config's `sweep:` section, N runs side by side (default 4),
into DIR (default runs/NAME-sweep), and prints the table over all. What is done is not
done again.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"), "the folder of the sweep")(
        "jobs", option::number(jobs_, "N", "jobs", 1), "how many runs side by side")(
        "dry-run", option::flag(dry_run_),
        "prints the calls, tokens and money that each run will need, and spends nothing");
  }

  /// @return 1 if a run failed, else kAnswersMissing or kBudgetSpent if one ended so
  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const Sweep sweep = read_sweep(load_config(arguments[0], sets_));
    if (dry_run_) {
      theta::dry_run(sweep, host.progress, host.stop);
      return 0;
    }
    const fs::path folder =
        out_.empty() ? fs::path("runs") / (sweep.name + "-sweep") : fs::path(out_);
    const SweepEnd end =
        run_sweep(sweep, folder, static_cast<std::size_t>(jobs_), host.progress, host.stop);
    print_report(finish_sweep_report(folder), folder);
    for (const auto& line : end.stopped) tell(fmt::format("theta: stopped: {}", line));
    for (const auto& line : end.incomplete) tell(fmt::format("theta: incomplete: {}", line));
    for (const auto& line : end.failed) tell(fmt::format("theta: failed: {}", line));
    if (!end.failed.empty()) return 1;
    if (!end.incomplete.empty()) return kAnswersMissing;
    return end.stopped.empty() ? 0 : kBudgetSpent;
  }

 private:
  std::vector<std::string> sets_;
  std::string out_;
  std::int64_t jobs_ = 4;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_sweep_command() { return std::make_unique<SweepCommand>(); }

}  // namespace theta
