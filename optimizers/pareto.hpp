#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/records/trial.hpp"

namespace theta {

/// A candidate that no other tried one beats in both score and length of prompt.
struct Tradeoff {
  Candidate candidate;
  double score = 0;  ///< the posterior's mean
  double sd = 0;
  std::size_t prompt_tokens = 0;  ///< of instructions and demos
};

/// The indices that no other beats: none costs less and scores no lower, or costs no more and
/// scores higher. Cheapest first; of equals the first alone.
/// @param score, cost  (n)
std::vector<std::size_t> pareto_front(std::span<const double> score, std::span<const double> cost);

}  // namespace theta
