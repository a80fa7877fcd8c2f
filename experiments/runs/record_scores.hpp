#pragma once

#include "experiments/runs/program_experiment.hpp"
#include "experiments/runs/score_table.hpp"

namespace theta {

/// Makes the choices of the experiment's first `mipro` and scores every combination of them on
/// every validation example.
/// @throws UserError if there is no `mipro`; RunError if an example could not be scored.
ScoreTable record_scores(const ProgramExperiment& experiment, RunContext& run);

}  // namespace theta
