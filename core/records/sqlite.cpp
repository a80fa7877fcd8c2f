#include "core/records/sqlite.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "core/private_file.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

constexpr int kBusyTimeoutMs = 10'000;
constexpr int kLongestValue = 256 << 20;  // bytes; a file from somebody else may hold anything

/// A file as SQLite's URI for one that nobody changes.
std::string immutable(const std::string& file) {
  std::string uri = "file:";
  for (const char c : file) {
    if (c == '%' || c == '?' || c == '#') {
      uri += c == '%' ? "%25" : c == '?' ? "%3f" : "%23";
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Database::Database(const std::string& file, bool write)
    : file_(file), handle_(nullptr, sqlite3_close) {
  // SQLite gives its log the rights of the file.
  if (write && !std::filesystem::exists(file)) ::close(open_private_file(file));
  open(file_, write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  if (write) return;
  // To read a log there must be an index of it beside the file, which cannot be made in a folder
  // that is read-only. Where there is no log, the file is all there is.
  const int code =
      sqlite3_exec(handle_.get(), "SELECT 1 FROM sqlite_schema", nullptr, nullptr, nullptr);
  const bool no_index = code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
  if (no_index && !std::filesystem::exists(file_ + "-wal"))
    open(immutable(file_), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

void Database::open(const std::string& name, int flags) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(opened);
  check(code);
  check(sqlite3_busy_timeout(opened, kBusyTimeoutMs));
  sqlite3_limit(opened, SQLITE_LIMIT_LENGTH, kLongestValue);
}

void Database::check(int code) const {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return;
  const std::string what = sqlite3_errmsg(handle_.get());
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
      damaged(what);
    case SQLITE_NOTADB:  // a file of another kind, perhaps, which is not to be removed
      throw RunError(file_ +
                     " is damaged, or never was a database: put a copy of it back, or name "
                     "another file");
    case SQLITE_FULL:
      throw RunError(file_ + ": the disk is full: free some space and give the same command again");
    default:
      throw RunError(file_ + ": " + what);
  }
}

void Database::damaged(const std::string& what) const {
  throw RunError(file_ + " is damaged (" + what +
                 "): put a copy of it back, or remove it to run anew");
}

void Database::run(const char* sql) const {
  check(sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr));
}

std::string Database::value(const char* sql) const {
  Statement statement(*this, sql);
  auto row = statement.use();
  require(row.next(), "a query for a value has a row");
  return row.text(0);
}

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }

Statement::Statement(const Database& database, const char* sql)
    : database_(database), handle_(nullptr, sqlite3_finalize) {
  sqlite3_stmt* prepared = nullptr;
  database_.check(sqlite3_prepare_v3(database_.handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT,
                                     &prepared, nullptr));
  handle_.reset(prepared);
}

Statement::Execution::~Execution() {
  sqlite3_reset(statement_.handle_.get());
  sqlite3_clear_bindings(statement_.handle_.get());
}

bool Statement::Execution::next() {
  const int code = sqlite3_step(statement_.handle_.get());
  statement_.database_.check(code);
  return code == SQLITE_ROW;
}

std::string Statement::Execution::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.handle_.get(), column);
  const auto size = sqlite3_column_bytes(statement_.handle_.get(), column);
  bytes_ += static_cast<std::size_t>(size);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::int64_t Statement::Execution::integer(int column) const {
  return sqlite3_column_int64(statement_.handle_.get(), column);
}

double Statement::Execution::real(int column) const {
  return sqlite3_column_double(statement_.handle_.get(), column);
}

void Statement::bind(int index, std::string_view text) {
  database_.check(sqlite3_bind_text64(handle_.get(), index, text.empty() ? "" : text.data(),
                                      text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind(int index, std::int64_t value) {
  database_.check(sqlite3_bind_int64(handle_.get(), index, value));
}

void Statement::bind(int index, double value) {
  require(!std::isnan(value), "no number of the store is NaN");
  database_.check(sqlite3_bind_double(handle_.get(), index, value));
}

Transaction::Transaction(const Database& database) : database_(database) {
  database_.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!committed_) sqlite3_exec(database_.handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.run("COMMIT");
  committed_ = true;
}

Checkpoints::Checkpoints(const Database& database, std::mutex& writing)
    : database_(database),
      writing_(writing),
      own_(database.file(), true),
      thread_([this](std::stop_token stop) { copy_logs(std::move(stop)); }) {
  sqlite3_wal_hook(database_.handle_.get(), on_commit, this);
}

Checkpoints::~Checkpoints() { sqlite3_wal_hook(database_.handle_.get(), nullptr, nullptr); }

int Checkpoints::on_commit(void* self, sqlite3*, const char*, int log_pages) {
  auto& checkpoints = *static_cast<Checkpoints*>(self);
  checkpoints.due_ = log_pages >= kLogPages;
  if (checkpoints.due_) checkpoints.changed_.notify_one();
  return SQLITE_OK;
}

void Checkpoints::copy_logs(std::stop_token stop) {
  const auto copy = [&] {
    sqlite3_exec(own_.handle_.get(), "PRAGMA wal_checkpoint", nullptr, nullptr, nullptr);
  };
  // SQLite itself waits for the disk to have the file only once the log is copied whole.
  const auto sync = [&] {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(own_.handle_.get(), nullptr, SQLITE_FCNTL_FILE_POINTER, &file);
    if (file != nullptr && file->pMethods != nullptr)
      file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  };
  std::unique_lock lock(writing_);
  while (changed_.wait(lock, stop, [&] { return due_; })) {
    // Most of it beside the commits, and twice, as the first copy takes long. The little that came
    // meanwhile is copied with none to come: only a log that is copied whole begins anew.
    lock.unlock();
    for (int i = 0; i < 2; ++i) {
      copy();
      sync();
    }
    lock.lock();
    copy();
    due_ = false;
  }
}

}  // namespace theta
