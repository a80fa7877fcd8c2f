#include "modules/option_map.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "core/classifier.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

constexpr std::size_t kFolds = 5;
/// Of rows against the identity: what 30 to 160 rows choose lies between.
constexpr std::array kWeights{.01, .1, 1., 10.};

/// The rows less their mean, so that the intercept stands for their level, and in a scale in which a
/// penalty means the same for any model.
struct Features {
  Eigen::RowVectorXd mean;
  MatrixXd centred;

  explicit Features(const MatrixXd& logprobs)
      : mean(logprobs.colwise().mean()), centred(logprobs.rowwise() - mean) {}
};

template <typename Rows>
std::vector<std::size_t> some_of(std::span<const std::size_t> labels, const Rows& rows) {
  std::vector<std::size_t> some;
  for (const Index i : rows) some.push_back(labels[static_cast<std::size_t>(i)]);
  return some;
}

/// log P of the rows of each fold by what is fitted without it.
MatrixXd by_folds(const LabelledOptions& rows, double c) {
  const auto n = static_cast<Index>(rows.labels.size());
  const Features features(rows.logprobs);
  MatrixXd logs(n, rows.logprobs.cols());
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<Index> in, out;
    for (Index i = 0; i < n; ++i)
      (static_cast<std::size_t>(i) % kFolds == fold ? out : in).push_back(i);
    const OffsetRegression fitted(features.centred(in, Eigen::all), rows.logprobs(in, Eigen::all),
                                  some_of(rows.labels, in), c);
    logs(out, Eigen::all) =
        fitted.log_probabilities(features.centred(out, Eigen::all), rows.logprobs(out, Eigen::all));
  }
  return logs;
}

double chosen_weight(const LabelledOptions& rows) {
  if (rows.labels.size() < 2 * kFolds) return kWeights[1];
  double best = 0, highest = 0;
  for (const double c : kWeights) {
    const MatrixXd logs = by_folds(rows, c);
    double sum = 0;
    for (std::size_t i = 0; i < rows.labels.size(); ++i)
      sum += logs(static_cast<Index>(i), static_cast<Index>(rows.labels[i]));
    if (best == 0 || sum > highest) best = c, highest = sum;
  }
  return best;
}

}  // namespace

std::vector<double> OptionMap::apply(std::span<const double> logprobs) const {
  const std::size_t n = bias.size();
  require(logprobs.size() == n && weights.size() == n * n, "a map is of the step's options");
  const auto size = static_cast<Index>(n);
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> w(weights.data(), size, size);
  Eigen::VectorXd l = Eigen::Map<const Eigen::VectorXd>(logprobs.data(), size);
  const auto normalise = [](Eigen::VectorXd& x) {
    const double highest = x.maxCoeff();
    x.array() -= highest + std::log((x.array() - highest).exp().sum());
  };
  normalise(l);
  Eigen::VectorXd mapped = w * l + Eigen::Map<const Eigen::VectorXd>(bias.data(), size);
  normalise(mapped);
  return {mapped.begin(), mapped.end()};
}

OptionMap fit_option_map(const LabelledOptions& rows) {
  const Features features(rows.logprobs);
  const OffsetRegression fitted(features.centred, rows.logprobs, rows.labels, chosen_weight(rows));
  // log P = l + W' (l - mean) + b
  const MatrixXd beyond = fitted.weights.transpose();
  const Eigen::VectorXd bias = fitted.intercept.transpose() - beyond * features.mean.transpose();
  OptionMap map{{}, {bias.begin(), bias.end()}, rows.labels.size()};
  for (Index k = 0; k < beyond.rows(); ++k)
    for (Index m = 0; m < beyond.cols(); ++m)
      map.weights.push_back(beyond(k, m) + (k == m ? 1 : 0));
  return map;
}

MatrixXd cross_fitted(const LabelledOptions& rows) {
  if (rows.labels.size() < 2 * kFolds) throw std::invalid_argument("cross-fitting takes ten rows");
  return by_folds(rows, chosen_weight(rows));
}

}  // namespace theta
