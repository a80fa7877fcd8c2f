#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/config.hpp"
#include "core/progress.hpp"
#include "core/result.hpp"
#include "experiments/report/report.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {

class ModelPool;

/// How a run's work came to its end.
struct RunEnd {
  RunState state = RunState::kDone;  ///< or kStopped by its budget, or kIncomplete
  std::string why = {};              ///< it is not done
};

/// Does the work of a config in its folder, which it claims, on models that keep to the budget and
/// share the cache. The record says at any time how the run stands: read_status(). It begins a new
/// try (Store::begin_try), and ends as incomplete where a service's fault left any request without
/// an answer, also where the work ended with an Outage after some were answered: what depends on
/// them is not what it would have been, and another try mends it.
/// @param config  what `options` were read from
/// @param pool    models shared with runs side by side; null: its own
/// @param work    can be cut short by the budget
/// @param finish  leaves what there is, after `work` or as much of it as was done
/// @throws what `work` and `finish` throw; Interrupted when stopped; UserError if the folder holds
/// a run of another config or other data.
RunEnd work_in_folder(const Config& config, const ExperimentOptions& options,
                      const std::filesystem::path& folder, Progress& progress, std::stop_token stop,
                      ModelPool* pool, const std::function<void(RunContext&)>& work,
                      const std::function<void(Store&)>& finish);

/// What a person is told who stopped a command that works in a folder.
Interrupted stopped_in(const std::filesystem::path& folder);

/// Runs an experiment in its folder, to its end or on from where it stopped, and writes its report
/// there. Parameters and exceptions as above.
/// @param plan  what `progress` is told is to come; nothing: what the first start found, or else what
///   is found now that the folder is the run's. Kept in the record for the next start.
/// @return the report; where the budget was spent (Report::stopped) or answers are missing
///   (Report::incomplete), of what was done.
Report run_in_folder(const Config& config, const ExperimentOptions& options,
                     const std::filesystem::path& folder, Progress& progress, std::stop_token stop,
                     std::optional<Plan> plan = std::nullopt, ModelPool* pool = nullptr);

struct ForecastOptions {
  Models::Purpose purpose = Models::Purpose::kForecast;
  Models::OnAsked on_asked = {};       ///< is told of every request
  std::filesystem::path scratch = {};  ///< in which it works; empty: the temporary directory
  Progress* progress = nullptr;        ///< shows its stages
  std::function<void(RunContext&)> work = {};  ///< what is asked; empty: the run
};
/// What a run will ask for, as models tell whose answers are made up. Real answers can bootstrap
/// more or fewer demos.   @throws Interrupted when stopped.
std::vector<StageUsage> forecast(const ExperimentOptions& options, std::stop_token stop,
                                 const ForecastOptions& how = {});
/// Calls only, by stage, on made-up rows where their number is known: what a progress line needs.
/// Empty where it cannot be told, or not before `deadline`.
Plan forecast_calls(const ExperimentOptions& options, std::stop_token stop,
                    Clock::time_point deadline, const ForecastOptions& how);
/// The longest that a person waits for a plan.
inline constexpr std::chrono::seconds kPlanning{10};

/// How a run stands.
struct RunStatus {
  RunState state = RunState::kWaiting;
  std::string worker;          ///< `host:pid` of the process that runs it
  std::string error;           ///< why it failed, stopped or is incomplete
  std::string hash;            ///< of its config
  std::string stage;           ///< while it runs
  std::optional<double> best;  ///< what is known of the best candidate of its searches so far
  Usage kept;                  ///< answers paid for, once each
  std::optional<double> left_s;
  std::optional<Plan> plan;  ///< that its first start made
};

/// @param folder  may hold no run: then it is waiting. One whose record is damaged has failed. Of one
/// that another machine runs, the record is left alone: its Claim says what is known.
RunStatus read_status(const std::filesystem::path& folder);

}  // namespace theta
