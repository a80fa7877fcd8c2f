#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace theta {

/// What an export put into a store, and what not.
struct MlflowExport {
  std::string experiment;  ///< its name there
  std::size_t runs = 0;
  std::vector<std::string> left_out;  ///< a line each
};

/// Writes a run, or those of a sweep that came to an end, into a folder of MLflow's file store
/// (`mlflow ui --backend-store-uri FOLDER`): an experiment of the run's or the sweep's name, and in
/// it for each run
///
///   params      the config, by dotted keys; no header, query or command, which may hold a key
///   metrics     `trials/SEARCH/score` and `/best` by trial; `test/METHOD/MODEL/accuracy`, its
///               interval, answers without a score and tokens; `usage/ROLE/MODEL/..`
///   tags        how it ended, its hash, its values on the sweep's axes
///   artifacts   prompt.json, report.html and report.json; of a run on people none, as they hold
///               what people wrote
///
/// Names hold only what MLflow allows; two that then are one are told apart by a number. A run that
/// is exported again takes its own place; what others added to it there stays.
/// @throws UserError where `from` holds neither a run nor a sweep; RunError naming a file.
MlflowExport export_to_mlflow(const std::filesystem::path& from,
                              const std::filesystem::path& store);

}  // namespace theta
