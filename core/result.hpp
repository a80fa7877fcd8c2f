#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace theta {

/// Whose fault a failed item is. A service's fault is retried, counted and never becomes a score. The
/// other two are the prompt's own: outcomes, kept like answers, scored and counted apart.
enum class Fault {
  kService,  ///< timeout, transport, rate limit, refused connection
  kPrompt,   ///< an answer that cannot be parsed
  kRefused   ///< no answer: this prompt is longer than the window, or a filter took it
};

/// An attempt at an item that did not bring its answer.
struct FailedAttempt {
  int number = 1;       ///< the item's first is 1
  std::string outcome;  ///< of what kind: `timeout`, `status 429`
  std::string message;
  double wait_s = 0;                                     ///< before the next attempt
  std::int64_t prompt_tokens = 0, generated_tokens = 0;  ///< that it took all the same
};

/// Why one item failed.
struct Error {
  Fault fault = Fault::kService;
  std::string message;
  std::vector<FailedAttempt> failed = {};  ///< every attempt, where there were several to make
  std::int64_t prompt_tokens = 0, generated_tokens = 0;  ///< that it took, all attempts together
};

/// A value or the Error that stands in its place. Used where a failure of one item is expected and
/// the run goes on.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: implicit on purpose

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  T& operator*() { return std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }
  const Error& error() const { return std::get<Error>(state_); }
  Error& error() { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// The user's mistake: ends the run with one line and exit code 2. The message says what to do, and
/// where (`file:line:col: message`) if it came from a file.
class UserError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The world's fault (full disk, damaged store): ends the run with one line and exit code 1.
class RunError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Ctrl-C or a spent budget: what is done is kept, and the same command goes on from there.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Checks an invariant in every build.
/// @throws std::logic_error naming `what`: our bug, not the user's.
inline void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(std::string("broken invariant: ") + what);
}

}  // namespace theta
