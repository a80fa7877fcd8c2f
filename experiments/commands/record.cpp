#include <fmt/format.h>

#include <optional>

#include "core/log.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/options.hpp"
#include "experiments/commands/verify.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/record_scores.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

class RecordCommand final : public Command {
 public:
  RecordCommand()
      : Command(
            {.name = "replay --record",
             .arguments = "CONFIG",
             .loads_models = true,
             .help =
                 R"(Scores every combination of the choices of CONFIG's first mipro on every validation
example and writes them as such a table, DIR/table.json. Stopped, the same command goes
on.)"}) {}

  void declare(Options& options) override {
    option::sets(options, sets_);
    options.add_options()("out", option::text(out_, "DIR"),
                          "the folder of the table (default runs/NAME-HASH-table)");
  }

  int run(const std::vector<std::string>& arguments, const Host& host) override {
    const Config config = load_config(arguments[0], sets_);
    refuse_sweep(config);
    const ExperimentOptions options = read_experiment(config);
    const auto* experiment = std::get_if<ProgramExperiment>(&options.experiment);
    if (!experiment) config.fail("only an experiment with a 'program' can be recorded as a table");
    VerifiedFiles verified;
    verify(config, options, verified);

    const fs::path folder =
        out_.empty() ? fs::path("runs") / fmt::format("{}-{}-table", options.name, options.hash)
                     : fs::path(out_);
    const fs::path file = folder / "table.json";
    std::optional<ScoreTable> table;
    try {
      const RunEnd end = work_in_folder(
          config, options, folder, host.progress, host.stop, nullptr,
          [&](RunContext& run) { table = record_scores(*experiment, run); },
          [&](Store& store) {
            if (!get(store, part::kIncomplete).empty()) table.reset();
            if (table) write_score_table(*table, file);
          });
      if (!table) {
        tell(fmt::format("theta: {}: {}", name_of(end.state), end.why));
        return end.state == RunState::kStopped ? kBudgetSpent : kAnswersMissing;
      }
    } catch (const Interrupted&) {
      throw stopped_in(folder);
    }
    fmt::print("{} combinations on {} examples: {}\n", table->scores.size(), table->examples,
               file.string());
    return 0;
  }

 private:
  std::vector<std::string> sets_;
  std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_record_command() { return std::make_unique<RecordCommand>(); }

}  // namespace theta
