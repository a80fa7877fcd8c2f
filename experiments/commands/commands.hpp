#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/progress.hpp"

namespace theta {

/// A config with what the command line changes in it.
/// @param sets  `key.path=value`
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& sets);

struct RunArguments {
  std::filesystem::path config;
  std::vector<std::string> sets;  ///< `key.path=value`
  std::filesystem::path out;      ///< empty: runs/NAME-HASH
  bool dry_run = false;
};

/// What a command exits with when a budget ended its run.
inline constexpr int kBudgetSpent = 3;
/// Where a service left something without an answer that what was done rests on.
inline constexpr int kAnswersMissing = 4;

/// `theta run`: an experiment from start to report, or on from where it stopped.
/// @return the exit code
int run_command(const RunArguments& arguments, Progress& progress, std::stop_token stop);

struct SweepArguments {
  std::filesystem::path config;
  std::vector<std::string> sets;
  std::filesystem::path out;  ///< empty: runs/NAME-sweep
  std::size_t jobs = 4;       ///< runs side by side
  bool dry_run = false;
};

/// `theta sweep`: the runs of a sweep that are not done, and the table over all.
/// @return the exit code: 1 if a run failed, else kAnswersMissing or kBudgetSpent if one ended so.
int sweep_command(const SweepArguments& arguments, Progress& progress, std::stop_token stop);

/// `theta status`: how each run of a sweep's folder, or the run of a folder, stands.
void status_command(const std::filesystem::path& folder);

/// `theta ping`: see ping(). @return how many models, by address, are wrong.
int ping_command(const std::filesystem::path& config, const std::vector<std::string>& sets,
                 std::stop_token stop);

/// `theta check`: reads configs strictly and looks, see verify(), at what they name: a line for
/// each that `theta run` would refuse; of the others the name, and the hash in their folders' names
/// where it costs little.
/// @param config_only  opens no file that a config names, and reads no variable
/// @return how many are refused.
int check_command(const std::vector<std::filesystem::path>& configs,
                  const std::vector<std::string>& sets, bool config_only = false);

/// `theta report`: computes the report of a run, or of a sweep, anew from the records alone.
void report_command(const std::filesystem::path& folder);

struct PromptArguments {
  std::filesystem::path prompt;      ///< prompt.json of a run, or any DSPy state with our block
  std::filesystem::path data;        ///< rows; empty: one example from `inputs`
  std::vector<std::string> inputs;   ///< `field=value`
  std::vector<std::string> columns;  ///< `field=column`: over those the prompt was made with
  std::string rows;                  ///< path to the rows of a .json file; empty: the prompt's own
  std::string metric;                ///< empty: the one the prompt was made with
  std::vector<std::string> sets;     ///< `model.path=...`: over the model the prompt was made with
  std::vector<std::string> allowed_hosts;  ///< servers that the prompt may name itself
  /// Where answers are kept and found again; empty: answers.db beside a prompt in its run's folder,
  /// else nowhere.
  std::filesystem::path cache;
};

/// `theta eval`: scores a saved prompt on a file of examples.
/// @return the exit code: kAnswersMissing if a service left rows without an answer.
/// @throws Outage if it answered none.
int eval_command(const PromptArguments& arguments, std::stop_token stop);

/// `theta predict`: answers one example, or every row of a file as JSON lines.
/// @return the exit code: 1 if none was answered, kAnswersMissing if a service left some without.
int predict_command(const PromptArguments& arguments, std::stop_token stop);

}  // namespace theta
