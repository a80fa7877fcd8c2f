#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/format_space.hpp"

namespace theta {

/// Defaults of dspy 3.4.1, teleprompt/random_search.py.
struct RandomSearchOptions {
  int num_candidates = 16;  ///< shuffled demo sets, beside the three fixed ones
  BootstrapOptions bootstrap = {};
  /// Of each shuffled candidate, every step's format is drawn from this; nothing: it is the
  /// student's, as in DSPy.
  std::optional<FormatSpace> space = {};
  std::uint64_t seed = 0;  ///< the shuffled candidates draw from Random(seed + 0, 1, ..)
};

/// DSPy's BootstrapFewShotWithRandomSearch: evaluates the student, then the student without demos
/// (if it has some), with labelled demos, with demos bootstrapped from the training examples in
/// their order, and from `num_candidates` shuffles of them, each of a random size; keeps the best.
class RandomSearch final : public Optimizer {
 public:
  explicit RandomSearch(RandomSearchOptions options = {}) : options_(options) {}
  std::string name() const override { return "random_search"; }
  Compiled search(const Module& student, const Task& task) override;

 private:
  RandomSearchOptions options_;
};

}  // namespace theta
