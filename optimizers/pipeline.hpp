#pragma once

#include <memory>
#include <string>
#include <vector>

#include "optimizers/optimizer.hpp"

namespace theta {

/// Runs optimisers one after another, each on what the one before it made: demos first and
/// instructions on top of them, or the other way round. dspy 3.4.1, teleprompt/bettertogether.py,
/// without its steps that train weights.
///
/// The steps share the budget, and what one of them leaves is the next one's. Every step begins
/// with an evaluation of what it was given, and hands that on where it does not believe that its
/// winner is better. The gate judges the last program against the student, by the sum of what the
/// steps believe; it does not stand between them.
class Pipeline final : public Optimizer {
 public:
  /// @param steps  at least one
  explicit Pipeline(std::vector<std::unique_ptr<Optimizer>> steps);

  std::string name() const override { return "pipeline"; }
  Compiled search(const Module& student, const Task& task) override;

 private:
  std::vector<std::unique_ptr<Optimizer>> steps_;
};

}  // namespace theta
