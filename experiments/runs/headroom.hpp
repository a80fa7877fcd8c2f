#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/statistics.hpp"
#include "experiments/runs/program_experiment.hpp"
#include "optimizers/headroom.hpp"

namespace theta {

/// What a few program evaluations, and the labelled rows, say of a search before it is paid for.
struct Headroom {
  /// A mean score.
  struct Accuracy {
    std::string name;
    std::size_t rows = 0;
    double mean = 0;
    Interval interval = {};
  };
  /// A candidate beside the student, on rows that both were asked.
  struct Compared : Accuracy {
    double difference = 0;  ///< from the student; with its interval
    Interval differs = {};
    double agreement = 0;  ///< share of the rows that both answer alike
  };
  /// An option of the answer: its share of the answers and of the rows.
  struct Share {
    std::string option;
    double chosen = 0, right = 0;
  };

  std::string search;      ///< the optimiser that it is about
  std::int64_t spent = 0;  ///< program evaluations that this took
  SearchPlan plan;         ///< what is left for the search
  bool assumed = false;    ///< the config does not say how many evaluations it may take
  Accuracy student;
  std::size_t unparsable = 0, refused = 0, failed = 0;  ///< of all answers
  std::size_t answers = 0;
  std::vector<Share> options;  ///< empty where the answer has none, or rows have no label
  std::vector<Compared> probes;
  std::optional<Compared> fitted;     ///< the student, its options read off by cross-fitting
  std::vector<Accuracy> classifiers;  ///< cross-validated on the labelled rows
  GainForecast forecast;

  /// Total variation of how often options are chosen and right: half the sum of the absolute
  /// differences of their shares.
  double bias() const;
  /// Mean share of the rows that a probe answers as the student does.
  double agreement() const;
  /// Rows of both programs that tell 2 points, and the gain of a search that finds one.
  double rows_for_margin() const { return rows_to_tell(plan.margin, forecast.sd); }
  double evaluations_to_tell() const;
  /// One sentence: go on, or leave it and why.
  std::string advice() const;
};

/// Evaluations that a search of this optimiser takes where nothing stops it: as it says, or of mipro
/// by its rule; nothing where it says neither.
std::optional<std::int64_t> evaluations_of(const OptimizerConfig& config, std::size_t rows);

/// Runs the student and cheap_probes() on a few validation rows, none of which the gate keeps from the
/// search, in one wave, and forecasts the experiment's largest search.
/// @param evaluations  to spend at most; 0: a tenth of that search's, and at least 60
/// @throws UserError for an experiment without validation rows; Outage if nothing was answered.
Headroom find_headroom(const ProgramExperiment& experiment, std::int64_t evaluations,
                       RunContext& run);

std::string to_text(const Headroom& headroom);
nlohmann::ordered_json to_json(const Headroom& headroom);

}  // namespace theta
