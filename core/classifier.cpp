#include "core/classifier.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <functional>
#include <limits>
#include <stdexcept>

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kMostSteps = 500;
constexpr std::size_t kMemory = 10;   ///< pairs that L-BFGS remembers
constexpr double kFlat = 1e-6;        ///< the largest gradient at the end
constexpr double kSufficient = 1e-4;  ///< of the descent promised (Armijo 1966)
constexpr int kMostHalvings = 40;

/// The objective at a point; sets its gradient.
using Objective = std::function<double(const VectorXd& at, VectorXd& gradient)>;

/// Minimises a convex function from 0. Liu & Nocedal 1989, Algorithm 2.1, with backtracking.
VectorXd minimise(const Objective& objective, Index size) {
  struct Pair {
    VectorXd step, change;
    double scale;
  };
  std::deque<Pair> memory;
  VectorXd at = VectorXd::Zero(size), gradient(size), next_gradient(size);
  double value = objective(at, gradient);
  for (int k = 0; k < kMostSteps && gradient.cwiseAbs().maxCoeff() > kFlat; ++k) {
    VectorXd direction = -gradient;
    std::vector<double> alpha(memory.size());
    for (std::size_t i = memory.size(); i-- > 0;) {
      alpha[i] = memory[i].scale * memory[i].step.dot(direction);
      direction -= alpha[i] * memory[i].change;
    }
    if (!memory.empty())
      direction *= 1 / (memory.back().scale * memory.back().change.squaredNorm());
    for (std::size_t i = 0; i < memory.size(); ++i)
      direction += memory[i].step * (alpha[i] - memory[i].scale * memory[i].change.dot(direction));
    const double slope = gradient.dot(direction);
    double length = 1;
    VectorXd next = at + direction;
    double next_value = objective(next, next_gradient);
    for (int h = 0; h < kMostHalvings && !(next_value <= value + kSufficient * length * slope);
         ++h) {
      length /= 2;
      next = at + length * direction;
      next_value = objective(next, next_gradient);
    }
    if (!(next_value < value)) break;  // as far as rounding lets it
    const VectorXd step = next - at, change = next_gradient - gradient;
    if (const double curvature = step.dot(change); curvature > 0) {
      memory.push_back({step, change, 1 / curvature});
      if (memory.size() > kMemory) memory.pop_front();
    }
    at = next;
    gradient = next_gradient;
    value = next_value;
  }
  return at;
}

void check(const MatrixXd& K, std::span<const std::size_t> y, std::size_t classes) {
  const auto n = static_cast<Index>(y.size());
  if (n == 0 || K.rows() != n || K.cols() != n)
    throw std::invalid_argument("inner products and classes of the same rows, at least one");
  if (std::ranges::any_of(y, [&](std::size_t c) { return c >= classes; }))
    throw std::invalid_argument("every row is of one of the classes");
}

/// (n x C), 1 at each row's class.
MatrixXd one_hot(std::span<const std::size_t> y, std::size_t classes) {
  MatrixXd hot = MatrixXd::Zero(static_cast<Index>(y.size()), static_cast<Index>(classes));
  for (std::size_t i = 0; i < y.size(); ++i)
    hot(static_cast<Index>(i), static_cast<Index>(y[i])) = 1;
  return hot;
}

/// Rows minus the logarithm of the sum of their exponentials.
MatrixXd log_softmax(MatrixXd scores) {
  for (Index i = 0; i < scores.rows(); ++i) {
    const double highest = scores.row(i).maxCoeff();
    scores.row(i).array() -= highest + std::log((scores.row(i).array() - highest).exp().sum());
  }
  return scores;
}

std::vector<std::size_t> argmax(const MatrixXd& scores) {
  std::vector<std::size_t> best;
  for (Index i = 0; i < scores.rows(); ++i) {
    Index at = 0;
    scores.row(i).maxCoeff(&at);
    best.push_back(static_cast<std::size_t>(at));
  }
  return best;
}

}  // namespace

std::vector<std::size_t> nearest_centroid(const MatrixXd& K, const MatrixXd& Q,
                                          std::span<const std::size_t> y, std::size_t classes) {
  check(K, y, classes);
  MatrixXd share = one_hot(y, classes);
  const Eigen::RowVectorXd sizes = share.colwise().sum();
  MatrixXd scores(Q.rows(), share.cols());
  for (Index c = 0; c < share.cols(); ++c) {
    const VectorXd column = share.col(c);
    const double length = std::sqrt(std::max(0.0, column.dot(K * column)));
    scores.col(c) = length > 0 ? VectorXd(Q * column / length)
                               : VectorXd::Constant(Q.rows(), sizes(c) > 0 ? 0 : -2);
  }
  return argmax(scores);
}

LogisticRegression::LogisticRegression(const MatrixXd& K, std::span<const std::size_t> y,
                                       std::size_t classes, double c) {
  check(K, y, classes);
  if (!(c > 0)) throw std::invalid_argument("the weight of the rows is above 0");
  const Index n = K.rows(), C = static_cast<Index>(classes);
  const MatrixXd hot = one_hot(y, classes);
  // The gradient by A is K (A / c + P - Y). Without the factor K it is the descent direction of the
  // same minimum in another metric, but L-BFGS wants the gradient itself.
  const auto objective = [&](const VectorXd& at, VectorXd& gradient) {
    const Eigen::Map<const MatrixXd> a(at.data(), n, C);
    const Eigen::Map<const Eigen::RowVectorXd> b(at.data() + n * C, C);
    const MatrixXd ka = K * a;
    const MatrixXd logs = log_softmax(ka.rowwise() + b);
    const MatrixXd off = logs.array().exp().matrix() - hot;
    Eigen::Map<MatrixXd>(gradient.data(), n, C) = K * (a / c + off);
    Eigen::Map<Eigen::RowVectorXd>(gradient.data() + n * C, C) = off.colwise().sum();
    return -logs.cwiseProduct(hot).sum() + a.cwiseProduct(ka).sum() / (2 * c);
  };
  const VectorXd found = minimise(objective, n * C + C);
  weights_ = Eigen::Map<const MatrixXd>(found.data(), n, C);
  intercept_ = Eigen::Map<const Eigen::RowVectorXd>(found.data() + n * C, C);
}

MatrixXd LogisticRegression::log_probabilities(const MatrixXd& Q) const {
  return log_softmax((Q * weights_).rowwise() + intercept_);
}

std::vector<std::size_t> LogisticRegression::classify(const MatrixXd& Q) const {
  return argmax(log_probabilities(Q));
}

OffsetRegression::OffsetRegression(const MatrixXd& X, const MatrixXd& offset,
                                   std::span<const std::size_t> y, double c) {
  const auto n = static_cast<Index>(y.size());
  const Index d = X.cols(), C = offset.cols();
  if (n == 0 || X.rows() != n || offset.rows() != n || !(c > 0) ||
      std::ranges::any_of(y, [&](std::size_t k) { return k >= static_cast<std::size_t>(C); }))
    throw std::invalid_argument("features, scores and classes of the same rows, and c above 0");
  const MatrixXd hot = one_hot(y, static_cast<std::size_t>(C));
  const auto objective = [&](const VectorXd& at, VectorXd& gradient) {
    const Eigen::Map<const MatrixXd> w(at.data(), d, C);
    const Eigen::Map<const Eigen::RowVectorXd> b(at.data() + d * C, C);
    const MatrixXd logs = log_softmax((X * w + offset).rowwise() + b);
    const MatrixXd off = logs.array().exp().matrix() - hot;
    Eigen::Map<MatrixXd>(gradient.data(), d, C) = X.transpose() * off + w / c;
    Eigen::Map<Eigen::RowVectorXd>(gradient.data() + d * C, C) = off.colwise().sum();
    return -logs.cwiseProduct(hot).sum() + w.squaredNorm() / (2 * c);
  };
  const VectorXd found = minimise(objective, d * C + C);
  weights = Eigen::Map<const MatrixXd>(found.data(), d, C);
  intercept = Eigen::Map<const Eigen::RowVectorXd>(found.data() + d * C, C);
}

MatrixXd OffsetRegression::log_probabilities(const MatrixXd& X, const MatrixXd& offset) const {
  return log_softmax((X * weights + offset).rowwise() + intercept);
}

double cross_validated_c(const MatrixXd& K, std::span<const std::size_t> y, std::size_t classes,
                         std::size_t folds) {
  check(K, y, classes);
  constexpr std::array kChoices{.1, 1., 10., 100., 1000.};
  double best = kChoices[1], highest = -std::numeric_limits<double>::infinity();
  if (y.size() < 2 * folds) return best;
  for (const double c : kChoices) {
    double sum = 0;
    for (std::size_t fold = 0; fold < folds; ++fold) {
      std::vector<Index> in, out;
      std::vector<std::size_t> known;
      for (std::size_t i = 0; i < y.size(); ++i) {
        (i % folds == fold ? out : in).push_back(static_cast<Index>(i));
        if (i % folds != fold) known.push_back(y[i]);
      }
      const LogisticRegression fitted(K(in, in), known, classes, c);
      const MatrixXd logs = fitted.log_probabilities(K(out, in));
      for (std::size_t i = 0; i < out.size(); ++i)
        sum += logs(static_cast<Index>(i), static_cast<Index>(y[static_cast<std::size_t>(out[i])]));
    }
    if (sum > highest) highest = sum, best = c;
  }
  return best;
}

}  // namespace theta
