#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "core/records/claim.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {

/// How the runs stand that are not done once a worker has nothing more to do, each as
/// `label: reason`, whoever ran them.
struct SweepEnd {
  std::vector<std::string> failed;
  std::vector<std::string> incomplete;  ///< a service left requests without an answer
  std::vector<std::string> stopped;     ///< by their budgets
  std::vector<std::string> elsewhere;   ///< others are at them: SweepWork::leave
};

struct SweepWork {
  std::size_t jobs = 4;  ///< runs side by side
  bool leave = false;    ///< ends once others are at all that is left, and does not wait for them
};

/// Leaves in a folder what its workers work by: DIR/sweep.json and a config for each run.
/// @throws UserError where the folder is a run's; Interrupted when stopped.
void begin_sweep(const Sweep& sweep, const std::filesystem::path& folder,
                 const std::stop_token& stop);

/// Works on a sweep in its folder: runs what is not done yet, side by side, with shared models and
/// answers. A run that fails stops no other.
///
/// Any number of processes may work on one sweep, on all machines that share the folder. They
/// claim the records of their runs (Claim), so that none is run twice at a time; a run that is
/// given back, or whose worker has died, goes to another, who goes on with its record. What did not
/// end well before a worker began is tried again by it; what ends meanwhile is not.
///
/// Leaves DIR/sweep.json, a folder for each run, and for each worker that worked at the same time a
/// record of what its runs share: DIR/cache.db, DIR/cache.2.db, ..
/// @throws Interrupted when stopped: what is done is kept, and claims are given back.
SweepEnd run_sweep(const Sweep& sweep, const std::filesystem::path& folder, const SweepWork& work,
                   Progress& progress, const std::stop_token& stop);

/// The right to write the files of a sweep's folder that its workers have in common; waits for it.
/// @throws Interrupted when stopped.
std::unique_ptr<Claim> claim_list(const std::filesystem::path& folder, const std::stop_token& stop);

/// The n-th record of what a worker's runs share, from 1.
std::filesystem::path shared_answers(const std::filesystem::path& folder, std::size_t n);

}  // namespace theta
