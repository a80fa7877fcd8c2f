#pragma once

#include <cstddef>
#include <span>

namespace theta {

/// How well probabilities of choices fit what happened.
struct Reliability {
  double log_loss = 0;  ///< mean -log P(what happened); log 2 for who knows nothing
  double brier = 0;     ///< mean (1 - P(what happened))^2; .25 likewise
  /// Expected calibration error: mean over bins, weighted by their size, of how far the share of
  /// right guesses is from their mean confidence max(P, 1 - P). Guo et al. 2017 (arXiv 1706.04599),
  /// Eq. 3. It is above 0 also for calibrated probabilities where there are few.
  double error = 0;
};

/// @param probabilities  (n) that were given to what happened, in [0, 1]
/// @param bins           of equal width between the confidences .5 and 1
/// @throws std::invalid_argument if empty, or one is no probability.
Reliability reliability(std::span<const double> probabilities, std::size_t bins = 10);

}  // namespace theta
