#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "experiments/runs/program_experiment.hpp"
#include "experiments/runs/score_table.hpp"

namespace theta {

/// Makes the choices of the experiment's first `mipro` and scores every combination of them on
/// every validation example.
/// @throws UserError if there is no `mipro`; RunError if an example could not be scored.
ScoreTable record_scores(const ProgramExperiment& experiment, RunContext& run);

struct RecordArguments {
  std::filesystem::path config;
  std::vector<std::string> sets;  ///< `key.path=value`
  std::filesystem::path out;      ///< empty: runs/NAME-HASH-table
};

/// `theta replay --record`: writes OUT/table.json. Stopped or killed, it goes on where it was.
/// @return the exit code: kBudgetSpent if the budget ended it before there is a table.
int record_command(const RecordArguments& arguments, Progress& progress, std::stop_token stop);

}  // namespace theta
