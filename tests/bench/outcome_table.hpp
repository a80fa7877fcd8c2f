#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "optimizers/search.hpp"

namespace theta {

/// Sizes and effects of simulated prompt-search problems.
struct Family {
  std::size_t instructions = 10;  ///< choices a predictor
  std::size_t demos = 10;
  std::size_t examples = 100;
  std::size_t predictors = 1;
  double sd_instruction = 0.5;
  double sd_demos = 0.5;
  double sd_both = 0.3;
  double sd_difficulty = 1.5;
  double level = 0.3;
};

/// A problem of a family: outcomes 0 or 1 of every combination on every example, fixed for ever.
///
///   y(c, j) = 1  iff  f(c) + b(j) + e(c, j) > 0,   b ~ N(0, sd_difficulty^2),  e ~ logistic(0, 1)
///   f(c) = level + sum over predictors p of instruction_p[i] + demos_p[d] + both_p[i, d],
///   each effect normal, its variance divided by the number of predictors
///
/// Rows are made when asked for; not thread-safe.
class OutcomeTable {
 public:
  OutcomeTable(const Family& family, std::uint64_t seed);

  const Family& family() const { return family_; }
  const std::vector<Variable>& space() const { return space_; }
  /// All combinations in lexicographic order. Only for spaces that can be listed.
  std::vector<Combination> combinations() const;

  /// (examples) outcomes of a combination.
  const std::vector<double>& row(const Combination& c) const;
  /// The mean outcome over all examples that there could be.
  double accuracy(const Combination& c) const { return accuracy_of(effect(c)); }
  /// Simple regret in points: what is lost by taking `c` instead of the best there is.
  double regret(const Combination& c) const { return 100 * (best_ - accuracy(c)); }
  double effect(const Combination& c) const;  ///< f(c)
  double difficulty(std::size_t j) const { return difficulty_[j]; }
  /// The effects of a predictor's instructions.
  const std::vector<double>& instruction_effects(std::size_t p) const { return instruction_[p]; }

  /// The combination of the highest posterior mean given the outcomes on so many examples, the true
  /// difficulties and the true variances of the effects (Laplace). Given every outcome, no search
  /// can be expected to do better, so that its regret is the floor. O(combinations^3).
  Combination informed_choice(std::size_t examples) const;
  Combination informed_choice() const { return informed_choice(family_.examples); }

 private:
  double accuracy_of(double effect) const;

  Family family_;
  std::uint64_t seed_;
  std::vector<Variable> space_;
  std::vector<std::vector<double>> instruction_, demos_, both_;  ///< by predictor
  std::vector<double> difficulty_;
  double best_ = 0;
  mutable std::map<Combination, std::vector<double>> rows_;
};

}  // namespace theta
