#include "core/models/rate_limit.hpp"

#include <algorithm>

namespace theta {

RateLimit::RateLimit(double per_minute)
    : per_second_(per_minute / 60), most_(std::max(1.0, per_second_)), level_(most_) {}

double RateLimit::take(double cost, double now_s) {
  if (per_second_ == 0) return 0;
  level_ = std::min(most_, level_ + std::max(0.0, now_s - filled_s_) * per_second_) - cost;
  filled_s_ = now_s;
  return std::max(0.0, -level_ / per_second_);
}

void RateLimit::give_back(double cost) { level_ = std::min(most_, level_ + cost); }

}  // namespace theta
