#pragma once

#include <stop_token>

#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {

/// Prints what an experiment, or each run of a sweep, will need in calls, tokens and money: counted
/// with made-up answers, nothing is asked.
/// @param progress  shows the counting
void dry_run(const ExperimentOptions& options, Progress& progress, std::stop_token stop);
void dry_run(const Sweep& sweep, Progress& progress, std::stop_token stop);

}  // namespace theta
