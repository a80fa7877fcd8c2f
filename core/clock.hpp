#pragma once

#include <chrono>

namespace theta {

/// What all durations are measured with.
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

}  // namespace theta
