#include <fmt/format.h>

#include "core/log.hpp"
#include "core/private_file.hpp"
#include "core/records/adopt_answers.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class Fork final : public Command {
 public:
  Fork()
      : Command(
            {.name = "fork",
             .arguments = "DIR",
             .loads_models = true,
             .help =
                 R"(Runs the config of a run again with what --set changes in it, in a folder of its own, and
asks for nothing that the run in DIR was answered: a larger budget, another optimiser, one row
more.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"), "the folder of the new run");
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const fs::path from = arguments[0];
    if (!fs::exists(from / "config.resolved.yaml"))
      throw UserError(from.string() + " holds no run: it has no config.resolved.yaml");
    const Config config = load_config(from / "config.resolved.yaml", sets_);
    const ExperimentOptions options = read_experiment(config);
    VerifiedFiles verified;
    verify(config, options, verified);
    if (read_status(from).hash == options.hash)
      throw UserError("this changes nothing of the run in " + from.string() +
                      ": say with --set what is to be another");
    return run_and_print(config, options, out_, host, [&](const fs::path& folder) {
      make_private_folder(folder);
      const std::string there = read_status(folder).hash;
      if (!there.empty() && there != options.hash) return;  // another run's, which is refused
      const Store own(folder / kRecordFile);                // nobody else's meanwhile
      tell(fmt::format("theta: {} answers of {} are known",
                       adopt_answers(folder / kRecordFile, from / kRecordFile), from.string()));
    });
  }

 private:
  std::vector<std::string> sets_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_fork_command() { return std::make_unique<Fork>(); }

}  // namespace theta
