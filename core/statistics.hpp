#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace theta {

struct Interval {
  double low = 0;
  double high = 0;
};

/// @throws std::invalid_argument for no values (a mean of nothing is an error) or one that is not
///   finite.
double mean(std::span<const double> values);

/// Score interval of a proportion. Wilson 1927, Eq. 1; z = 1.96 by default.
/// @throws std::invalid_argument unless 0 <= successes <= n and n > 0.
Interval wilson(double successes, double n, double z = 1.959963984540054);

/// 95 % percentile interval of a mean by resampling whole clusters (users) with replacement:
/// judgements of one user are not independent. Field & Welsh 2007. The same for any number of
/// threads.
/// @param values    (n) scores
/// @param clusters  (n) the cluster of each score. A single cluster tells nothing about others: low
///                  and high are then both the mean.
/// @throws std::invalid_argument if empty, not finite, or the sizes differ.
Interval clustered_bootstrap(std::span<const double> values, std::span<const std::string> clusters,
                             std::uint64_t seed, std::size_t resamples = 9999);

/// 95 % interval of a mean by Student's t on n - 1 degrees of freedom: for a few values that are
/// independent (one a seed). A single value tells nothing about others: low and high are then both
/// the mean.
/// @throws std::invalid_argument as mean().
Interval student_t(std::span<const double> values);

/// 95 % interval of a mean over runs that differ by their seed and score the same items: what the
/// seeds leave open (student_t) and what the items leave open in each run, which further seeds do
/// not narrow, add up as variances, each side on its own. Zou & Donner 2008 (MOVER). Of one run:
/// that run's.
/// @param values  (n) the means of the runs
/// @param items   (n) their 95 % intervals over items
/// @throws std::invalid_argument as mean(), or if the sizes differ.
Interval over_seeds_and_items(std::span<const double> values, std::span<const Interval> items);

/// Two-sided exact McNemar test on paired 0/1 outcomes: n01 and n10 discordant pairs. 1 if there
/// are none.
double mcnemar(std::size_t n01, std::size_t n10);

/// Two-sided sign-flip permutation test that the mean of paired differences is 0, flipping whole
/// clusters; exact up to 16 clusters, above from `resamples` random sign patterns and the observed
/// one.
/// @return the p-value, at least one over the number of patterns.
/// @throws std::invalid_argument as clustered_bootstrap().
double paired_permutation(std::span<const double> differences,
                          std::span<const std::string> clusters, std::uint64_t seed,
                          std::size_t resamples = 9999);

/// Standard normal: cumulative distribution and its inverse (Wichura 1988, AS 241).
/// @throws std::invalid_argument unless 0 < p < 1.
double normal_cdf(double z);
double normal_quantile(double p);

}  // namespace theta
