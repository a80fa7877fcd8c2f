#include <fmt/format.h>

#include <limits>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {

int check_configs(const std::vector<std::filesystem::path>& configs,
                  const std::vector<std::string>& sets, bool config_only) {
  int wrong = 0;
  for (const auto& file : configs) {
    try {
      Config config = load_config(file, sets);
      if (config_only) config = config.without_environment();
      VerifiedFiles verified;
      const auto look = [&](const Config& run, const ExperimentOptions& options) {
        if (!config_only) return verify(run, options, verified);
        verify_splits(run, options);
        return false;
      };
      if (is_sweep(config)) {
        const Sweep sweep = read_sweep(config, {.read = false});
        for (const SweepRun& run : sweep.runs) look(run.config, run.options);
        fmt::print("{}: ok ({}, {} runs)\n", file.string(), sweep.name, sweep.runs.size());
      } else {
        FileHashes unread{.read = false};
        const ExperimentOptions options = read_experiment(config, unread);
        const bool small = look(config, options);
        fmt::print("{}: ok ({}{})\n", file.string(), options.name,
                   small ? ", " + read_experiment(config).hash : "");
      }
    } catch (const UserError& e) {
      tell(e.what());
      ++wrong;
    }
  }
  return wrong;
}

namespace {

class Check final : public Command {
 public:
  Check()
      : Command(
            {.name = "check",
             .arguments = "CONFIG...",
             .most = std::numeric_limits<std::size_t>::max(),
             .help =
                 R"(Reads configs strictly and looks at what they name, weights by their headers and data by
their first rows: one line `file:line:col: message` for each that a run would refuse.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("config-only", option::flag(config_only_),
                          "opens no file that a config names, and reads no variable of the "
                          "environment: for configs of others");
  }

  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    return check_configs({arguments.begin(), arguments.end()}, sets_, config_only_) > 0 ? 2 : 0;
  }

 private:
  std::vector<std::string> sets_;
  bool config_only_ = false;
};

}  // namespace

std::unique_ptr<Command> make_check_command() { return std::make_unique<Check>(); }

}  // namespace theta
