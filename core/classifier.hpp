#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

namespace theta {

// Notation: n training rows, m rows to classify, C classes, numbered from 0.
//   K (n x n)  inner products of the training rows' features; Q (m x n) of the others' with theirs
//   y (n)      the class of each training row
// Both classifiers are linear in the features and need their inner products alone.

/// Nearest centroid by cosine: the class whose mean feature vector points most nearly where the
/// row's does. A class without rows is never chosen.
/// @return (m) classes   @throws std::invalid_argument unless n > 0 and the sizes agree
std::vector<std::size_t> nearest_centroid(const Eigen::MatrixXd& K, const Eigen::MatrixXd& Q,
                                          std::span<const std::size_t> y, std::size_t classes);

/// Multinomial logistic regression with an intercept and the ridge penalty ||W||^2 / (2 c), as
/// scikit-learn's LogisticRegression(C=c) has it. By the representer theorem W = X' A, so that A
/// (n x C) is what is fitted, by L-BFGS (Liu & Nocedal 1989).
class LogisticRegression {
 public:
  /// @throws std::invalid_argument as nearest_centroid(), or unless c > 0
  LogisticRegression(const Eigen::MatrixXd& K, std::span<const std::size_t> y, std::size_t classes,
                     double c);

  /// (m x C) log P(class | row)
  Eigen::MatrixXd log_probabilities(const Eigen::MatrixXd& Q) const;
  std::vector<std::size_t> classify(const Eigen::MatrixXd& Q) const;

 private:
  Eigen::MatrixXd weights_;       ///< (n x C), A
  Eigen::RowVectorXd intercept_;  ///< (C)
};

/// The same where features are few: W itself is fitted, beside scores that the rows have before it has
/// a say.
struct OffsetRegression {
  Eigen::MatrixXd weights;       ///< (d x C), W
  Eigen::RowVectorXd intercept;  ///< (C)

  /// @param X  (n x d) features   @param offset  (n x C)
  /// @throws std::invalid_argument unless n > 0, c > 0 and the sizes agree
  OffsetRegression(const Eigen::MatrixXd& X, const Eigen::MatrixXd& offset,
                   std::span<const std::size_t> y, double c);

  /// (m x C) log P(class | row)
  Eigen::MatrixXd log_probabilities(const Eigen::MatrixXd& X, const Eigen::MatrixXd& offset) const;
};

/// The c of .1, 1, 10, 100, 1000 with the highest mean log P in cross-validation over `folds` folds
/// (row i is in fold i mod folds); the smallest of equals.
double cross_validated_c(const Eigen::MatrixXd& K, std::span<const std::size_t> y,
                         std::size_t classes, std::size_t folds = 5);

}  // namespace theta
