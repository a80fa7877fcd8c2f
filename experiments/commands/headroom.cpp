#include "experiments/runs/headroom.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/visible.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/dry_run.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/files.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class HeadroomCommand final : public Command {
 public:
  HeadroomCommand()
      : Command(
            {.name = "headroom",
             .arguments = "CONFIG",
             .loads_models = true,
             .help =
                 R"(Says for a tenth of a search's evaluations whether it is worth the rest: how good the
program is, how its answers take to other formats and to demos, what classifiers without a
model reach, and with which probability the config's largest search gains more than 2
points on fresh data. The folder DIR (default runs/NAME-headroom-HASH) then holds
headroom.json and run.db. Stopped with Ctrl-C, the same command goes on where it was.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"), "the folder of what is asked")(
        "evaluations", option::number(evaluations_, "N", "evaluations", 1),
        "of programs, at most (default a tenth of the search's, at least 60)")(
        "json", option::flag(json_), "prints a JSON object");
    option::dry_run(options, dry_run_);
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const Config config = load_config(arguments[0], sets_);
    refuse_sweep(config);
    const ExperimentOptions options = read_experiment(config);
    const auto* experiment = std::get_if<ProgramExperiment>(&options.experiment);
    if (!experiment) config.fail("headroom is of a config with a 'program'");
    VerifiedFiles verified;
    verify(config, options, verified);
    const auto work = [&](RunContext& run) {
      found_ = find_headroom(*experiment, evaluations_, run);
    };
    if (dry_run_.wanted()) {
      theta::dry_run(options, dry_run_.rate, host.progress, host.stop, work);
      return 0;
    }
    const fs::path folder =
        out_.empty() ? fs::path("runs") / fmt::format("{}-headroom-{}", options.name, options.hash)
                     : fs::path(out_);
    return find(config, options, folder, work, host);
  }

 private:
  int find(const Config& config, const ExperimentOptions& options, const fs::path& folder,
           const std::function<void(RunContext&)>& work, const Host& host) {
    try {
      const RunEnd end = work_in_folder(
          config, options, folder, host.progress, host.stop, nullptr, work, [&](Store&) {
            if (found_) write_whole(folder / "headroom.json", to_json(*found_).dump(2) + "\n");
          });
      if (found_) print(folder);
      if (end.state == RunState::kDone) return 0;
      tell(fmt::format("theta: {}: {}", name_of(end.state), end.why));
      return end.state == RunState::kStopped ? kBudgetSpent : kAnswersMissing;
    } catch (const Interrupted&) {
      throw stopped_in(folder);
    }
  }

  void print(const fs::path& folder) const {
    if (json_)
      fmt::print("{}\n", to_json(*found_).dump(2));
    else
      fmt::print("{}{}\n", visible(to_text(*found_)), (folder / "headroom.json").string());
  }

  std::vector<std::string> sets_;
  std::string out_;
  std::int64_t evaluations_ = 0;
  bool json_ = false;
  option::DryRunArguments dry_run_;
  std::optional<Headroom> found_;
};

}  // namespace

std::unique_ptr<Command> make_headroom_command() { return std::make_unique<HeadroomCommand>(); }

}  // namespace theta
