#include "optimizers/knowledge_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/result.hpp"
#include "core/statistics.hpp"

namespace theta {
namespace {

/// A line that overtakes the one with the best mean only beyond so many standard deviations adds
/// nothing that a double could hold, and most lines of a late search do.
constexpr double kFar = 9;

}  // namespace

// The maximum of lines is convex and piecewise linear: with the lines of its pieces in order of
// slope and z_k where piece k gives way to piece k + 1,
//   E max - max = sum_k (slope_{k+1} - slope_k) f(-|z_k|),   f(z) = z Phi(z) + phi(z).
double knowledge_gradient(const Eigen::VectorXd& mean, const Eigen::VectorXd& slope) {
  require(mean.size() > 0 && mean.size() == slope.size(), "there are means and as many slopes");
  struct Line {
    double slope, mean, from;  ///< highest from this z on
  };
  Eigen::Index best = 0;
  mean.maxCoeff(&best);
  std::vector<Line> lines;
  for (Eigen::Index i = 0; i < mean.size(); ++i)
    if (mean(best) - mean(i) <= kFar * std::abs(slope(i) - slope(best)))
      lines.push_back({slope(i), mean(i), 0});
  std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return a.slope < b.slope || (a.slope == b.slope && a.mean < b.mean);
  });

  std::vector<Line> highest;
  for (Line line : lines) {
    // Of parallel lines the last is the highest.
    while (!highest.empty()) {
      const Line& last = highest.back();
      if (line.slope > last.slope) {
        line.from = (last.mean - line.mean) / (line.slope - last.slope);
        if (highest.size() == 1 || line.from > last.from) break;
      }
      highest.pop_back();
    }
    highest.push_back(line);
  }

  double gain = 0;
  for (std::size_t k = 1; k < highest.size(); ++k) {
    const double z = -std::abs(highest[k].from);
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    gain += (highest[k].slope - highest[k - 1].slope) * (z * normal_cdf(z) + density);
  }
  return std::max(gain, 0.0);
}

}  // namespace theta
