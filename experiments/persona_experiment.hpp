#pragma once

#include <string>

#include "core/config.hpp"
#include "experiments/persona_settings.hpp"
#include "experiments/program.hpp"
#include "experiments/run_context.hpp"
#include "experiments/users.hpp"
#include "optimizers/theta_search.hpp"

namespace theta {

/// A persona experiment as a config describes it: SynthesizeMe on users, Θ optimised with the
/// teacher and distilled to the student.
struct PersonaExperiment {
  UsersOptions users;
  PersonaSettings settings;
  StepOptions theta;     ///< the seed Θ
  std::size_t pool = 6;  ///< personas found for training users that every user's candidates include
  std::size_t demos = 3;  ///< of the user's own pairs, in the row `personas + demos`
  ThetaSearchOptions search;
};

/// Reads the `data:` and `personas:` sections. Opens no data.
PersonaExperiment read_persona_experiment(const Config& config);

/// Runs it for the teacher and, where there is one, the student. Rows: random, default judge, true
/// persona (simulated users only), personas, verified personas, personas + demos, optimised Θ; for
/// the student teacher's Θ and re-optimised Θ in its place. Leaves Θ in `prompt.json` and
/// `prompt.student.json`, with all that the rows `optimised Θ` and `re-optimised Θ` were made with.
/// What stands for a missing persona, a score or a contrast is a remark of the report's.
void run_persona_experiment(const PersonaExperiment& experiment, RunContext& run);

}  // namespace theta
