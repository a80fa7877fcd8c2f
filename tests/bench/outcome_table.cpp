#include "tests/bench/outcome_table.hpp"

#include <fmt/format.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/rng.hpp"
#include "optimizers/combinations.hpp"

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
  return list_combinations(space_, std::numeric_limits<std::size_t>::max());
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

Combination OutcomeTable::informed_choice(std::size_t examples) const {
  constexpr int kSteps = 30;
  constexpr double kDamping = 0.7;
  const auto all = combinations();
  const auto n = static_cast<Eigen::Index>(all.size());
  const auto square = [](double x) { return x * x; };
  Eigen::MatrixXd prior(n, n);
  for (Eigen::Index a = 0; a < n; ++a)
    for (Eigen::Index b = 0; b < n; ++b) {
      const auto& x = all[static_cast<std::size_t>(a)];
      const auto& y = all[static_cast<std::size_t>(b)];
      double sum = a == b ? 1e-9 : 0;
      for (std::size_t p = 0; p < family_.predictors; ++p) {
        const bool i = x[2 * p] == y[2 * p], d = x[2 * p + 1] == y[2 * p + 1];
        sum += (i * square(family_.sd_instruction) + d * square(family_.sd_demos) +
                (i && d) * square(family_.sd_both)) /
               static_cast<double>(family_.predictors);
      }
      prior(a, b) = sum;
    }
  // Newton: f = K (W f + g) - K W^1/2 B^-1 W^1/2 K (W f + g) with B = I + W^1/2 K W^1/2, damped.
  // Rasmussen & Williams 2006, Algorithm 3.1.
  Eigen::VectorXd f = Eigen::VectorXd::Zero(n);
  for (int step = 0; step < kSteps; ++step) {
    Eigen::VectorXd w = Eigen::VectorXd::Zero(n), g = w;
    for (Eigen::Index c = 0; c < n; ++c) {
      const auto& outcomes = row(all[static_cast<std::size_t>(c)]);
      for (std::size_t j = 0; j < std::min(examples, outcomes.size()); ++j) {
        const double right = 1 / (1 + std::exp(-family_.level - f(c) - difficulty_[j]));
        w(c) += right * (1 - right);
        g(c) += outcomes[j] - right;
      }
    }
    const Eigen::VectorXd root = w.cwiseSqrt();
    Eigen::MatrixXd b = root.asDiagonal() * prior * root.asDiagonal();
    b.diagonal().array() += 1;
    const Eigen::VectorXd target = prior * (w.cwiseProduct(f) + g);
    const Eigen::VectorXd inner = b.llt().solve(root.cwiseProduct(target));
    f += kDamping * (target - prior * root.cwiseProduct(inner) - f);
  }
  Eigen::Index best = 0;
  f.maxCoeff(&best);
  return all[static_cast<std::size_t>(best)];
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
