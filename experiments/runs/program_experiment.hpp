#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/data/dataset_file.hpp"
#include "experiments/metric_config.hpp"
#include "experiments/optimizer_config.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/baselines.hpp"
#include "experiments/runs/run_context.hpp"
#include "experiments/runs/run_record.hpp"
#include "modules/evaluate.hpp"

namespace theta {

/// What is made of a teacher's prompt in a student.
enum class DistillRow {
  kAsIs,         ///< it, as it is
  kDemoFree,     ///< without its demos
  kReoptimised,  ///< a search of the student's that begins with what the teacher's saw
  kAnew          ///< one that knows nothing of it
};

/// Prompts that are searched for with one model for use by others.
struct DistillOptions {
  std::string teacher = "teacher";  ///< a role, as the students are
  std::vector<std::string> students = {"student"};
  std::vector<DistillRow> rows = {DistillRow::kAsIs, DistillRow::kDemoFree,
                                  DistillRow::kReoptimised};
  std::int64_t max_evaluations = 0;  ///< of each search of a student's; 0: as the optimiser says

  bool makes(DistillRow row) const;
};

/// A task and the optimisers that are tried on it.
struct ProgramExperiment {
  ProgramOptions program;
  DataOptions data;
  MetricOptions metric;
  std::vector<OptimizerConfig> optimizers;
  BaselineOptions baselines;
  std::optional<DistillOptions> distill = {};

  /// The roles of the models that run the program: the searches' first.
  std::vector<std::string> roles() const;
  /// The file that a role's best prompt is saved in: `prompt.json` for who is to use it.
  std::string prompt_of(const std::string& role) const;
};

/// What the searches of an experiment start from.
struct Prepared {
  Dataset data;
  ProgramOptions program;           ///< with the inputs that it is calibrated on
  std::unique_ptr<Module> student;  ///< made of `program`
  Metric metric;
};

/// Reads the sections `program`, `data`, `metric`, `optimizers`, `baselines`, `embedder` and
/// `distill`. Opens no data.
ProgramExperiment read_program_experiment(const Config& config);

/// Loads the data and makes the student and the metric, whose steps and judges ask the models of the
/// run.
Prepared prepare(const ProgramExperiment& experiment, RunContext& run);
/// The task of its searches, on the models of a run. Copies the examples.
Task task_of(const Prepared& prepared, RunContext& run, const std::string& role = "task");

/// How often each option of an answer was chosen where a row has an answer, and how often it is right
/// there; none where the answer has no options, or a row no label.
/// @param rows  that `result` is of
std::vector<OptionCount> count_options(const Field& answer, std::span<const Example> rows,
                                       const Evaluation& result);

/// Compiles the program with every optimiser and scores each result, and the untouched program, on
/// the test split, which nothing else reads. Of the winners that passed their gate, the one with
/// the highest expected gain becomes prompt.json; the student where none did. Distilled, the same
/// with the teacher first, and what is saved there is TEACHER.json.
void run_program_experiment(const ProgramExperiment& experiment, RunContext& run);

}  // namespace theta
