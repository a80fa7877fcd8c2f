#pragma once

#include <stop_token>

#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {

/// Prints what an experiment, or each run of a sweep, will need in calls, tokens and money: counted
/// with made-up answers, nothing is asked.
void dry_run(const ExperimentOptions& options, std::stop_token stop);
void dry_run(const Sweep& sweep, std::stop_token stop);

}  // namespace theta
