#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "experiments/runs/score_table.hpp"
#include "optimizers/gate.hpp"

namespace theta {

/// Called with each new incumbent: after how many evaluations it is known.
using OnIncumbent = std::function<void(std::int64_t evaluations, const Combination& incumbent)>;

/// What a replayed search came to.
struct Replayed {
  Combination winner;  ///< the best other than the first choices; those where there is none
  Decision gate;
};

/// Runs an optimiser on recorded outcomes, and its winner through the gate. The search sees only
/// outcomes that it asks for, one evaluation each, asked before or not, and none of the fresh
/// examples; with the gate's it never asks for more than `budget`. Combination 0, 0, .. is the
/// student and the first incumbent, at 0 evaluations.
///
/// `paired`, `gp`, `tpe` and `random` search the table's combinations: by paired_search() without
/// a last check, by search() on that surrogate, by dspy_search(), and by full evaluations in random
/// order. `mipro` is paired as Mipro has it: the student is scored on every example first, the
/// winner in the end. `copro` and `gepa` propose: what they are given are the table's instructions
/// in an order drawn from `seed`; they reflect and validate on the same examples, and leave the
/// demo sets alone.
/// @param gate  its seed is `seed`, whatever it says
/// @throws UserError for an optimiser that builds new demos or is unknown, a missing score, a
///   budget below 0; Interrupted when stopped.
Replayed replay(const ScoreTable& table, const std::string& optimizer, std::int64_t budget,
                std::uint64_t seed, const OnIncumbent& on_incumbent, GateOptions gate = {},
                std::stop_token stop = {});

}  // namespace theta
