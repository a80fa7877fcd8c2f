// What reward models cost: a fit of 24 people with 20 choices each, and what is said of a pair.
//
// usage: reward_bench [--json FILE]
//
// CPU time of one thread, on random features: as wide as an embedder's, where the fit is in the space
// of choices, and reduced to 64 directions, where it is in that of features.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "core/rng.hpp"
#include "modules/reward/hierarchical.hpp"
#include "tests/bench/figures.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kPeople = 24, kEach = 20, kAsked = 20;

double milliseconds() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

MatrixXd normals(Rng& rng, Index rows, Index columns) {
  MatrixXd out(rows, columns);
  for (double& x : out.reshaped()) x = rng.normal();
  return out;
}

PreferenceData draw(Index d) {
  Rng rng(1);
  PreferenceData choices;
  choices.D = normals(rng, kPeople * kEach, d) / std::sqrt(static_cast<double>(d));
  const VectorXd shared = normals(rng, d, 1);
  for (std::size_t i = 0; i < kPeople * kEach; ++i) {
    auto row = choices.D.row(static_cast<Index>(i));
    if (rng.uniform() > logistic(row.dot(shared))) row *= -1;
    choices.person.push_back(i / kEach);
    choices.prompt.push_back(i);
  }
  return choices;
}

/// The median of a few runs.
template <typename F>
double time_of(const F& work) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    const double from = milliseconds();
    work();
    times.push_back(milliseconds() - from);
  }
  std::ranges::nth_element(times, times.begin() + 2);
  return times[2];
}

std::vector<Figure> measure(std::vector<std::string>&) {
  std::vector<Figure> figures;
  for (const Index d : {776, 72}) {
    const PreferenceData choices = draw(d);
    const Priors priors{VectorXd::Constant(d, 4), MatrixXd(MatrixXd::Identity(d, d))};
    figures.push_back({.name = fmt::format("fit with given priors, {} features, ms", d),
                       .theta = time_of([&] { Hierarchical(choices, priors); }),
                       .target = 100,
                       .better = "lower"});
    const Hierarchical fitted(choices, priors);
    const Newcomer person{choices.D.topRows(kEach), {}};
    const MatrixXd asked = choices.D.bottomRows(kAsked);
    figures.push_back({.name = fmt::format("a person and pair, {} features, ms", d),
                       .theta = time_of([&] { fitted.predict(person, asked); }) / kAsked,
                       .target = 1,
                       .better = "lower"});
  }
  const PreferenceData choices = draw(72);
  for (const auto& [name, reward] : {std::pair{"pooled", Reward::kPooled},
                                     {"hierarchical", Reward::kHierarchical},
                                     {"p_ttt", Reward::kTestTime},
                                     {"low_rank", Reward::kLowRank}})
    figures.push_back({.name = fmt::format("{} with its choice of priors, 72 features, ms", name),
                       .theta = time_of([&, kind = reward] { fit_reward(kind, choices); }),
                       .better = "lower"});
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("reward", argc, argv, theta::measure); }
