#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "core/records/trial.hpp"
#include "core/result.hpp"
#include "optimizers/scores.hpp"

namespace theta {

/// One evaluation of a search.
struct Trial {
  int number = 0;  ///< from 1
  TrialKind kind = TrialKind::kDefault;
  Combination combination = {};
  double score = 0;              ///< a minibatch's own mean; else over all examples scored so far
  std::int64_t evaluations = 0;  ///< candidate-example pairs asked so far, this trial included
  bool improved = false;         ///< there is another incumbent from here on
  Combination incumbent = {};    ///< the best so far, this trial included
  Estimate best = {};            ///< what is known of the incumbent
};

using OnTrial = std::function<void(const Trial&)>;

/// The trials of a search and what it has spent. Tells of them as they come, keeps to the budget, and ends
/// the search with what it has when it is stopped.
class TrialLog {
 public:
  /// @param most  evaluations that may be spent; 0: no limit
  TrialLog(std::int64_t most, std::stop_token stop) : most_(most), stop_(std::move(stop)) {}

  /// Does what asks, up to its end or its interruption. @return whether it came to its end.
  /// @throws Interrupted if there is no trial before it.
  bool run(const std::function<void()>& work);
  /// @throws Interrupted if the search is to stop.
  void check() const;

  bool affords(std::size_t evaluations) const;
  void spend(std::size_t evaluations) { spent_ += static_cast<std::int64_t>(evaluations); }
  std::int64_t spent() const { return spent_; }

  /// Numbers a trial, keeps and tells it.
  /// @param on_trial  may be empty
  /// @throws Interrupted if the search is to stop.
  void add(Trial trial, const OnTrial& on_trial) { add(std::move(trial), on_trial, spent_); }
  /// The same of one that others were asked beside. @param spent  up to this trial
  void add(Trial trial, const OnTrial& on_trial, std::int64_t spent);

  const std::vector<Trial>& trials() const { return trials_; }
  bool stopped() const { return stopped_; }  ///< run() was interrupted

 private:
  const std::int64_t most_;
  const std::stop_token stop_;
  std::int64_t spent_ = 0;
  std::vector<Trial> trials_;
  bool stopped_ = false;
};

/// Tells a candidate that a service refuses (a filter, a limit) from a service that is gone.
class Outages {
 public:
  /// Counts an evaluation. @return whether any of it was scored.   @throws RunError with the first
  /// reason if that is not so of the first, or of kLost in a row.
  bool answered(const std::vector<Result<double>>& scores);

 private:
  static constexpr int kLost = 10;
  bool any_ = false;
  int in_a_row_ = 0;
};

}  // namespace theta
