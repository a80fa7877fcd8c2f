#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

#include "core/log.hpp"
#include "core/result.hpp"
#include "experiments/commands/command.hpp"

using namespace theta;

namespace {

/// The engine's threads wait for one another hundreds of times a token. OpenMP's default is to spin
/// for milliseconds, which makes a run up to a hundred times slower when another process holds a
/// core. The runtime reads its settings before main, so they are set for a second start of this
/// program.
void spin_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;  // NOLINT
  setenv("GOMP_SPINCOUNT", "1000", 1);                                          // NOLINT
  execv("/proc/self/exe", argv);
}

/// Files that a program opens get the lowest numbers that are free: none of them may be taken for a
/// standard stream that whoever started this has closed.
void open_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) < 0) open("/dev/null", O_RDWR);  // NOLINT
  }
}

/// Faults of the world that would end the process by a signal. A reader that goes away and a file
/// that may not grow are told by the writing; a file that is mapped into memory and then cut cannot be gone on with.
void outlive_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGBUS, [](int) {
    constexpr std::string_view kWhy =
        "theta: a file in use was cut (a run's run.db-shm, or a model): what is done is kept, and "
        "the same command goes on\n";
    [[maybe_unused]] const auto told = ::write(STDERR_FILENO, kWhy.data(), kWhy.size());
    ::_exit(1);
  });
}

/// Configs refer to models as ${THETA_CACHE}/models/...: the cache of scripts/setup.
void default_cache() {
  const char* home = std::getenv("HOME");                                             // NOLINT
  if (home) setenv("THETA_CACHE", (std::string(home) + "/.cache/theta").c_str(), 0);  // NOLINT
}

/// The first Ctrl-C, or the end of the terminal, asks the run to stop, the second ends the process.
/// Must be called before any other thread is started, as those inherit the blocked signals.
std::jthread watch_signals(std::stop_source& stop) {
  constexpr int kDone = SIGUSR1;  // what the end of the program wakes the thread with
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, kDone}) sigaddset(&signals, signal);
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);  // as nohup has it
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return std::jthread([&stop, signals](const std::stop_token& done) {
    const std::stop_callback wake(done, [self = pthread_self()] { pthread_kill(self, kDone); });
    while (!done.stop_requested()) {
      int signal = 0;
      if (sigwait(&signals, &signal) != 0 || signal == kDone) continue;
      if (stop.stop_requested()) _exit(130);
      tell("\ntheta: stopping; what is done is kept (again to stop at once)");
      stop.request_stop();
    }
  });
}

Command& command_called(const std::string& name,
                        const std::vector<std::unique_ptr<Command>>& commands) {
  for (const auto& command : commands)
    if (command->about().name == name) return *command;
  std::vector<std::string> words;  // that may follow it: `fit` of `persona fit`
  for (const auto& command : commands)
    if (command->about().name.starts_with(name + " "))
      words.push_back(command->about().name.substr(name.size() + 1));
  if (words.empty()) throw UserError("unknown command '" + name + "'; see theta --help");
  throw UserError(fmt::format("theta {} is followed by one of {}; see theta --help", name,
                              fmt::join(words, ", ")));
}

/// Takes the name of a command, which may be of two words, from a command line.
std::string take_name(std::vector<std::string>& line,
                      const std::vector<std::unique_ptr<Command>>& commands) {
  std::string name = line[0];
  line.erase(line.begin());
  // A command of its own: it takes a config where the other takes a table.
  if (name == "replay" && std::erase(line, "--record") > 0) return "replay --record";
  if (line.empty()) return name;
  const std::string both = name + " " + line[0];
  for (const auto& command : commands)
    if (command->about().name == both) {
      line.erase(line.begin());
      return both;
    }
  return name;
}

int run(std::vector<std::string> line, char** argv) {
  const auto commands = make_commands();
  const std::string name = line.empty() ? "help" : line[0];
  if (name == "help" || name == "--help" || name == "-h") {
    std::fputs(help_of(commands).c_str(), stdout);
    return line.empty() ? 2 : 0;
  }
  if (name == "--version") {
    fmt::print("theta {}\n", THETA_VERSION);
    return 0;
  }
  Command& command = command_called(take_name(line, commands), commands);
  const Asked asked = parse(command, line);
  if (asked.help) {
    std::fputs(help_of(command).c_str(), stdout);
    return 0;
  }
  if (command.about().loads_models) spin_briefly(argv);
  default_cache();
  std::stop_source stop;
  const std::jthread watcher = watch_signals(stop);
  Progress progress(isatty(STDERR_FILENO) == 1);
  set_up_logging(asked.verbose ? "debug" : "info", progress);
  return command.run(asked.arguments, {progress, stop.get_token()});
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  outlive_signals();
  try {
    const int code = run({argv + 1, argv + argc}, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw RunError(std::string("the output cannot be written: ") + std::strerror(errno));
    return code;
  } catch (const Interrupted& e) {
    tell(fmt::format("theta: {}", e.what()));
    return 130;
  } catch (const UserError& e) {
    tell(e.what());
    return 2;
  } catch (const std::filesystem::filesystem_error& e) {
    tell(fmt::format("theta: {}: {}", e.path1().string(), e.code().message()));
    return 1;
  } catch (const std::exception& e) {
    tell(fmt::format("theta: {}", e.what()));
    return 1;
  }
}
