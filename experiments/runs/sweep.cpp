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

constexpr std::size_t kMostRuns = 10'000;

/// One value of an axis: what it changes in the config.
struct Choice {
  struct Change {
    std::string path;
    Config value;
    Position where;
  };
  std::string label;
  std::vector<Change> changes;
};

using Axis = std::vector<Choice>;

/// A value as a label shows it: where it may be a secret, as it is written.
std::string text_of(const std::string& path, const Config& value) {
  const auto within = [&](const char* section) { return path.find(section) != path.npos; };
  if (within(".headers") || within(".query") || within(".parameters"))
    return value.is_scalar() ? value.written() : value.canonical({}, {"**"});
  return value.is_scalar() ? value.text() : value.canonical({});
}

/// `optimizers.0.surrogate` is called `surrogate`.
std::string last_part(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts)
    if (!text.empty()) out += (out.empty() ? "" : ", ") + text;
  return out;
}

void check_not_empty(const Axis& axis, const Config& at) {
  if (axis.empty()) at.fail("an axis without a value leaves nothing to run");
}

Choice read_changes(const Config& item) {
  Choice choice;
  std::vector<std::string> texts;
  for (const auto& [path, value] : item.entries()) {
    choice.changes.push_back({path, value, item.position_of(path)});
    texts.push_back(last_part(path) + "=" + text_of(path, value));
  }
  choice.label = joined(texts);
  return choice;
}

Axis read_list(const Config& list) {
  Axis axis;
  if (list.is_map()) {
    for (const auto& [label, item] : list.entries()) {
      axis.push_back(read_changes(item));
      axis.back().label = label;
    }
  } else {
    for (const Config& item : list.items()) axis.push_back(read_changes(item));
  }
  check_not_empty(axis, list);
  return axis;
}

Axis read_values(const std::string& path, const Config& values, const Position& where) {
  Axis axis;
  for (const Config& value : values.items())
    axis.push_back({last_part(path) + "=" + text_of(path, value), {{path, value, where}}});
  check_not_empty(axis, values);
  return axis;
}

/// A list of seeds, or `{values: .., also: ..}` with further keys that take them.
Axis read_seeds(const Config& seeds, const Position& where) {
  if (!seeds.is_map()) return read_values("seed", seeds, where);
  Axis axis = read_values("seed", seeds.at("values"), where);
  for (const Config& path : seeds.at("also").items())
    for (Choice& choice : axis)
      choice.changes.push_back({path.text(), choice.changes.front().value, path.position()});
  return axis;
}

/// No two axes may change the same key, as the later would undo the earlier.
void check_distinct(const std::vector<Axis>& axes) {
  std::map<std::string, std::size_t> axis_of;
  for (std::size_t a = 0; a < axes.size(); ++a)
    for (const Choice& choice : axes[a])
      for (const auto& change : choice.changes)
        if (axis_of.emplace(change.path, a).first->second != a)
          throw UserError(change.where.text() + ": '" + change.path +
                          "' is on another axis of this sweep already");
}

Config make_config(const Config& base, const std::vector<const Choice*>& choices) {
  Config config = base.copy();
  for (const Choice* choice : choices)
    for (const auto& change : choice->changes) config.set(change.path, change.value, change.where);
  return config;
}

void write_list(const Sweep& sweep, const fs::path& folder) {
  nlohmann::ordered_json json = {{"name", sweep.name}, {"runs", nlohmann::ordered_json::array()}};
  for (const SweepRun& run : sweep.runs)
    json["runs"].push_back({{"folder", folder_of(run, "").string()},
                            {"label", run.label()},
                            {"setting", run.setting},
                            {"group", run.group},
                            {"seed", run.options.seed}});
  write_whole(folder / "sweep.json",
              json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace

std::string SweepRun::label() const {
  const std::string seed = seeded ? fmt::format("seed {}", options.seed) : "";
  return joined({setting, seed});
}

bool is_sweep(const Config& config) { return config.is_map() && config.find("sweep"); }

void refuse_sweep(const Config& config) {
  if (is_sweep(config)) config.at("sweep").fail("this is a sweep of runs: theta sweep CONFIG");
}

Sweep read_sweep(const Config& config, FileHashes files) {
  const Config section = config.at("sweep");
  std::vector<Axis> axes;
  if (const auto list = section.find("list")) axes.push_back(read_list(*list));
  if (const auto grid = section.find("grid"))
    for (const auto& [path, values] : grid->entries())
      axes.push_back(read_values(path, values, grid->position_of(path)));
  const std::size_t seeds_axis = axes.size();
  if (const auto seeds = section.find("seeds"))
    axes.push_back(read_seeds(*seeds, section.position_of("seeds")));
  section.finish();
  if (axes.empty()) section.fail("a sweep needs a 'grid', a 'list' or 'seeds'");
  check_distinct(axes);
  std::size_t n = 1;
  for (const Axis& axis : axes) {
    n *= axis.size();
    if (n > kMostRuns) section.fail(fmt::format("a sweep has at most {} runs", kMostRuns));
  }

  Config base = config.copy();
  base.erase("sweep");
  Sweep sweep;
  std::map<std::string, std::string> hashes;
  std::map<std::vector<std::size_t>, std::size_t> groups;
  for (std::size_t i = 0; i < n; ++i) {
    // Digits of i in the mixed base of the axes' sizes, the last axis fastest.
    std::vector<std::size_t> digits(axes.size());
    for (std::size_t a = axes.size(), rest = i; a-- > 0; rest /= axes[a].size())
      digits[a] = rest % axes[a].size();
    std::vector<const Choice*> choices;
    std::vector<std::string> labels;
    for (std::size_t a = 0; a < axes.size(); ++a) {
      choices.push_back(&axes[a][digits[a]]);
      if (a != seeds_axis) labels.push_back(choices.back()->label);
    }
    Config own = make_config(base, choices);
    ExperimentOptions options = read_experiment(own, files);
    if (sweep.name.empty()) sweep.name = options.name;
    digits.resize(seeds_axis);
    const std::size_t group = groups.emplace(digits, groups.size()).first->second;
    SweepRun run{std::move(own), std::move(options), joined(labels), group,
                 seeds_axis < axes.size()};
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
  const auto json = nlohmann::json::parse(in, nullptr, false);
  try {
    SweepList list{json.at("name"), {}};
    for (const auto& run : json.at("runs"))
      list.runs.push_back(
          {run.at("folder"), run.at("label"), run.at("setting"), run.at("group"), run.at("seed")});
    return list;
  } catch (const nlohmann::json::exception&) {
    throw RunError(file.string() + " is damaged: give the sweep's command again to make it anew");
  }
}

}  // namespace theta
