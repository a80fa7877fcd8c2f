#pragma once

#include <map>
#include <string>

#include "core/config.hpp"
#include "experiments/data/benchmark.hpp"
#include "experiments/runs/experiment.hpp"

namespace theta {

/// Looks, in the config alone, whether its optimisers have the splits that they need.
/// @throws UserError `file:line:col: message` where the splits are given.
void verify_splits(const Config& config, const ExperimentOptions& options);

/// What configs read before named, and whether all of it was read: of the runs of a sweep, each
/// file is looked at once.
using VerifiedFiles = std::map<std::string, bool>;

/// Opens what a config names and looks for everything that its run would refuse before it asks
/// anything: keys and authorities of servers, headers of weights and adapters, the cache to replay,
/// the rows of the data. Asks no server and loads no model. Of data of more than a megabyte only
/// the first rows are read, so that it takes milliseconds; what stands behind them, and a prompt
/// that the model's window does not hold, is for the run to find.
/// @param config  what `options` were read from
/// @return whether all of the data were read
/// @throws UserError `file:line:col: message` at the key that names what is wrong.
bool verify(const Config& config, const ExperimentOptions& options, VerifiedFiles& verified);
/// The same of a benchmark to be built, whose rows are left to the building.
void verify(const Config& config, const BenchmarkOptions& options);

}  // namespace theta
