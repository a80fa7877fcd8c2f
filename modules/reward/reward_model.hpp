#pragma once

#include <Eigen/Core>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace theta {

// Reward models: what a person will choose, learnt from choices, without a language model.
// P(chosen over rejected | u) = s(w_u . (e(chosen) - e(rejected))): Bradley & Terry 1952 with a
// reward that is linear in features e of a text. The models differ in how a person's weights w_u hang
// together with those of others.
//
// Notation: n choices of U people, d features.
//   D (n x d)  a choice's features: the chosen text's less the rejected one's, so that what happened
//              is always +1. There is no intercept: the exchange of both texts negates a margin.

/// Choices that a model is fitted on.
struct PreferenceData {
  Eigen::MatrixXd D;                ///< (n x d)
  std::vector<std::size_t> person;  ///< (n) whose each is, numbered from 0
  std::vector<std::size_t> prompt;  ///< (n) what was asked: its choices are in one fold
  /// So many features are of embeddings, the rest of style: each block has prior scales of its own.
  Eigen::Index first_block = 0;
  /// (U x k) what is known of each person: a persona's embedding, demographics; k may be 0.
  Eigen::MatrixXd attributes = {};

  std::size_t people() const;
  /// The rows of each person.
  std::vector<std::vector<Eigen::Index>> rows() const;
};

/// A person whom the model was not fitted on.
struct Newcomer {
  Eigen::MatrixXd own = {};         ///< (m x d) choices that are known; none: m = 0
  Eigen::VectorXd attributes = {};  ///< (k), as in PreferenceData
};

/// What is said of a pair.
struct Forecast {
  double margin = 0;    ///< the mean; nats where the variance is 0
  double variance = 0;  ///< of the margin; 0 for models that know of no uncertainty
  double probability =
      .5;  ///< that the first text is chosen: s(margin / sqrt(1 + pi variance / 8))
};
/// @param margin, variance  of a Gaussian. MacKay 1992, Eq. 10.
Forecast forecast(double margin, double variance);

/// A fitted model. Thread-safe.
class RewardModel {
 public:
  virtual ~RewardModel() = default;

  /// @param asked  (t x d) pairs: the first text's features less the second one's
  /// @return (t)
  /// @throws RunError if the person's weights cannot be found
  virtual std::vector<Forecast> predict(const Newcomer& person,
                                        const Eigen::MatrixXd& asked) const = 0;

  /// What the choices decided of the model, for a person to read: `tau^2 / s^2 = .3`.
  virtual std::string decided() const = 0;
};

enum class Reward {
  kPooled,        ///< one w for all
  kHierarchical,  ///< w_u = w_0 + a Gaussian step, all directions alike
  kTestTime,      ///< w_u = w_0 + eta times the sum of the person's choices: one gradient step
  kLowRank        ///< w_u = w_0 + V lambda_u, few directions that people differ in
};

/// @throws RunError, in one line, where a fit does not converge
/// @throws std::invalid_argument for no choices, or sizes that differ
std::unique_ptr<RewardModel> fit_reward(Reward reward, const PreferenceData& choices);

}  // namespace theta
