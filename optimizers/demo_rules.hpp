#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/example.hpp"
#include "core/rng.hpp"
#include "core/signature.hpp"
#include "modules/nearest_demos.hpp"

namespace theta {

/// The rows that hold all that the signature reads and its last output, as a pool to pick from; none
/// without such rows.
std::optional<NearestDemos> nearest_demos(std::span<const Example> train,
                                          const Signature& signature, std::size_t k);

/// Demo sets that a rule makes of training rows, without asking a model.
///
/// For labels: 1, 2 and 4 rows of each, as far as `most` allows, in two orders, as small models
/// follow the last label that they read. Else, `size` rows that are as unlike each other as can be:
/// k-centres (Gonzalez 1985) on the cosine of Tfidf.
/// @param most  rows in a set
/// @return without equal sets; none without training rows
std::vector<std::vector<Demo>> demo_sets_by_rule(std::span<const Example> train,
                                                 const Signature& signature, std::size_t size,
                                                 std::size_t most, Rng& rng);

}  // namespace theta
