#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "core/records/store.hpp"
#include "experiments/models.hpp"

namespace theta {

/// What an experiment may use while it runs.
struct RunContext {
  std::filesystem::path folder;
  std::uint64_t seed = 0;
  Store& store;
  Models& models;
  Progress& progress;
  std::stop_token stop;

  /// Begins a stage: what a person sees, and what usage is counted by. The same stages come in the
  /// same order whatever the models answer.
  /// @param measures  it asks for a row of the report, and nothing is decided by it
  void stage(const std::string& name, bool measures = false) {
    models.stage(name, measures);
    progress.stage(name);
  }

  /// Keeps a row of the report.   @throws Outage if nothing was answered.
  void put_row(const std::string& method, const std::string& model,
               const std::vector<Outcome>& outcomes, const Usage& usage) const;

  /// Keeps what was decided for the user, or what a number rests on, for the report: one line, said
  /// once, also in the log.
  void remark(const std::string& line) const;
  /// The same for a line that may read otherwise when a run goes on: it takes the place of an
  /// earlier one that begins with `about`.
  void remark(const std::string& about, const std::string& rest) const;

  /// Remarks where a search stands: its best score so far with its interval, and the tokens asked
  /// for.
  void show_trial(const TrialRecord& trial) const;
};

}  // namespace theta
