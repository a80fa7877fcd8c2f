#include "modules/knowledge_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace theta {
namespace {

/// V_c(w), of all pairs but c.
double best_accuracy(std::span<const double> w, std::span<const std::vector<double>> p,
                     std::size_t c) {
  const std::size_t pairs = p[0].size();
  std::vector<double> right(w.size());
  for (std::size_t m = 0; m < pairs; ++m) {
    if (m == c) continue;
    double first = 0;
    for (std::size_t k = 0; k < w.size(); ++k) first += w[k] * p[k][m];
    for (std::size_t k = 0; k < w.size(); ++k)
      right[k] += p[k][m] > 0.5 ? first : p[k][m] < 0.5 ? 1 - first : 0.5;
  }
  return *std::ranges::max_element(right) / static_cast<double>(pairs - 1);
}

/// The answer's part of E_y[V_c(w | y)]: its probability times the value behind it.
double worth(std::span<const double> w, std::span<const std::vector<double>> p, std::size_t c,
             bool first) {
  std::vector<double> after(w.size());
  for (std::size_t k = 0; k < w.size(); ++k) after[k] = w[k] * (first ? p[k][c] : 1 - p[k][c]);
  const double probability = std::reduce(after.begin(), after.end());
  if (probability <= 0) return 0;
  for (double& one : after) one /= probability;
  return probability * best_accuracy(after, p, c);
}

}  // namespace

std::vector<double> knowledge_gradients(std::span<const double> w,
                                        std::span<const std::vector<double>> p) {
  if (w.empty() || w.size() != p.size() ||
      std::ranges::any_of(p, [&](const auto& row) { return row.size() != p[0].size(); }))
    throw std::invalid_argument("a belief and probabilities of the same personas and pairs");
  std::vector<double> out(p[0].size());
  if (out.size() < 2) return out;
  for (std::size_t c = 0; c < out.size(); ++c)
    out[c] = std::max(
        0.0, worth(w, p, c, true) + worth(w, p, c, false) - best_accuracy(w, p, c));  // rounding
  return out;
}

std::vector<double> belief(std::span<const double> log_likelihoods) {
  const double most = *std::ranges::max_element(log_likelihoods);
  std::vector<double> w;
  for (const double one : log_likelihoods) w.push_back(std::exp(one - most));
  const double sum = std::reduce(w.begin(), w.end());
  for (double& one : w) one /= sum;
  return w;
}

}  // namespace theta
