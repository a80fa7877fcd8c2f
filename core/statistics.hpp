#pragma once

#include <initializer_list>
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

/// 95 % interval of a mean of scores in [0, 1] that are independent between clusters (users), not
/// within. Wilson's interval at Student's t, for as many independent rows as would have the
/// variance found (Korn & Graubard 1998): that of the jackknife over clusters (CV3 of MacKinnon,
/// Nielsen & Webb 2023, without its factor (G - 1) / G) and of two rows of score 0 and two of 1
/// more, so that scores that are all alike are not taken for certain. t has the degrees of freedom
/// of as many clusters as the sizes amount to (Kish), fewer where few clusters make the variance.
/// wilson() itself where each row is its own cluster and scores are 0 and 1. A single cluster tells
/// nothing about others: [0, 1]. How often it holds the truth: tests/bench/README.md.
/// @param scores    (n)
/// @param clusters  (n) the cluster of each score
/// @throws std::invalid_argument if empty, not in [0, 1], or the sizes differ.
Interval score_interval(std::span<const double> scores, std::span<const std::string> clusters);

/// Whether each row is its own cluster and every value is one of `few`.
bool is_plain(std::span<const double> values, std::span<const std::string> clusters,
              std::initializer_list<double> few);

/// A difference with Student's t distribution about it: interval and test are of one piece.
struct Difference {
  double center = 0;
  double error = 0;    ///< standard error; infinite: nothing is known
  double degrees = 1;  ///< of freedom

  Interval interval() const;  ///< 95 %; holds 0 unless p() < .05
  double p() const;           ///< two-sided, that the truth is 0
};

/// The mean of paired differences in [-1, 1] over all clusters there could be. Variance and degrees
/// of freedom are score_interval()'s, but with two rows more of the largest difference, one for and
/// one against (1 and -1 where nothing differs). The center is the mean of those too: nearer to 0
/// than the mean by 2 / (n + 2) of it, as Bonett & Price 2012 have it for pairs of 0 and 1. Where
/// each row is its own cluster and differences are -1, 0 and 1: n - 1 degrees of freedom. A single
/// cluster tells nothing about others: an infinite error.
/// @throws std::invalid_argument if empty, not in [-1, 1], or the sizes differ.
Difference paired_difference(std::span<const double> differences,
                             std::span<const std::string> clusters);

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

/// The same of a difference: the variance of the seeds' mean and the mean variance over items add
/// up, with the degrees of freedom of Satterthwaite 1946.
/// @throws std::invalid_argument as mean().
Difference over_seeds_and_items(std::span<const Difference> runs);

/// Standard normal: cumulative distribution and its inverse (Wichura 1988, AS 241).
/// @throws std::invalid_argument unless 0 < p < 1.
double normal_cdf(double z);
double normal_quantile(double p);

}  // namespace theta
