#include "tests/bench/outcome_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/rng.hpp"

namespace theta {

OutcomeTable::OutcomeTable(const Family& family, std::uint64_t seed)
    : family_(family), seed_(seed) {
  Rng rng(derive_seed(seed, "effects"));
  const double scale = 1 / std::sqrt(static_cast<double>(family.predictors));
  const auto normals = [&](std::size_t n, double sd) {
    std::vector<double> drawn(n);
    for (auto& value : drawn) value = sd * rng.normal();
    return drawn;
  };
  double highest = family.level;
  for (std::size_t p = 0; p < family.predictors; ++p) {
    space_.push_back({fmt::format("p{}.instruction", p), family.instructions, p});
    space_.push_back({fmt::format("p{}.demos", p), family.demos, p});
    instruction_.push_back(normals(family.instructions, family.sd_instruction * scale));
    demos_.push_back(normals(family.demos, family.sd_demos * scale));
    both_.push_back(normals(family.instructions * family.demos, family.sd_both * scale));
    double best = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < family.instructions; ++i)
      for (std::size_t d = 0; d < family.demos; ++d)
        best = std::max(best, instruction_[p][i] + demos_[p][d] + both_[p][i * family.demos + d]);
    highest += best;
  }
  difficulty_ = normals(family.examples, family.sd_difficulty);
  best_ = accuracy_of(highest);
}

std::vector<Combination> OutcomeTable::combinations() const {
  std::vector<Combination> all{{}};
  for (const auto& variable : space_) {
    std::vector<Combination> longer;
    for (const auto& c : all)
      for (std::size_t choice = 0; choice < variable.choices; ++choice) {
        longer.push_back(c);
        longer.back().push_back(static_cast<int>(choice));
      }
    all = std::move(longer);
  }
  return all;
}

double OutcomeTable::effect(const Combination& c) const {
  double f = family_.level;
  for (std::size_t p = 0; p < family_.predictors; ++p) {
    const auto i = static_cast<std::size_t>(c[2 * p]), d = static_cast<std::size_t>(c[2 * p + 1]);
    f += instruction_[p][i] + demos_[p][d] + both_[p][i * family_.demos + d];
  }
  return f;
}

const std::vector<double>& OutcomeTable::row(const Combination& c) const {
  auto& row = rows_[c];
  if (!row.empty()) return row;
  std::uint64_t seed = derive_seed(seed_, "outcomes");
  for (const int choice : c) seed = derive_seed(seed, static_cast<std::uint64_t>(choice));
  Rng rng(seed);
  const double f = effect(c);
  for (const double b : difficulty_) {
    const double u = std::max(rng.uniform(), 0x1p-54);
    row.push_back(f + b + std::log(u / (1 - u)) > 0 ? 1 : 0);
  }
  return row;
}

double OutcomeTable::accuracy_of(double effect) const {
  double sum = 0, weights = 0;
  for (int k = -40; k <= 40; ++k) {
    const double z = k / 10.0, weight = std::exp(-z * z / 2);
    sum += weight / (1 + std::exp(-effect - family_.sd_difficulty * z));
    weights += weight;
  }
  return sum / weights;
}

}  // namespace theta
