#pragma once

#include "optimizers/candidate_means.hpp"

namespace theta {

// The tree-structured Parzen estimator for categorical variables, as Optuna 5.0.0 has it with
// TPESampler(multivariate=True) and every other option at its default: what MIPROv2 searches with.
//
//   D    (N)               trials in the order told, each a combination x and its mean score
//   n_l                    min(ceil(N / 10), 25): the best trials, the first of equals, are `good`
//   l, g                   densities over combinations of the good trials and of the others: each a
//                          mixture of K = n + 1 kernels, one a trial and one flat
//   w_k                    weights 1; of the first n - 25 trials a ramp from 1/n to 1; of the flat
//                          kernel 1
//   p_kv(x)                kernel k at choice x of variable v: (1/K + [x = choice of trial k]) /
//                          (c_v / K + 1) for c_v choices; the flat one 1/c_v
//   l(x)                   sum_k w_k prod_v p_kv(x_v) / sum_k w_k, g(x) alike
//
// The suggestion is the highest l(x) / g(x) of 24 draws from l. Bergstra et al. 2011, Watanabe 2023
// (arXiv 2304.11127), section 3; optuna/samplers/_tpe/{sampler,parzen_estimator}.py.

/// MIPROv2's sampler. A trial is what observe() is told of one combination in a row: its score is
/// the mean of these outcomes, however many. The belief is each candidate's own mean, as TPE has
/// none.
class TpeSurrogate final : public Surrogate {
 public:
  explicit TpeSurrogate(std::vector<Variable> space) : space_(std::move(space)) {}

  void observe(const std::vector<Observation>& outcomes) override;
  /// As Optuna's among `candidates`: draws are from l, restricted to them.
  Combination suggest(const std::vector<Combination>& candidates, Rng& rng) override;
  /// As Optuna's in the whole space, however large.
  Combination suggest(Rng& rng) const;
  Posterior posterior(const std::vector<Combination>& candidates) const override {
    return means_.posterior(candidates);
  }

  /// log l(x) - log g(x) at `candidates`: (m).
  Eigen::VectorXd log_ratio(const std::vector<Combination>& candidates) const;

 private:
  struct Trial {
    Combination combination;
    double score = 0;
  };
  /// A mixture of a kernel for each trial and a flat one, which is the last.
  struct Density {
    std::vector<Combination> trials;  ///< (n)
    Eigen::VectorXd weights;          ///< (n + 1), sums to 1

    double kernel(const Variable& variable, std::size_t v, std::size_t k, int choice) const;
    Eigen::VectorXd at(const std::vector<Variable>& space,
                       const std::vector<Combination>& candidates) const;
  };
  struct Split {
    Density good, rest;
  };

  Split split() const;
  bool is_starting() const;
  Combination draw(const Density& density, Rng& rng) const;
  static Combination best_ratio(const std::vector<Variable>& space, const Split& split,
                                const std::vector<Combination>& drawn);

  std::vector<Variable> space_;
  std::vector<Trial> trials_;
  CandidateMeans means_;
};

}  // namespace theta
