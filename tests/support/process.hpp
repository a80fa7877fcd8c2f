#pragma once

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace theta {

/// What is left of a program that ended.
struct Finished {
  int code = 0;  ///< exit code, or minus the signal that ended it
  std::string out, err;
};

/// A program that a test starts. Its input is empty and its output is kept.
class Process {
 public:
  /// @param command  path of the program and its arguments
  /// @throws std::system_error if it cannot be started.
  explicit Process(const std::vector<std::string>& command);
  /// Kills what still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool running();
  void send(int signal) const;
  /// Waits for the end. Only once.
  Finished wait();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> out_, err_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

inline Finished run_to_end(const std::vector<std::string>& command) {
  return Process(command).wait();
}

/// What a program prints.   @throws RunError with what it says if it fails.
std::string output_of(const std::vector<std::string>& command);

}  // namespace theta
