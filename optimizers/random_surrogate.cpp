#include "optimizers/random_surrogate.hpp"

#include "core/result.hpp"

namespace theta {

Combination RandomSurrogate::suggest(const std::vector<Combination>& candidates, Rng& rng) {
  require(!candidates.empty(), "there is a candidate to suggest");
  return candidates[rng.below(candidates.size())];
}

}  // namespace theta
