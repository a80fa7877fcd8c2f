#include "optimizers/gate.hpp"

#include <algorithm>
#include <cmath>

#include "core/rng.hpp"
#include "optimizers/gain_model.hpp"

namespace theta {
namespace {

/// Steps towards a quantile of a difference, which lies in [-1, 1].
constexpr int kBisections = 40;

/// The probability that a difference is below `value`.
double below(const Belief& belief, double value) {
  double sum = 0;
  for (const auto& [weight, mean, sd] : belief.parts) {
    const double beyond = value - mean;
    const double share = beyond == 0 ? 0.5 : beyond > 0 ? 1.0 : 0.0;
    sum += weight * (sd > 0 ? normal_cdf(beyond / sd) : share);
  }
  return sum;
}

}  // namespace

double Belief::mean() const {
  double sum = 0;
  for (const auto& part : parts) sum += part.weight * part.mean;
  return sum;
}

double Belief::sd() const {
  const double centre = mean();
  double sum = 0;
  for (const auto& part : parts)
    sum += part.weight * (part.sd * part.sd + (part.mean - centre) * (part.mean - centre));
  return std::sqrt(sum);
}

double Belief::p_better() const { return 1 - below(*this, 0); }

Interval Belief::interval() const {
  const auto quantile = [this](double p) {
    double low = -1, high = 1;
    for (int step = 0; step < kBisections; ++step) {
      const double middle = (low + high) / 2;
      (below(*this, middle) < p ? low : high) = middle;
    }
    return (low + high) / 2;
  };
  return {quantile(.025), quantile(.975)};
}

Decision decide(const std::optional<Belief>& belief, double claimed, std::size_t n_fresh,
                const GateOptions& options) {
  if (!belief) return {};
  const Interval interval = belief->interval();
  const double p = belief->p_better();
  return {.estimate = belief->mean(),
          .low = interval.low,
          .high = interval.high,
          .p_better = p,
          .claimed = claimed,
          .n_fresh = n_fresh,
          .found = true,
          .saved = p > options.threshold};
}

HeldBack hold_back(std::span<const std::string> groups, const GateOptions& options) {
  std::map<std::string, std::size_t> known;
  std::vector<std::vector<std::size_t>> clusters;
  for (std::size_t j = 0; j < groups.size(); ++j) {
    const auto [at, added] = known.try_emplace(groups[j], clusters.size());
    if (added || groups[j].empty()) {
      at->second = clusters.size();
      clusters.emplace_back();
    }
    clusters[at->second].push_back(j);
  }
  const auto n = static_cast<double>(groups.size());
  const auto wanted = static_cast<std::size_t>(std::llround(options.fresh * n));
  Rng rng(derive_seed(options.seed, "fresh examples"));
  HeldBack held;
  std::vector<bool> is_fresh(groups.size());
  std::size_t taken = 0;
  for (const auto c : rng.sample(clusters.size(), clusters.size())) {
    if (taken + clusters[c].size() > std::min(wanted, groups.size() - 1)) continue;
    taken += clusters[c].size();
    for (const auto j : clusters[c]) is_fresh[j] = true;
  }
  for (std::size_t j = 0; j < groups.size(); ++j)
    (is_fresh[j] ? held.fresh : held.searched).push_back(j);
  return held;
}

Belief updated(const Belief& belief, const Scores& winner, const Scores& student,
               std::span<const std::string> groups) {
  double n = 0, sum = 0;
  for (std::size_t j = 0; j < winner.size(); ++j)
    if (winner[j] && student[j]) ++n, sum += *winner[j] - *student[j];
  if (n == 0) return belief;
  const double mean = sum / n;
  std::map<std::string, double> of_groups;
  double squares = 0, clusters = 0;
  for (std::size_t j = 0; j < winner.size(); ++j) {
    if (!winner[j] || !student[j]) continue;
    const double rest = *winner[j] - *student[j] - mean;
    if (groups[j].empty())
      squares += rest * rest, ++clusters;
    else
      of_groups[groups[j]] += rest;
  }
  for (const auto& [group, rest] : of_groups) squares += rest * rest, ++clusters;
  const double size = n / clusters;
  const double variance = (kPriorCount * kDifference * size + squares) /
                          (kPriorCount + clusters - 1) * clusters / (n * n);
  return after(belief, mean, variance);
}

double mean_difference(const Scores& a, const Scores& b) {
  double n = 0, sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j)
    if (a[j] && b[j]) ++n, sum += *a[j] - *b[j];
  return n > 0 ? sum / n : 0;
}

std::vector<Belief> shrunken(const Scores& student, const std::vector<Scores>& candidates) {
  const Differences differences = differences_to(student, candidates);
  const auto& all = differences.of;
  const std::vector<std::size_t> telling = most_telling(differences);
  const GainModel model(means_of(differences, telling),
                        noise_of(differences, telling, student, candidates),
                        expected_spreads(student.size()));

  std::vector<Belief> beliefs(all.size());
  for (const auto& part : model.parts())
    for (std::size_t c = 0; c < all.size(); ++c) {
      const double whole = part.a * part.a + part.t * part.t;
      const double share = all[c].n > 0 ? whole / (whole + all[c].variance / all[c].n) : 0;
      beliefs[c].parts.push_back(
          {part.weight, share * all[c].mean, std::sqrt(whole * (1 - share))});
    }
  for (std::size_t i = 0; i < telling.size(); ++i)
    beliefs[telling[i]] = model.belief(static_cast<Eigen::Index>(i));
  return beliefs;
}

std::size_t choose(std::span<const Belief> beliefs,
                   const std::function<double(std::size_t)>& cost) {
  require(!beliefs.empty(), "there is something to choose from");
  std::vector<double> means;
  for (const auto& belief : beliefs) means.push_back(belief.mean());
  const auto best = static_cast<std::size_t>(std::ranges::max_element(means) - means.begin());
  const double least = means[best] - kTie * beliefs[best].sd();
  std::vector<std::size_t> equal;
  for (std::size_t i = 0; i < beliefs.size(); ++i)
    if (means[i] >= least) equal.push_back(i);
  if (equal.size() == 1) return best;
  std::size_t chosen = best;
  double lowest = cost(best);
  for (const auto i : equal) {
    const double own = cost(i);
    if (own < lowest || (own == lowest && means[i] > means[chosen])) chosen = i, lowest = own;
  }
  return chosen;
}

EvaluateCandidate KeptScores::keeping(const EvaluateCandidate& evaluate) {
  return [this, &evaluate](const Combination& candidate, std::span<const std::size_t> examples) {
    auto scores = evaluate(candidate, examples);
    Kept& kept = std::exchange(begun_, true) ? candidates_[candidate] : student_;
    kept.scores.resize(examples_);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      kept.asked.insert(examples[i]);
      if (scores[i]) kept.scores[examples[i]] = *scores[i];
    }
    return scores;
  };
}

std::vector<std::pair<Combination, KeptScores::Kept>> KeptScores::scored_but(
    const Combination& one) const {
  std::vector<std::pair<Combination, Kept>> all;
  for (const auto& candidate : candidates_)
    if (candidate.first != one &&
        std::ranges::any_of(candidate.second.scores, [](const auto& s) { return s.has_value(); }))
      all.push_back(candidate);
  return all;
}

std::optional<KeptScores::Winner> KeptScores::winner(const Combination& student) const {
  const auto all = scored_but(student);
  std::size_t most = 0;
  std::vector<Scores> scores;
  for (const auto& [name, kept] : all) {
    scores.push_back(kept.scores);
    most = std::max(most, kept.asked.size());
  }
  const auto beliefs = shrunken(student_.scores, scores);
  std::vector<std::size_t> whole;
  std::vector<Belief> eligible;
  for (std::size_t c = 0; c < all.size(); ++c)
    if (all[c].second.asked.size() == most) whole.push_back(c), eligible.push_back(beliefs[c]);
  if (eligible.empty()) return std::nullopt;
  const auto best =
      whole[choose(eligible, [&](std::size_t i) { return cost_(all[whole[i]].first); })];
  return Winner{all[best].first, beliefs[best], scores[best]};
}

KeptScores::Winner KeptScores::winner_is(const Combination& candidate) const {
  const auto all = scored_but({});
  std::vector<Scores> scores;
  std::size_t at = all.size();
  for (const auto& [name, kept] : all) {
    if (name == candidate) at = scores.size();
    scores.push_back(kept.scores);
  }
  return {candidate, shrunken(student_.scores, scores).at(at), scores.at(at)};
}

}  // namespace theta
