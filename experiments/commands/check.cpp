#include <fmt/format.h>

#include <limits>
#include <ranges>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/files.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

/// A config that may be somebody else's: no other file is opened.
Config load_alone(const std::filesystem::path& file, const std::vector<std::string>& sets) {
  Config config = Config::parse(read_whole(file), file.string());
  for (const std::string& set : sets) config.set(set);
  if (config.is_map() && config.find("include"))
    config.at("include").fail(
        "--config-only opens no other file: check without it what this names");
  return config;
}

/// The runs of a sweep, a line each.
std::string labels_of(const Sweep& sweep) {
  constexpr std::size_t kShown = 100, kWidest = 400;
  std::string out;
  for (const SweepRun& run : sweep.runs | std::views::take(kShown))
    out += fmt::format("  {}\n", cell_text(run.label(), kWidest));
  if (sweep.runs.size() > kShown) out += fmt::format("  and {} more\n", sweep.runs.size() - kShown);
  return out;
}

}  // namespace

int check_configs(const std::vector<std::filesystem::path>& configs,
                  const std::vector<std::string>& sets, bool config_only) {
  int wrong = 0;
  for (const auto& file : configs) {
    try {
      const Config config =
          config_only ? load_alone(file, sets).without_environment() : load_config(file, sets);
      VerifiedFiles verified;
      const auto look = [&](const Config& run, const ExperimentOptions& options) {
        if (!config_only) return verify(run, options, verified);
        verify_splits(run, options);
        return false;
      };
      if (config.is_map() && config.find("build")) {
        const BenchmarkOptions options = read_benchmark(config);
        if (!config_only) verify(config, options);
        fmt::print("{}: ok ({}, a benchmark to be built)\n", file.string(), options.name);
      } else if (is_sweep(config)) {
        const Sweep sweep = read_sweep(config, {.read = false});
        for (const SweepRun& run : sweep.runs) look(run.config, run.options);
        fmt::print("{}: ok ({}, {} runs)\n{}", file.string(), sweep.name, sweep.runs.size(),
                   labels_of(sweep));
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
