#pragma once

#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/dataset_file.hpp"
#include "experiments/optimizer_config.hpp"
#include "experiments/program.hpp"
#include "experiments/run_context.hpp"

namespace theta {

/// A task and the optimisers that are tried on it.
struct ProgramExperiment {
  ProgramOptions program;
  DataOptions data;
  std::string metric;
  std::vector<OptimizerConfig> optimizers;
};

/// Reads the `program:`, `data:`, `metric:` and `optimizers:` sections. Opens no data.
ProgramExperiment read_program_experiment(const Config& config);

/// Compiles the program with every optimiser and scores each result, and the untouched program, on
/// the test split, which nothing else reads. The best on validation becomes prompt.json.
void run_program_experiment(const ProgramExperiment& experiment, RunContext& run);

}  // namespace theta
