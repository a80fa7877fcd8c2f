#include "core/reliability.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace theta {

Reliability reliability(std::span<const double> probabilities, std::size_t bins) {
  if (probabilities.empty() || bins == 0)
    throw std::invalid_argument("the calibration of nothing is an error");
  constexpr double kSmallest = 1e-300;  // of a probability that is 0: its logarithm is finite
  std::vector<double> off(bins);        // right guesses less confidence, summed
  Reliability out;
  for (const double p : probabilities) {
    if (!(p >= 0 && p <= 1)) throw std::invalid_argument("a probability is in [0, 1]");
    const double confidence = std::max(p, 1 - p), right = p > .5 ? 1 : p < .5 ? 0 : .5;
    const auto bin = static_cast<std::size_t>((confidence - .5) * 2 * static_cast<double>(bins));
    off[std::min(bin, bins - 1)] += right - confidence;
    out.log_loss -= std::log(std::max(p, kSmallest));
    out.brier += (1 - p) * (1 - p);
  }
  const auto n = static_cast<double>(probabilities.size());
  out.log_loss /= n;
  out.brier /= n;
  for (const double sum : off) out.error += std::abs(sum) / n;
  return out;
}

}  // namespace theta
