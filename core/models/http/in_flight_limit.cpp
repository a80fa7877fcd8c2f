#include "core/models/http/in_flight_limit.hpp"

#include <algorithm>
#include <cmath>

namespace theta {

InFlightLimit::InFlightLimit(int most) : most_(most), limit_(most) {}

void InFlightLimit::answered(double sent_s, double now_s) {
  constexpr double kLearning = 0.1;  // of the long-run mean, a round
  round_sum_s_ += now_s - sent_s;
  if (++round_size_ < limit()) return;
  const double mean_s = round_sum_s_ / round_size_;
  round_sum_s_ = 0;
  round_size_ = 0;
  if (usual_s_ == 0) usual_s_ = mean_s;
  if (mean_s > kLate * usual_s_) {
    limit_ = std::max(1.0, 0.9 * limit_);
  } else {
    limit_ = std::min(most_, limit_ + std::sqrt(limit_));
  }
  usual_s_ += kLearning * (mean_s - usual_s_);
}

void InFlightLimit::refused(double sent_s, double now_s) {
  if (sent_s < cut_s_) return;
  cut_s_ = now_s;
  limit_ = std::max(1.0, limit_ / 2);
}

}  // namespace theta
