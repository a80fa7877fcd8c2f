#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/progress.hpp"

namespace boost::program_options {
class options_description;
}  // namespace boost::program_options

namespace theta {

using Options = boost::program_options::options_description;

/// What a command exits with when a budget ended its run.
inline constexpr int kBudgetSpent = 3;
/// Where a service left something without an answer that what was done rests on.
inline constexpr int kAnswersMissing = 4;

/// A command of the program: `theta NAME ARGUMENTS OPTIONS`.
class Command {
 public:
  struct About {
    std::string name;       ///< `run`
    std::string arguments;  ///< those that are no options, as its usage names them: `CONFIG...`
    std::size_t least = 1, most = 1;  ///< how many of these
    bool loads_models = false;        ///< and so starts the engine's threads
    std::string help;                 ///< what it does, in lines of at most 90 columns
  };
  /// What it may use while it runs.
  struct Host {
    Progress& progress;
    std::stop_token stop;
  };

  explicit Command(About about) : about_(std::move(about)) {}
  virtual ~Command() = default;

  const About& about() const { return about_; }
  /// Declares what it takes: name, value and purpose of each option. Values go where run() finds
  /// them.
  virtual void declare(Options& options) = 0;
  /// @return the exit code
  virtual int run(const std::vector<std::string>& arguments, const Host& host) = 0;

 private:
  About about_;
};

/// The program's commands, in the order in which its help names them.
std::vector<std::unique_ptr<Command>> make_commands();

/// `theta run CONFIG [--set key=value]... [--out DIR]`, made of what it declares.
std::string usage_of(Command& command);
/// What all commands do, and what one does with each of its options.
std::string help_of(const std::vector<std::unique_ptr<Command>>& commands);
std::string help_of(Command& command);

/// What was asked of a command beside its own options.
struct Asked {
  std::vector<std::string> arguments = {};
  bool help = false, verbose = false;
};
/// Reads a command line into a command.
/// @throws UserError for what the command does not take, and unless `help` for what it lacks.
Asked parse(Command& command, const std::vector<std::string>& line);

/// A config with what the command line changes in it.
/// @param sets  `key.path=value`
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& sets);

}  // namespace theta
