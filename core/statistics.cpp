#include "core/statistics.hpp"

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <set>
#include <stdexcept>
#include <string_view>
#include <vector>

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

double t_quantile(double p, double degrees) {
  return boost::math::quantile(boost::math::students_t(degrees), p);
}

/// What the jackknife over clusters tells of a mean.
///
///   w_g = n_g / n                share of the rows that cluster g has
///   m_g                          mean without cluster g
///   variance = sum (m_g - m)^2
///   K = sum (m_g - m)^4 / variance^2     1 / G where all clusters matter alike, 1 for one alone
struct Jackknife {
  double sum = 0;
  double rows = 0;
  std::size_t clusters = 0;
  double variance = 0;
  double effective = 0;      ///< clusters that the sizes amount to: 1 / sum w_g^2
  double concentration = 0;  ///< K; 0 where nothing varies

  double mean() const { return sum / rows; }
  /// Degrees of freedom of t. The variance's own spread grows with K; `most` over K bounds them.
  double degrees(double most) const {
    constexpr double kFewest = 0.5;  // one cluster holds nearly all rows: t is some hundreds
    const double of_sizes = std::max(effective - 1, kFewest);
    return concentration > 0 ? std::min(of_sizes, most / concentration) : of_sizes;
  }
};

/// @throws std::invalid_argument for values that are none, not in [low, 1] or not one a cluster.
Jackknife jackknife(std::span<const double> values, std::span<const std::string> clusters,
                    double low, const char* function) {
  check_finite(values, function);
  if (values.size() != clusters.size()) {
    throw std::invalid_argument(std::string(function) + ": one cluster a value is needed");
  }
  struct Cluster {
    double sum = 0;
    double rows = 0;
  };
  std::map<std::string_view, Cluster> by_name;  // sums do not depend on the clusters' order
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < low || values[i] > 1) {
      throw std::invalid_argument(std::string(function) + ": a value is out of range");
    }
    Cluster& cluster = by_name[clusters[i]];
    cluster.sum += values[i];
    cluster.rows += 1;
  }
  Jackknife all;
  all.clusters = by_name.size();
  double squares = 0;
  for (const auto& [name, cluster] : by_name) {
    all.sum += cluster.sum;
    all.rows += cluster.rows;
    squares += cluster.rows * cluster.rows;
  }
  all.effective = all.rows * all.rows / squares;
  if (all.clusters == 1) return all;
  double fourth = 0;
  for (const auto& [name, cluster] : by_name) {
    const double shift = (all.sum - cluster.sum) / (all.rows - cluster.rows) - all.mean();
    if (std::abs(shift) < 1e-12) continue;  // rounding
    all.variance += shift * shift;
    fourth += shift * shift * shift * shift;
  }
  if (fourth > 0) all.concentration = fourth / (all.variance * all.variance);
  return all;
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

bool is_plain(std::span<const double> values, std::span<const std::string> clusters,
              std::initializer_list<double> few) {
  return std::set<std::string_view>(clusters.begin(), clusters.end()).size() == values.size() &&
         std::ranges::all_of(
             values, [&](double value) { return std::ranges::find(few, value) != few.end(); });
}

Interval score_interval(std::span<const double> scores, std::span<const std::string> clusters) {
  const Jackknife all = jackknife(scores, clusters, 0, "score_interval");
  if (is_plain(scores, clusters, {0, 1})) return wilson(all.sum, all.rows);
  if (all.clusters == 1) return {0, 1};
  // Rows added of either end, and degrees of freedom: chosen by scripts/bench intervals.
  constexpr double kAdded = 2, kMost = 1.5;
  const double rows = all.rows + 2 * kAdded;
  const double center = (all.sum + kAdded) / rows;
  const double variance =
      all.variance + kAdded * (center * center + (1 - center) * (1 - center)) / (rows * rows);
  const double effective = center * (1 - center) / variance;
  const double share = std::clamp(all.mean(), 0.0, 1.0);
  return wilson(share * effective, effective, t_quantile(0.975, all.degrees(kMost)));
}

Interval Difference::interval() const {
  if (std::isinf(error)) return {-1, 1};
  const double half = t_quantile(0.975, degrees) * error;
  return {std::max(-1.0, center - half), std::min(1.0, center + half)};
}

double Difference::p() const {
  if (std::isinf(error)) return 1;
  const boost::math::students_t distribution(degrees);
  return 2 * boost::math::cdf(boost::math::complement(distribution, std::abs(center) / error));
}

Difference paired_difference(std::span<const double> differences,
                             std::span<const std::string> clusters) {
  const Jackknife all = jackknife(differences, clusters, -1, "paired_difference");
  if (all.clusters == 1) return {all.mean(), std::numeric_limits<double>::infinity(), 1};
  double largest = 0;
  for (const double difference : differences) largest = std::max(largest, std::abs(difference));
  if (largest == 0) largest = 1;
  const double rows = all.rows + 2;
  const double center = all.sum / rows;
  const double squares = all.rows * all.rows * all.variance +
                         2 * (largest * largest + center * center);  // of the two rows added
  constexpr double kMost = 2;  // chosen by scripts/bench intervals
  const bool plain = is_plain(differences, clusters, {-1, 0, 1});
  return {center, std::sqrt(squares) / rows, plain ? all.rows - 1 : all.degrees(kMost)};
}

Interval student_t(std::span<const double> values) {
  check_finite(values, "student_t");
  const double center = mean(values);
  if (values.size() == 1) return {center, center};
  double squares = 0;
  for (const double value : values) squares += (value - center) * (value - center);
  const auto n = static_cast<double>(values.size());
  const double half = t_quantile(0.975, n - 1) * std::sqrt(squares / (n - 1) / n);
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

Difference over_seeds_and_items(std::span<const Difference> runs) {
  std::vector<double> centers;
  for (const Difference& run : runs) centers.push_back(run.center);
  const auto n = static_cast<double>(runs.size());
  Difference all{mean(centers)};
  double seeds = 0;
  double items = 0;
  all.degrees = runs.front().degrees;
  for (const Difference& run : runs) {
    seeds += (run.center - all.center) * (run.center - all.center);
    items += run.error * run.error / n;
    all.degrees = std::min(all.degrees, run.degrees);
  }
  all.error = std::sqrt(items);
  if (runs.size() == 1 || std::isinf(items)) return all;
  seeds /= n * (n - 1);
  const double variance = seeds + items;
  all.error = std::sqrt(variance);
  all.degrees = variance * variance / (seeds * seeds / (n - 1) + items * items / all.degrees);
  return all;
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
