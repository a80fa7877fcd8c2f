#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/data/dataset_file.hpp"
#include "experiments/metric_config.hpp"
#include "experiments/optimizer_config.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/baselines.hpp"
#include "experiments/runs/run_context.hpp"

namespace theta {

/// A task and the optimisers that are tried on it.
struct ProgramExperiment {
  ProgramOptions program;
  DataOptions data;
  MetricOptions metric;
  std::vector<OptimizerConfig> optimizers;
  BaselineOptions baselines;
};

/// What the searches of an experiment start from.
struct Prepared {
  Dataset data;
  ProgramOptions program;           ///< with the inputs that it is calibrated on
  std::unique_ptr<Module> student;  ///< made of `program`
  Metric metric;
};

/// Reads the sections `program`, `data`, `metric`, `optimizers`, `baselines` and `embedder`. Opens no data.
ProgramExperiment read_program_experiment(const Config& config);

/// Loads the data and makes the student and the metric, whose steps and judges ask the models of the
/// run.
Prepared prepare(const ProgramExperiment& experiment, RunContext& run);
/// The task of its searches, on the models of a run. Copies the examples.
Task task_of(const Prepared& prepared, RunContext& run);

/// Compiles the program with every optimiser and scores each result, and the untouched program, on
/// the test split, which nothing else reads. Of the winners that passed their gate, the one with
/// the highest expected gain becomes prompt.json; the student where none did.
void run_program_experiment(const ProgramExperiment& experiment, RunContext& run);

}  // namespace theta
