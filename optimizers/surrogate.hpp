#pragma once

#include <Eigen/Core>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/records/trial.hpp"
#include "core/rng.hpp"

namespace theta {

/// One thing that a search chooses: the instruction of a predictor, or its demo set.
struct Variable {
  std::string name;         ///< `predict.instruction`
  std::size_t choices = 1;  ///< indexed from 0; choice 0 is what the student came with
  std::size_t group = 0;    ///< the predictor; choices of one group may interact
  /// How alike the choices are beyond being the same: (choices x choices), positive semidefinite
  /// (text_similarity() of their texts). Empty: nothing is known.
  Eigen::MatrixXd similarity = {};
  bool meets_all = false;  ///< it may interact with the choices of every group
};

/// One outcome: candidate, example and score.
struct Observation {
  Combination combination;
  std::size_t example = 0;
  double score = 0;  ///< [0, 1]
};

/// What a surrogate believes about candidates' mean scores.
struct Posterior {
  Eigen::VectorXd mean;      ///< (m)
  Eigen::VectorXd variance;  ///< (m), >= 0
};

/// A model of outcomes over combinations, told everything that was evaluated.
class Surrogate {
 public:
  virtual ~Surrogate() = default;

  /// Adds the outcomes of one evaluation (a minibatch or a full one).
  /// @throws RunError for a score that is not finite.
  virtual void observe(const std::vector<Observation>& outcomes) = 0;

  /// The next combination to evaluate out of `candidates`, which is not empty. Deterministic given
  /// `rng`.
  virtual Combination suggest(const std::vector<Combination>& candidates, Rng& rng) = 0;

  /// The posterior at `candidates`.
  /// @throws RunError on a numerical failure: never a silent fallback.
  virtual Posterior posterior(const std::vector<Combination>& candidates) const = 0;
};

/// `paired`, `gp`, `tpe` or `random`.   @throws UserError for another name.
std::unique_ptr<Surrogate> make_surrogate(std::string_view name, std::vector<Variable> space);

}  // namespace theta
