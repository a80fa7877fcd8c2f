#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace theta {

/// A job array of Slurm's whose tasks are workers of one sweep.
struct SlurmJob {
  std::string name;
  std::size_t workers = 4;           ///< tasks
  std::size_t jobs = 4;              ///< runs side by side in each
  std::vector<std::string> options;  ///< of sbatch: `partition=gpu`, `exclusive`
};

/// The script that sbatch reads. Its tasks write into FOLDER/slurm-JOB_TASK.log, and leave once
/// others are at all that is left: they hold what others wait for.
/// @param folder   of the sweep, and
/// @param program  this one, both absolute
/// @throws UserError for an option or a path that such a script cannot hold.
std::string slurm_script(const SlurmJob& job, const std::filesystem::path& folder,
                         const std::filesystem::path& program);

/// Writes the script into a sweep's folder, slurm.sh, and submits it.
/// @return the number of the job.
/// @throws UserError with what sbatch says where it refuses, or that there is none.
std::string submit_to_slurm(const SlurmJob& job, const std::filesystem::path& folder);

}  // namespace theta
