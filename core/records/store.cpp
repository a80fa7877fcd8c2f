#include "core/records/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <mutex>

#include "core/log.hpp"
#include "core/private_file.hpp"
#include "core/progress.hpp"
#include "core/records/answer_table.hpp"
#include "core/records/claim.hpp"
#include "core/records/response_json.hpp"
#include "core/records/sqlite.hpp"

namespace theta {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, identity TEXT NOT NULL, number INTEGER NOT NULL,
  outcome TEXT NOT NULL, message TEXT NOT NULL, wait_s REAL NOT NULL,
  prompt_tokens INTEGER NOT NULL, generated_tokens INTEGER NOT NULL, lost INTEGER NOT NULL);
CREATE TABLE usage (
  id INTEGER PRIMARY KEY, method TEXT NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL, generated_tokens INTEGER NOT NULL, UNIQUE (method, model));
CREATE TABLE outcomes (
  id INTEGER PRIMARY KEY, method TEXT NOT NULL, model TEXT NOT NULL, item TEXT NOT NULL,
  user TEXT NOT NULL, variant INTEGER NOT NULL, score REAL NOT NULL, margin REAL NOT NULL,
  status TEXT NOT NULL, why TEXT NOT NULL, UNIQUE (method, model, item, variant));
CREATE TABLE trials (
  id INTEGER PRIMARY KEY, search TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
  candidate TEXT NOT NULL, score REAL NOT NULL, evaluations INTEGER NOT NULL,
  improved INTEGER NOT NULL, best REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
  UNIQUE (search, number, kind));
CREATE TABLE timing (id INTEGER PRIMARY KEY, what TEXT NOT NULL UNIQUE, amount REAL NOT NULL);
)";

/// The number of every unit that came from a cache; the others count from 1.
constexpr std::int64_t kUnpaid = 0;

/// An flock on FILE.lock for as long as this lives. The system drops it when its owner dies,
/// however it dies; the file stays and names the last owner.
class Lock {
 public:
  Lock(const std::filesystem::path& file, const std::string& directory) {
    const auto path = file.string() + ".lock";
    fd_ = open_private_file(path);
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      char owner[32] = {};
      const bool known = ::read(fd_, owner, sizeof owner - 1) > 0;
      ::close(fd_);
      if (error != EWOULDBLOCK) {
        throw RunError(path + ": cannot be locked: " + std::strerror(error));
      }
      throw UserError(directory + " is in use by " +
                      (known ? std::string("process ") + owner : "another process"));
    }
    const auto self = std::to_string(::getpid());
    if (::ftruncate(fd_, 0) != 0 || ::write(fd_, self.data(), self.size()) < 0) {
      const int error = errno;
      ::close(fd_);
      throw RunError(path + ": cannot be written: " + std::strerror(error));
    }
  }
  ~Lock() { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_ = -1;
};

std::string parent_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path().string() : ".";
}

/// SQLite's locks and the index of its log hold on one machine only.
/// @throws UserError where a process of another one works with a record.
void refuse_elsewhere(const std::filesystem::path& file) {
  constexpr double kSilentS = 60;  // what is worth a word; a holder says something every 5 s
  const ClaimState claim = look_at_claim(file);
  if (!claim.held_elsewhere()) return;
  const std::string name = claim.holder.name();
  std::string message = parent_of(file) + " is in use by " +
                        (name.empty() ? "another machine" : name + ", on another machine");
  if (claim.silent_s > kSilentS)
    message += ", which has said nothing for " + clock_text(claim.silent_s) +
               ": the sweep's command takes it over";
  throw UserError(message);
}

/// @throws RunError where a database is not the record of a run.
void check_is_record(const Database& database) {
  if (database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'") == "0") {
    throw RunError(database.file() + " is not the record of a run: choose another --out");
  }
}

/// @throws RunError where another version has made it.
void check_schema(const Database& database) {
  const auto schema =
      database.value("SELECT ifnull(max(value), 'none') FROM meta WHERE key = 'schema'");
  if (schema != std::to_string(Store::kSchema)) {
    throw RunError(database.file() + " has schema " + schema + ", this program reads schema " +
                   std::to_string(Store::kSchema) +
                   ": use the version that wrote it, or another --out");
  }
}

/// A view or a computed column gives more than a file holds, and a trigger changes what is written.
/// @throws RunError where there is any.
void check_tables(const Database& database) {
  if (database.value("SELECT (SELECT count(*) FROM sqlite_schema WHERE rootpage = 0) +"
                     " (SELECT count(*) FROM sqlite_schema AS s, pragma_table_xinfo(s.name)"
                     "  WHERE s.type = 'table' AND hidden <> 0)") != "0")
    throw RunError(database.file() +
                   " holds views, triggers or computed columns, and no run makes any: remove them");
}

/// What a report reads of a table at most, in memory: of outcomes, and of what it shows whole.
constexpr std::size_t kMostOutcomes = 512UL << 20;
constexpr std::size_t kMostShown = 64UL << 20;

/// All rows of a query.   @throws RunError where they are more than `most` bytes.
template <typename T, typename Make>
std::vector<T> read_all(const Database& database, Statement& query, const char* what,
                        std::size_t most, const Make& make) {
  std::vector<T> all;
  for (auto row = query.use(); row.next();) {
    all.push_back(make(row));
    if (all.size() * sizeof(T) + row.bytes() > most)
      throw RunError(database.file() + " holds more than " + std::to_string(most >> 20) +
                     " MiB of " + what + ", which no report reads");
  }
  return all;
}

Database open_database(const std::filesystem::path& file, Store::Access access) {
  const bool write = access == Store::Access::kWrite;
  if (!write && !std::filesystem::exists(file)) {
    throw UserError(parent_of(file) + " holds no run: there is no " + file.filename().string());
  }
  // What another program wrote is not opened to be changed, which SQLite does on its own.
  std::error_code none;
  if (write && std::filesystem::file_size(file, none) > 0 && !none) {
    const Database looked_at(file.string(), false);
    if (looked_at.value("SELECT count(*) FROM sqlite_schema") != "0") check_is_record(looked_at);
  }
  Database database(file.string(), write);
  if (write) {
    // A row with a prompt is about half a small page: larger ones hold more and are written at
    // once.
    database.run(
        "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  }
  const auto state = database.value("PRAGMA quick_check(1)");
  if (state != "ok") database.damaged(state);
  if (write && database.value("SELECT count(*) FROM sqlite_schema") == "0") {
    Transaction transaction(database);
    database.run(kTables);
    AnswerTable::create(database, AnswerTable::Index::kInMemory);
    Statement(database, "INSERT INTO meta VALUES ('schema', ?)").run(Store::kSchema);
    transaction.commit();
  }
  check_is_record(database);
  check_schema(database);
  check_tables(database);
  return database;
}

Outcome::Status status_of(std::string_view name) {
  for (const auto status : {Outcome::Status::kScored, Outcome::Status::kUnparsable,
                            Outcome::Status::kRefused, Outcome::Status::kFailed}) {
    if (name_of(status) == name) return status;
  }
  throw RunError("the store holds an outcome of unknown status " + std::string(name));
}

TrialKind kind_of(std::string_view name) {
  for (const auto kind :
       {TrialKind::kDefault, TrialKind::kMinibatch, TrialKind::kFull, TrialKind::kGate}) {
    if (name_of(kind) == name) return kind;
  }
  throw RunError("the store holds a trial of unknown kind " + std::string(name));
}

}  // namespace

std::string_view name_of(Outcome::Status status) {
  switch (status) {
    case Outcome::Status::kScored:
      return "scored";
    case Outcome::Status::kUnparsable:
      return "unparsable";
    case Outcome::Status::kRefused:
      return "refused";
    case Outcome::Status::kFailed:
      return "failed";
  }
  throw std::logic_error("unknown status");
}

Outcome::Status status_of(const Error& error) {
  switch (error.fault) {
    case Fault::kService:
      return Outcome::Status::kFailed;
    case Fault::kPrompt:
      return Outcome::Status::kUnparsable;
    case Fault::kRefused:
      return Outcome::Status::kRefused;
  }
  throw std::logic_error("unknown fault");
}

struct Store::Impl {
  Impl(const std::filesystem::path& file, Access access)
      : lock(access == Access::kWrite ? std::make_unique<Lock>(file, parent_of(file)) : nullptr),
        database(open_database(file, access)),
        answers(database, lock ? AnswerTable::Index::kInMemory : AnswerTable::Index::kNone) {
    if (!lock) return;
    checkpoints.emplace(database, mutex);
    unit = answers.units();
  }

  ~Impl() { put_back(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Writes the file anew where somebody has deleted it meanwhile: it is still open.
  void put_back() {
    const std::filesystem::path file = database.file();
    std::error_code ignored;
    const bool gone = !std::filesystem::exists(file, ignored);
    if (!lock || !gone || !std::filesystem::is_directory(parent_of(file), ignored)) return;
    const std::lock_guard guard(mutex);
    try {
      ::close(open_private_file(file));
      Statement(database, "VACUUM INTO ?").run(std::string_view(database.file()));
      tell("theta: " + database.file() + " was deleted meanwhile: it is written anew");
    } catch (const RunError& e) {
      tell("theta: " + database.file() +
           " was deleted meanwhile, and cannot be written anew: " + e.what());
    }
  }

  const std::unique_ptr<Lock> lock;
  const Database database;
  std::mutex mutex;     // guards all below
  AnswerTable answers;  // a request's is its only one, at place 0
  std::optional<Checkpoints> checkpoints;
  std::int64_t unit = 0;  // the number of the last unit that was paid for
  Statement get_meta{database, "SELECT value FROM meta WHERE key = ?"};
  Statement put_meta{database,
                     "INSERT INTO meta VALUES (?1, ?2)"
                     " ON CONFLICT DO UPDATE SET value = excluded.value"};
  // The tokens of an answer are of all its attempts; those of attempts that no answer came of stand
  // with them alone. Of one identity, or of all where it is empty.
  Statement sum_paid{
      database,
      "SELECT count(answer), total(prompt_tokens), total(generated_tokens) FROM"
      " (SELECT 1 AS answer, identity, prompt_tokens, generated_tokens FROM answers"
      "  WHERE unit <> 0"
      "  UNION ALL SELECT NULL, identity, prompt_tokens, generated_tokens FROM attempts"
      "  WHERE lost = 1)"
      " WHERE ?1 = '' OR identity = ?1"};
  Statement put_attempt{
      database,
      "INSERT INTO attempts"
      " (key, identity, number, outcome, message, wait_s, prompt_tokens, generated_tokens, lost)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement clear_outcomes{database, "DELETE FROM outcomes WHERE method = ? AND model = ?"};
  Statement put_outcome{
      database,
      "INSERT INTO outcomes (method, model, item, user, variant, score, margin, status, why)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement put_usage{
      database,
      "INSERT INTO usage (method, model, calls, prompt_tokens, generated_tokens)"
      " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET calls = excluded.calls,"
      " prompt_tokens = excluded.prompt_tokens, generated_tokens = excluded.generated_tokens"};
  Statement put_trial{
      database,
      "INSERT INTO trials"
      " (search, number, kind, candidate, score, evaluations, improved, best, low, high)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
      " candidate = excluded.candidate, score = excluded.score,"
      " evaluations = excluded.evaluations, improved = excluded.improved, best = excluded.best,"
      " low = excluded.low, high = excluded.high"};
  Statement add_timing{database,
                       "INSERT INTO timing (what, amount) VALUES (?, ?)"
                       " ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"};
  Statement all_outcomes{
      database,
      "SELECT method, model, item, user, variant, score, margin, status, why"
      " FROM outcomes JOIN usage USING (method, model) ORDER BY usage.id, outcomes.id"};
  Statement all_trials{database,
                       "SELECT search, number, kind, candidate, score, evaluations, improved,"
                       " best, low, high FROM trials ORDER BY id"};
  Statement all_usage{database,
                      "SELECT method, model, calls, prompt_tokens, generated_tokens"
                      " FROM usage ORDER BY id"};
  Statement all_timing{database, "SELECT what, amount FROM timing ORDER BY id"};
};

Store::Store(const std::filesystem::path& file, Access access) {
  refuse_elsewhere(file);
  impl_ = std::make_unique<Impl>(file, access);
}

Store::~Store() = default;

std::optional<int> Store::owner(const std::filesystem::path& file) {
  const auto path = file.string() + ".lock";
  int owner = 0;
  // The last owner's name stays behind: a process that lives is asked for, then its lock.
  if (!(std::ifstream(path) >> owner)) return std::nullopt;
  if (::kill(owner, 0) != 0 && errno == ESRCH) return std::nullopt;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  const bool locked = fd >= 0 && ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (fd >= 0) ::close(fd);
  return locked ? std::optional(owner) : std::nullopt;
}

void Store::begin_try() {
  const std::lock_guard guard(impl_->mutex);
  Transaction transaction(impl_->database);
  for (const char* table : {"outcomes", "trials", "usage"})
    impl_->database.run((std::string("DELETE FROM ") + table).c_str());
  impl_->database.run(
      "DELETE FROM meta WHERE key NOT IN ('schema', 'config_hash', 'plan', 'progress')"
      " AND key NOT LIKE 'lessons %'");
  transaction.commit();
}

std::optional<std::string> Store::meta(std::string_view key) const {
  const std::lock_guard guard(impl_->mutex);
  auto row = impl_->get_meta.use(key);
  if (!row.next()) return std::nullopt;
  std::string value = row.text(0);
  if (value.size() > kMostShown)
    impl_->database.damaged("its " + std::string(key) + " is too long");
  return value;
}

void Store::set_meta(std::string_view key, std::string_view value) {
  const std::lock_guard guard(impl_->mutex);
  impl_->put_meta.run(key, value);
}

std::optional<Result<Response>> Store::find(std::string_view key) const {
  if (!impl_->answers.may_hold(key)) return std::nullopt;
  std::vector<AnswerTable::Kept> kept;
  {
    const std::lock_guard guard(impl_->mutex);
    kept = impl_->answers.find(key);
  }
  if (kept.empty()) return std::nullopt;
  return kept.front().answer();
}

void Store::commit(std::string_view identity, const std::vector<Answer>& unit, bool paid) {
  const auto kept = [](const Result<Response>& answer) {
    return answer || answer.error().fault != Fault::kService;
  };
  std::vector<std::string> responses;
  responses.reserve(unit.size());
  for (const auto& [key, request, answer] : unit)
    responses.push_back(kept(answer) ? response_json(answer) : "");
  const std::lock_guard guard(impl_->mutex);
  const std::int64_t number = paid ? impl_->unit + 1 : kUnpaid;
  Transaction transaction(impl_->database);
  for (std::size_t i = 0; i < unit.size(); ++i) {
    const auto& [key, request, answer] = unit[i];
    const int lost = kept(answer) ? 0 : 1;
    for (const auto& attempt : answer ? answer->failed : answer.error().failed) {
      impl_->put_attempt.run(key, identity, attempt.number, attempt.outcome, attempt.message,
                             attempt.wait_s, attempt.prompt_tokens, attempt.generated_tokens, lost);
    }
    if (lost == 1) continue;
    impl_->answers.put({.key = key,
                        .identity = identity,
                        .request = request,
                        .json = responses[i],
                        .usage = usage_of(answer),
                        .unit = number});
  }
  transaction.commit();
  if (paid) impl_->unit = number;
}

Usage Store::kept() const { return kept(""); }

Usage Store::kept(std::string_view identity) const {
  const std::lock_guard guard(impl_->mutex);
  auto row = impl_->sum_paid.use(identity);
  require(row.next(), "a sum has a row");
  return {row.integer(0), row.integer(1), row.integer(2)};
}

void Store::put_row(const std::string& method, const std::string& model,
                    const std::vector<Outcome>& outcomes, const Usage& usage) {
  const std::lock_guard guard(impl_->mutex);
  Transaction transaction(impl_->database);
  impl_->put_usage.run(method, model, usage.calls, usage.prompt_tokens, usage.generated_tokens);
  impl_->clear_outcomes.run(method, model);
  for (const auto& outcome : outcomes) {
    require(outcome.method == method && outcome.model == model, "a row's outcomes are its own");
    require(outcome.score >= 0 && outcome.score <= 1, "a score is in [0, 1]");
    impl_->put_outcome.run(method, model, outcome.item, outcome.group, outcome.variant,
                           outcome.score, outcome.margin, name_of(outcome.status), outcome.why);
  }
  transaction.commit();
}

void Store::put_trial(const TrialRecord& trial) {
  const std::string candidate = to_json(trial.candidate);
  const std::lock_guard guard(impl_->mutex);
  impl_->put_trial.run(trial.search, trial.number, name_of(trial.kind), candidate, trial.score,
                       trial.evaluations, trial.improved ? 1 : 0, trial.best, trial.low,
                       trial.high);
}

void Store::add_timing(std::string_view what, double amount) {
  const std::lock_guard guard(impl_->mutex);
  impl_->add_timing.run(what, amount);
}

std::vector<Outcome> Store::outcomes() const {
  const std::lock_guard guard(impl_->mutex);
  const auto make = [](const Statement::Execution& row) {
    return Outcome{row.text(0),
                   row.text(1),
                   row.text(2),
                   row.text(3),
                   static_cast<int>(row.integer(4)),
                   row.real(5),
                   row.real(6),
                   status_of(row.text(7)),
                   row.text(8)};
  };
  return read_all<Outcome>(impl_->database, impl_->all_outcomes, "outcomes", kMostOutcomes, make);
}

std::vector<TrialRecord> Store::trials() const {
  const std::lock_guard guard(impl_->mutex);
  const auto make = [](const Statement::Execution& row) {
    return TrialRecord{row.text(0),          static_cast<int>(row.integer(1)),
                       kind_of(row.text(2)), candidate_of(row.text(3)),
                       row.real(4),          row.integer(5),
                       row.integer(6) != 0,  row.real(7),
                       row.real(8),          row.real(9)};
  };
  return read_all<TrialRecord>(impl_->database, impl_->all_trials, "trials", kMostShown, make);
}

std::vector<UsageRecord> Store::usage() const {
  const std::lock_guard guard(impl_->mutex);
  const auto make = [](const Statement::Execution& row) {
    return UsageRecord{row.text(0), row.text(1), {row.integer(2), row.integer(3), row.integer(4)}};
  };
  return read_all<UsageRecord>(impl_->database, impl_->all_usage, "usage", kMostShown, make);
}

std::vector<std::pair<std::string, double>> Store::timing() const {
  const std::lock_guard guard(impl_->mutex);
  const auto make = [](const Statement::Execution& row) {
    return std::pair(row.text(0), row.real(1));
  };
  return read_all<std::pair<std::string, double>>(impl_->database, impl_->all_timing, "timing",
                                                  kMostShown, make);
}

}  // namespace theta
