#pragma once

#include <cstdint>
#include <string>

#include "optimizers/optimizer.hpp"
#include "optimizers/prompt_limits.hpp"

namespace theta {

/// Defaults of dspy 3.4.1, teleprompt/copro_optimizer.py.
struct CoproOptions {
  std::size_t breadth = 10;  ///< instructions a round and predictor; in the first, its own is one
  std::size_t depth = 3;     ///< rounds
  PromptLimits limits = {};
  WriterOptions writer = {.temperature = 1.4};
  std::uint64_t seed = 0;
};

/// DSPy's COPRO, which is OPRO (Yang et al. 2023, arXiv 2309.03409) with coordinate ascent over the
/// predictors: every round evaluates the new instructions of each predictor in full, with the
/// others at their best so far, and shows the best `breadth` of all to the proposer, worst first
/// and with their scores, to write better ones.
///
/// Differs from DSPy: validation decides, not the training examples; a program that was evaluated
/// is not evaluated again; the prefix of the output field, which no chat adapter shows, is left
/// alone; a proposal that cannot be used is asked again or dropped.
class Copro final : public Optimizer {
 public:
  explicit Copro(CoproOptions options = {}) : options_(std::move(options)) {}

  std::string name() const override { return "copro"; }
  /// @throws UserError also as PromptLimits.
  Compiled search(const Module& student, const Task& task) override;

 private:
  CoproOptions options_;
};

}  // namespace theta
