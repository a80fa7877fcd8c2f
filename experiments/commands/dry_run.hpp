#pragma once

#include <functional>
#include <stop_token>

#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {

/// Prints what an experiment, or each run of a sweep, will need in calls, tokens and money: counted
/// with made-up answers, nothing is asked.
/// @param rate      calls a second that the models answer: hours are told; 0: not known
/// @param progress  shows the counting
/// @param work      what is asked of the models; empty: the run
void dry_run(const ExperimentOptions& options, double rate, Progress& progress,
             std::stop_token stop, const std::function<void(RunContext&)>& work = {});
void dry_run(const Sweep& sweep, double rate, Progress& progress, std::stop_token stop);

}  // namespace theta
