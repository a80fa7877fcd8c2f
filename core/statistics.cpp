#include "core/statistics.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "core/rng.hpp"

namespace theta {
namespace {

/// c[0] + c[1] x + ... by Horner's rule.
double polynomial(const std::array<double, 8>& c, double x) {
  double sum = 0;
  for (std::size_t i = c.size(); i-- > 0;) sum = sum * x + c[i];
  return sum;
}

void check_finite(std::span<const double> values, const char* function) {
  if (values.empty()) throw std::invalid_argument(std::string(function) + ": no values");
  if (!std::ranges::all_of(values, [](double x) { return std::isfinite(x); })) {
    throw std::invalid_argument(std::string(function) + ": a value is not finite");
  }
}

struct Cluster {
  double sum = 0;
  double size = 0;
};

/// Sums and sizes in the order of the clusters' names, whatever the order of the rows.
std::vector<Cluster> by_cluster(std::span<const double> values,
                                std::span<const std::string> clusters, const char* function) {
  check_finite(values, function);
  if (values.size() != clusters.size()) {
    throw std::invalid_argument(std::string(function) + ": one cluster a value is needed");
  }
  std::map<std::string_view, Cluster> sums;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Cluster& cluster = sums[clusters[i]];
    cluster.sum += values[i];
    cluster.size += 1;
  }
  std::vector<Cluster> out;
  for (const auto& [name, cluster] : sums) out.push_back(cluster);
  return out;
}

/// Quantile of sorted values, linear between neighbours: type 7 of Hyndman & Fan 1996.
double quantile(const std::vector<double>& sorted, double p) {
  const double place = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double weight = place - static_cast<double>(below);
  return sorted[below] + weight * (sorted[above] - sorted[below]);
}

}  // namespace

double mean(std::span<const double> values) {
  check_finite(values, "mean");
  double sum = 0;
  for (const double x : values) sum += x;
  return sum / static_cast<double>(values.size());
}

Interval wilson(double successes, double n, double z) {
  if (!(n > 0 && successes >= 0 && successes <= n)) {
    throw std::invalid_argument("wilson: 0 <= successes <= n and n > 0 are needed");
  }
  const double p = successes / n;
  const double z2 = z * z / n;
  const double centre = p + z2 / 2;
  const double half = std::sqrt(z2 * (p * (1 - p) + z2 / 4));
  return {std::max(0.0, (centre - half) / (1 + z2)), std::min(1.0, (centre + half) / (1 + z2))};
}

Interval clustered_bootstrap(std::span<const double> values, std::span<const std::string> clusters,
                             std::uint64_t seed, std::size_t resamples) {
  const auto all = by_cluster(values, clusters, "clustered_bootstrap");
  if (resamples == 0) throw std::invalid_argument("clustered_bootstrap: no resamples");
  std::vector<double> means(resamples);
  tbb::parallel_for(std::size_t{0}, resamples, [&](std::size_t r) {
    Rng rng(derive_seed(seed, r));
    Cluster total;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Cluster& drawn = all[rng.below(all.size())];
      total.sum += drawn.sum;
      total.size += drawn.size;
    }
    means[r] = total.sum / total.size;
  });
  std::ranges::sort(means);
  return {quantile(means, 0.025), quantile(means, 0.975)};
}

Interval student_t(std::span<const double> values) {
  check_finite(values, "student_t");
  const double center = mean(values);
  if (values.size() == 1) return {center, center};
  double squares = 0;
  for (const double value : values) squares += (value - center) * (value - center);
  const auto n = static_cast<double>(values.size());
  const boost::math::students_t distribution(n - 1);
  const double half = boost::math::quantile(distribution, 0.975) * std::sqrt(squares / (n - 1) / n);
  return {center - half, center + half};
}

Interval over_seeds_and_items(std::span<const double> values, std::span<const Interval> items) {
  if (values.size() != items.size()) {
    throw std::invalid_argument("over_seeds_and_items: an interval for each value");
  }
  const Interval seeds = student_t(values);
  const double center = mean(values);
  const auto square = [](double x) { return x * x; };
  double below = 0;
  double above = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    below += square(values[i] - items[i].low);
    above += square(items[i].high - values[i]);
  }
  const auto n = static_cast<double>(values.size());
  return {center - std::sqrt(square(center - seeds.low) + below / n),
          center + std::sqrt(square(seeds.high - center) + above / n)};
}

double mcnemar(std::size_t n01, std::size_t n10) {
  // Twice the lower tail of Binomial(n, 1/2), in logarithms as 2^-n vanishes early.
  const auto n = static_cast<double>(n01 + n10);
  double tail = 0;
  for (std::size_t i = 0; i <= std::min(n01, n10); ++i) {
    const auto k = static_cast<double>(i);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) -
                     n * std::numbers::ln2);
  }
  return std::min(1.0, 2 * tail);
}

double paired_permutation(std::span<const double> differences,
                          std::span<const std::string> clusters, std::uint64_t seed,
                          std::size_t resamples) {
  const auto all = by_cluster(differences, clusters, "paired_permutation");
  double observed = 0;
  double scale = 0;
  for (const Cluster& cluster : all) {
    observed += cluster.sum;
    scale += std::abs(cluster.sum);
  }
  // Sums that are equal but for rounding count as equal.
  const double least = std::abs(observed) - 1e-12 * scale;

  constexpr std::size_t kExactClusters = 16;
  if (all.size() <= kExactClusters) {
    const std::size_t patterns = std::size_t{1} << all.size();
    std::size_t extreme = 0;
    for (std::size_t pattern = 0; pattern < patterns; ++pattern) {
      double sum = 0;
      for (std::size_t i = 0; i < all.size(); ++i) {
        sum += (pattern >> i & 1U) ? -all[i].sum : all[i].sum;
      }
      extreme += std::abs(sum) >= least;
    }
    return static_cast<double>(extreme) / static_cast<double>(patterns);
  }

  std::vector<char> is_extreme(resamples);
  tbb::parallel_for(std::size_t{0}, resamples, [&](std::size_t r) {
    Rng rng(derive_seed(seed, r));
    double sum = 0;
    for (const Cluster& cluster : all) sum += rng.below(2) ? -cluster.sum : cluster.sum;
    is_extreme[r] = std::abs(sum) >= least;
  });
  // The pattern that was observed is one of them.
  const auto extreme = 1 + std::ranges::count(is_extreme, 1);
  return static_cast<double>(extreme) / static_cast<double>(resamples + 1);
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) throw std::invalid_argument("normal_quantile: p must be in (0, 1)");
  // PPND16: three rational approximations, each a quotient of polynomials of degree 7.
  constexpr std::array<double, 8> kA = {3.3871328727963666080,    1.3314166789178437745e+2,
                                        1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                        4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                        3.3430575583588128105e+4, 2.5090809287301226727e+3};
  constexpr std::array<double, 8> kB = {1.0,
                                        4.2313330701600911252e+1,
                                        6.8718700749205790830e+2,
                                        5.3941960214247511077e+3,
                                        2.1213794301586595867e+4,
                                        3.9307895800092710610e+4,
                                        2.8729085735721942674e+4,
                                        5.2264952788528545610e+3};
  constexpr std::array<double, 8> kC = {1.42343711074968357734,    4.63033784615654529590,
                                        5.76949722146069140550,    3.64784832476320460504,
                                        1.27045825245236838258,    2.41780725177450611770e-1,
                                        2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr std::array<double, 8> kD = {1.0,
                                        2.05319162663775882187,
                                        1.67638483018380384940,
                                        6.89767334985100004550e-1,
                                        1.48103976427480074590e-1,
                                        1.51986665636164571966e-2,
                                        5.47593808499534494600e-4,
                                        1.05075007164441684324e-9};
  constexpr std::array<double, 8> kE = {6.65790464350110377720,    5.46378491116411436990,
                                        1.78482653991729133580,    2.96560571828504891230e-1,
                                        2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                        2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr std::array<double, 8> kF = {1.0,
                                        5.99832206555887937690e-1,
                                        1.36929880922735805310e-1,
                                        1.48753612908506148525e-2,
                                        7.86869131145613259100e-4,
                                        1.84631831751005468180e-5,
                                        1.42151175831644588870e-7,
                                        2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double x = r <= 5 ? polynomial(kC, r - 1.6) / polynomial(kD, r - 1.6)
                          : polynomial(kE, r - 5) / polynomial(kF, r - 5);
  return q < 0 ? -x : x;
}

}  // namespace theta
