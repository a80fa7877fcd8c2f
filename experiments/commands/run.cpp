#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/dry_run.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/files.hpp"
#include "experiments/report/report.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class Run final : public Command {
 public:
  Run()
      : Command(
            {.name = "run",
             .arguments = "CONFIG",
             .loads_models = true,
             .help =
                 R"(Runs an experiment and prints its table. The folder DIR (default runs/NAME-HASH) then
holds report.html, report.json, prompt.json, config.resolved.yaml and run.db, the record
of every request and score. Stopped with Ctrl-C or killed, the same command goes on where
it was.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"), "the folder of the run");
    option::dry_run(options, dry_run_);
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const Config config = load_config(arguments[0], sets_);
    refuse_sweep(config);
    const ExperimentOptions options = read_experiment(config);
    VerifiedFiles verified;
    verify(config, options, verified);
    if (dry_run_.wanted()) {
      theta::dry_run(options, dry_run_.rate, host.progress, host.stop);
      return 0;
    }
    return run_and_print(config, options, out_, host);
  }

 private:
  std::vector<std::string> sets_;
  std::string out_;
  option::DryRunArguments dry_run_;
};

/// Prints what came of a run that ended.   @return the exit code
int end_of_run(const Report& report, const fs::path& folder) {
  if (const auto trials = trials_table(report); !trials.empty())
    fmt::print("{}\n", visible(trials));
  print_report(to_table(report), folder);
  if (!report.stopped.empty()) return kBudgetSpent;
  if (report.incomplete.empty()) return 0;
  tell(fmt::format("theta: incomplete: {}", report.incomplete));
  // What only a row's test lacks is counted in the row, and nothing else rests on it.
  return std::ranges::all_of(report.lost, &Loss::measures) ? 0 : kAnswersMissing;
}

}  // namespace

int run_and_print(const Config& config, const ExperimentOptions& options,
                  const std::filesystem::path& out, const Command::Host& host,
                  const std::function<void(const std::filesystem::path& folder)>& before) {
  const fs::path folder =
      out.empty() ? fs::path("runs") / (options.name + "-" + options.hash) : out;
  if (before) before(folder);
  try {
    return end_of_run(run_in_folder(config, options, folder, host.progress, host.stop), folder);
  } catch (const Interrupted&) {
    throw stopped_in(folder);
  }
}

std::unique_ptr<Command> make_run_command() { return std::make_unique<Run>(); }

}  // namespace theta
