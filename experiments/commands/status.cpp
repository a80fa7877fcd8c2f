#include <fmt/format.h>

#include <map>

#include "experiments/commands/commands.hpp"
#include "experiments/report/text_table.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

void print_status(const fs::path& folder) {
  std::vector<ListedRun> runs;
  if (holds_sweep(folder))
    runs = read_sweep_list(folder).runs;
  else
    runs.push_back({"", folder.filename().string(), "", {}, 0, 0, false});
  if (!holds_sweep(folder) && !fs::exists(folder / kRecordFile))
    throw UserError(folder.string() + " holds neither a run nor a sweep");
  std::vector<std::vector<std::string>> rows;
  std::map<std::string, std::size_t> states;
  for (const ListedRun& run : runs) {
    const RunStatus status = read_status(folder / run.folder);
    ++states[name_of(status.state)];
    rows.push_back({run.label, run.folder, name_of(status.state), status.worker,
                    fraction_or_dash(status.best), std::to_string(status.kept.calls),
                    std::to_string(status.kept.prompt_tokens + status.kept.generated_tokens),
                    status.left_s ? clock_text(*status.left_s) : "-",
                    status.state == RunState::kRunning ? status.stage : status.error});
  }
  std::string counts;
  for (const auto& [state, n] : states)
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", n, state);
  fmt::print("{}{}\n",
             text_table({{{"run", false, kWidestLabel},
                          {"folder"},
                          {"state"},
                          {"worker"},
                          {"best", true},
                          {"calls", true},
                          {"tokens", true},
                          {"left", true},
                          {""}},
                         rows}),
             counts);
}

class Status final : public Command {
 public:
  Status()
      : Command(
            {.name = "status",
             .arguments = "DIR",
             .help =
                 "How each run of a sweep stands: its state, who runs it, the best so far, calls,\n"
                 "tokens, the time left."}) {}

  void declare(Options& /*options*/) override {}
  int run(const std::vector<std::string>& arguments, const Host& /*host*/) override {
    print_status(arguments[0]);
    return 0;
  }
};

}  // namespace

std::unique_ptr<Command> make_status_command() { return std::make_unique<Status>(); }

}  // namespace theta
