#include "experiments/runs/run_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/models/outage.hpp"
#include "core/records/claim.hpp"
#include "core/records/store.hpp"
#include "experiments/files.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

void claim(Store& store, const fs::path& folder, const ExperimentOptions& options) {
  const auto hash = find(store, part::kConfigHash);
  if (hash && *hash != options.hash)
    throw UserError(
        fmt::format("{} holds a run of another config or other data ({}; this one is {}): give "
                    "another --out, or remove it",
                    folder.string(), *hash, options.hash));
  store.begin_try();
  put(store, part::kConfigHash, options.hash);
  put(store, part::kDataHash, options.data_hash);
  put(store, part::kName, options.name);
  put(store, part::kSeed, options.seed);
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Writes into the record, every second that something was done, where the run stands; and stops
/// the run when its time is spent.
class Heartbeat {
 public:
  Heartbeat(Store& store, Progress& progress, Ledger& ledger, std::stop_source& stop_run)
      : before_s_(get(store, part::kStanding).seconds),
        thread_([&, this](const std::stop_token& stop) {
          std::unique_lock lock(mutex_);
          std::int64_t last = -1;
          for (bool troubled = false; !stop.stop_requested();) {
            const Whole whole = progress.whole();
            if (whole.done != last || troubled || !whole.trouble.empty()) beat(store, whole);
            last = whole.done;
            troubled = !whole.trouble.empty();
            ledger.set_seconds(seconds());
            if (ledger.spent()) stop_run.request_stop();
            wake_.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; });
          }
          beat(store, progress.whole());
        }) {}

 private:
  double seconds() const { return before_s_ + seconds_since(began_); }
  void beat(Store& store, const Whole& whole) {
    Standing standing{
        .stage = whole.stage, .at = unix_seconds(), .seconds = seconds(), .trouble = whole.trouble};
    if (whole.trouble.empty()) standing.left_s = whole.left_s;
    try {
      put(store, part::kStanding, standing);
    } catch (const RunError&) {
      // The run's next answer meets the same fault and ends it.
    }
  }

  const double before_s_;  // of earlier starts
  const Clock::time_point began_ = Clock::now();
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

/// Asks for a stop when another is asked for, or at a time.
class StopAt {
 public:
  StopAt(const std::stop_token& stop, Clock::time_point time)
      : forward_(stop, [this] { source_.request_stop(); }),
        thread_([this, time](const std::stop_token& over) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any wake;
          wake.wait_until(lock, over, time, [] { return false; });
          if (!over.stop_requested()) source_.request_stop();
        }) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> forward_;
  std::jthread thread_;
};

/// An experiment with rows that say nothing, where that does not change their number.
ExperimentOptions without_reading(ExperimentOptions options) {
  auto* program = std::get_if<ProgramExperiment>(&options.experiment);
  if (program == nullptr) return options;
  DataOptions& data = program->data;
  const auto* file = std::get_if<WholeFile>(&data.source);
  if (file != nullptr && data.columns.group.empty() && data.columns.split.empty())
    data.source = MadeUpRows{file->sizes};
  return options;
}

/// Keeps what a service lost for the report.   @return a line about it; empty: nothing was lost.
std::string record_losses(Store& store, Models& models) {
  std::int64_t asked = 0, lost = 0;
  for (const auto& [role, usage] : models.usage()) asked += usage.calls;
  std::vector<Loss> all;
  std::string where;
  const auto losses = models.lost_by_stage();
  for (const auto& [stage, role, requests, why, measures] : losses) {
    lost += requests;
    all.push_back({stage, role.name, requests, why, measures});
    where +=
        fmt::format("{}{} of {} in \"{}\"", where.empty() ? "" : ", ", requests, role.name, stage);
  }
  put(store, part::kLost, all);
  if (losses.empty()) return "";
  return fmt::format("{} of {} requests got no answer ({}), the first because: {}", lost, asked,
                     where, losses.front().why);
}

bool was_answered(Models& models) {
  std::int64_t answered = 0;
  for (const auto& [role, usage] : models.usage()) answered += usage.calls;
  for (const StageLoss& loss : models.lost_by_stage()) answered -= loss.requests;
  return answered > 0;
}

/// What cut the work of a run short; empty where nothing did.
struct Cut {
  std::string stopped;     ///< its budget
  std::string broken_off;  ///< an outage
};

/// Does the work of a run, to its end, that of its budget, or an outage after some answers.
/// @throws what `work` throws beside; Interrupted if `stop` is requested.
Cut do_work(const fs::path& folder, std::uint64_t seed, Store& store, Models& models,
            Ledger& ledger, Progress& progress, const std::stop_token& stop,
            const std::function<void(RunContext&)>& work) {
  std::stop_source own_stop;
  const std::stop_callback forward(stop, [&] { own_stop.request_stop(); });
  try {
    {
      const Heartbeat heartbeat(store, progress, ledger, own_stop);
      RunContext context{folder, seed, store, models, progress, own_stop.get_token()};
      work(context);
    }
    // A search that was cut short ends well, and the record may have held all that came after it.
    if (own_stop.stop_requested() || ledger.spent()) throw Interrupted("stopped");
    return {};
  } catch (const Interrupted&) {
    const auto why = ledger.spent();
    if (!why || stop.stop_requested()) throw;
    put(store, part::kStopped, *why);
    return {*why, ""};
  } catch (const Outage& e) {
    if (!was_answered(models)) throw;
    return {"", fmt::format("{}; ", e.what())};
  }
}

/// How a run stands whose record cannot be looked at: a worker of another machine goes on with it,
/// or one of this has only begun to make it.
RunStatus status_by(const ClaimState& claim) {
  constexpr double kSilentS = 60;  // that is worth a word
  RunStatus status;
  status.state = RunState::kRunning;
  status.worker = claim.holder.name();
  status.stage = claim.doing;
  if (claim.silent_s > kSilentS)
    status.stage += fmt::format("{}nothing was heard of it for {}", claim.doing.empty() ? "" : ", ",
                                clock_text(claim.silent_s));
  return status;
}

RunStatus status_of_record(const fs::path& record) {
  RunStatus status;
  const auto owner = Store::owner(record);
  const bool owned = owner.has_value();
  const Store store(record, Store::Access::kRead);
  const RunState said = find(store, part::kState).value_or(RunState::kRunning);
  if (owned) {
    status.state = RunState::kRunning;
    status.worker = fmt::format("{}:{}", Holder::self().host, *owner);
  } else {
    // A run that was killed could not say so.
    status.state = said == RunState::kRunning ? RunState::kStopped : said;
    if (said != RunState::kDone) status.error = get(store, part::kError);
  }
  status.hash = get(store, part::kConfigHash);
  status.kept = store.kept();
  std::map<std::string, double> best;  // by search, as it stands
  for (const TrialRecord& trial : store.trials()) best[trial.search] = trial.best;
  for (const auto& [search, score] : best) status.best = std::max(status.best.value_or(0), score);
  status.plan = find(store, part::kPlan);
  if (owned) {
    const Standing standing = get(store, part::kStanding);
    status.stage = standing.stage;
    if (!standing.trouble.empty()) status.stage += ", " + standing.trouble;
    if (standing.left_s)
      status.left_s = std::max(0.0, *standing.left_s - (unix_seconds() - standing.at));
  }
  return status;
}

}  // namespace

RunEnd work_in_folder(const Config& config, const ExperimentOptions& options,
                      const fs::path& folder, Progress& progress, std::stop_token stop,
                      ModelPool* pool, const std::function<void(RunContext&)>& work,
                      const std::function<void(Store&)>& finish) {
  if (fs::exists(folder / "sweep.json"))
    throw UserError(folder.string() + " holds a sweep: give another --out, or remove it");
  make_folder(folder);
  Store store(folder / kRecordFile);
  claim(store, folder, options);
  const std::string text = resolved(config).dump();
  put(store, part::kConfig, text);
  put(store, part::kModels, described(options.models));
  put(store, part::kState, RunState::kRunning);
  const auto end = [&](RunState state, const std::string& why) {
    put(store, part::kError, why);
    put(store, part::kState, state);
    return RunEnd{state, why};
  };
  try {
    write_whole(folder / "config.resolved.yaml", text);
    Ledger ledger(options.budget);
    Models models(options.models, store, progress, Models::Purpose::kRun, pool, &ledger,
                  std::make_shared<AnswerCache>(options.cache), folder);
    Cut cut;
    try {
      cut = do_work(folder, options.seed, store, models, ledger, progress, stop, work);
    } catch (...) {
      models.record_timing();
      throw;
    }
    models.record_timing();
    models.record_usage();
    progress.finish();
    std::string incomplete = record_losses(store, models);
    if (!incomplete.empty())
      incomplete = cut.broken_off + incomplete +
                   "; the same command asks for what is missing, and ends as if nothing had failed";
    put(store, part::kIncomplete, incomplete);
    finish(store);
    if (!cut.stopped.empty()) return end(RunState::kStopped, cut.stopped);
    if (!incomplete.empty()) return end(RunState::kIncomplete, incomplete);
    return end(RunState::kDone, "");
  } catch (const Interrupted&) {
    end(RunState::kStopped, "");
    throw;
  } catch (const std::exception& e) {
    end(RunState::kFailed, e.what());
    throw;
  }
}

Interrupted stopped_in(const fs::path& folder) {
  return Interrupted(fmt::format(
      "stopped; what is done is in {}, and the same command goes on from there", folder.string()));
}

Report run_in_folder(const Config& config, const ExperimentOptions& options, const fs::path& folder,
                     Progress& progress, std::stop_token stop, std::optional<Plan> plan,
                     ModelPool* pool) {
  Report report;
  const auto finish = [&](Store& store) {
    report = make_report(store);
    write_report(report, folder);
  };
  work_in_folder(
      config, options, folder, progress, stop, pool,
      [&](RunContext& run) {
        if (!plan) plan = find(run.store, part::kPlan);
        if (!plan) {
          progress.stage("planning");
          plan = forecast_calls(options, run.stop, Clock::now() + kPlanning,
                                {.scratch = folder, .progress = &progress});
        }
        put(run.store, part::kPlan, *plan);
        progress.plan(*plan);
        run_experiment(options, run);
      },
      finish);
  return report;
}

std::vector<StageUsage> forecast(const ExperimentOptions& options, std::stop_token stop,
                                 const ForecastOptions& how) {
  // What is said of the data is said by the run, which follows.
  std::optional<Silence> nothing_said;
  if (how.purpose == Models::Purpose::kForecast) nothing_said.emplace();
  const ScratchFolder folder(how.scratch);
  Store store(folder.path() / kRecordFile);
  Progress silent(false, 0, nullptr);
  std::optional<Progress> shown;
  if (how.progress != nullptr) shown.emplace(*how.progress, options.name);
  Progress& progress = shown ? *shown : silent;
  Models models(options.models, store, progress, how.purpose);
  models.listen(how.on_asked);
  RunContext context{folder.path(), options.seed, store, models, progress, std::move(stop)};
  how.work ? how.work(context) : run_experiment(options, context);
  return models.usage_by_stage();
}

Plan forecast_calls(const ExperimentOptions& options, std::stop_token stop,
                    Clock::time_point deadline, const ForecastOptions& how) {
  Plan plan;
  const StopAt in_time(stop, deadline);
  try {
    for (const auto& [stage, role, usage] :
         forecast(without_reading(options), in_time.token(), how)) {
      if (plan.empty() || plan.back().first != stage) plan.emplace_back(stage, 0);
      plan.back().second += usage.calls;
    }
  } catch (const std::exception&) {
    // The run meets what is wrong itself, or gets on with real answers.
    if (stop.stop_requested()) throw;
    return {};
  }
  return plan;
}

RunStatus read_status(const fs::path& folder) {
  const ClaimState claim = look_at_claim(folder / kRecordFile);
  if (claim.held_elsewhere()) return status_by(claim);
  if (!fs::exists(folder / kRecordFile)) return {};
  try {
    return status_of_record(folder / kRecordFile);
  } catch (const std::exception& e) {  // of this run alone
    if (claim.state == ClaimState::State::kHeld) return status_by(claim);
    RunStatus damaged;
    damaged.state = RunState::kFailed;
    damaged.error = e.what();
    return damaged;
  }
}

}  // namespace theta
