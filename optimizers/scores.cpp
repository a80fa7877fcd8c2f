#include "optimizers/scores.hpp"

#include <algorithm>

#include "core/result.hpp"

namespace theta {
namespace {

bool is_scored(const std::optional<double>& score) { return score.has_value(); }

}  // namespace

bool any(const Scores& scores) { return std::ranges::any_of(scores, is_scored); }

bool better(const Scores& a, const Scores& b) {
  require(a.size() == b.size(), "scores are of the same examples");
  double gain = 0;
  for (std::size_t j = 0; j < a.size(); ++j)
    if (a[j] && b[j]) gain += *a[j] - *b[j];
  return gain > 1e-9;
}

double mean(const Scores& scores) {
  double sum = 0;
  int n = 0;
  for (const auto& score : scores)
    if (score) sum += *score, ++n;
  require(n > 0, "something was scored");
  return sum / n;
}

Estimate measured(double mean, std::size_t n) {
  const auto examples = static_cast<double>(n);
  return {mean, wilson(std::min(mean, 1.0) * examples, examples)};
}

Estimate measured(const Scores& scores) {
  const auto scored = std::ranges::count_if(scores, is_scored);
  return measured(mean(scores), static_cast<std::size_t>(scored));
}

}  // namespace theta
