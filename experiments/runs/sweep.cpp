#include "experiments/runs/sweep.hpp"

#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "experiments/files.hpp"
#include "experiments/runs/model_pool.hpp"
#include "experiments/runs/run_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

void write_list(const Sweep& sweep, const fs::path& folder) {
  nlohmann::ordered_json json = {{"name", sweep.name}, {"runs", nlohmann::ordered_json::array()}};
  for (const SweepRun& run : sweep.runs) {
    auto values = nlohmann::ordered_json::object();
    for (const auto& [axis, value] : run.values) values[axis] = value;
    json["runs"].push_back({{"folder", folder_of(run, "").string()},
                            {"label", run.label()},
                            {"setting", run.setting},
                            {"values", std::move(values)},
                            {"group", run.group},
                            {"seed", run.options.seed}});
  }
  write_whole(folder / "sweep.json",
              json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

std::string SweepRun::label() const {
  const std::string seed = seeded ? fmt::format("seed {}", options.seed) : "";
  return setting + (setting.empty() || seed.empty() ? "" : ", ") + seed;
}

bool is_sweep(const Config& config) { return config.is_map() && config.find("sweep"); }

void refuse_sweep(const Config& config) {
  if (is_sweep(config)) config.at("sweep").fail("this is a sweep of runs: theta sweep CONFIG");
}

Sweep read_sweep(const Config& config, FileHashes files) {
  const Config section = config.at("sweep");
  Config base = config.copy();
  base.erase("sweep");
  Sweep sweep;
  std::map<std::string, std::string> hashes;
  for (Setting& setting : read_settings(base, section)) {
    Config own = with_changes(base, setting.changes);
    ExperimentOptions options = read_experiment(own, files);
    if (sweep.name.empty()) sweep.name = options.name;
    SweepRun run{std::move(own),
                 std::move(options),
                 std::move(setting.label),
                 std::move(setting.values),
                 setting.group,
                 section.find("seeds").has_value()};
    const auto [other, is_new] = hashes.emplace(run.options.hash, run.label());
    if (!is_new)
      section.fail(
          fmt::format("the runs '{}' and '{}' are one and the same: they differ in nothing that "
                      "can change a result (missing files of one name count as one)",
                      other->second, run.label()));
    sweep.runs.push_back(std::move(run));
  }
  return sweep;
}

fs::path folder_of(const SweepRun& run, const fs::path& sweep) { return sweep / run.options.hash; }

namespace {

/// The runs that are not done, whose models the pool is told to expect.
std::vector<const SweepRun*> plan_runs(const Sweep& sweep, const fs::path& folder, ModelPool& pool,
                                       std::map<std::size_t, Plan>& plans, Progress& progress,
                                       const std::stop_token& stop) {
  std::vector<const SweepRun*> waiting;
  std::int64_t requests = 0;
  progress.stage(fmt::format("{}: planning {} runs", sweep.name, sweep.runs.size()),
                 static_cast<std::int64_t>(sweep.runs.size()));
  bool planned = true;
  const auto deadline = Clock::now() + kPlanning;
  for (const SweepRun& run : sweep.runs) {
    progress.advance();
    const RunStatus status = read_status(folder_of(run, folder));
    if (status.state == RunState::kDone) continue;
    if (status.plan) plans.try_emplace(run.group, *status.plan);
    if (!plans.contains(run.group))
      plans[run.group] = forecast_calls(run.options, stop, deadline, {.scratch = folder});
    for (const auto& [stage, calls] : plans[run.group]) requests += calls;
    planned = planned && !plans[run.group].empty();
    waiting.push_back(&run);
    pool.expect(run.options.models);
  }
  const std::size_t done_before = sweep.runs.size() - waiting.size();
  progress.stage(fmt::format("{}: {} runs", sweep.name, waiting.size()) +
                     (done_before > 0 ? fmt::format(", {} were done", done_before) : ""),
                 planned ? requests : 0);
  return waiting;
}

}  // namespace

SweepEnd run_sweep(const Sweep& sweep, const fs::path& folder, std::size_t jobs, Progress& progress,
                   std::stop_token stop) {
  if (fs::exists(folder / "run.db"))
    throw UserError(folder.string() + " holds a run: give another --out, or remove it");
  make_folder(folder);
  ModelPool pool(folder / "cache.db", [&progress, &pool](const ModelOptions& options) {
    return make_model(options, show_trouble(progress), lessons_in(pool.record(), options));
  });
  write_list(sweep, folder);

  std::map<std::size_t, Plan> plans;  // by group: a seed changes little
  const auto waiting = plan_runs(sweep, folder, pool, plans, progress, stop);
  std::vector<std::string> failed(waiting.size()), incomplete(waiting.size()),
      stopped(waiting.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < waiting.size() && !stop.stop_requested(); i = next++) {
      const SweepRun& run = *waiting[i];
      Progress own(progress, run.label());
      try {
        const Report report = run_in_folder(run.config, run.options, folder_of(run, folder), own,
                                            stop, plans.at(run.group), &pool);
        if (!report.stopped.empty())
          stopped[i] = fmt::format("{}: {}", run.label(), report.stopped);
        else if (!report.incomplete.empty())
          incomplete[i] = fmt::format("{}: {}", run.label(), report.incomplete);
      } catch (const Interrupted&) {
        continue;
      } catch (const std::exception& e) {
        own.say(fmt::format("failed: {}", e.what()));
        failed[i] = fmt::format("{}: {}", run.label(), e.what());
      }
      try {
        pool.release(run.options.models);
      } catch (const RunError& e) {  // the disk is full
        failed[i] = fmt::format("{}: {}", run.label(), e.what());
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (std::size_t j = 0; j < std::min(jobs, waiting.size()); ++j) workers.emplace_back(work);
  }
  pool.close();
  progress.finish();
  if (stop.stop_requested()) throw stopped_in(folder);
  std::erase(failed, "");
  std::erase(incomplete, "");
  std::erase(stopped, "");
  return {std::move(failed), std::move(incomplete), std::move(stopped)};
}

bool holds_sweep(const fs::path& folder) { return fs::exists(folder / "sweep.json"); }

SweepList read_sweep_list(const fs::path& folder) {
  const fs::path file = folder / "sweep.json";
  std::ifstream in(file, std::ios::binary);
  const auto json = nlohmann::ordered_json::parse(in, nullptr, false);
  try {
    SweepList list{json.at("name"), {}};
    for (const auto& run : json.at("runs")) {
      list.runs.push_back({run.at("folder"),
                           run.at("label"),
                           run.at("setting"),
                           {},
                           run.at("group"),
                           run.at("seed")});
      for (const auto& [axis, value] : run.at("values").items())
        list.runs.back().values.push_back({axis, value});
    }
    return list;
  } catch (const nlohmann::json::exception&) {
    throw RunError(file.string() + " is damaged: give the sweep's command again to make it anew");
  }
}

}  // namespace theta
