#include "tests/support/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include "core/result.hpp"

namespace theta {
namespace {

void check(int error, const std::string& what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

std::string content(std::FILE* file) {
  std::rewind(file);
  std::string text;
  char buffer[4096];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, n);
  return text;
}

}  // namespace

Process::Process(const std::vector<std::string>& command)
    : out_(std::tmpfile()), err_(std::tmpfile()) {
  if (!out_ || !err_) throw std::runtime_error("cannot make a temporary file");
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.data()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t files;
  check(posix_spawn_file_actions_init(&files), "posix_spawn_file_actions_init");
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, fileno(out_.get()), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, fileno(err_.get()), STDERR_FILENO);
  // The program has no part in the sockets of a test's server, which would else outlive it.
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  const int error = posix_spawn(&pid_, arguments[0], &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  check(error, command[0]);
}

Process::~Process() {
  if (ended_) return;
  send(SIGKILL);
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) continue;
}

bool Process::running() {
  if (!ended_) ended_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return !ended_;
}

void Process::send(int signal) const {
  if (!ended_) ::kill(pid_, signal);
}

Finished Process::wait() {
  while (!ended_) {
    ended_ = waitpid(pid_, &status_, 0) == pid_;
    if (!ended_ && errno != EINTR) check(errno, "waitpid");
  }
  return {WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_), content(out_.get()),
          content(err_.get())};
}

std::string output_of(const std::vector<std::string>& command) {
  const Finished finished = run_to_end(command);
  if (finished.code != 0) throw RunError(fmt::format("{}: {}", command[0], finished.err));
  return finished.out;
}

}  // namespace theta
