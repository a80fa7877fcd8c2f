#pragma once

#include "modules/reward/laplace.hpp"
#include "modules/reward/reward_model.hpp"

namespace theta {

/// Prior variances of the weights, feature by feature, for features as they are.
struct Priors {
  Eigen::VectorXd shared;  ///< (d) s^2: of w_0 ~ N(0, diag(s^2))
  /// (d x r) R: w_u = w_0 + R z_u, z_u ~ N(0, I). A diagonal tau for hierarchical Bradley-Terry; d x 0:
  /// nobody differs.
  Eigen::MatrixXd own;
  /// kappa^2 / s^2: w_0 of a person is w_0 + A a_u, A_jk ~ N(0, kappa^2 s_j^2 / s^2).
  double attributes = 0;
};

/// Bradley-Terry with weights that people share in part: w_u = w_0 + A a_u + R z_u. With the weights
/// integrated out, margins are a Gaussian process of covariance
///     K_ij = d_i' (diag(s^2) (1 + kappa^2 a_u . a_v) + [u = v] R R') d_j,
/// approximated by Laplace at its mode. A newcomer's weights start from what others' choices say of
/// w_0, uncertainty included, and their own choices are a second such problem, of their own size.
/// Contains pooled Bradley-Terry (R = 0) and everybody alone (s = 0).
class Hierarchical final : public RewardModel {
 public:
  /// With these priors.
  /// @param like  fitted on the same choices with others: where the search for the mode starts
  Hierarchical(const PreferenceData& choices, Priors priors, std::string decided = "",
               const Hierarchical* like = nullptr);

  std::vector<Forecast> predict(const Newcomer& person,
                                const Eigen::MatrixXd& asked) const override;
  std::string decided() const override { return decided_; }

  /// log P(the choices) by Laplace.
  double log_z() const { return mode_.log_z; }
  /// (n) margins of the choices.
  const Eigen::VectorXd& margins() const { return mode_.f; }
  /// (d) the mean of w_0.
  Eigen::VectorXd weights() const;
  /// What the choices say of each person's z_u beside w_0: means (U x r), and the sum over people of
  /// E[z_u z_u'] (r x r), which takes w_0 for known.
  struct OwnMoments {
    Eigen::MatrixXd means, second;
  };
  OwnMoments own_moments() const;

 private:
  /// Of the margins of rows X before a newcomer's own choices count.
  struct Process {
    Eigen::VectorXd mean;
    Eigen::MatrixXd covariance;
  };
  Process process(const Newcomer& person, const Eigen::MatrixXd& X) const;

  const PreferenceData choices_;
  const Priors priors_;
  const std::string decided_;
  std::vector<std::vector<Eigen::Index>> rows_;
  std::unique_ptr<SharedCovariance> shared_;  ///< where n > d and nothing is known of people
  std::unique_ptr<DenseCovariance> dense_;    ///< else
  Mode mode_;
};

/// The covariance of people's own steps is diagonal. A block of features (embeddings, style) has an
/// s^2, a tau^2, and of both how evenly its features count, from in proportion to their squares to
/// alike. These, and kappa^2 where there are attributes, by the highest log Z on a grid, a block at a
/// time in turn; of many choices on those of the first people.
std::unique_ptr<Hierarchical> fit_hierarchical(const PreferenceData& choices);

/// Pooled Bradley-Terry: w ~ N(0, I / lambda), lambda by the mean log P in cross-validation with a
/// prompt's choices in one fold.
std::unique_ptr<Hierarchical> fit_pooled(const PreferenceData& choices);

/// w_u = w_0 + V lambda_u with V (d x K) and lambda_u ~ N(0, I), as LoRe (arXiv 2504.14439) and PReF
/// (arXiv 2503.06358) have it: V holds the first K directions of the people's own covariance, found by
/// EM from fit_hierarchical()'s (each round: the steps' moments by Laplace, then their mean). K and
/// the weight of the first covariance by cross-validation over people.
std::unique_ptr<Hierarchical> fit_low_rank(const PreferenceData& choices);

/// P-TTT for linear rewards: w_u = w_0 + eta sum_i d_i over the person's own choices, which is the
/// direction of one gradient step of their likelihood from a margin of 0. Its eta, one for all, by
/// the mean log P of each choice given the others of the same person, with w_0 fitted on others.
class TestTime final : public RewardModel {
 public:
  TestTime(Eigen::VectorXd weights, double eta) : weights_(std::move(weights)), eta_(eta) {}

  std::vector<Forecast> predict(const Newcomer& person,
                                const Eigen::MatrixXd& asked) const override;
  std::string decided() const override;

 private:
  const Eigen::VectorXd weights_;  ///< (d) of pooled Bradley-Terry
  const double eta_;
};
std::unique_ptr<TestTime> fit_test_time(const PreferenceData& choices);

}  // namespace theta
