#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/progress.hpp"
#include "experiments/experiment.hpp"
#include "experiments/report.hpp"

namespace theta {

class ModelPool;

/// Runs an experiment in its folder, to its end or on from where it stopped, and writes its report
/// there. The record says at any time how the run stands: read_status().
/// @param config  what `options` were read from
/// @param pool    models shared with runs side by side; null: its own
/// @return the report; where the budget was spent (Report::stopped), of what was done until then.
/// @throws what the experiment throws; UserError if the folder holds a run of another
/// config or other data.
Report run_in_folder(const Config& config, const ExperimentOptions& options,
                     const std::filesystem::path& folder, Progress& progress, std::stop_token stop,
                     ModelPool* pool = nullptr);

/// What a run will ask for, as models tell whose answers are made up. Real answers can bootstrap
/// more or fewer demos.
std::vector<StageUsage> forecast(const ExperimentOptions& options, Models::Purpose purpose,
                                 std::stop_token stop);
/// Calls only, by stage: what a progress line needs. Empty where it cannot be told.
Plan forecast_calls(const ExperimentOptions& options, std::stop_token stop);

enum class RunState { kWaiting, kRunning, kDone, kFailed, kStopped };
const char* name_of(RunState state);

/// How a run stands.
struct RunStatus {
  RunState state = RunState::kWaiting;
  std::string error;           ///< why it failed or stopped
  std::string hash;            ///< of its config
  std::string stage;           ///< while it runs
  std::optional<double> best;  ///< what is known of the best candidate of its searches so far
  Usage kept;                  ///< answers paid for, once each
  std::optional<double> left_s;
};

/// @param folder  may hold no run: then it is waiting. One whose record is damaged has failed.
RunStatus read_status(const std::filesystem::path& folder);

}  // namespace theta
