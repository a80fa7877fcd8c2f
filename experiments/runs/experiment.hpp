#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "experiments/models.hpp"
#include "experiments/runs/persona_experiment.hpp"
#include "experiments/runs/program_experiment.hpp"
#include "experiments/runs/rewards.hpp"

namespace theta {

/// Everything that a config says, read strictly. No model and no data have been opened but to hash
/// them.
struct ExperimentOptions {
  std::string name;
  std::uint64_t seed = 0;
  ModelTable models;
  CacheOptions cache;
  std::variant<ProgramExperiment, PersonaExperiment, RewardExperiment> experiment;
  Budget budget;          ///< no part of the hash: raising it lets a run go on
  std::string data_hash;  ///< hex digits of what the data's files hold, or of how rows are made up:
                          ///< rows of one id are then the same
  std::string hash;       ///< 12 hex digits of everything that can change a result, files included
};

/// What tells files apart: of data the SHA-256, of weights that of a sample.
struct FileHashes {
  bool read = true;  ///< false: no file is opened, and hashes tell nothing of what files hold
  std::map<std::filesystem::path, std::string> known = {};  ///< by path; empty: there is no file
};

/// Reads a config: `program:` makes it a task for an optimiser, `personas:` a persona experiment,
/// `rewards:` without either an experiment that asks no model.
/// @throws UserError `file:line:col: message` for the first thing that is wrong. What its files
///   have wrong is found by verify().
ExperimentOptions read_experiment(const Config& config);
/// @param hashes  of the files of configs read before: each is read once
ExperimentOptions read_experiment(const Config& config, FileHashes& hashes);

/// A config that reads the same from any folder and in any environment: `${VAR}` replaced but where
/// it may be a secret (kMayHoldSecrets), paths absolute. Its hash is the same.
Config resolved(const Config& config);

/// Runs an experiment to its end, or on from where it stopped. Leaves `prompt.json` in `folder`.
void run_experiment(const ExperimentOptions& options, RunContext& run);

}  // namespace theta
