#include "modules/prototypes.hpp"

#include <algorithm>

#include "core/result.hpp"

namespace theta {

std::vector<std::size_t> prototypes(std::span<const std::vector<double>> fits,
                                    std::span<const double> none, std::size_t most) {
  require(fits.size() == none.size(), "a fit without prototypes for every person");
  std::vector<double> best(none.begin(), none.end());  // (people) with those that are taken
  const std::size_t candidates = fits.empty() ? 0 : fits[0].size();
  std::vector<std::size_t> taken;
  while (taken.size() < most) {
    double most_gain = 0;
    std::size_t next = candidates;
    for (std::size_t k = 0; k < candidates; ++k) {
      double gain = 0;
      for (std::size_t u = 0; u < fits.size(); ++u) gain += std::max(0.0, fits[u][k] - best[u]);
      if (gain <= most_gain) continue;
      most_gain = gain;
      next = k;
    }
    if (next == candidates) break;
    taken.push_back(next);
    for (std::size_t u = 0; u < fits.size(); ++u) best[u] = std::max(best[u], fits[u][next]);
  }
  return taken;
}

}  // namespace theta
