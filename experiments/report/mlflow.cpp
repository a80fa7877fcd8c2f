#include "experiments/report/mlflow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/config.hpp"
#include "core/models/http/url.hpp"
#include "core/sha256.hpp"
#include "experiments/files.hpp"
#include "experiments/report/report.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/run_record.hpp"
#include "experiments/runs/sweep.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

// The layout, the names that are allowed and the longest values are those of mlflow's
// store/tracking/file_store.py and utils/validation.py (3.18).
constexpr std::size_t kLongestName = 80;     // of a part; a whole one may have 250
constexpr std::size_t kLongestParam = 6000;  // bytes; it counts characters
constexpr int kFinished = 3, kKilled = 5, kLocal = 4;

/// A part of a name: letters, digits and `_.- :`, and not a folder that every folder has.
std::string part_of(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0U) == 0x80U) continue;  // a character is one letter, whatever its bytes
    const bool allowed = byte < 0x80 && (std::isalnum(byte) != 0 || c == '_' || c == '.' ||
                                         c == '-' || c == ' ' || c == ':');
    out += allowed ? c : '_';
  }
  out.resize(std::min(out.size(), kLongestName));
  return out.empty() || out.find_first_not_of('.') == std::string::npos ? "_" + out : out;
}

std::string name_of_parts(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "/") + part_of(part);
  return out;
}

/// A text as YAML and JSON have it.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string uri_of(const fs::path& path) {
  std::string out = "file://";
  for (const fs::path& part : fs::path(absolute_path(path)).relative_path())
    out += "/" + percent_encoded(part.string());
  return out;
}

/// A folder with a file for each name, some of them in folders of their own.
class NamedFiles {
 public:
  explicit NamedFiles(fs::path folder) : folder_(std::move(folder)) {}

  void write(const std::string& wanted, const std::string& content) {
    std::string name = wanted;
    for (int n = 2; !names_.insert(name).second; ++n) name = fmt::format("{}_{}", wanted, n);
    make_folder((folder_ / name).parent_path());
    write_whole(folder_ / name, content);
  }

 private:
  const fs::path folder_;
  std::set<std::string> names_;
};

/// The values of a config by dotted keys.
void flatten(const Config& config, const std::string& key,
             std::vector<std::pair<std::string, std::string>>& out) {
  // What may hold a key, or the way to one.
  static const std::set<std::string, std::less<>> kLeftOut = {"headers", "query", "command"};
  const auto below = [&](const std::string& name) { return key.empty() ? name : key + "." + name; };
  if (config.is_map()) {
    for (const auto& [name, value] : config.entries())
      if (!kLeftOut.contains(name)) flatten(value, below(name), out);
  } else if (config.is_sequence()) {
    const auto items = config.items();
    for (std::size_t i = 0; i < items.size(); ++i) flatten(items[i], below(std::to_string(i)), out);
  } else {
    out.emplace_back(key, config.is_null() ? "" : config.written());
  }
}

/// A run as it is exported.
struct Exported {
  fs::path folder;    ///< of the run
  std::string label;  ///< for people
  std::vector<AxisValue> values = {};
  std::string sweep = {};  ///< the name of its sweep
};

/// Writes one run into a store.
class RunWriter {
 public:
  RunWriter(const Exported& run, const Store& record, std::string experiment, const fs::path& store)
      : run_(run),
        report_(make_report(record)),
        config_(Config::parse(report_.config, "config").literal()),
        experiment_(std::move(experiment)),
        id_(sha256(report_.name + " " + report_.config_hash).substr(0, 32)),
        folder_(store / experiment_ / id_) {
    const Standing standing = get(record, part::kStanding);
    end_ms_ = static_cast<std::int64_t>(standing.at * 1000);
    start_ms_ = end_ms_ - static_cast<std::int64_t>(standing.seconds * 1000);
  }

  /// @return what was left out; empty: nothing.
  std::string write(RunState state) {
    for (const char* part : {"params", "metrics", "tags", "artifacts"}) make_folder(folder_ / part);
    write_params();
    write_metrics();
    write_tags(state);
    const bool of_people = config_.find("personas") || config_.find("rewards");
    if (!of_people)
      for (const char* name : {"prompt.json", "report.html", "report.json"})
        if (fs::exists(run_.folder / name))
          write_whole(folder_ / "artifacts" / name, read_whole(run_.folder / name));
    write_meta(state);  // last: what has none is no run
    return of_people ? run_.label + ": its prompt and its report, which hold what people wrote"
                     : "";
  }

 private:
  void write_params() const {
    std::vector<std::pair<std::string, std::string>> all;
    flatten(config_, "", all);
    NamedFiles params(folder_ / "params");
    for (const auto& [key, value] : all)
      params.write(part_of(key), shorten(replace_all(value, "\n", " "), kLongestParam));
  }

  void write_metrics() const {
    std::map<std::string, std::string> lines;  // by name
    const auto add = [&](const std::vector<std::string>& name, std::optional<double> value,
                         std::int64_t step = 0) {
      if (value) lines[name_of_parts(name)] += fmt::format("{} {} {}\n", end_ms_, *value, step);
    };
    for (const TrialRecord& trial : report_.trials) {
      const bool gate = trial.kind == TrialKind::kGate;
      add({"trials", trial.search, gate ? "gate" : "score"}, trial.score, trial.number);
      if (!gate) add({"trials", trial.search, "best"}, trial.best, trial.number);
    }
    for (const Report::Row& row : report_.rows) {
      const auto of = [&](const char* what) {
        return std::vector<std::string>{"test", row.method, row.model, what};
      };
      add(of("accuracy"), row.accuracy);
      add(of("low"), row.low);
      add(of("high"), row.high);
      for (const auto& [what, count] : {std::pair("unparsable", row.unparsable),
                                        {"refused", row.refused},
                                        {"failed", row.failed}})
        add(of(what), static_cast<double>(count));
    }
    for (const UsageRecord& one : report_.usage_by_role) {
      add({"usage", one.method, one.model, "calls"}, static_cast<double>(one.usage.calls));
      add({"usage", one.method, one.model, "prompt_tokens"},
          static_cast<double>(one.usage.prompt_tokens));
      add({"usage", one.method, one.model, "generated_tokens"},
          static_cast<double>(one.usage.generated_tokens));
    }
    NamedFiles metrics(folder_ / "metrics");
    for (const auto& [name, text] : lines) metrics.write(name, text);
  }

  void write_tags(RunState state) const {
    NamedFiles tags(folder_ / "tags");
    tags.write("mlflow.runName", run_.label);
    tags.write("mlflow.source.name", "theta");
    tags.write("mlflow.source.type", "LOCAL");
    tags.write("theta.state", name_of(state));
    tags.write("theta.hash", report_.config_hash);
    tags.write("theta.seed", std::to_string(report_.seed));
    if (!run_.sweep.empty()) tags.write("theta.sweep", run_.sweep);
    for (const auto& [axis, value] : run_.values) tags.write(part_of("axis." + axis), value);
  }

  void write_meta(RunState state) const {
    const int status = state == RunState::kDone ? kFinished : kKilled;
    write_whole(folder_ / "meta.yaml", fmt::format("artifact_uri: {}\n"
                                                   "end_time: {}\n"
                                                   "entry_point_name: ''\n"
                                                   "experiment_id: '{}'\n"
                                                   "lifecycle_stage: active\n"
                                                   "run_id: {}\n"
                                                   "run_name: {}\n"
                                                   "run_uuid: {}\n"
                                                   "source_name: ''\n"
                                                   "source_type: {}\n"
                                                   "source_version: ''\n"
                                                   "start_time: {}\n"
                                                   "status: {}\n"
                                                   "tags: []\n"
                                                   "user_id: ''\n",
                                                   quoted(uri_of(folder_ / "artifacts")), end_ms_,
                                                   experiment_, quoted(id_), quoted(run_.label),
                                                   quoted(id_), kLocal, start_ms_, status));
  }

  const Exported& run_;
  const Report report_;
  const Config config_;
  const std::string experiment_, id_;
  const fs::path folder_;
  std::int64_t start_ms_ = 0, end_ms_ = 0;
};

/// The name of the experiment in a folder of the store; nothing where there is none.
std::optional<std::string> experiment_in(const fs::path& folder) {
  const fs::path meta = folder / "meta.yaml";
  std::error_code none;
  if (!fs::is_regular_file(meta, none)) return std::nullopt;
  return Config::load(meta).literal().text("name", "");
}

/// The id of the experiment of a name, which is made if there is none.
std::string experiment_called(const std::string& name, const fs::path& store) {
  make_folder(store);
  for (const auto& entry : fs::directory_iterator(store))
    if (experiment_in(entry.path()) == name) return entry.path().filename().string();
  std::uint64_t id = 0;
  const std::string digits = sha256(name).substr(0, 15);
  std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  while (fs::exists(store / std::to_string(id))) ++id;
  const fs::path folder = store / std::to_string(id);
  make_folder(folder);
  write_whole(folder / "meta.yaml", fmt::format("artifact_location: {}\n"
                                                "experiment_id: '{}'\n"
                                                "lifecycle_stage: active\n"
                                                "name: {}\n",
                                                quoted(uri_of(folder)), id, quoted(name)));
  return std::to_string(id);
}

/// The runs of a folder, and what they are of.
std::pair<std::string, std::vector<Exported>> runs_in(const fs::path& from) {
  if (holds_sweep(from)) {
    const SweepList list = read_sweep_list(from);
    std::vector<Exported> runs;
    for (const ListedRun& run : list.runs)
      runs.push_back({from / run.folder, run.label, run.values, list.name});
    return {list.name, std::move(runs)};
  }
  if (!fs::exists(from / kRecordFile))
    throw UserError(from.string() + " holds neither a run nor a sweep");
  const std::string name = get(Store(from / kRecordFile, Store::Access::kRead), part::kName);
  return {name, {{from, name}}};
}

}  // namespace

MlflowExport export_to_mlflow(const fs::path& from, const fs::path& store) {
  auto [name, runs] = runs_in(from);
  MlflowExport out{name, 0, {}};
  std::string experiment;
  for (const Exported& run : runs) {
    const RunStatus status = read_status(run.folder);
    const bool ended = status.state != RunState::kWaiting && status.state != RunState::kRunning &&
                       status.state != RunState::kFailed;
    if (!ended) {
      out.left_out.push_back(fmt::format("{}: it is {}", run.label, name_of(status.state)));
      continue;
    }
    if (experiment.empty()) experiment = experiment_called(name, store);
    const Store record(run.folder / kRecordFile, Store::Access::kRead);
    const std::string left_out = RunWriter(run, record, experiment, store).write(status.state);
    if (!left_out.empty()) out.left_out.push_back(left_out);
    ++out.runs;
  }
  return out;
}

}  // namespace theta
