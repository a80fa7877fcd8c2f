#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/sweep_axes.hpp"

namespace theta {

/// One run of a sweep: the config with a value of every axis put in.
struct SweepRun {
  Config config;
  ExperimentOptions options;
  std::string setting;            ///< the values of all axes but the seeds: `films, surrogate=tpe`
  std::vector<AxisValue> values;  ///< the same, one by one
  std::size_t group = 0;          ///< runs that differ in their seed alone are one group
  bool seeded = false;            ///< by the axis `seeds`
  std::string label() const;      ///< setting and seed, for people
};

struct Sweep {
  std::string name;
  std::vector<SweepRun> runs;  ///< the list outermost, then zip, grid and random; seeds innermost
};

bool is_sweep(const Config& config);
/// @throws UserError with the position of `sweep:` where one run is wanted and the config has many.
void refuse_sweep(const Config& config);

/// Expands a config with a `sweep:` section: every combination of
///
///     sweep:
///       list: {navigate: {data.file: navigate.json}, ...}   # or [{key: value, ...}, ...]
///       zip: {data.file: [a.csv, b.csv], program.max_tokens: [8, 16]}
///       grid:
///         optimizers.0.name: [mipro, gepa]
///         optimizers.0.num_trials: {values: [10, 20], when: {optimizers.0.name: mipro}}
///       random:
///         draws: 20
///         keys: {program.temperature: {low: .1, high: 1}, data.split.train: [8, 16]}
///       seeds: [1, 2, 3]              # or 3, or {values: [1, 2, 3], also: [data.split.seed]}
///
/// where keys are dotted paths into the config. Each run is read strictly, as a config of its own.
/// @throws UserError with the position in this file for the first thing that is wrong, in any run.
/// @param files  see read_experiment()
Sweep read_sweep(const Config& config, FileHashes files = {});

/// The folder of a run within its sweep's. Its name is the hash of the run's config, so that a
/// changed run is another one and a finished one is found again.
std::filesystem::path folder_of(const SweepRun& run, const std::filesystem::path& sweep);

/// The sweep that a folder holds, as the last command that was given its config left it.
/// @throws UserError where what a run reads has changed since; RunError for a damaged list.
Sweep read_sweep_folder(const std::filesystem::path& folder);

/// A run as sweep.json lists it.
struct ListedRun {
  std::string folder, label, setting;
  std::vector<AxisValue> values;
  std::size_t group = 0;
  std::uint64_t seed = 0;
  bool seeded = false;
};

/// What sweep.json holds: the runs of a sweep's folder.
struct SweepList {
  std::string name;
  std::vector<ListedRun> runs;
};
bool holds_sweep(const std::filesystem::path& folder);
/// Leaves in a folder what read_sweep_list() and read_sweep_folder() read.
void write_sweep_list(const Sweep& sweep, const std::filesystem::path& folder);
/// @throws RunError if the list is missing or damaged.
SweepList read_sweep_list(const std::filesystem::path& folder);

}  // namespace theta
