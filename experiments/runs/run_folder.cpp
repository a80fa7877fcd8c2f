#include "experiments/runs/run_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/models/outage.hpp"
#include "core/records/store.hpp"
#include "experiments/files.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = "run.db";

void claim(Store& store, const fs::path& folder, const ExperimentOptions& options) {
  const auto hash = store.meta("config_hash");
  if (hash && *hash != options.hash)
    throw UserError(
        fmt::format("{} holds a run of another config or other data ({}; this one is {}): give "
                    "another --out, or remove it",
                    folder.string(), *hash, options.hash));
  store.begin_try();
  store.set_meta("config_hash", options.hash);
  store.set_meta("name", options.name);
  store.set_meta("seed", std::to_string(options.seed));
}

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Writes into the record, every second that something was done, where the run stands; and stops
/// the run when its time is spent.
class Heartbeat {
 public:
  Heartbeat(Store& store, Progress& progress, Ledger& ledger, std::stop_source& stop_run)
      : before_s_(
            nlohmann::json::parse(store.meta("progress").value_or("{}")).value("seconds", 0.0)),
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
    nlohmann::json json = {{"stage", whole.stage}, {"at", unix_seconds()}, {"seconds", seconds()}};
    if (!whole.trouble.empty())
      json["trouble"] = whole.trouble;
    else if (whole.left_s)
      json["left_s"] = *whole.left_s;
    try {
      store.set_meta("progress",
                     json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
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

/// Keeps what a service lost for the report.   @return a line about it; empty: nothing was lost.
std::string record_losses(Store& store, Models& models) {
  std::int64_t asked = 0, lost = 0;
  for (const auto& [role, usage] : models.usage()) asked += usage.calls;
  nlohmann::json json = nlohmann::json::array();
  std::string where;
  const auto losses = models.lost_by_stage();
  for (const auto& [stage, role, requests, why, measures] : losses) {
    lost += requests;
    json.push_back({stage, role.name, requests, why, measures});
    where +=
        fmt::format("{}{} of {} in \"{}\"", where.empty() ? "" : ", ", requests, role.name, stage);
  }
  store.set_meta("lost", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
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

RunStatus status_of_record(const fs::path& record) {
  RunStatus status;
  const bool owned = Store::owner(record).has_value();
  const Store store(record, Store::Access::kRead);
  const std::string state = store.meta("state").value_or("");
  if (owned) {
    status.state = RunState::kRunning;
  } else if (state == name_of(RunState::kDone)) {
    status.state = RunState::kDone;
  } else {
    status.state = RunState::kStopped;  // a run that was killed could not say so
    for (const RunState said : {RunState::kFailed, RunState::kIncomplete})
      if (state == name_of(said)) status.state = said;
    status.error = store.meta("error").value_or("");
  }
  status.hash = store.meta("config_hash").value_or("");
  status.kept = store.kept();
  std::map<std::string, double> best;  // by search, as it stands
  for (const TrialRecord& trial : store.trials()) best[trial.search] = trial.best;
  for (const auto& [search, score] : best) status.best = std::max(status.best.value_or(0), score);
  if (owned) {
    const auto beat = nlohmann::json::parse(store.meta("progress").value_or("{}"));
    status.stage = beat.value("stage", "");
    if (beat.contains("trouble")) status.stage += ", " + beat["trouble"].get<std::string>();
    if (beat.contains("left_s"))
      status.left_s =
          std::max(0.0, beat["left_s"].get<double>() - (unix_seconds() - beat["at"].get<double>()));
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
  Store store(folder / kRecord);
  claim(store, folder, options);
  const std::string text = resolved(config).dump();
  store.set_meta("config", text);
  store.set_meta("models", described(options.models));
  store.set_meta("state", name_of(RunState::kRunning));
  const auto end = [&](RunState state, const std::string& why) {
    store.set_meta("error", why);
    store.set_meta("state", name_of(state));
    return RunEnd{state, why};
  };
  try {
    write_whole(folder / "config.resolved.yaml", text);
    Ledger ledger(options.budget);
    Models models(options.models, store, progress, Models::Purpose::kRun, pool, &ledger,
                  std::make_shared<AnswerCache>(options.cache));
    std::stop_source own_stop;
    const std::stop_callback forward(stop, [&] { own_stop.request_stop(); });
    std::string stopped, broken_off;
    try {
      {
        const Heartbeat heartbeat(store, progress, ledger, own_stop);
        RunContext context{folder, options.seed, store, models, progress, own_stop.get_token()};
        work(context);
      }
      // A search that was cut short ends well, and the record may have held all that came after it.
      if (own_stop.stop_requested() || ledger.spent()) throw Interrupted("stopped");
    } catch (const Interrupted&) {
      const auto why = ledger.spent();
      if (!why || stop.stop_requested()) {
        models.record_timing();
        throw;
      }
      stopped = *why;
      store.set_meta("stopped", stopped);
    } catch (const Outage& e) {
      if (!was_answered(models)) {
        models.record_timing();
        throw;
      }
      broken_off = fmt::format("{}; ", e.what());
    } catch (...) {
      models.record_timing();
      throw;
    }
    models.record_timing();
    models.record_usage();
    progress.finish();
    std::string incomplete = record_losses(store, models);
    if (!incomplete.empty())
      incomplete = broken_off + incomplete +
                   "; the same command asks for what is missing, and ends as if nothing had failed";
    store.set_meta("incomplete", incomplete);
    finish(store);
    if (!stopped.empty()) return end(RunState::kStopped, stopped);
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
                     Progress& progress, std::stop_token stop, ModelPool* pool) {
  Report report;
  const auto finish = [&](Store& store) {
    report = make_report(store);
    write_report(report, folder);
  };
  work_in_folder(
      config, options, folder, progress, stop, pool,
      [&](RunContext& run) { run_experiment(options, run); }, finish);
  return report;
}

std::vector<StageUsage> forecast(const ExperimentOptions& options, Models::Purpose purpose,
                                 std::stop_token stop, Models::OnAsked on_asked,
                                 const fs::path& scratch) {
  // What is said of the data is said by the run, which follows.
  std::optional<Silence> nothing_said;
  if (purpose == Models::Purpose::kForecast) nothing_said.emplace();
  const ScratchFolder folder(scratch);
  Store store(folder.path() / kRecord);
  Progress silent(false, 0, nullptr);
  Models models(options.models, store, silent, purpose);
  models.listen(std::move(on_asked));
  RunContext context{folder.path(), options.seed, store, models, silent, stop};
  run_experiment(options, context);
  return models.usage_by_stage();
}

Plan forecast_calls(const ExperimentOptions& options, std::stop_token stop,
                    const fs::path& scratch) {
  Plan plan;
  try {
    for (const auto& [stage, role, usage] :
         forecast(options, Models::Purpose::kForecast, stop, {}, scratch)) {
      if (plan.empty() || plan.back().first != stage) plan.emplace_back(stage, 0);
      plan.back().second += usage.calls;
    }
  } catch (const Interrupted&) {
    throw;
  } catch (const std::exception&) {
    return {};  // the run meets what is wrong itself, or gets on with real answers
  }
  return plan;
}

const char* name_of(RunState state) {
  switch (state) {
    case RunState::kWaiting:
      return "waiting";
    case RunState::kRunning:
      return "running";
    case RunState::kDone:
      return "done";
    case RunState::kIncomplete:
      return "incomplete";
    case RunState::kFailed:
      return "failed";
    case RunState::kStopped:
      return "stopped";
  }
  throw std::logic_error("unknown state of a run");
}

RunStatus read_status(const fs::path& folder) {
  if (!fs::exists(folder / kRecord)) return {};
  try {
    return status_of_record(folder / kRecord);
  } catch (const RunError& e) {  // of this run alone
    RunStatus damaged;
    damaged.state = RunState::kFailed;
    damaged.error = e.what();
    return damaged;
  }
}

}  // namespace theta
