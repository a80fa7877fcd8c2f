#pragma once

#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/data/users.hpp"
#include "experiments/optimizer_config.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/persona_settings.hpp"
#include "experiments/runs/run_context.hpp"

namespace theta {

/// A persona experiment as a config describes it: SynthesizeMe on users, Θ optimised with the
/// teacher and distilled to the student.
struct PersonaExperiment {
  UsersOptions users;
  PersonaSettings settings;
  StepOptions theta;     ///< the seed Θ
  std::size_t pool = 6;  ///< personas found for training users that every user's candidates include
  std::size_t demos = 3;  ///< of the user's own pairs, in the row `personas + demos`
  std::vector<OptimizerConfig> optimizers;
};

/// Reads the `data:`, `personas:` and `optimizers:` sections. Opens no data.
PersonaExperiment read_persona_experiment(const Config& config);

/// Runs it for the teacher and, where there is one, the student. Rows: random, default judge, true
/// persona (simulated users only), personas, verified personas, personas + demos and, of each
/// optimiser, optimised Θ; for the student teacher's Θ and re-optimised Θ in its place. With several
/// optimisers their labels stand behind it.
///
/// A search's examples are pairs of validation users that Θ is not shown, a user's as one group;
/// its training examples are one of each training user with the persona that the teacher found for
/// them with the seed Θ, which may become demos of Θ. Only the gate lets a search's Θ replace the
/// seed. Leaves the Θ of the highest expected gain in `prompt.json` and `prompt.student.json`, with
/// all that its row was made with. What stands for a missing persona, a score or a contrast is a
/// remark of the report's.
void run_persona_experiment(const PersonaExperiment& experiment, RunContext& run);

}  // namespace theta
