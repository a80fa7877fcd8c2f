#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <cstddef>
#include <span>
#include <vector>

#include "optimizers/gate.hpp"

namespace theta {

/// Variance of a paired difference before any is seen, and how many it counts for: two programs
/// that disagree on a quarter of the examples.
inline constexpr double kDifference = 0.25;
inline constexpr double kPriorCount = 4;

/// What candidates differ by from the student.
struct Differences {
  /// Of one candidate.
  struct One {
    double n = 0, mean = 0, squares = 0;  ///< squares of the differences less their mean
    double variance = 0;                  ///< of a difference
  };
  std::vector<One> of;
  double pooled = 0;      ///< variance of one example's difference, of all candidates together
  double of_student = 0;  ///< the student's part of it
};

/// @param candidates  each of as many examples as the student's
Differences differences_to(const Scores& student, const std::vector<Scores>& candidates);

/// The candidates that say most of what candidates are worth: those that were asked most, but for
/// what is clearly worse.
std::vector<std::size_t> most_telling(const Differences& differences);

/// The mean differences of some candidates.
Eigen::VectorXd means_of(const Differences& differences, std::span<const std::size_t> some);

/// Covariance of the mean differences of some candidates, had all the same worth. Two that were seen
/// on the same examples share the student's luck on these.
Eigen::MatrixXd noise_of(const Differences& differences, std::span<const std::size_t> some,
                         const Scores& student, const std::vector<Scores>& candidates);

/// What is expected of a and t before anything is seen: any value of a logarithmic axis below `scale`
/// is as likely as any other, one far above it less by the square of how far: most changes bring
/// little, and one that brings much is believed when it is seen. 0: all are as likely.
struct SpreadPrior {
  double scale = 0.04;
};
/// That of a search on so many examples: of few only large differences can be seen at all, and
/// nothing is said against them beforehand.
SpreadPrior expected_spreads(std::size_t examples);

/// The model of shrunken(), from its numbers:
///
///   d (k)       mean differences of the candidates from the student
///   N (k x k)   `noise`, their covariance had all the same worth
///   d = g 1 + u + e    g ~ N(0, a^2), u ~ N(0, t^2 I), e ~ N(0, N)
///   S = N + a^2 1 1' + t^2 I
///
/// A mixture over a and t. Given both, a candidate that nobody has tried is worth g + u*, u* ~
/// N(0, t^2): its covariance with g + u_c is a^2 for every c, and its own variance a^2 + t^2.
class GainModel {
 public:
  /// Given a and t.
  struct Part {
    double weight, a, t;
    Eigen::LLT<Eigen::MatrixXd> llt;  ///< of S
    Eigen::VectorXd z;                ///< S^-1 d
  };

  GainModel(Eigen::VectorXd d, Eigen::MatrixXd noise, const SpreadPrior& prior);

  /// The weights sum to 1.
  const std::vector<Part>& parts() const { return parts_; }
  const Eigen::VectorXd& d() const { return d_; }
  const Eigen::MatrixXd& noise() const { return noise_; }

  /// In what a candidate is worth, g + u_c.
  Belief belief(Eigen::Index c) const;
  /// The means of the beliefs (k).
  Eigen::VectorXd means() const;

 private:
  Eigen::VectorXd d_;
  Eigen::MatrixXd noise_;
  std::vector<Part> parts_;
};

/// A belief after a mean difference on examples that had no part in it, which is normal about the
/// true one with this variance.
Belief after(const Belief& belief, double mean, double variance);

}  // namespace theta
