#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <memory>
#include <vector>

namespace theta {

// Choices between two texts as a Gaussian process of margins, and Laplace's approximation of it.
// Rasmussen & Williams 2006, Algorithms 3.1 and 3.2, with every label +1.
//
// Notation: n choices, d features.
//   f (n)      margins: how much better the chosen text is; P(choice i) = s(f_i), s the logistic
//   m (n)      their prior mean;  K (n x n) their prior covariance
//   W (n)      s(f) (1 - s(f));  B = I + W^1/2 K W^1/2

/// log s(x), where exp(-x) would overflow too.
double log_logistic(double x);
double logistic(double x);

/// A covariance of margins with B factored at the weights that were last given.
class Covariance {
 public:
  virtual ~Covariance() = default;

  virtual Eigen::VectorXd times(const Eigen::VectorXd& v) const = 0;  ///< K v
  /// Factors B.   @param root_w  (n) W^1/2   @throws RunError if B is not positive definite.
  virtual void factor(const Eigen::VectorXd& root_w) = 0;
  virtual Eigen::VectorXd solve(const Eigen::VectorXd& x) const = 0;  ///< B^-1 x
  virtual double log_determinant() const = 0;                         ///< log |B|
};

/// K as it stands: a Cholesky of n x n at every step.
class DenseCovariance final : public Covariance {
 public:
  explicit DenseCovariance(Eigen::MatrixXd K) : K_(std::move(K)) {}

  Eigen::VectorXd times(const Eigen::VectorXd& v) const override { return K_ * v; }
  void factor(const Eigen::VectorXd& root_w) override;
  Eigen::VectorXd solve(const Eigen::VectorXd& x) const override { return B_.solve(x); }
  double log_determinant() const override;

  /// L^-1 W^1/2 X, of B = L L': of the k columns of X (n x k).
  Eigen::MatrixXd half_solve(const Eigen::MatrixXd& X) const;

 private:
  const Eigen::MatrixXd K_;
  Eigen::VectorXd root_w_;
  Eigen::LLT<Eigen::MatrixXd> B_;
};

/// K = F F' + a block a person, never written out: Cholesky factors of the blocks and of d x d.
/// The same numbers as DenseCovariance, for less where n > d.
class SharedCovariance final : public Covariance {
 public:
  /// @param F       (n x d)
  /// @param rows    the rows of each person; all rows once, or none: K = F F'
  /// @param blocks  covariances beside F F' of each person's rows, as `rows`
  SharedCovariance(Eigen::MatrixXd F, std::vector<std::vector<Eigen::Index>> rows,
                   std::vector<Eigen::MatrixXd> blocks);

  Eigen::VectorXd times(const Eigen::VectorXd& v) const override;
  void factor(const Eigen::VectorXd& root_w) override;
  Eigen::VectorXd solve(const Eigen::VectorXd& x) const override;
  double log_determinant() const override;

  /// I + F' W^1/2 A^-1 W^1/2 F, factored: the precision of the weights of F, N(0, I) before the
  /// choices.
  const Eigen::LLT<Eigen::MatrixXd>& shared() const { return M_; }

 private:
  /// A^-1 X of B = A + W^1/2 F F' W^1/2.
  void solve_blocks(Eigen::MatrixXd& X) const;

  const Eigen::MatrixXd F_;
  const std::vector<std::vector<Eigen::Index>> rows_;
  const std::vector<Eigen::MatrixXd> blocks_;
  Eigen::VectorXd root_w_;
  std::vector<Eigen::LLT<Eigen::MatrixXd>> A_;
  Eigen::MatrixXd AF_;  ///< A^-1 W^1/2 F
  Eigen::LLT<Eigen::MatrixXd> M_;
};

/// The most probable margins.
struct Mode {
  Eigen::VectorXd f;  ///< (n)
  Eigen::VectorXd a;  ///< (n) 1 - s(f), by which f = m + K a
  double log_z = 0;   ///< log P(all choices), Laplace's: what two covariances are compared by
  int steps = 0;      ///< of Newton's method
};

/// Newton's method with step halving. Leaves `K` factored at the mode.
/// @param mean   (n) m
/// @param start  (n) a of a problem like this one; empty: 0
/// @throws RunError, saying how far it came, if it does not converge: the problem is concave, so
///   that features without bounds are the cause.
Mode find_mode(Covariance& K, const Eigen::VectorXd& mean, const Eigen::VectorXd& start = {});

}  // namespace theta
