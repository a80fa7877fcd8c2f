#include "experiments/forget/sources.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/config.hpp"
#include "experiments/data/preference_pairs.hpp"
#include "experiments/files.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// Adds what a file of choices holds.   @return whether there are any of the person's.
bool add_choices(const fs::path& file, KnownPerson& person) {
  bool theirs = false;
  visit_choices(file, [&](const std::string& user, const PreferencePair& pair) {
    if (user == person.user) {
      theirs = true;
      if (pair.id.find(user) != std::string::npos) person.pair_ids.push_back(pair.id);
      person.pairs.push_back({pair.context, pair.chosen, pair.rejected});
    } else {
      for (const auto& text : {pair.context, pair.chosen, pair.rejected})
        person.of_others.push_back(text);
    }
  });
  return theirs;
}

/// Adds what a file of `theta persona fit` says.   @return whether it is of the person.
bool add_person_file(const fs::path& file, KnownPerson& person) {
  const auto json = nlohmann::json::parse(read_whole(file), nullptr, false);
  const nlohmann::json::json_pointer place("/metadata/theta/personas/person");
  if (json.is_discarded() || !json.contains(place)) return false;
  const auto& found = json.at(place);
  const bool theirs = found.value("id", "") == person.user;
  for (const auto& pair : found.value("pairs", nlohmann::json::array())) {
    std::vector<std::string> texts;
    for (const char* key : {"context", "chosen", "rejected"}) texts.push_back(pair.value(key, ""));
    if (theirs && pair.value("id", "").find(person.user) != std::string::npos)
      person.pair_ids.push_back(pair.value("id", ""));
    if (theirs)
      person.pairs.push_back(std::move(texts));
    else
      person.of_others.insert(person.of_others.end(), texts.begin(), texts.end());
  }
  (theirs ? person.personas : person.of_others).push_back(found.value("persona", ""));
  return theirs;
}

/// Adds the personas of a run.   @return the data that it read, where it tested the person
std::optional<std::string> add_run(const fs::path& file, KnownPerson& person) {
  const Store store(file, Store::Access::kRead);
  bool tested = false;
  for (const PersonaRecord& record : get(store, part::kPersonas)) {
    const bool theirs = record.user == person.user;
    tested = tested || theirs;
    // A taste in words, or a pool's persona, that several people got is nobody's.
    (theirs ? person.personas : person.of_others).push_back(record.persona);
  }
  if (!tested)
    tested = std::ranges::any_of(store.outcomes(),
                                 [&](const Outcome& one) { return one.group == person.user; });
  const auto config = find(store, part::kConfig);
  if (!config) return std::nullopt;
  const Config data = Config::parse(*config, "config").literal();
  const auto section = data.find("data");
  const auto pairs = section ? section->find("pairs") : std::nullopt;
  if (!pairs) return std::nullopt;  // made up, or a task
  return pairs->text("file", "");
}

}  // namespace

PersonSources sources_of(const std::string& user, std::span<const fs::path> files,
                         std::span<const fs::path> given) {
  PersonSources out;
  out.person.user = user;
  std::set<fs::path> read;
  const auto is_new = [&](const fs::path& file) {
    std::error_code ignored;
    return read.insert(fs::weakly_canonical(file, ignored)).second;
  };
  for (const fs::path& file : given)
    if (is_new(file) && add_choices(file, out.person)) out.elsewhere.push_back(file.string());
  for (const fs::path& file : files) {
    const std::string extension = file.extension().string();
    if (extension == ".json" && add_person_file(file, out.person)) out.person_files.push_back(file);
    if (extension != ".jsonl") continue;
    out.rows.push_back(file);
    if (!is_new(file)) continue;
    try {
      add_choices(file, out.person);
    } catch (const UserError&) {  // rows of something else
    }
  }
  for (const fs::path& file : files) {
    if (file.filename() != kRecordFile) continue;
    const auto data = add_run(file, out.person);
    if (!data || !is_new(*data)) continue;
    try {
      if (add_choices(*data, out.person)) out.elsewhere.push_back(*data);
    } catch (const UserError& e) {
      out.unread.push_back(file.string() + ": " + e.what());
    }
  }
  // What lies in the folders themselves is dealt with there.
  std::erase_if(out.elsewhere, [&](const std::string& one) {
    return std::ranges::any_of(files, [&](const fs::path& file) {
      std::error_code ignored;
      return fs::equivalent(one, file, ignored);
    });
  });
  return out;
}

}  // namespace theta
