#include "modules/command_metric.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "core/json_value.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLookForStop_ms = 100;
constexpr std::chrono::milliseconds kPatience{1000}, kPause{5};
constexpr std::size_t kShownBytes = 200;

/// An end of a pipe.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

std::pair<Fd, Fd> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    throw RunError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  return {Fd(ends[0]), Fd(ends[1])};
}

/// While it lives, a write to a pipe that nobody reads is an error, and no signal that ends this
/// process.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutSigpipe() {
    const timespec at_once{};
    while (sigtimedwait(&pipe_, nullptr, &at_once) > 0) continue;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

std::string request_line(const Graded& graded) {
  const auto object = [](const Record& fields) {
    Json out = Json::object();
    for (const auto& [name, value] : fields) out[name] = json_of(value);
    return out;
  };
  Json request = {{"id", graded.example.id},
                  {"example", object(graded.example.fields)},
                  {"prediction", object(graded.prediction.fields)}};
  return write_json(request) + "\n";
}

/// A line as a grade; nullopt where it is none.
std::optional<Grade> read_grade(const std::string& line) {
  Json json;
  try {
    json = Json::parse(line);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  const Json score = json.is_object() ? json.value("score", Json()) : json;
  const Json words = json.is_object() ? json.value("feedback", Json()) : Json();
  if (!(words.is_null() || words.is_string())) return std::nullopt;
  const std::string feedback = words.is_string() ? words.get<std::string>() : "";
  if (score.is_boolean()) return Grade(score.get<bool>() ? 1 : 0, feedback);
  if (!score.is_number()) return std::nullopt;
  const double number = score.get<double>();
  if (!(number >= 0 && number <= 1)) return std::nullopt;
  return Grade(number, feedback);
}

/// The running program.
class Grader {
 public:
  explicit Grader(std::vector<std::string> command)
      : command_(std::move(command)), name_(join(command_, " ")) {}
  ~Grader() {
    if (pid_ < 0) return;
    to_.close();
    for (const int signal : {0, SIGTERM, SIGKILL}) {
      if (signal == 0 && broken_) continue;  // it is in the middle of a wave
      if (signal != 0 && !ended_) kill(-pid_, signal);
      if (wait_for(signal == SIGKILL ? std::chrono::hours(1) : kPatience)) return;
    }
  }
  Grader(const Grader&) = delete;
  Grader& operator=(const Grader&) = delete;

  std::vector<Result<Grade>> grade(std::span<const Graded> wave, const std::stop_token& stop) {
    const std::lock_guard turn(mutex_);
    if (wave.empty()) return {};
    if (pid_ < 0) start();
    if (broken_) throw RunError(fmt::format("the metric's command `{}` has ended", name_));
    broken_ = true;  // until the wave is whole: a later one would read its answers
    std::string unsent;
    for (const Graded& each : wave) unsent += request_line(each);
    std::vector<Result<Grade>> grades;
    const WithoutSigpipe quiet;
    while (grades.size() < wave.size()) {
      if (stop.stop_requested()) throw Interrupted("stopped while the metric's command graded");
      const bool ended = exchange(unsent);
      take_lines(wave, grades);
      if (ended && grades.size() < wave.size()) fail_at(wave[grades.size()]);
    }
    broken_ = false;
    return grades;
  }

 private:
  void start() {
    auto [in, to] = make_pipe();
    auto [from, out] = make_pipe();
    fcntl(to.get(), F_SETFL, O_NONBLOCK);
    fcntl(from.get(), F_SETFL, O_NONBLOCK);
    std::vector<char*> arguments;
    for (std::string& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.get(), STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A group of its own: Ctrl-C is for this process, which ends the program in order.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    pid_t pid = -1;
    const int error =
        posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0)
      throw UserError(fmt::format("the metric's command `{}` cannot be started: {}", name_,
                                  std::strerror(error)));
    pid_ = pid;
    to_ = std::move(to);
    from_ = std::move(from);
  }

  /// Sends and receives what can be at once, or waits a moment.   @return whether the program ended.
  bool exchange(std::string& unsent) {
    std::array<pollfd, 2> ends = {pollfd{from_.get(), POLLIN, 0},
                                  pollfd{unsent.empty() ? -1 : to_.get(), POLLOUT, 0}};
    if (poll(ends.data(), ends.size(), kLookForStop_ms) <= 0) return false;
    if (ends[1].revents != 0) {
      const ssize_t n = write(to_.get(), unsent.data(), unsent.size());
      if (n > 0) unsent.erase(0, static_cast<std::size_t>(n));
      if (n < 0 && errno == EPIPE) unsent.clear();  // what it wrote before its end counts
    }
    if (ends[0].revents == 0) return false;
    std::array<char, 1 << 16> buffer;
    const ssize_t n = read(from_.get(), buffer.data(), buffer.size());
    if (n > 0) received_.append(buffer.data(), static_cast<std::size_t>(n));
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  }

  void take_lines(std::span<const Graded> wave, std::vector<Result<Grade>>& grades) {
    std::size_t begin = 0;
    for (std::size_t end; (end = received_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::string line = received_.substr(begin, end - begin);
      if (strip(line).empty()) continue;
      if (grades.size() == wave.size())
        throw UserError(
            fmt::format("the metric's command `{}` wrote more lines than it was sent: {}", name_,
                        shorten(line, kShownBytes)));
      auto grade = read_grade(line);
      if (!grade)
        throw UserError(fmt::format(
            "the metric's command `{}` wrote `{}` for row `{}`: a line {{\"score\": .., "
            "\"feedback\": \"..\"}} with a score in 0..1 is expected",
            name_, shorten(line, kShownBytes), wave[grades.size()].example.id));
      grades.emplace_back(*std::move(grade));
    }
    received_.erase(0, begin);
  }

  [[noreturn]] void fail_at(const Graded& graded) {
    std::string how = "closed its output";
    if (wait_for(kPatience)) {
      if (WIFEXITED(status_))
        how = fmt::format("ended with exit code {}", WEXITSTATUS(status_));
      else
        how = fmt::format("was ended by signal {} ({})", WTERMSIG(status_),
                          strsignal(WTERMSIG(status_)));
    }
    throw RunError(
        fmt::format("the metric's command `{}` {} at row `{}`", name_, how, graded.example.id));
  }

  /// @return whether it has ended.
  bool wait_for(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!ended_) {
      const pid_t pid = waitpid(pid_, &status_, WNOHANG);
      ended_ = pid == pid_ || (pid < 0 && errno == ECHILD);
      if (ended_ || std::chrono::steady_clock::now() > until) break;
      std::this_thread::sleep_for(kPause);
    }
    return ended_;
  }

  std::vector<std::string> command_;
  const std::string name_;
  std::mutex mutex_;
  pid_t pid_ = -1;
  Fd to_, from_;
  std::string received_;
  bool broken_ = false;
  bool ended_ = false;
  int status_ = 0;
};

}  // namespace

Metric command_metric(std::vector<std::string> command) {
  require(!command.empty(), "a command has a program");
  auto grader = std::make_shared<Grader>(std::move(command));
  return BatchMetric{[grader](std::span<const Graded> wave, const std::stop_token& stop) {
    return grader->grade(wave, stop);
  }};
}

}  // namespace theta
