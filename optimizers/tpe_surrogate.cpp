#include "optimizers/tpe_surrogate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/result.hpp"

namespace theta {
namespace {

// optuna 5.0.0, samplers/_tpe/sampler.py.
constexpr std::size_t kStartupTrials = 10;
constexpr std::size_t kDraws = 24;
constexpr double kPriorWeight = 1;
constexpr std::size_t kMostGood = 25;
constexpr std::size_t kFlatWeights = 25;

/// default_gamma(), in floating point as there.
std::size_t good_trials(std::size_t n) {
  return std::min(static_cast<std::size_t>(std::ceil(0.1 * static_cast<double>(n))), kMostGood);
}

/// (n + 1): default_weights() and the prior's, normalised.
Eigen::VectorXd weights(std::size_t n) {
  Eigen::VectorXd w = Eigen::VectorXd::Ones(static_cast<Eigen::Index>(n) + 1);
  if (n > kFlatWeights) {
    const auto ramp = static_cast<Eigen::Index>(n - kFlatWeights);
    // A ramp of one is its start, as numpy.linspace has it.
    w.head(ramp) = Eigen::VectorXd::LinSpaced(ramp, 1 / static_cast<double>(n), 1);
    if (ramp == 1) w(0) = 1 / static_cast<double>(n);
  }
  w(static_cast<Eigen::Index>(n)) = kPriorWeight;
  return w / w.sum();
}

/// An index drawn in proportion to `weights`.
std::size_t draw_index(const Eigen::VectorXd& weights, Rng& rng) {
  double left = rng.uniform() * weights.sum();
  Eigen::Index i = 0;
  while (i + 1 < weights.size() && (left -= weights(i)) >= 0) ++i;
  return static_cast<std::size_t>(i);
}

}  // namespace

void TpeSurrogate::observe(const std::vector<Observation>& outcomes) {
  means_.observe(outcomes);
  for (auto at = outcomes.begin(); at != outcomes.end();) {
    const auto from = at;
    double sum = 0;
    for (; at != outcomes.end() && at->combination == from->combination; ++at) sum += at->score;
    trials_.push_back({from->combination, sum / static_cast<double>(at - from)});
  }
}

bool TpeSurrogate::is_starting() const { return trials_.size() < kStartupTrials; }

TpeSurrogate::Split TpeSurrogate::split() const {
  std::vector<std::size_t> by_score(trials_.size());
  std::iota(by_score.begin(), by_score.end(), std::size_t{0});
  std::stable_sort(by_score.begin(), by_score.end(), [this](std::size_t a, std::size_t b) {
    return trials_[a].score > trials_[b].score;
  });
  const auto n_good = static_cast<std::ptrdiff_t>(good_trials(trials_.size()));
  const auto density = [this](std::vector<std::size_t> chosen) {
    std::sort(chosen.begin(), chosen.end());
    Density made{{}, weights(chosen.size())};
    for (const auto i : chosen) made.trials.push_back(trials_[i].combination);
    return made;
  };
  return {density({by_score.begin(), by_score.begin() + n_good}),
          density({by_score.begin() + n_good, by_score.end()})};
}

double TpeSurrogate::Density::kernel(const Variable& variable, std::size_t v, std::size_t k,
                                     int choice) const {
  const auto choices = static_cast<double>(variable.choices);
  if (k == trials.size()) return 1 / choices;
  const double flat = kPriorWeight / static_cast<double>(trials.size() + 1);
  return (flat + (trials[k][v] == choice ? 1 : 0)) / (choices * flat + 1);
}

Eigen::VectorXd TpeSurrogate::Density::at(const std::vector<Variable>& space,
                                          const std::vector<Combination>& candidates) const {
  Eigen::VectorXd density(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    double sum = 0;
    for (std::size_t k = 0; k <= trials.size(); ++k) {
      double product = weights(static_cast<Eigen::Index>(k));
      for (std::size_t v = 0; v < space.size(); ++v)
        product *= kernel(space[v], v, k, candidates[i][v]);
      sum += product;
    }
    density(static_cast<Eigen::Index>(i)) = sum;
  }
  return density;
}

Eigen::VectorXd TpeSurrogate::log_ratio(const std::vector<Combination>& candidates) const {
  const Split s = split();
  return s.good.at(space_, candidates).array().log() - s.rest.at(space_, candidates).array().log();
}

Combination TpeSurrogate::best_ratio(const std::vector<Variable>& space, const Split& split,
                                     const std::vector<Combination>& drawn) {
  Eigen::Index best = 0;
  (split.good.at(space, drawn).array() / split.rest.at(space, drawn).array()).maxCoeff(&best);
  return drawn[static_cast<std::size_t>(best)];
}

Combination TpeSurrogate::draw(const Density& density, Rng& rng) const {
  const std::size_t k = draw_index(density.weights, rng);
  Combination drawn;
  for (std::size_t v = 0; v < space_.size(); ++v) {
    Eigen::VectorXd row(space_[v].choices);
    for (Eigen::Index choice = 0; choice < row.size(); ++choice)
      row(choice) = density.kernel(space_[v], v, k, static_cast<int>(choice));
    drawn.push_back(static_cast<int>(draw_index(row, rng)));
  }
  return drawn;
}

Combination TpeSurrogate::suggest(Rng& rng) const {
  if (is_starting()) {
    Combination drawn;
    for (const auto& variable : space_)
      drawn.push_back(static_cast<int>(rng.below(variable.choices)));
    return drawn;
  }
  const Split s = split();
  std::vector<Combination> drawn;
  for (std::size_t i = 0; i < kDraws; ++i) drawn.push_back(draw(s.good, rng));
  return best_ratio(space_, s, drawn);
}

Combination TpeSurrogate::suggest(const std::vector<Combination>& candidates, Rng& rng) {
  require(!candidates.empty(), "there is a candidate to suggest");
  if (is_starting()) return candidates[rng.below(candidates.size())];
  const Split s = split();
  const Eigen::VectorXd density = s.good.at(space_, candidates);
  std::vector<Combination> drawn;
  for (std::size_t i = 0; i < kDraws; ++i) drawn.push_back(candidates[draw_index(density, rng)]);
  return best_ratio(space_, s, drawn);
}

}  // namespace theta
