#include "optimizers/trial_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/models/outage.hpp"

namespace theta {

bool TrialLog::run(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Interrupted&) {
    if (trials_.empty()) throw;
    stopped_ = true;
    return false;
  }
}

void TrialLog::check() const {
  if (stop_.stop_requested()) throw Interrupted("the search was stopped");
}

bool TrialLog::affords(std::size_t evaluations) const {
  return most_ == 0 || spent_ + static_cast<std::int64_t>(evaluations) <= most_;
}

void TrialLog::add(Trial trial, const OnTrial& on_trial, std::int64_t spent) {
  trial.number = static_cast<int>(trials_.size()) + 1;
  trial.evaluations = spent;
  trials_.push_back(std::move(trial));
  if (on_trial) on_trial(trials_.back());
  check();
}

bool Outages::answered(const std::vector<Result<double>>& scores) {
  if (std::ranges::any_of(scores, [](const auto& score) { return static_cast<bool>(score); })) {
    any_ = true;
    in_a_row_ = 0;
    return true;
  }
  if (!any_ || ++in_a_row_ == kLost)
    throw Outage(fmt::format("no example of {} could be scored, the first because: {}",
                             any_ ? fmt::format("{} evaluations in a row", kLost) : "the default",
                             scores.front().error().message));
  return false;
}

}  // namespace theta
