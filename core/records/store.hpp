#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/records/trial.hpp"

namespace theta {

/// What came of one scored item under one method: the smallest fact a report is made of.
struct Outcome {
  enum class Status { kScored, kUnparsable, kRefused, kFailed };
  std::string method;  ///< the row of the report: `untouched`
  std::string model;   ///< the column: `teacher`, `student`
  std::string item;    ///< the example's id
  std::string group;   ///< of items that belong together; empty: the item stands alone
  int variant = 0;     ///< where an item is asked in several ways: which
  double score = 0;    ///< [0, 1]
  /// Nats in favour of the answer wanted, of this variant alone, where options were scored.
  double margin = 0;
  Status status = Status::kScored;
  std::string why = {};  ///< where it is not scored: what was wrong
};

/// What becomes of an item that brought this in place of an answer: unparsable and refused ones
/// score 0, failed ones have no score.
Outcome::Status status_of(const Error& error);

/// `scored`, `unparsable`, `refused` or `failed`.
std::string_view name_of(Outcome::Status status);

struct UsageRecord {
  std::string method, model;
  Usage usage;
};

/// The record of a run: one SQLite file in WAL mode. Every request, response, score and token count
/// of a run is here, and the report is computed from it alone. Thread-safe. Tables: meta,
/// answers, attempts, outcomes, trials, usage, timing; `meta.schema` is kSchema.
///
/// What a call has written when it returns survives SIGKILL; a power failure may cost the last
/// calls, whole, and never the file. Writing what is there already replaces it in its place, so
/// that a run done again over its store leaves the same record. Any member may throw RunError: disk
/// full, damaged file.
class Store {
 public:
  static constexpr int kSchema = 7;

  enum class Access {
    kWrite,  ///< creates the file if need be; one live owner
    kRead    ///< a run that may be going on; every write throws RunError
  };

  /// @throws RunError if the file is damaged or of another schema version.
  /// @throws UserError for kWrite while another Store owns the file, naming the process; for kRead
  ///   if there is none; for both while a process of another machine holds its Claim.
  explicit Store(const std::filesystem::path& file, Access access = Access::kWrite);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// The process that holds the file for writing; none where nobody does, or there is no file.
  static std::optional<int> owner(const std::filesystem::path& file);

  /// Forgets everything that an earlier try at the run made of its answers: rows, trials, usage,
  /// and all meta but the config's hash, what is to come (`plan`), what the run went on for and what
  /// was learnt of its models (`lessons ..`). Answers, attempts and timing stay, so that the new try
  /// finds the answers and leaves the record that it would have left alone.
  void begin_try();

  std::optional<std::string> meta(std::string_view key) const;
  void set_meta(std::string_view key, std::string_view value);

  /// For the time of a call: all that it names is its caller's.
  struct Answer {
    std::string_view key;      ///< SHA-256 of the canonical request and the model's identity, hex
    std::string_view request;  ///< canonical JSON
    const Result<Response>& response;  ///< of a service's fault only the attempts are kept
  };
  /// What is kept for a key. Quick for the owner alone.
  std::optional<Result<Response>> find(std::string_view key) const;
  /// Keeps the answers of one unit: all or, if the process dies, none. An answer that is kept
  /// already stays.
  /// @param paid  false: they came from a cache
  void commit(std::string_view identity, const std::vector<Answer>& unit, bool paid = true);

  /// Answers kept and their tokens, of those that were paid for, once each; and the tokens of
  /// attempts that no answer came of.
  Usage kept() const;
  /// The same of one model.
  Usage kept(std::string_view identity) const;

  /// Replaces all that is known of this method and model, in one transaction. Usage of something
  /// that is no row of the table (a search) comes without outcomes.
  void put_row(const std::string& method, const std::string& model,
               const std::vector<Outcome>& outcomes, const Usage& usage);
  void put_trial(const TrialRecord& trial);  ///< by search, number and kind
  /// Adds to the run's host counters, kept over restarts.
  void add_timing(std::string_view what, double amount);

  // All in the order in which they were first put; outcomes row by row.
  std::vector<Outcome> outcomes() const;
  std::vector<TrialRecord> trials() const;
  std::vector<UsageRecord> usage() const;
  std::vector<std::pair<std::string, double>> timing() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace theta
