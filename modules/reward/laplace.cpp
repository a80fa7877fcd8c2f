#include "modules/reward/laplace.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/result.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::LLT;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kMostSteps = 60;
constexpr int kMostHalvings = 30;
/// The last step, by the largest margin. The error is its square: Newton's method.
constexpr double kStill = 1e-8;
constexpr double kRounding = 1e-12;  ///< of the objective

LLT<MatrixXd> cholesky(const MatrixXd& matrix) {
  LLT<MatrixXd> factor(matrix);
  if (factor.info() != Eigen::Success)
    throw RunError(fmt::format("a covariance of {} choices or features is not positive definite",
                               matrix.rows()));
  return factor;
}

double log_det(const LLT<MatrixXd>& factor) {
  return 2 * factor.matrixLLT().diagonal().array().log().sum();
}

double log_likelihood(const VectorXd& f) { return f.unaryExpr(&log_logistic).sum(); }

}  // namespace

double log_logistic(double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }
double logistic(double x) { return std::exp(log_logistic(x)); }

void DenseCovariance::factor(const VectorXd& root_w) {
  root_w_ = root_w;
  MatrixXd B = root_w.asDiagonal() * K_ * root_w.asDiagonal();
  B.diagonal().array() += 1;
  B_ = cholesky(B);
}

double DenseCovariance::log_determinant() const { return log_det(B_); }

MatrixXd DenseCovariance::half_solve(const MatrixXd& X) const {
  return B_.matrixL().solve(root_w_.asDiagonal() * X);
}

SharedCovariance::SharedCovariance(MatrixXd F, std::vector<std::vector<Index>> rows,
                                   std::vector<MatrixXd> blocks)
    : F_(std::move(F)), rows_(std::move(rows)), blocks_(std::move(blocks)) {
  require(rows_.size() == blocks_.size(), "a block a person");
}

VectorXd SharedCovariance::times(const VectorXd& v) const {
  VectorXd out = F_ * (F_.transpose() * v);
  for (std::size_t u = 0; u < rows_.size(); ++u) out(rows_[u]) += blocks_[u] * v(rows_[u]);
  return out;
}

void SharedCovariance::factor(const VectorXd& root_w) {
  root_w_ = root_w;
  A_.clear();
  for (std::size_t u = 0; u < rows_.size(); ++u) {
    const VectorXd own = root_w(rows_[u]);
    MatrixXd A = own.asDiagonal() * blocks_[u] * own.asDiagonal();
    A.diagonal().array() += 1;
    A_.push_back(cholesky(A));
  }
  const MatrixXd WF = root_w.asDiagonal() * F_;
  AF_ = WF;
  solve_blocks(AF_);
  MatrixXd M = WF.transpose() * AF_;
  M.diagonal().array() += 1;
  M_ = cholesky(M);
}

void SharedCovariance::solve_blocks(MatrixXd& X) const {
  for (std::size_t u = 0; u < rows_.size(); ++u) {
    const MatrixXd own = X(rows_[u], Eigen::all);
    X(rows_[u], Eigen::all) = MatrixXd(A_[u].solve(own));
  }
}

VectorXd SharedCovariance::solve(const VectorXd& x) const {  // Woodbury's identity
  MatrixXd out = x;
  solve_blocks(out);
  return out - AF_ * M_.solve(AF_.transpose() * x);
}

double SharedCovariance::log_determinant() const {
  double sum = log_det(M_);
  for (const auto& A : A_) sum += log_det(A);
  return sum;
}

Mode find_mode(Covariance& K, const VectorXd& mean, const VectorXd& start) {
  Mode mode{.f = mean, .a = VectorXd::Zero(mean.size())};
  if (start.size() > 0) mode = {.f = mean + K.times(start), .a = start};
  double value = log_likelihood(mode.f) - mode.a.dot(mode.f - mean) / 2, moved = 0;
  for (; mode.steps < kMostSteps; ++mode.steps) {
    const VectorXd miss = mode.f.unaryExpr([](double x) { return logistic(-x); });
    const VectorXd w = miss.cwiseProduct(mode.f.unaryExpr(&logistic)), root_w = w.cwiseSqrt();
    K.factor(root_w);
    if (mode.steps > 0 && moved < kStill * (1 + mode.f.cwiseAbs().maxCoeff())) {
      mode.log_z = value - K.log_determinant() / 2;
      return mode;
    }
    // The step as one from here: as a new point it would be the difference of large numbers.
    const VectorXd gradient = miss - mode.a;
    const VectorXd step =
        gradient - root_w.cwiseProduct(K.solve(root_w.cwiseProduct(K.times(gradient))));
    const VectorXd f_step = K.times(step);
    double length = 1;
    bool climbed = false;
    for (int h = 0; h < kMostHalvings && !climbed; ++h) {
      if (h > 0) length /= 2;
      const VectorXd a = mode.a + length * step, f = mode.f + length * f_step;
      const double next = log_likelihood(f) - a.dot(f - mean) / 2;
      // Near the mode a whole step changes less than rounding does.
      if (next < value - kRounding * (1 + std::abs(value))) continue;
      mode.a = a;
      mode.f = f;
      value = next;
      climbed = true;
    }
    if (!climbed) break;
    moved = length * f_step.cwiseAbs().maxCoeff();
  }
  throw RunError(fmt::format(
      "no most probable margins of {} choices were found in {} Newton steps: the last moved one by "
      "{:.3g}",
      mean.size(), mode.steps, moved));
}

}  // namespace theta
