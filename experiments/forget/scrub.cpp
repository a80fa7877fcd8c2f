#include "experiments/forget/scrub.hpp"

#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/records/sqlite.hpp"
#include "core/records/store.hpp"
#include "core/result.hpp"
#include "experiments/runs/run_record.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

/// Scrubs lists below a value.
/// @return whether what is left of it, in no list, tells of the person
bool scrub_below(Json& json, const Traces& traces, std::size_t& removed) {
  if (json.is_string()) return traces.told_by(json.get_ref<const std::string&>());
  if (json.is_object()) {
    bool tells = false;
    for (auto& [key, value] : json.items()) tells = scrub_below(value, traces, removed) || tells;
    return tells;
  }
  if (!json.is_array()) return false;
  for (auto item = json.begin(); item != json.end();) {
    if (scrub_below(*item, traces, removed)) {
      item = json.erase(item);
      ++removed;
    } else {
      ++item;
    }
  }
  return false;
}

bool has_table(const Database& database, const char* name) {
  Statement query(database, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?");
  return query.use(std::string_view(name)).next();
}

/// Deletes the rows for which `tells` holds.
/// @param select  the rowid, then what `tells` reads
std::size_t remove_rows(const Database& database, const std::string& table,
                        const std::string& columns,
                        const std::function<bool(const Statement::Execution&)>& tells) {
  std::vector<std::int64_t> rows;
  {
    Statement query(database, ("SELECT rowid, " + columns + " FROM " + table).c_str());
    for (auto row = query.use(); row.next();)
      if (tells(row)) rows.push_back(row.integer(0));
  }
  Statement remove(database, ("DELETE FROM " + table + " WHERE rowid = ?").c_str());
  for (const std::int64_t row : rows) remove.run(row);
  return rows.size();
}

/// The parts of a run's record that are no tables.
std::size_t scrub_meta(const Database& database, const Traces& traces) {
  std::vector<std::pair<std::string, std::string>> changed;
  std::size_t removed = 0;
  Statement query(database, "SELECT key, value FROM meta");
  for (auto row = query.use(); row.next();) {
    Json json = Json::parse(row.text(1), nullptr, false);
    if (json.is_discarded() || !json.is_structured()) continue;
    std::size_t here = 0;
    if (row.text(0) == part::kPrompts.name && json.is_array()) {
      for (Json& prompt : json)  // that shows them as demos, or quotes them
        if (prompt.is_object() && traces.told_by(prompt.value("text", ""))) {
          prompt["text"] = "(removed: it told of a person who is forgotten)";
          ++here;
        }
    }
    here += scrub(json, traces);
    if (here == 0) continue;
    removed += here;
    changed.emplace_back(row.text(0), json.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  Statement put(database, "UPDATE meta SET value = ?2 WHERE key = ?1");
  for (const auto& [key, value] : changed) put.run(std::string_view(key), std::string_view(value));
  return removed;
}

void scrub_record(const Database& database, const Traces& traces, const std::set<std::string>& keys,
                  Removed& removed) {
  const auto tells = [&](int from, int to) {
    return [&traces, from, to](const Statement::Execution& row) {
      for (int column = from; column <= to; ++column)
        if (traces.told_by(row.text(column))) return true;
      return false;
    };
  };
  removed["attempts"] +=
      remove_rows(database, "attempts", "key, message", [&](const Statement::Execution& row) {
        return keys.contains(row.text(1)) || tells(2, 2)(row);
      });
  removed["judgements"] += remove_rows(database, "outcomes", "item, user, why", tells(1, 3));
  removed["trials"] += remove_rows(database, "trials", "candidate", tells(1, 1));
  removed["notes"] += scrub_meta(database, traces);
}

/// Also those that were asked for together with one that tells.
void scrub_answers(const Database& database, const Traces& traces, std::set<std::string> keys,
                   Removed& removed) {
  Statement query(database, "SELECT key, request, response FROM answers");
  for (auto row = query.use(); row.next();)
    if (traces.told_by(row.text(1)) || traces.told_by(row.text(2))) keys.insert(row.text(0));
  removed["answers"] +=
      remove_rows(database, "answers", "key",
                  [&](const Statement::Execution& row) { return keys.contains(row.text(1)); });
}

}  // namespace

std::size_t scrub(Json& json, const Traces& traces) {
  std::size_t removed = 0;
  scrub_below(json, traces, removed);
  return removed;
}

bool is_database(const std::filesystem::path& file) {
  constexpr std::string_view kMagic = "SQLite format 3";
  char begin[kMagic.size()] = {};
  std::ifstream in(file, std::ios::binary);
  return in.read(begin, sizeof begin) && std::string_view(begin, sizeof begin) == kMagic;
}

std::set<std::string> keys_told(const std::filesystem::path& record, const Traces& traces) {
  std::set<std::string> keys;
  const Database database(record.string(), /*write=*/false);
  if (!has_table(database, "answers")) return keys;
  Statement query(database, "SELECT key, request, response FROM answers");
  for (auto row = query.use(); row.next();)
    if (traces.told_by(row.text(1)) || traces.told_by(row.text(2))) keys.insert(row.text(0));
  return keys;
}

Removed scrub_database(const std::filesystem::path& file, const Traces& traces,
                       const std::set<std::string>& keys) {
  if (const auto owner = Store::owner(file))
    throw UserError(
        fmt::format("{} is in use by process {}: stop it first", file.string(), *owner));
  Removed removed;
  const Database database(file.string(), /*write=*/true);
  const bool has_answers = has_table(database, "answers"),
             is_record = has_answers && has_table(database, "outcomes"),
             has_vectors = has_table(database, "vectors");
  if (!has_answers && !has_vectors) return removed;  // another program's
  database.run("PRAGMA secure_delete = ON");         // freed bytes are overwritten
  Transaction transaction(database);
  if (is_record) scrub_record(database, traces, keys, removed);
  if (has_answers) scrub_answers(database, traces, keys, removed);
  if (has_vectors) {
    removed["vectors"] = std::stoull(database.value("SELECT count(*) FROM vectors"));
    database.run("DELETE FROM vectors");
  }
  transaction.commit();
  std::erase_if(removed, [](const auto& one) { return one.second == 0; });
  // Also where nothing was removed now: a removal before this one may have been interrupted here.
  if (!removed.empty() || database.value("PRAGMA freelist_count") != "0") database.run("VACUUM");
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  return removed;
}

std::string told_in_database(const std::filesystem::path& file, const Traces& traces) {
  const Database database(file.string(), /*write=*/false);
  std::vector<std::pair<std::string, std::string>> columns;  // of tables
  {
    Statement query(database,
                    "SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c"
                    " WHERE s.type = 'table'");
    for (auto row = query.use(); row.next();) columns.emplace_back(row.text(0), row.text(1));
  }
  const auto quoted = [](const std::string& name) {
    std::string out = "\"";
    for (const char c : name) out += c == '"' ? "\"\"" : std::string(1, c);
    return out + "\"";
  };
  for (const auto& [table, column] : columns) {
    Statement query(database, fmt::format("SELECT {} FROM {} WHERE typeof({}) = 'text'",
                                          quoted(column), quoted(table), quoted(column))
                                  .c_str());
    for (auto row = query.use(); row.next();)
      if (traces.told_by(row.text(0))) return fmt::format("{}.{}", table, column);
  }
  return "";
}

}  // namespace theta
