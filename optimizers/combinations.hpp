#pragma once

#include <cstddef>
#include <set>
#include <span>
#include <vector>

#include "core/rng.hpp"
#include "optimizers/surrogate.hpp"

namespace theta {

/// Every combination of choices in lexicographic order; none if there are more than `most`.
std::vector<Combination> list_combinations(std::span<const Variable> space, std::size_t most);

/// What is looked at in a space too large to list: `known`, what differs from a centre in one
/// choice, and random draws until it was tried to have `most`.
std::set<Combination> draw_combinations(std::span<const Variable> space,
                                        std::set<Combination> known,
                                        std::span<const Combination> centres, std::size_t most,
                                        Rng& rng);

}  // namespace theta
