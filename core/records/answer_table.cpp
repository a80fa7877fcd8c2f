#include "core/records/answer_table.hpp"

#include <algorithm>
#include <functional>

#include "core/records/response_json.hpp"

namespace theta {
namespace {

constexpr const char* kTable = R"(
CREATE TABLE answers (
  key TEXT NOT NULL, place INTEGER NOT NULL, identity TEXT NOT NULL, request TEXT NOT NULL,
  response TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, generated_tokens INTEGER NOT NULL,
  unit INTEGER NOT NULL);
)";
constexpr const char* kIndex = "CREATE UNIQUE INDEX answers_by_key ON answers (key, place)";

std::size_t hash_of(std::string_view key) { return std::hash<std::string_view>()(key); }

}  // namespace

void AnswerTable::create(const Database& database, Index index) {
  database.run(kTable);
  if (index == Index::kInFile) database.run(kIndex);
}

AnswerTable::AnswerTable(const Database& database, Index index)
    : database_(database),
      index_(index),
      search_(database,
              "SELECT response, prompt_tokens, generated_tokens FROM answers WHERE key = ?"
              " ORDER BY place"),
      get_(database,
           "SELECT response, prompt_tokens, generated_tokens, place FROM answers"
           " WHERE rowid = ? AND key = ?"),
      has_(database, "SELECT 1 FROM answers WHERE rowid = ? AND key = ? AND place = ?"),
      put_(database, "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)") {
  if (index != Index::kInMemory) return;
  Statement all(database, "SELECT rowid, key FROM answers");
  for (auto row = all.use(); row.next();) rows_.emplace(hash_of(row.text(1)), row.integer(0));
}

Result<Response> AnswerTable::Kept::answer() const {
  return response_of(json, prompt_tokens, generated_tokens);
}

std::vector<AnswerTable::Kept> AnswerTable::find(std::string_view key) {
  const auto read = [](const Statement::Execution& row) {
    return Kept{row.text(0), row.integer(1), row.integer(2)};
  };
  std::vector<Kept> kept;
  if (index_ != Index::kInMemory) {
    for (auto row = search_.use(key); row.next();) kept.push_back(read(row));
    return kept;
  }
  std::vector<std::pair<std::int64_t, Kept>> placed;
  const auto [begin, end] = rows_.equal_range(hash_of(key));
  for (auto it = begin; it != end; ++it)
    if (auto row = get_.use(it->second, key); row.next())
      placed.emplace_back(row.integer(3), read(row));
  std::ranges::sort(placed, {}, [](const auto& one) { return one.first; });
  for (auto& [place, one] : placed) kept.push_back(std::move(one));
  return kept;
}

bool AnswerTable::may_hold(std::string_view key) const {
  if (index_ != Index::kInMemory) return true;
  const std::lock_guard lock(rows_mutex_);
  return rows_.contains(hash_of(key));
}

bool AnswerTable::holds(std::string_view key, std::int64_t place) {
  const auto [begin, end] = rows_.equal_range(hash_of(key));
  return std::any_of(begin, end,
                     [&](const auto& row) { return has_.use(row.second, key, place).next(); });
}

void AnswerTable::put(const Row& row) {
  if (holds(row.key, row.place)) return;
  put_.run(row.key, row.place, row.identity, row.request, row.json, row.usage.prompt_tokens,
           row.usage.generated_tokens, row.unit);
  if (index_ != Index::kInMemory) return;
  const std::lock_guard lock(rows_mutex_);
  rows_.emplace(hash_of(row.key), database_.last_row());
}

std::int64_t AnswerTable::units() const {
  return std::stoll(database_.value("SELECT ifnull(max(unit), 0) FROM answers"));
}

}  // namespace theta
