#include "optimizers/combinations.hpp"

namespace theta {

std::vector<Combination> list_combinations(std::span<const Variable> space, std::size_t most) {
  double size = 1;
  for (const auto& variable : space) size *= static_cast<double>(variable.choices);
  if (size > static_cast<double>(most)) return {};
  std::vector<Combination> all;
  for (Combination at(space.size(), 0);;) {
    all.push_back(at);
    std::size_t v = space.size();
    while (v > 0 && static_cast<std::size_t>(++at[v - 1]) == space[v - 1].choices) at[--v] = 0;
    if (v == 0) return all;
  }
}

std::set<Combination> draw_combinations(std::span<const Variable> space,
                                        std::set<Combination> known,
                                        std::span<const Combination> centres, std::size_t most,
                                        Rng& rng) {
  for (const auto& centre : centres)
    for (std::size_t v = 0; v < space.size(); ++v)
      for (std::size_t choice = 0; choice < space[v].choices; ++choice) {
        Combination neighbour = centre;
        neighbour[v] = static_cast<int>(choice);
        known.insert(neighbour);
      }
  // Draws may repeat; the space is larger than `most`, so that few do.
  for (std::size_t i = known.size(); i < most; ++i) {
    Combination candidate;
    for (const auto& variable : space)
      candidate.push_back(static_cast<int>(rng.below(variable.choices)));
    known.insert(candidate);
  }
  return known;
}

}  // namespace theta
