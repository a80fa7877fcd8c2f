#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

struct sqlite3;
struct sqlite3_stmt;

namespace theta {

/// One connection to an SQLite file, for one thread at a time. Errors are RunError that name the
/// file and what to do.
class Database {
 public:
  /// Waits up to 10 s for a lock of another connection. A file that is read may be in a folder that
  /// is read-only.
  Database(const std::string& file, bool write);

  const std::string& file() const { return file_; }
  void run(const char* sql) const;
  /// The first column of the only row.
  std::string value(const char* sql) const;
  /// The rowid of the row that was inserted last.
  std::int64_t last_row() const;
  [[noreturn]] void damaged(const std::string& what) const;

 private:
  friend class Statement;
  friend class Transaction;
  friend class Checkpoints;
  void open(const std::string& name, int flags);
  void check(int code) const;

  std::string file_;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> handle_;
};

/// A prepared statement. `use()` binds the parameters in their order and begins a new execution.
class Statement {
 public:
  Statement(const Database& database, const char* sql);

  /// One execution; its end frees the statement and the lock that it holds on the file.
  class Execution {
   public:
    explicit Execution(Statement& statement) : statement_(statement) {}
    ~Execution();
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    /// Goes to the next row.   @return false if there is none.
    bool next();
    std::string text(int column) const;
    std::int64_t integer(int column) const;
    double real(int column) const;
    /// Of all that text() gave.
    std::size_t bytes() const { return bytes_; }

   private:
    Statement& statement_;
    mutable std::size_t bytes_ = 0;
  };

  /// Texts must live until the execution ends.
  template <typename... Parameters>
  [[nodiscard]] Execution use(const Parameters&... parameters) {
    int index = 0;
    (bind(++index, parameters), ...);
    return Execution(*this);
  }
  /// Executes a statement that has no rows.
  template <typename... Parameters>
  void run(const Parameters&... parameters) {
    use(parameters...).next();
  }

 private:
  void bind(int index, std::string_view text);
  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, std::int64_t{value}); }
  void bind(int index, double value);

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> handle_;
};

/// Rolled back unless it was committed.
class Transaction {
 public:
  explicit Transaction(const Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  const Database& database_;
  bool committed_ = false;
};

/// Copies a database's log into its file whenever it has grown long, on a thread and a connection
/// of its own: SQLite does it within a commit, which then waits for the disk. What a copy meets is
/// left to the commits, which meet it too.
class Checkpoints {
 public:
  /// The pages after which the log is copied.
  static constexpr int kLogPages = 1000;

  /// @param database  keeps a write-ahead log
  /// @param writing   held by whoever uses `database`
  Checkpoints(const Database& database, std::mutex& writing);
  ~Checkpoints();
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

 private:
  static int on_commit(void* self, sqlite3* database, const char* name, int log_pages);
  void copy_logs(std::stop_token stop);

  const Database& database_;
  std::mutex& writing_;
  bool due_ = false;  // guarded by writing_
  std::condition_variable_any changed_;
  const Database own_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace theta
