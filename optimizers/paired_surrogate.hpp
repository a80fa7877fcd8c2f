#pragma once

#include <Eigen/Cholesky>
#include <map>
#include <vector>

#include "optimizers/surrogate.hpp"

namespace theta {

// The example-level model and its exact posterior.
//
//   y(c, j) = m + f(c) + b(j) + e
//
//   c in 1..C, j in 1..J   the distinct candidates and examples observed; N observations in all
//   m ~ N(1/2, 1/4)        the level of the scores (1/4 is m's share of every kernel entry)
//   f ~ GP(0, sum_t v_t K_t)
//                          T additive effects: of each variable with a choice, of each pair of
//                          variables of a group, each K_t(c, c') = [c and c' agree there], and for
//                          a variable with a similarity matrix S once more with
//                          K_t(c, c') = S(choice, choice')
//   b(j) ~ N(0, s_b^2)     the difficulty of example j, shared by all candidates
//   e ~ N(0, s_e^2)        noise
//
//   y    (N)               outcomes less 1/2, with indicators Z_c (N x C) and Z_b (N x J)
//   K    (C x C)           prior covariance of m + f at the observed candidates
//   S    (N x N)           s_e^2 I + s_b^2 Z_b Z_b': what is left given f. b is integrated out:
//                          S^-1 = (I - Z_b D Z_b') / s_e^2, D = diag(s_b^2 / (s_e^2 + n_j s_b^2))
//   P    (C x C)           Z_c' S^-1 Z_c = (diag(n_c) - W D W') / s_e^2, with counts n_c by
//                          candidate, n_j by example and W = Z_c' Z_b (C x J, sparse)
//   r    (C)               Z_c' S^-1 y = (t_c - W D u) / s_e^2, with sums t_c and u_j of y
//   g    (C)               P^-1 r: one pseudo-observation a candidate, its noise N(0, P^-1).
//                          P is positive definite, as every observed candidate has an observation
//   H    (C x C)           K + P^-1 = L L'
//   a    (C)               H^-1 g: posterior mean 1/2 + k_*' a, covariance k_** - k_*' H^-1 k_*
//
// Everything is exact (Woodbury), at O(C^3) and, for P, sum_j (candidates seen on j)^2 <= C N.
// Rasmussen & Williams 2006, Eq. 2.25-2.26, on g in place of y.

/// Variances of the model; every one > 0.
struct PairedVariances {
  double noise = 0.15;          ///< s_e^2
  double example = 0.05;        ///< s_b^2
  std::vector<double> effects;  ///< v_t, in the order of PairedSurrogate::effects()
};

struct PairedOptions {
  /// Where the variances start and what their priors are centred on: typical of accuracies.
  double noise = 0.15;
  double example = 0.05;  ///< 0: examples are not told apart
  double main_effect = 0.01;
  double interaction = 0.0025;
  /// Fit the variances to the data. Off, they stay as given above.
  bool fit = true;
};

/// The options of the ordinary GP on the candidates' means: no difficulties, so that all outcomes
/// of a candidate are its mean with noise s_e^2 / n_c, which then holds what the difficulties were.
inline PairedOptions ordinary_gp() { return {.noise = 0.2, .example = 0}; }

/// The surrogate of the paired search: knows that two candidates were seen on the same example and
/// how many observations stand behind each score.
///
/// Variances maximise the exact marginal likelihood under weak priors, refitted when the data have
/// grown by a fifth. Suggestions are by top-two Thompson sampling (Russo 2020, arXiv 1602.08448,
/// with beta = 1/2). Not thread-safe.
class PairedSurrogate final : public Surrogate {
 public:
  /// @throws UserError if a similarity matrix has the wrong shape or is not positive semidefinite.
  explicit PairedSurrogate(std::vector<Variable> space, PairedOptions options = {});

  /// Here and below, what a combination leaves out at its end is choice 0.
  void observe(const std::vector<Observation>& outcomes) override;
  Combination suggest(const std::vector<Combination>& candidates, Rng& rng) override;
  Posterior posterior(const std::vector<Combination>& candidates) const override;

  /// The joint posterior at `candidates`.
  struct Joint {
    Eigen::VectorXd mean;        ///< (m)
    Eigen::MatrixXd covariance;  ///< (m x m)
  };
  Joint joint(const std::vector<Combination>& candidates) const;

  /// One draw of m + f at `candidates` from the joint posterior, by Matheron's rule: a draw from
  /// the prior, corrected by what it gets wrong at the observed. Costs no factorisation, and equal
  /// candidates get equal values. Wilson et al. 2020 (arXiv 2002.09309), Eq. 9.
  Eigen::VectorXd draw(const std::vector<Combination>& candidates, Rng& rng) const;

  struct Likelihood {
    double value = 0;          ///< log p(y), nats
    Eigen::VectorXd gradient;  ///< (2 + T) by log s_e^2, log s_b^2, log v_1 .. log v_T
  };
  /// Of everything observed, without the priors on the variances.
  Likelihood log_marginal_likelihood(const PairedVariances& variances) const;

  const PairedVariances& variances() const { return variances_; }
  /// What each v_t belongs to: `predict.instruction`, `a x b`, `a ~` for a similarity.
  std::vector<std::string> effects() const;

 private:
  struct Effect {
    std::string name;
    std::vector<std::size_t> variables;
    std::size_t levels = 1;      ///< distinct values of key()
    Eigen::MatrixXd similarity;  ///< (levels x levels), empty: identity
    Eigen::MatrixXd root;        ///< R with R R' = similarity
    double prior_variance = 0;
  };
  /// Cells of the effects that a combination falls into: (T).
  using Keys = std::vector<int>;
  /// The linear algebra of the notation block under given variances.
  struct Solution {
    Eigen::LLT<Eigen::MatrixXd> precision;   ///< of P
    Eigen::MatrixXd noise;                   ///< P^-1
    Eigen::VectorXd pseudo;                  ///< g
    Eigen::LLT<Eigen::MatrixXd> covariance;  ///< of H
    Eigen::VectorXd weights;                 ///< a
    double misfit = 0;                       ///< y'S^-1 y - r'g: what no f can explain
  };
  /// All that is remembered of an example.
  struct Row {
    double count = 0, sum = 0;                          ///< n_j, u_j
    std::vector<std::pair<Eigen::Index, double>> seen;  ///< column j of W
  };

  Keys keys(const Combination& combination) const;
  std::vector<Keys> keys(const std::vector<Combination>& combinations) const;
  Eigen::MatrixXd gram(const Effect& effect, std::size_t t, const std::vector<Keys>& rows,
                       const std::vector<Keys>& columns) const;
  Eigen::MatrixXd prior_covariance(const PairedVariances& variances, const std::vector<Keys>& rows,
                                   const std::vector<Keys>& columns) const;
  Solution solve(const PairedVariances& variances) const;
  /// draw() at candidates with cells `at`, whose prior covariance with the observed is `cross`
  /// (m x C).
  Eigen::VectorXd draw(const std::vector<Keys>& at, const Eigen::MatrixXd& cross, Rng& rng) const;
  void fit();

  std::vector<Variable> space_;
  PairedOptions options_;
  std::vector<Effect> effects_;

  std::map<Combination, Eigen::Index> index_;  ///< of observed candidates
  std::vector<Keys> observed_;                 ///< (C)
  std::vector<double> counts_, sums_;          ///< n_c, t_c
  std::map<std::size_t, Row> rows_;            ///< by example
  double total_ = 0, squares_ = 0;             ///< N, y'y

  PairedVariances variances_;
  double fitted_at_ = 0;  ///< N when the variances were last fitted
  Solution solution_;     ///< under variances_, of everything observed
};

}  // namespace theta
