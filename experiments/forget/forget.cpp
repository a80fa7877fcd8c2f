#include "experiments/forget/forget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/json_value.hpp"
#include "core/result.hpp"
#include "experiments/files.hpp"
#include "experiments/forget/sources.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/sweep_report.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The files of folders, in an order that is the same every time. Links are not followed.
std::vector<fs::path> files_of(std::span<const fs::path> folders) {
  std::vector<fs::path> files;
  for (const fs::path& folder : folders) {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
      throw UserError(folder.string() + ": there is no such folder");
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

bool is_report(const fs::path& file) {
  return file.filename() == "report.json" || file.filename() == "report.html";
}

/// The log and index of a database, which go with it.
bool is_of_database(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with("-wal") || name.ends_with("-shm");
}

/// One removal on its way.
class Removal {
 public:
  Removal(const Traces& traces, PersonSources& sources, std::vector<fs::path> files)
      : traces_(traces), sources_(sources), files_(std::move(files)) {}

  std::vector<std::pair<std::string, Removed>> all() {
    std::vector<fs::path> records, databases;
    for (const fs::path& file : files_)
      if (is_database(file)) (file.filename() == kRecordFile ? records : databases).push_back(file);
    std::set<std::string> keys;
    for (const fs::path& record : records) keys.merge(keys_told(record, traces_));
    // Personas are known from the records, whose turn is behind that of what only repeats them.
    for (const fs::path& file : databases) note(file, scrub_database(file, traces_, keys));
    for (const fs::path& file : files_)
      if (file.extension() == ".json" && !is_report(file)) scrub_json(file);
    for (const fs::path& file : records) note(file, scrub_database(file, traces_, keys));
    for (const fs::path& file : files_)
      if (is_report(file)) renew_report(file);
    for (const fs::path& file : sources_.rows) scrub_lines(file);
    for (const fs::path& file : sources_.person_files) {
      fs::remove(file);
      note(file, {{"file", 1}});
    }
    return std::move(removed_);
  }

 private:
  void note(const fs::path& file, Removed removed) {
    if (!removed.empty()) removed_.emplace_back(file.string(), std::move(removed));
  }

  void scrub_json(const fs::path& file) {
    if (std::ranges::find(sources_.person_files, file) != sources_.person_files.end()) return;
    Json json;
    try {
      json = parse_json(read_whole(file));
    } catch (const Json::exception&) {
      return;  // the search looks at it as at any other file
    }
    const std::size_t removed = scrub(json, traces_);
    if (removed == 0) return;
    write_whole(file, write_json(json, JsonStyle::kIndented) + "\n");
    note(file, {{"entries", removed}});
  }

  void scrub_lines(const fs::path& file) {
    std::string kept;
    std::size_t removed = 0;
    const std::string text = read_whole(file);
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t to = std::min(text.find('\n', from), text.size() - 1) + 1;
      const std::string line = text.substr(from, to - from);
      if (is_theirs(line))
        ++removed;
      else
        kept += line;
      from = to;
    }
    if (removed == 0) return;
    write_whole(file, kept);
    note(file, {{"rows", removed}});
  }

  bool is_theirs(const std::string& line) const {
    if (traces_.told_by(line)) return true;
    const Json row = Json::parse(line, nullptr, false);
    if (row.is_discarded() || !row.is_object()) return false;
    for (const char* key : {"user_id", "judge"})
      if (row.contains(key) && row[key].dump() == traces_.user()) return true;  // a number
    return false;
  }

  /// Computes a report anew where it tells of the person, or its record did.
  void renew_report(const fs::path& file) {
    const fs::path folder = file.parent_path();
    const bool changed = std::ranges::any_of(removed_, [&](const auto& one) {
      const std::string below = (folder / "").string();
      return one.first.starts_with(below);
    });
    if (!changed && !traces_.find(read_whole(file))) return;
    if (holds_sweep(folder))
      finish_sweep_report(folder);
    else if (fs::exists(folder / kRecordFile))
      write_report(make_report(Store(folder / kRecordFile, Store::Access::kRead)), folder);
    else
      return;
    note(file, {{"computed anew", 1}});
  }

  const Traces& traces_;
  PersonSources& sources_;
  const std::vector<fs::path> files_;
  std::vector<std::pair<std::string, Removed>> removed_;
};

/// Looks at every byte.
void search(const std::vector<fs::path>& files, const Traces& traces, Forgotten& out) {
  for (const fs::path& file : files) {
    ++out.files;
    if (traces.find_id(file.filename().string()))
      out.left.push_back(file.string() + ": the id is in the file's name");
    const bool database = is_database(file);
    // Ids stand beside other columns there, without a word's end: they are sought value by value.
    const std::string bytes = read_whole(file);
    out.bytes += bytes.size();
    if (const auto place = traces.find(bytes, !database && !is_of_database(file)))
      out.left.push_back(fmt::format("{}: {} at byte {}", file.string(), place->what, place->at));
    if (!database) continue;
    if (const std::string value = told_in_database(file, traces); !value.empty())
      out.left.push_back(fmt::format("{}: in {}", file.string(), value));
  }
}

}  // namespace

Forgotten forget_person(const std::string& user, std::span<const fs::path> folders,
                        std::span<const fs::path> pairs) {
  if (user.empty()) throw UserError("whom to forget has no id");
  const std::vector<fs::path> files = files_of(folders);
  PersonSources sources = sources_of(user, files, pairs);
  const Traces traces(sources.person);
  Forgotten out{.texts = traces.texts_sought(), .personas = sources.person.personas.size()};
  out.removed = Removal(traces, sources, files).all();
  search(files_of(folders), traces, out);
  for (const std::string& one : sources.unread)
    out.left.push_back(one +
                       ": without these choices their texts cannot be sought; name the data "
                       "with --pairs");
  if (traces.texts_shared() > 0)
    out.notes.push_back(
        fmt::format("{} texts and personas are other people's too, and are no trace "
                    "but beside others of this person's",
                    traces.texts_shared()));
  if (traces.texts_short() > 0)
    out.notes.push_back(fmt::format("{} texts are too short to be sought", traces.texts_short()));
  for (const std::string& one : sources.elsewhere)
    out.notes.push_back(one +
                        " lies in none of the folders, and holds choices of theirs: a run "
                        "that reads it knows them again");
  return out;
}

}  // namespace theta
