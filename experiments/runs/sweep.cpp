#include "experiments/runs/sweep.hpp"

#include <fmt/format.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "experiments/files.hpp"

namespace theta {

namespace fs = std::filesystem;

namespace {

constexpr const char* kList = "sweep.json";
constexpr const char* kConfig = "config.resolved.yaml";

/// Writes a file unless it holds this already.
void write_new(const fs::path& file, const std::string& content) {
  if (!fs::exists(file) || read_whole(file) != content) write_whole(file, content);
}

}  // namespace

void write_sweep_list(const Sweep& sweep, const fs::path& folder) {
  nlohmann::ordered_json json = {{"name", sweep.name}, {"runs", nlohmann::ordered_json::array()}};
  for (const SweepRun& run : sweep.runs) {
    auto values = nlohmann::ordered_json::object();
    for (const auto& [axis, value] : run.values) values[axis] = value;
    json["runs"].push_back({{"folder", folder_of(run, "").string()},
                            {"label", run.label()},
                            {"setting", run.setting},
                            {"values", std::move(values)},
                            {"group", run.group},
                            {"seed", run.options.seed},
                            {"seeded", run.seeded}});
    make_folder(folder_of(run, folder));
    write_new(folder_of(run, folder) / kConfig, resolved(run.config).dump());
  }
  write_new(folder / kList,
            json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

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

bool holds_sweep(const fs::path& folder) { return fs::exists(folder / kList); }

SweepList read_sweep_list(const fs::path& folder) {
  const fs::path file = folder / kList;
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
                           run.at("seed"),
                           run.value("seeded", false)});
      for (const auto& [axis, value] : run.at("values").items())
        list.runs.back().values.push_back({axis, value});
    }
    return list;
  } catch (const nlohmann::json::exception&) {
    throw RunError(file.string() + " is damaged: give the sweep's command again to make it anew");
  }
}

Sweep read_sweep_folder(const fs::path& folder) {
  SweepList list = read_sweep_list(folder);
  Sweep sweep{std::move(list.name), {}};
  FileHashes hashes;
  for (ListedRun& listed : list.runs) {
    const fs::path file = folder / listed.folder / kConfig;
    Config config = Config::load(file);
    ExperimentOptions options = read_experiment(config, hashes);
    if (options.hash != listed.folder)
      throw UserError(
          fmt::format("{}: what it reads has changed since the sweep began: give the sweep's "
                      "config in place of its folder",
                      file.string()));
    sweep.runs.push_back({std::move(config), std::move(options), std::move(listed.setting),
                          std::move(listed.values), listed.group, listed.seeded});
  }
  return sweep;
}

}  // namespace theta
