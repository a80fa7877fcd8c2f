#include "experiments/runs/sweep_worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <utility>

#include "core/log.hpp"
#include "experiments/files.hpp"
#include "experiments/runs/model_pool.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLook{1};  // at what others do, where there is nothing else to do

/// A run that was not done when this worker began.
struct OpenRun {
  const SweepRun& run;
  std::int64_t claims_before;  ///< claims on it until then
  std::int64_t requests;       ///< that it will ask for, as planned
  enum class Stage { kOpen, kOurs, kOver };
  Stage stage = Stage::kOpen;
  RunState state = RunState::kWaiting;  ///< once it is over
  std::string why = {};                 ///< it is not done
};

/// The record of what the worker's runs share: the first that no other has.
class SharedAnswers {
 public:
  SharedAnswers(Claims& claims, const fs::path& folder) {
    for (std::size_t n = 1; !claim_; ++n) claim_ = claims.take(file_ = shared_answers(folder, n));
  }
  ~SharedAnswers() { claim_->end(false); }
  SharedAnswers(const SharedAnswers&) = delete;
  SharedAnswers& operator=(const SharedAnswers&) = delete;
  const fs::path& file() const { return file_; }

 private:
  fs::path file_;
  std::unique_ptr<Claim> claim_;
};

/// Another machine goes on with a run of ours, whose record two must not have open: closing it
/// properly would change it.
[[noreturn]] void end_at_once(const std::string& run) {
  tell(
      fmt::format("theta: {}: this worker was silent for so long that another machine has taken "
                  "the run over; it ends at once, and the same command goes on",
                  run));
  std::_Exit(1);
}

/// SQLite's locks hold on one machine only.   @throws UserError at the run's `cache`.
void refuse_shared_cache(const SweepRun& run, const ClaimState& claim) {
  if (run.options.cache.mode == CacheMode::kOff || !claim.held_elsewhere()) return;
  run.config.at("cache").fail(
      fmt::format("this file is for the runs of one machine, and {} is at '{}': leave it out, or "
                  "name one for each machine (${{VAR}})",
                  claim.holder.name(), run.label()));
}

class Worker {
 public:
  Worker(const Sweep& sweep, fs::path folder, const SweepWork& work, Progress& progress,
         std::stop_token stop)
      : sweep_(sweep),
        folder_(std::move(folder)),
        work_(work),
        progress_(progress),
        stop_(std::move(stop)),
        answers_(claims_, folder_),
        pool_(answers_.file(), [this](const ModelOptions& options) {
          return make_model(options, {.on_trouble = show_trouble(progress_),
                                      .kept = lessons_in(pool_.record(), options),
                                      .note = [this](const auto& what) { progress_.note(what); },
                                      .logs = answers_.file().string() + ".server"});
        }) {}

  SweepEnd work() {
    plan();
    {
      std::vector<std::jthread> threads;
      for (std::size_t j = 0; j < std::min(work_.jobs, runs_.size()); ++j)
        threads.emplace_back([this] {
          while (auto next = take_next()) work_on(*next->first, std::move(next->second));
        });
    }
    pool_.close();
    progress_.finish();
    if (stop_.stop_requested()) throw stopped_in(folder_);
    return end();
  }

 private:
  using Taken = std::pair<OpenRun*, std::unique_ptr<Claim>>;

  /// Finds the runs that are not done, and tells the pool which models they need.
  void plan() {
    std::int64_t requests = 0;
    progress_.stage(fmt::format("{}: planning {} runs", sweep_.name, sweep_.runs.size()),
                    static_cast<std::int64_t>(sweep_.runs.size()));
    bool planned = true;
    const auto deadline = Clock::now() + kPlanning;
    for (const SweepRun& run : sweep_.runs) {
      progress_.advance();
      const fs::path folder = folder_of(run, folder_);
      const ClaimState claim = look_at_claim(folder / kRecordFile);
      refuse_shared_cache(run, claim);
      const RunStatus status = read_status(folder);
      if (status.state == RunState::kDone) continue;
      if (status.plan) plans_.try_emplace(run.group, *status.plan);
      if (!plans_.contains(run.group))
        plans_[run.group] = forecast_calls(run.options, stop_, deadline, {});
      std::int64_t own = 0;
      for (const auto& [stage, calls] : plans_[run.group]) own += calls;
      requests += own;
      planned = planned && own > 0;
      // One that another is at counts as begun before: its end is not tried again.
      const bool held = claim.state == ClaimState::State::kHeld;
      runs_.push_back({run, held ? claim.number - 1 : claim.number, own});
      pool_.expect(run.options.models);
    }
    const std::size_t done_before = sweep_.runs.size() - runs_.size();
    progress_.stage(fmt::format("{}: {} runs", sweep_.name, runs_.size()) +
                        (done_before > 0 ? fmt::format(", {} were done", done_before) : ""),
                    planned ? requests : 0);
  }

  /// The next run that nobody is at; nothing where there is none to come.
  std::optional<Taken> take_next() {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::size_t elsewhere = 0;
      for (OpenRun& one : runs_) {
        if (stop_.stop_requested()) return std::nullopt;
        if (one.stage != OpenRun::Stage::kOpen) continue;
        if (auto claim = take(one)) {
          one.stage = OpenRun::Stage::kOurs;
          return Taken{&one, std::move(claim)};
        }
        if (one.stage == OpenRun::Stage::kOpen) ++elsewhere;
      }
      if (elsewhere == 0 || work_.leave) return std::nullopt;
      if (std::ranges::none_of(
              runs_, [](const OpenRun& one) { return one.stage == OpenRun::Stage::kOurs; }))
        progress_.note(fmt::format("waiting for {} of other workers", elsewhere));
      wake_.wait_for(lock, stop_, kLook, [] { return false; });
    }
  }

  /// The claim of a run; nothing where another is at it, or it is over. With mutex_ held.
  std::unique_ptr<Claim> take(OpenRun& one) {
    const fs::path folder = folder_of(one.run, folder_);
    try {
      const ClaimState seen = look_at_claim(folder / kRecordFile);
      const bool ended = seen.state == ClaimState::State::kEnded && seen.number > one.claims_before;
      auto claim = ended ? nullptr : claims_.take(folder / kRecordFile);
      if (!ended && !claim) return nullptr;
      // Another may have ended it, and forgotten its claims, since it was looked at.
      const RunStatus status = read_status(folder);
      if (!ended && status.state != RunState::kDone) return claim;
      if (claim) claim->end(true);
      progress_.advance(one.requests, true);
      finish(one, status.state, status.error);
    } catch (const std::exception& e) {  // of this run alone
      finish(one, RunState::kFailed, e.what());
    }
    return nullptr;
  }

  void work_on(OpenRun& one, std::unique_ptr<Claim> taken) {
    Progress own(progress_, one.run.label());
    const auto claim = std::move(taken);  // goes before what it tells of
    claim->tell([&own] { return own.whole().stage; });
    const std::stop_callback by_loss(claim->lost(), [&] { end_at_once(one.run.label()); });
    RunState state = RunState::kDone;
    std::string why;
    try {
      const Report report =
          run_in_folder(one.run.config, one.run.options, folder_of(one.run, folder_), own, stop_,
                        plans_.at(one.run.group), &pool_);
      if (!report.stopped.empty())
        std::tie(state, why) = std::pair(RunState::kStopped, report.stopped);
      else if (!report.incomplete.empty())
        std::tie(state, why) = std::pair(RunState::kIncomplete, report.incomplete);
    } catch (const Interrupted&) {
      return;  // the claim is given back
    } catch (const std::exception& e) {
      own.say(fmt::format("failed: {}", e.what()));
      std::tie(state, why) = std::pair(RunState::kFailed, e.what());
    }
    claim->end(state == RunState::kDone);
    const std::lock_guard lock(mutex_);
    finish(one, state, why);
  }

  /// With mutex_ held.
  void finish(OpenRun& one, RunState state, const std::string& why) {
    one.stage = OpenRun::Stage::kOver;
    one.state = state;
    one.why = why;
    try {
      pool_.release(one.run.options.models);
    } catch (const RunError& e) {  // the disk is full
      std::tie(one.state, one.why) = std::pair(RunState::kFailed, e.what());
    }
  }

  SweepEnd end() const {
    SweepEnd end;
    for (const OpenRun& one : runs_) {
      std::string line = fmt::format("{}: {}", one.run.label(), one.why);
      if (one.stage != OpenRun::Stage::kOver)
        end.elsewhere.push_back(one.run.label());
      else if (one.state == RunState::kFailed)
        end.failed.push_back(std::move(line));
      else if (one.state == RunState::kIncomplete)
        end.incomplete.push_back(std::move(line));
      else if (one.state != RunState::kDone)
        end.stopped.push_back(std::move(line));
    }
    return end;
  }

  const Sweep& sweep_;
  const fs::path folder_;
  const SweepWork work_;
  Progress& progress_;
  const std::stop_token stop_;
  Claims claims_;
  const SharedAnswers answers_;  // outlives the pool, which has its file open
  ModelPool pool_;
  std::map<std::size_t, Plan> plans_;  // by group: a seed changes little
  std::mutex mutex_;                   // guards all below
  std::condition_variable_any wake_;
  std::vector<OpenRun> runs_;
};

}  // namespace

std::unique_ptr<Claim> claim_list(const fs::path& folder, const std::stop_token& stop) {
  make_folder(folder);
  return Claims().wait(folder / "sweep.json", stop);
}

fs::path shared_answers(const fs::path& folder, std::size_t n) {
  return folder / (n == 1 ? "cache.db" : fmt::format("cache.{}.db", n));
}

void begin_sweep(const Sweep& sweep, const fs::path& folder, const std::stop_token& stop) {
  if (fs::exists(folder / kRecordFile))
    throw UserError(folder.string() + " holds a run: give another --out, or remove it");
  const auto claim = claim_list(folder, stop);
  write_sweep_list(sweep, folder);
}

SweepEnd run_sweep(const Sweep& sweep, const fs::path& folder, const SweepWork& work,
                   Progress& progress, const std::stop_token& stop) {
  begin_sweep(sweep, folder, stop);
  return Worker(sweep, folder, work, progress, stop).work();
}

}  // namespace theta
