#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/records/sqlite.hpp"

namespace theta {

/// Kept answers: the table `answers` of an SQLite file, which a run's record and the caches that
/// runs share have alike. A key has one answer, or the answers of all that was asked as one, each in
/// its place. All but may_hold() is for one thread at a time.
class AnswerTable {
 public:
  /// How a key is found.
  enum class Index {
    kInFile,    ///< several processes write to the file
    kInMemory,  ///< one process writes: what its index needs of the disk is nothing
    kNone       ///< others write: the table is searched
  };
  /// Makes the table in an empty file.
  static void create(const Database& database, Index index);

  /// `database` outlives this.
  AnswerTable(const Database& database, Index index);

  struct Kept {
    std::string json;  ///< response_json
    std::int64_t prompt_tokens = 0, generated_tokens = 0;
    /// @throws RunError if it is damaged.
    Result<Response> answer() const;
  };
  /// By place; empty where nothing is kept.
  std::vector<Kept> find(std::string_view key);
  /// False where find() is known to bring nothing, without waiting for anyone who writes.
  bool may_hold(std::string_view key) const;

  struct Row {
    std::string_view key;
    std::int64_t place = 0;
    std::string_view identity;  ///< of the model
    std::string_view request;   ///< canonical JSON
    std::string_view json;      ///< response_json of the answer
    Usage usage;
    std::int64_t unit = 0;  ///< what was asked together, in a record; 0: it was paid for elsewhere
  };
  /// What is kept at the place already stays.
  void put(const Row& row);

  /// The highest unit.
  std::int64_t units() const;

 private:
  bool holds(std::string_view key, std::int64_t place);

  const Database& database_;
  const Index index_;
  // By the hash of their keys. Keys come in no order: an index in the file would have pages all
  // over it written anew by every commit.
  std::unordered_multimap<std::size_t, std::int64_t> rows_;
  mutable std::mutex rows_mutex_;
  Statement search_, get_, has_, put_;
};

}  // namespace theta
