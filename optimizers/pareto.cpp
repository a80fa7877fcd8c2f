#include "optimizers/pareto.hpp"

#include <algorithm>
#include <numeric>

#include "core/result.hpp"

namespace theta {

std::vector<std::size_t> pareto_front(std::span<const double> score, std::span<const double> cost) {
  require(score.size() == cost.size(), "every score has a cost");
  std::vector<std::size_t> by_cost(score.size());
  std::iota(by_cost.begin(), by_cost.end(), std::size_t{0});
  std::stable_sort(by_cost.begin(), by_cost.end(), [&](std::size_t a, std::size_t b) {
    return cost[a] < cost[b] || (cost[a] == cost[b] && score[a] > score[b]);
  });
  std::vector<std::size_t> front;
  for (const auto i : by_cost)
    if (front.empty() || score[i] > score[front.back()]) front.push_back(i);
  return front;
}

}  // namespace theta
