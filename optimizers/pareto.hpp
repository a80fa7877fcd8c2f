#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace theta {

/// The indices that no other beats: none costs less and scores no lower, or costs no more and
/// scores higher. Cheapest first; of equals the first alone.
/// @param score, cost  (n)
std::vector<std::size_t> pareto_front(std::span<const double> score, std::span<const double> cost);

}  // namespace theta
