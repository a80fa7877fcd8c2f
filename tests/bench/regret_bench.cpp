// Simple regret of prompt searches on simulated outcome tables: accuracy points lost by the
// incumbent after so many program evaluations.
//
// usage: regret_bench [--json FILE] [--problems N] [--first SEED]

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <functional>

#include "optimizers/search.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/outcome_table.hpp"

namespace theta {
namespace {

constexpr std::array<std::int64_t, 5> kBudgets{200, 400, 800, 1600, 3200};

/// The incumbent from so many evaluations on.
struct Change {
  std::int64_t evaluations = 0;
  Combination incumbent;
};
using Curve = std::vector<Change>;
using Method = std::function<Curve(const OutcomeTable&, std::uint64_t seed)>;

/// Combinations drawn at random, each evaluated on every example.
Curve random_full(const OutcomeTable& table, std::uint64_t seed) {
  Rng rng(derive_seed(seed, "random"));
  Curve curve;
  double best = -1;
  const auto examples = static_cast<std::int64_t>(table.family().examples);
  for (std::int64_t used = examples; used <= kBudgets.back(); used += examples) {
    Combination c;
    for (const auto& variable : table.space())
      c.push_back(static_cast<int>(rng.below(variable.choices)));
    double sum = 0;
    for (const double y : table.row(c)) sum += y;
    if (sum > best) {
      best = sum;
      curve.push_back({used, c});
    }
  }
  return curve;
}

double regret_at(const OutcomeTable& table, const Curve& curve, std::int64_t budget) {
  Combination incumbent(table.space().size(), 0);
  for (const auto& change : curve)
    if (change.evaluations <= budget) incumbent = change.incumbent;
  return table.regret(incumbent);
}

/// Mean regret at each budget, with a line of the table.
std::array<double, 5> measure(const std::string& name, const Method& method, std::uint64_t first,
                              std::uint64_t problems) {
  std::array<double, 5> sum{}, squares{};
  for (std::uint64_t seed = first; seed < first + problems; ++seed) {
    const OutcomeTable table({}, seed);
    const Curve curve = method(table, seed);
    for (std::size_t b = 0; b < kBudgets.size(); ++b) {
      const double regret = regret_at(table, curve, kBudgets[b]);
      sum[b] += regret;
      squares[b] += regret * regret;
    }
  }
  fmt::print("{:<14}", name);
  for (std::size_t b = 0; b < kBudgets.size(); ++b) {
    const auto n = static_cast<double>(problems);
    sum[b] /= n;
    fmt::print("  {:6.2f} ± {:.2f}", sum[b], std::sqrt((squares[b] / n - sum[b] * sum[b]) / n));
  }
  fmt::print("\n");
  return sum;
}

std::vector<Figure> regrets(std::vector<std::string>& arguments) {
  const std::uint64_t problems = std::stoull(take_option(arguments, "--problems", "60"));
  const std::uint64_t first = std::stoull(take_option(arguments, "--first", "0"));
  fmt::print("mean simple regret in points ± standard error over {} problems after", problems);
  for (const auto budget : kBudgets) fmt::print(" {}", budget);
  fmt::print(" evaluations\n");

  std::vector<Figure> figures;
  const auto random = measure("random, full", random_full, first, problems);
  for (std::size_t b = 0; b < kBudgets.size(); ++b)
    figures.push_back({.name = fmt::format("random regret at {}", kBudgets[b]),
                       .theta = random[b],
                       .better = "lower"});
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("regret", argc, argv, theta::regrets); }
