// How often 95 % intervals hold the truth: the intervals of a report beside Student's t on the
// jackknife over users and the percentile and BCa bootstraps over users, all on the same data.
//
// usage: intervals_bench [--json FILE] [--samples N] [--resamples B]
//
// A user's scores are Bernoulli, or Beta of a and b that add up to 3, about a mean of the user: the
// accuracy ("none") or Beta with an intraclass correlation of 1/5 about it ("large"). A pair
// differs with some probability, for the better or for the worse, by 1 or by a Beta(1, 3), and
// users differ in how often it is for the better, likewise. "rows" are independent: no users.

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <functional>
#include <map>

#include "core/rng.hpp"
#include "core/statistics.hpp"
#include "tests/bench/figures.hpp"

namespace theta {
namespace {

/// Gamma of unit scale. Marsaglia & Tsang 2000.
double gamma(Rng& rng, double shape) {
  if (shape < 1) {
    const double u = std::max(rng.uniform(), 1e-300);
    return gamma(rng, shape + 1) * std::pow(u, 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = rng.normal(), v = std::pow(1 + c * x, 3);
    const double u = std::max(rng.uniform(), 1e-300);
    if (v > 0 && std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

/// Beta of this mean, with parameters that add up to `total`.
double beta(Rng& rng, double mean, double total) {
  const double a = gamma(rng, total * mean), b = gamma(rng, total * (1 - mean));
  return a + b > 0 ? a / (a + b) : mean;  // both may underflow
}

struct Sample {
  std::vector<double> values;
  std::vector<std::string> clusters;
};

/// One kind of data, and the mean that an interval of it is of.
struct Cell {
  std::string quantity;  ///< `accuracy`, `difference`, or of a sweep
  std::string name;      ///< the rest
  std::string group;     ///< whose worst is a figure: quantity, users and sizes
  double truth = 0;
  std::function<Sample(Rng&)> draw;
};

/// Rows of each user: the same, or spread as exp(.9 z) at even quantiles of the normal.
std::vector<int> sizes_of(std::size_t users, int rows, bool equal) {
  std::vector<int> sizes;
  for (std::size_t u = 0; u < users; ++u) {
    const double place = (static_cast<double>(u) + 0.5) / static_cast<double>(users);
    const double spread = rows * std::exp(0.9 * normal_quantile(place) - 0.3);
    sizes.push_back(equal ? rows : std::max(1, static_cast<int>(std::lround(spread))));
  }
  return sizes;
}

/// @param row  draws a user's mean, then the user's rows
Sample draw_rows(Rng& rng, const std::vector<int>& sizes,
                 const std::function<std::function<double()>(Rng&)>& user) {
  Sample sample;
  for (std::size_t u = 0; u < sizes.size(); ++u) {
    const auto row = user(rng);
    for (int i = 0; i < sizes[u]; ++i) {
      sample.values.push_back(row());
      sample.clusters.push_back(fmt::format("u{}", u));
    }
  }
  return sample;
}

std::vector<Cell> cells() {
  struct Design {
    std::string name;
    std::vector<int> sizes;
    bool users;
  };
  std::vector<Design> designs;
  for (const std::size_t users : {6, 8, 12, 24, 72}) {
    designs.push_back({fmt::format("{} users of 4 rows", users), sizes_of(users, 4, true), true});
    designs.push_back({fmt::format("{} users of 10 rows", users), sizes_of(users, 10, true), true});
    designs.push_back(
        {fmt::format("{} users of unequal rows", users), sizes_of(users, 10, false), true});
  }
  for (const std::size_t rows : {50, 100, 200})
    designs.push_back({fmt::format("{} rows", rows), sizes_of(rows, 1, true), false});

  std::vector<Cell> all;
  for (const Design& design : designs)
    for (const bool graded : {false, true})
      for (const bool large : {false, true}) {
        if (large && !design.users) continue;
        const auto name = fmt::format("{}, {}, effects {}", design.name,
                                      graded ? "[0, 1]" : "{0, 1}", large ? "large" : "none");
        for (const double accuracy : {.5, .8, .95})
          all.push_back({"accuracy", fmt::format("{:.2f}, {}", accuracy, name),
                         "accuracy, " + design.name, accuracy, [=](Rng& rng) {
                           return draw_rows(rng, design.sizes, [=](Rng& r) {
                             const double mean = large ? beta(r, accuracy, 4) : accuracy;
                             return [=, &r] {
                               return graded ? beta(r, mean, 3) : r.uniform() < mean ? 1.0 : 0.0;
                             };
                           });
                         }});
        for (const auto& [differ, truth] :
             {std::pair{.02, .01}, {.1, 0.}, {.1, .05}, {.4, .05}, {.4, .2}})
          all.push_back({"difference", fmt::format("{:.2f} of {:.2f}, {}", truth, differ, name),
                         "difference, " + design.name, graded ? truth / 4 : truth,
                         [=, differ = differ, truth = truth](Rng& rng) {
                           return draw_rows(rng, design.sizes, [=](Rng& r) {
                             const double share = (1 + truth / differ) / 2;
                             const double better = large ? beta(r, share, 4) : share;
                             return [=, &r] {
                               if (r.uniform() >= differ) return 0.0;
                               const double sign = r.uniform() < better ? 1 : -1;
                               return graded ? sign * (1 - std::cbrt(r.uniform()))
                                             : sign;  // Beta(1, 3)
                             };
                           });
                         }});
      }
  return all;
}

struct Cluster {
  double sum = 0, rows = 0;
};

std::vector<Cluster> clusters_of(const Sample& sample) {
  std::map<std::string_view, Cluster> sums;
  for (std::size_t i = 0; i < sample.values.size(); ++i) {
    Cluster& cluster = sums[sample.clusters[i]];
    cluster.sum += sample.values[i];
    cluster.rows += 1;
  }
  std::vector<Cluster> all;
  for (const auto& [name, cluster] : sums) all.push_back(cluster);
  return all;
}

/// Theta's and its peers'.
enum Method : std::size_t { kTheta, kStudent, kPercentile, kBca, kMethods };
constexpr std::array<const char*, kMethods> kNames{"theta", "Student's t", "percentile bootstrap",
                                                   "BCa bootstrap"};
using Intervals = std::array<Interval, kMethods>;

Intervals intervals_of(const Cell& cell, const Sample& sample, Rng& rng, std::size_t resamples) {
  const auto clusters = clusters_of(sample);
  const auto users = static_cast<double>(clusters.size());
  Cluster total;
  for (const Cluster& c : clusters) total.sum += c.sum, total.rows += c.rows;
  const double center = total.sum / total.rows;
  Intervals out;
  out[kTheta] = cell.quantity == "accuracy"
                    ? score_interval(sample.values, sample.clusters)
                    : paired_difference(sample.values, sample.clusters).interval();

  std::vector<double> without;
  for (const Cluster& c : clusters) without.push_back((total.sum - c.sum) / (total.rows - c.rows));
  const double middle = mean(without);
  double squares = 0, cubes = 0;
  for (const double m : without) {
    squares += (middle - m) * (middle - m);
    cubes += std::pow(middle - m, 3);
  }
  const double half = boost::math::quantile(boost::math::students_t(users - 1), 0.975) *
                      std::sqrt((users - 1) / users * squares);
  out[kStudent] = {center - half, center + half};

  std::vector<double> means;
  double below = 0;
  for (std::size_t b = 0; b < resamples; ++b) {
    Cluster drawn;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      const Cluster& c = clusters[rng.next() % clusters.size()];
      drawn.sum += c.sum, drawn.rows += c.rows;
    }
    means.push_back(drawn.sum / drawn.rows);
    below += means.back() < center ? 1 : means.back() == center ? .5 : 0;
  }
  std::ranges::sort(means);
  const auto quantile = [&](double p) {
    const double place = p * static_cast<double>(resamples - 1);
    const auto at = static_cast<std::size_t>(place);
    const auto next = std::min(at + 1, resamples - 1);
    return means[at] + (place - static_cast<double>(at)) * (means[next] - means[at]);
  };
  out[kPercentile] = {quantile(.025), quantile(.975)};
  // Efron 1987, with the jackknife's acceleration.
  const auto n = static_cast<double>(resamples);
  const double bias = normal_quantile(std::clamp(below / n, .5 / n, 1 - .5 / n));
  const double acceleration = squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
  const auto corrected = [&](double z) {
    return quantile(normal_cdf(bias + (bias + z) / (1 - acceleration * (bias + z))));
  };
  out[kBca] = {corrected(normal_quantile(.025)), corrected(normal_quantile(.975))};
  return out;
}

/// Share of the samples whose interval holds the truth, and the mean length of what is in range.
struct Coverage {
  std::array<double, kMethods> held{}, length{};
};

Coverage cover(const Cell& cell, std::size_t samples, std::size_t resamples) {
  std::vector<Intervals> all(samples);
  const std::uint64_t seed = derive_seed(std::uint64_t{16}, cell.quantity + cell.name);
  tbb::parallel_for(std::size_t{0}, samples, [&](std::size_t s) {
    Rng rng(derive_seed(seed, s));
    const Sample sample = cell.draw(rng);
    all[s] = intervals_of(cell, sample, rng, resamples);
  });
  Coverage out;
  const auto n = static_cast<double>(samples);
  const double least = cell.quantity == "accuracy" ? 0 : -1;
  for (const Intervals& one : all)
    for (std::size_t m = 0; m < kMethods; ++m) {
      const auto& [low, high] = one[m];
      if (low <= cell.truth + 1e-12 && high >= cell.truth - 1e-12) out.held[m] += 1 / n;
      out.length[m] += (std::min(high, 1.0) - std::max(low, least)) / n;
    }
  return out;
}

/// Three seeds of a search score the same 100 independent items with 0 and 1: the truth is .7 for
/// the mean, 0 for the difference to a program that knows no seed. Items differ in how hard they
/// are (intraclass correlation 1/3), seeds in how good (standard deviation `effect`).
std::array<double, 2> cover_sweeps(double effect, std::size_t samples) {
  constexpr double kMean = .7;
  constexpr std::size_t kItems = 100, kSeeds = 3;
  std::vector<std::array<bool, 2>> held(samples);
  tbb::parallel_for(std::size_t{0}, samples, [&](std::size_t s) {
    Rng rng(derive_seed(derive_seed(std::uint64_t{16}, fmt::format("sweep {}", effect)), s));
    std::vector<double> ease, base;
    std::vector<std::string> items;
    for (std::size_t i = 0; i < kItems; ++i) {
      ease.push_back(beta(rng, kMean, 2));
      base.push_back(rng.uniform() < ease[i] ? 1 : 0);
      items.push_back(fmt::format("i{}", i));
    }
    std::vector<double> means;
    std::vector<Interval> intervals;
    std::vector<Difference> estimates;
    for (std::size_t k = 0; k < kSeeds; ++k) {
      // u + x u (1 - u) is a probability for |x| <= 1, and its mean over items x kMean (1 - kMean)
      // 2 / 3 from kMean.
      const double x = std::clamp(effect / (kMean * (1 - kMean) * 2 / 3) * rng.normal(), -1.0, 1.0);
      std::vector<double> scores, differences;
      for (std::size_t i = 0; i < kItems; ++i) {
        const double u = ease[i];
        scores.push_back(rng.uniform() < u + x * u * (1 - u) ? 1 : 0);
        differences.push_back(scores[i] - base[i]);
      }
      means.push_back(mean(scores));
      intervals.push_back(score_interval(scores, items));
      estimates.push_back(paired_difference(differences, items));
    }
    const Interval accuracy = over_seeds_and_items(means, intervals);
    const Interval difference = over_seeds_and_items(estimates).interval();
    held[s] = {accuracy.low <= kMean && kMean <= accuracy.high,
               difference.low <= 0 && 0 <= difference.high};
  });
  std::array<double, 2> share{};
  for (const auto& one : held)
    for (std::size_t q = 0; q < 2; ++q) share[q] += one[q] / static_cast<double>(samples);
  return share;
}

std::vector<Figure> measure(std::vector<std::string>& arguments) {
  const auto size = [&](const char* name, const char* otherwise) {
    return static_cast<std::size_t>(std::stoull(take_option(arguments, name, otherwise)));
  };
  const std::size_t samples = size("--samples", "4000"), resamples = size("--resamples", "399");
  struct Worst {
    std::array<double, kMethods> held{1, 1, 1, 1}, length{};
    double cells = 0;
  };
  std::vector<std::string> order;
  std::map<std::string, Worst> groups;
  fmt::print("coverage / mean length over {} samples\n{:<62}", samples, "");
  for (const char* name : kNames) fmt::print("{:>22}", name);
  fmt::print("\n");
  for (const Cell& cell : cells()) {
    const Coverage coverage = cover(cell, samples, resamples);
    if (!groups.contains(cell.group)) order.push_back(cell.group);
    Worst& worst = groups[cell.group];
    worst.cells += 1;
    fmt::print("{:<62}", cell.quantity + " " + cell.name);
    for (std::size_t m = 0; m < kMethods; ++m) {
      worst.held[m] = std::min(worst.held[m], coverage.held[m]);
      worst.length[m] += coverage.length[m];
      fmt::print("{:>22}", fmt::format("{:.3f} / {:.3f}", coverage.held[m], coverage.length[m]));
    }
    fmt::print("\n");
  }
  std::vector<Figure> figures;
  for (const std::string& group : order) {
    const Worst& worst = groups[group];
    figures.push_back(
        {.name = group + ": least coverage", .theta = worst.held[kTheta], .target = .93});
    for (const Method m : {kStudent, kPercentile, kBca})
      figures.push_back({.name = fmt::format("{}: the same beside {}", group, kNames[m]),
                         .theta = worst.held[kTheta],
                         .peer = worst.held[m]});
    figures.push_back({.name = fmt::format("{}: mean length beside {}", group, kNames[kStudent]),
                       .theta = worst.length[kTheta] / worst.cells,
                       .peer = worst.length[kStudent] / worst.cells,
                       .better = "lower"});
  }
  for (const double effect : {0., .05}) {
    const auto [accuracy, difference] = cover_sweeps(effect, samples);
    const auto add = [&](const char* quantity, double held) {
      figures.push_back({.name = fmt::format("{}, 3 seeds that differ by {} on 100 rows: coverage",
                                             quantity, effect),
                         .theta = held,
                         .target = .93});
    };
    add("accuracy", accuracy);
    add("difference", difference);
  }
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) {
  return theta::bench_main("intervals", argc, argv, theta::measure);
}
