#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/result.hpp"

namespace theta {

enum class Split { kTrain, kValidation, kTest, kUnused };

struct SplitSizes {
  std::size_t train = 0;
  std::size_t validation = 0;
  std::size_t test = 0;
  std::size_t total() const { return train + validation + test; }
};

/// The split of each of `n` things, drawn without replacement by Rng(seed): exactly the sizes asked
/// for, the rest unused. `what` names the things in the message.
/// @throws UserError `a split of 300 rows was asked for, there are 250`.
std::vector<Split> draw_split(std::size_t n, const SplitSizes& sizes, std::uint64_t seed,
                              const std::string& what);

/// The part of a Dataset or of Users that a split names. Not for kUnused.
template <typename Parts>
auto& split_of(Parts& parts, Split split) {
  require(split != Split::kUnused, "what is unused is in no split");
  return split == Split::kTrain        ? parts.train
         : split == Split::kValidation ? parts.validation
                                       : parts.test;
}

/// @throws UserError naming the first id that stands twice, within a split or across splits.
void check_disjoint(const Dataset& data);

/// Rows of validation and test whose fields equal those of a row in an earlier split.
std::size_t count_shared_content(const Dataset& data);

}  // namespace theta
