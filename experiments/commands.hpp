#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.hpp"

namespace theta {

struct RunArguments {
  std::filesystem::path config;
  std::vector<std::string> sets;  ///< `key.path=value`
  std::filesystem::path out;      ///< empty: runs/NAME-HASH
  bool dry_run = false;
};

/// `theta run`: an experiment from start to report, or on from where it stopped.
void run_command(const RunArguments& arguments, Progress& progress, std::stop_token stop);

/// `theta check`: reads configs strictly; opens no data and no model. Writes a line for each that
/// is wrong. @return how many are.
int check_command(const std::vector<std::filesystem::path>& configs,
                  const std::vector<std::string>& sets);

/// `theta report`: computes the report anew from run.db alone.
void report_command(const std::filesystem::path& folder);

struct PromptArguments {
  std::filesystem::path prompt;      ///< prompt.json of a run, or any DSPy state with our block
  std::filesystem::path data;        ///< rows; empty: one example from `inputs`
  std::vector<std::string> inputs;   ///< `field=value`
  std::vector<std::string> columns;  ///< `field=column`
  std::string metric;                ///< empty: the one the prompt was made with
  std::vector<std::string> sets;     ///< `model.path=...`: over the model the prompt was made with
};

/// `theta eval`: scores a saved prompt on a file of examples.
void eval_command(const PromptArguments& arguments, std::stop_token stop);

/// `theta predict`: answers one example, or every row of a file as JSON lines.
void predict_command(const PromptArguments& arguments, std::stop_token stop);

}  // namespace theta
