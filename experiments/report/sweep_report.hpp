#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/statistics.hpp"
#include "experiments/report/report.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/sweep.hpp"

namespace theta {

/// One table over the runs of a sweep that are done, computed from their records alone.
struct SweepReport {
  struct Run {
    ListedRun listed;
    RunStatus status;
  };
  /// One method under one model, over the seeds of a setting.
  struct Row {
    std::string setting, method, model;
    std::vector<AxisValue> values;        ///< of the setting
    std::vector<double> accuracies;       ///< one a seed, in the order of the runs
    std::vector<Interval> run_intervals;  ///< of each, over its items
    double mean = 0;
    Interval interval;                                    ///< 95 %, over_seeds_and_items()
    std::size_t users = 0;                                ///< of the run that has the fewest
    std::size_t unparsable = 0, refused = 0, failed = 0;  ///< answers, of all seeds together
    Usage usage;                                          ///< the same
    std::vector<double> validations;   ///< best of its search, of the seeds that have one
    std::optional<double> validation;  ///< their mean; none unless all have one
  };
  /// The rows of one method and model that have one value of an axis.
  struct Effect {
    /// The setting with the highest validation score. Of test scores the highest would be too high.
    struct Best {
      std::string setting;
      double validation = 0, mean = 0;
      Interval interval;  ///< of the mean
    };
    std::string axis, value, method, model;
    std::vector<double> accuracies = {};  ///< one a run
    double mean = 0;                      ///< of the settings' means
    std::optional<Best> best = {};        ///< none: not searched
  };
  /// Mean over seeds of the differences of two methods.
  struct Paired {
    std::string setting, method, against, model;
    std::vector<double> differences;
    std::vector<Difference> run_estimates;
    double mean = 0;
    Difference estimate;                           ///< over_seeds_and_items()
    std::size_t users = 0;                         ///< of the run that has the fewest
    std::size_t missing = 0, missing_against = 0;  ///< of all seeds together
  };

  std::string name;
  std::vector<Run> runs;
  std::vector<Row> rows;
  std::vector<Paired> paired;
  std::vector<Effect> effects;
  std::vector<UsageRecord> usage_by_role;              ///< of all runs together
  std::vector<std::pair<std::string, double>> timing;  ///< of the models that the runs shared
};

/// @throws RunError if the folder holds no sweep, or its list is damaged.
SweepReport make_sweep_report(const std::filesystem::path& folder);

std::string to_json(const SweepReport& report);
std::string to_html(const SweepReport& report);
std::string to_table(const SweepReport& report);

/// Writes report.json and report.html into the sweep's folder.   @return the table.
std::string finish_sweep_report(const std::filesystem::path& folder);

}  // namespace theta
