#include "experiments/runs/sweep.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/dry_run.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/report/sweep_report.hpp"
#include "experiments/runs/slurm.hpp"
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
        "on", option::text(on_, "slurm"),
        "submits a job array of workers to Slurm, in place of working itself")(
        "workers", option::number(workers_, "N", "workers", 1), "tasks of the array (default 4)")(
        "sbatch", option::texts(sbatch_, "OPTION"), "of sbatch, as partition=gpu or time=4:00:00");
    option::dry_run(options, dry_run_);
  }

  /// @return 1 if a run failed, else kAnswersMissing or kBudgetSpent if one ended so
  int run(const std::vector<std::string>& arguments, const Host& host) override {
    if (!on_.empty() && on_ != "slurm") throw UserError("--on takes slurm, not '" + on_ + "'");
    if (on_.empty() && (workers_ != kWorkers || !sbatch_.empty()))
      throw UserError("--workers and --sbatch go with --on slurm");
    const auto [sweep, folder] = read(arguments[0]);
    if (dry_run_.wanted()) {
      theta::dry_run(sweep, dry_run_.rate, host.progress, host.stop);
      return 0;
    }
    if (!on_.empty()) return submit(sweep, folder, host.stop);
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

  int submit(const Sweep& sweep, const fs::path& folder, const std::stop_token& stop) const {
    begin_sweep(sweep, folder, stop);
    const SlurmJob job{sweep.name, std::min(static_cast<std::size_t>(workers_), sweep.runs.size()),
                       static_cast<std::size_t>(jobs_), sbatch_};
    const std::string number = submit_to_slurm(job, folder);
    const std::string dir = folder.string();
    fmt::print(
        "job {}: {} workers, as {}/slurm.sh says\n"
        "  squeue --job {:<20} what Slurm does with them; they write {}/slurm-{}_N.log\n"
        "  theta status {:<20} how the runs stand, and who is at them\n"
        "  scancel {:<25} stops them; theta sweep {} goes on, here or --on slurm\n"
        "  theta report {:<20} the table so far; the last worker leaves {}/report.html\n",
        number, job.workers, dir, number, dir, number, dir, number, dir, dir, dir);
    return 0;
  }

  static void report(const fs::path& folder, const std::stop_token& stop) {
    const auto claim = claim_list(folder, stop);
    print_report(finish_sweep_report(folder), folder);
  }

  static constexpr std::int64_t kWorkers = 4;

  std::vector<std::string> sets_, sbatch_;
  std::string out_, on_;
  std::int64_t jobs_ = 4, workers_ = kWorkers;
  bool leave_ = false;
  option::DryRunArguments dry_run_;
};

}  // namespace

std::unique_ptr<Command> make_sweep_command() { return std::make_unique<SweepCommand>(); }

}  // namespace theta
