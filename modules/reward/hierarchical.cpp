#include "modules/reward/hierarchical.hpp"

#include <fmt/format.h>

#include <stdexcept>

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

void check(const PreferenceData& choices, const Priors& priors) {
  const auto n = static_cast<Index>(choices.person.size());
  const Index d = choices.D.cols();
  if (n == 0 || choices.D.rows() != n || d == 0)
    throw std::invalid_argument(
        "a reward model is fitted on choices, each with features and a person");
  if (!choices.D.allFinite()) throw std::invalid_argument("a feature of a choice is not finite");
  if (priors.shared.size() != d || priors.own.rows() != d)
    throw std::invalid_argument("a prior variance a feature");
  if (choices.attributes.cols() > 0 &&
      choices.attributes.rows() != static_cast<Index>(choices.people()))
    throw std::invalid_argument("attributes are of every person");
}

/// 1 + kappa^2 / s^2 a_u . a_v: by how much more two people's choices have in common.
double in_common(const Priors& priors, const VectorXd& a, const VectorXd& b) {
  return priors.attributes > 0 ? 1 + priors.attributes * a.dot(b) : 1;
}

MatrixXd dense_covariance(const PreferenceData& choices, const Priors& priors) {
  const MatrixXd own = choices.D * priors.own;
  MatrixXd K = choices.D * priors.shared.asDiagonal() * choices.D.transpose();
  const bool known = priors.attributes > 0;
  for (Index j = 0; j < K.cols(); ++j)
    for (Index i = 0; i < K.rows(); ++i) {
      const auto u = choices.person[static_cast<std::size_t>(i)];
      const auto v = choices.person[static_cast<std::size_t>(j)];
      if (known)
        K(i, j) *= in_common(priors, choices.attributes.row(static_cast<Index>(u)),
                             choices.attributes.row(static_cast<Index>(v)));
      if (u == v) K(i, j) += own.row(i).dot(own.row(j));
    }
  return K;
}

/// What a Gaussian process of margins says of its last rows once the first are known to be choices.
std::vector<Forecast> condition(const VectorXd& mean, const MatrixXd& K, Index known) {
  const Index t = mean.size() - known;
  VectorXd margins = mean.tail(t), variances = K.diagonal().tail(t);
  if (known > 0) {
    DenseCovariance own(K.topLeftCorner(known, known));
    const Mode mode = find_mode(own, mean.head(known));
    const MatrixXd across = K.topRightCorner(known, t);
    margins += across.transpose() * mode.a;
    variances -= own.half_solve(across).colwise().squaredNorm().transpose();
  }
  std::vector<Forecast> out;
  for (Index i = 0; i < t; ++i)
    out.push_back(forecast(margins(i), std::max(0.0, variances(i))));  // rounding
  return out;
}

}  // namespace

Hierarchical::Hierarchical(const PreferenceData& choices, Priors priors, std::string decided,
                           const Hierarchical* like)
    : choices_(choices),
      priors_(std::move(priors)),
      decided_(std::move(decided)),
      rows_(choices.rows()) {
  check(choices_, priors_);
  const VectorXd zero = VectorXd::Zero(choices_.D.rows());
  const VectorXd start = like ? like->mode_.a : VectorXd();
  if (priors_.attributes > 0 || choices_.D.rows() <= choices_.D.cols()) {
    dense_ = std::make_unique<DenseCovariance>(dense_covariance(choices_, priors_));
    mode_ = find_mode(*dense_, zero, start);
    return;
  }
  std::vector<MatrixXd> blocks;
  const MatrixXd own = choices_.D * priors_.own;
  if (own.cols() > 0)
    for (const auto& rows : rows_) {
      const MatrixXd of_person = own(rows, Eigen::all);
      blocks.emplace_back(of_person * of_person.transpose());
    }
  shared_ = std::make_unique<SharedCovariance>(
      choices_.D * priors_.shared.cwiseSqrt().asDiagonal(),
      own.cols() > 0 ? rows_ : std::vector<std::vector<Index>>(), std::move(blocks));
  mode_ = find_mode(*shared_, zero, start);
}

VectorXd Hierarchical::weights() const {
  return priors_.shared.cwiseProduct(choices_.D.transpose() * mode_.a);
}

Hierarchical::Process Hierarchical::process(const Newcomer& person, const MatrixXd& X) const {
  const MatrixXd own = X * priors_.own;
  MatrixXd covariance = own * own.transpose();
  if (shared_) {
    const MatrixXd half = shared_->shared().matrixL().solve(
        MatrixXd(priors_.shared.cwiseSqrt().asDiagonal() * X.transpose()));
    covariance += half.transpose() * half;
    return {X * weights(), std::move(covariance)};
  }
  MatrixXd across = choices_.D * priors_.shared.asDiagonal() * X.transpose();  // (n x rows of X)
  if (priors_.attributes > 0)
    for (Index i = 0; i < across.rows(); ++i)
      across.row(i) *= in_common(
          priors_,
          choices_.attributes.row(static_cast<Index>(choices_.person[static_cast<std::size_t>(i)])),
          person.attributes);
  const MatrixXd half = dense_->half_solve(across);
  covariance += in_common(priors_, person.attributes, person.attributes) *
                    (X * priors_.shared.asDiagonal() * X.transpose()) -
                half.transpose() * half;
  return {across.transpose() * mode_.a, std::move(covariance)};
}

std::vector<Forecast> Hierarchical::predict(const Newcomer& person, const MatrixXd& asked) const {
  const Index known = person.own.rows();
  if (asked.cols() != choices_.D.cols() || (known > 0 && person.own.cols() != choices_.D.cols()) ||
      (priors_.attributes > 0 && person.attributes.size() != choices_.attributes.cols()))
    throw std::invalid_argument("a newcomer's features and attributes are those of the fit");
  MatrixXd X(known + asked.rows(), asked.cols());
  X << person.own, asked;
  const auto [mean, covariance] = process(person, X);
  return condition(mean, covariance, known);
}

Hierarchical::OwnMoments Hierarchical::own_moments() const {
  const MatrixXd own = choices_.D * priors_.own;
  const Index r = own.cols();
  OwnMoments moments{MatrixXd::Zero(static_cast<Index>(rows_.size()), r), MatrixXd::Zero(r, r)};
  for (std::size_t u = 0; u < rows_.size(); ++u) {
    const MatrixXd F = own(rows_[u], Eigen::all);
    const VectorXd mean = F.transpose() * VectorXd(mode_.a(rows_[u]));
    DenseCovariance block(F * F.transpose());
    block.factor(VectorXd(mode_.f(rows_[u])).unaryExpr([](double f) {
      return std::sqrt(logistic(f) * logistic(-f));
    }));
    const MatrixXd half = block.half_solve(F);
    moments.means.row(static_cast<Index>(u)) = mean.transpose();
    moments.second += mean * mean.transpose() + MatrixXd::Identity(r, r) - half.transpose() * half;
  }
  return moments;
}

}  // namespace theta
