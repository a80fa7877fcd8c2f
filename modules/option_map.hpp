#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <span>
#include <vector>

namespace theta {

/// What a model's log-probabilities of a step's options say of the right one, learnt from labelled
/// rows: matrix scaling (Guo et al. 2017, arXiv 1706.04599, section 4.2). A model that cannot tell
/// two labels apart by the words they are called by often tells them apart by how it ranks all of
/// them, which the most probable label hides.
///
///   l (C)       log-probabilities of the options, normalised over them
///   W (C x C)   `weights`, row by row; b (C) `bias`
///   log P = log softmax(W l + b)
///
/// A value type. It is of one prompt: another has another.
struct OptionMap {
  std::vector<double> weights = {}, bias = {};
  std::size_t rows = 0;  ///< that it was fitted on

  /// @param logprobs  (C), up to a constant   @return (C), normalised
  /// @throws std::logic_error for another number of options
  std::vector<double> apply(std::span<const double> logprobs) const;
  bool operator==(const OptionMap&) const = default;
};

/// Labelled answers: the log-probabilities (n x C) and the index of each row's right option.
struct LabelledOptions {
  Eigen::MatrixXd logprobs;
  std::vector<std::size_t> labels;
};

/// Maximises the likelihood under the ridge penalty ||W - I||^2 / (2 c), c by 5-fold
/// cross-validation.   @throws std::invalid_argument without rows
OptionMap fit_option_map(const LabelledOptions& rows);

/// What maps that were fitted without a row's fold say of it: (n x C) log P. Row i is in fold
/// i mod 5, and c is that of all rows.   @throws std::invalid_argument for fewer than 10 rows
Eigen::MatrixXd cross_fitted(const LabelledOptions& rows);

}  // namespace theta
