#include "experiments/runs/sweep.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/dry_run.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/report/sweep_report.hpp"
#include "experiments/runs/sweep_worker.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class SweepCommand final : public Command {
 public:
  SweepCommand()
      : Command(
            {.name = "sweep",
             .arguments = "CONFIG|DIR",
             .loads_models = true,
             .help =
                 R"(Runs every combination of the config's `sweep:` section, N runs side by side (default 4),
into DIR (default runs/NAME-sweep), and prints the table over all. What is done is not
done again. Started several times, on all machines that share DIR, each helps: none runs
what another is at, and what a worker that died was at goes on. In place of the config
DIR itself: the sweep that is in it.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"), "the folder of the sweep")(
        "jobs", option::number(jobs_, "N", "jobs", 1), "how many runs side by side")(
        "leave", option::flag(leave_),
        "ends once others are at all that is left, and does not wait for them")(
        "dry-run", option::flag(dry_run_),
        "prints the calls, tokens and money that each run will need, and spends nothing");
  }

  /// @return 1 if a run failed, else kAnswersMissing or kBudgetSpent if one ended so
  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const auto [sweep, folder] = read(arguments[0]);
    if (dry_run_) {
      theta::dry_run(sweep, host.progress, host.stop);
      return 0;
    }
    const SweepWork work{static_cast<std::size_t>(jobs_), leave_};
    const SweepEnd end = run_sweep(sweep, folder, work, host.progress, host.stop);
    if (!end.elsewhere.empty())
      tell(fmt::format("theta: other workers are at {} runs; theta status {} says how they stand",
                       end.elsewhere.size(), folder.string()));
    else
      report(folder, host.stop);
    for (const auto& line : end.stopped) tell(fmt::format("theta: stopped: {}", line));
    for (const auto& line : end.incomplete) tell(fmt::format("theta: incomplete: {}", line));
    for (const auto& line : end.failed) tell(fmt::format("theta: failed: {}", line));
    if (!end.failed.empty()) return 1;
    if (!end.incomplete.empty()) return kAnswersMissing;
    return end.stopped.empty() ? 0 : kBudgetSpent;
  }

 private:
  std::pair<Sweep, fs::path> read(const std::string& from) const {
    if (fs::is_directory(from)) {
      if (!sets_.empty() || !out_.empty())
        throw UserError("--set and --out go with a config; " + from + " is a sweep's folder");
      if (!holds_sweep(from)) throw UserError(from + " holds no sweep");
      return {read_sweep_folder(from), from};
    }
    Sweep sweep = read_sweep(load_config(from, sets_));
    fs::path folder = out_.empty() ? fs::path("runs") / (sweep.name + "-sweep") : fs::path(out_);
    return {std::move(sweep), std::move(folder)};
  }

  static void report(const fs::path& folder, const std::stop_token& stop) {
    const auto claim = claim_list(folder, stop);
    print_report(finish_sweep_report(folder), folder);
  }

  std::vector<std::string> sets_;
  std::string out_;
  std::int64_t jobs_ = 4;
  bool leave_ = false, dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_sweep_command() { return std::make_unique<SweepCommand>(); }

}  // namespace theta
