#include "optimizers/gate.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <cmath>

#include "core/rng.hpp"

namespace theta {
namespace {

/// Variance of a paired difference before any is seen, and how many it counts for: two programs
/// that disagree on a quarter of the examples.
constexpr double kDifference = 0.25;
constexpr double kPriorCount = 4;

/// How many differences of its own a candidate's variance takes to count as much as that of all.
constexpr double kPooledCount = 10;

/// Examples for which the prior on the student's share of that variance counts: a half.
constexpr double kShareCount = 20;

/// The values that a and t are integrated over, an equal piece of the logarithmic axis each: most
/// candidates differ by next to nothing. What is far above kScale is unlikely before it is seen.
constexpr double kScale = 0.04;
/// Below so many examples only large differences can be seen at all, and nothing is said against
/// them beforehand: the search of 40 has so many.
constexpr std::size_t kFew = 28;
constexpr std::array<double, 8> kSpreads{.0025, .005, .01, .02, .04, .08, .16, .32};

/// Most of that variance that can be the student's.
constexpr double kMostShared = 0.95;

/// Candidates that the model is fitted to: those with the most examples. O(kMostTelling^3).
constexpr std::size_t kMostTelling = 100;

/// Standard deviations below the student at which a candidate seems worse.
constexpr double kWorse = 1.2;

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

/// What the differences of one candidate come to.
struct Measured {
  double n = 0, mean = 0, squares = 0;  ///< squares of the differences less their mean
  double variance = 0;                  ///< of a difference
};

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
  Belief after;
  double total = 0;
  for (const auto& [weight, centre, sd] : belief.parts) {
    const double before = sd * sd, spread = before + variance, off = mean - centre;
    const double share = before / spread;
    const double likely = weight * std::exp(-.5 * off * off / spread) / std::sqrt(spread);
    after.parts.push_back({likely, centre + share * off, std::sqrt(before * (1 - share))});
    total += likely;
  }
  if (total == 0) return Belief::normal(mean, std::sqrt(variance));
  for (auto& part : after.parts) part.weight /= total;
  return after;
}

double mean_difference(const Scores& a, const Scores& b) {
  double n = 0, sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j)
    if (a[j] && b[j]) ++n, sum += *a[j] - *b[j];
  return n > 0 ? sum / n : 0;
}

namespace {

/// What candidates differ by from the student.
struct Differences {
  std::vector<Measured> of;  ///< each candidate's
  double pooled = 0;         ///< variance of one example's difference, of all candidates together
  double of_student = 0;     ///< the student's part of it
};

Differences differences_to(const Scores& student, const std::vector<Scores>& candidates) {
  Differences all{std::vector<Measured>(candidates.size())};
  double squares = kPriorCount * kDifference, freedom = kPriorCount;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    auto& [n, mean, own, variance] = all.of[c];
    mean = mean_difference(candidates[c], student);
    for (std::size_t j = 0; j < student.size(); ++j)
      if (candidates[c][j] && student[j]) {
        const double rest = *candidates[c][j] - *student[j] - mean;
        ++n, own += rest * rest;
      }
    squares += own;
    freedom += std::max(n - 1, 0.0);
  }
  all.pooled = squares / freedom;

  // The student's part is what the differences of two candidates have in common.
  double cross = 0, pairs = 0, scored = 0;
  for (std::size_t j = 0; j < student.size(); ++j) {
    if (!student[j]) continue;
    double sum = 0, own = 0, n = 0;
    for (std::size_t c = 0; c < candidates.size(); ++c)
      if (candidates[c][j]) {
        const double rest = *candidates[c][j] - *student[j] - all.of[c].mean;
        ++n, sum += rest, own += rest * rest;
      }
    cross += sum * sum - own;
    pairs += n * (n - 1);
    ++scored;
  }
  const double weight = pairs > 0 ? scored : 0;
  all.of_student =
      std::clamp((kShareCount * all.pooled / 2 + (pairs > 0 ? weight * cross / pairs : 0)) /
                     (kShareCount + weight),
                 0.0, kMostShared * all.pooled);
  for (auto& [n, mean, own, variance] : all.of)
    if (n > 0) variance = (kPooledCount * all.pooled + own) / (kPooledCount + n - 1);
  return all;
}

/// The candidates that say most of what candidates are worth: those that were asked most, but for
/// what is clearly worse.
std::vector<std::size_t> most_telling(const std::vector<Measured>& of) {
  std::vector<std::size_t> telling;
  for (std::size_t c = 0; c < of.size(); ++c)
    if (of[c].n > 0 && of[c].mean > -kWorse * std::sqrt(of[c].variance / of[c].n))
      telling.push_back(c);
  std::ranges::stable_sort(telling, std::ranges::greater{}, [&](auto c) { return of[c].n; });
  telling.resize(std::min(telling.size(), kMostTelling));
  return telling;
}

/// Covariance of the mean differences of some candidates, had all the same worth. Two that were seen
/// on the same examples share the student's luck on these.
Eigen::MatrixXd noise_of(const Differences& differences, std::span<const std::size_t> some,
                         const Scores& student, const std::vector<Scores>& candidates) {
  const auto k = static_cast<Eigen::Index>(some.size());
  const double of_student = differences.of_student;
  Eigen::MatrixXd noise(k, k);
  for (Eigen::Index i = 0; i < k; ++i) {
    const std::size_t one = some[static_cast<std::size_t>(i)];
    const auto& [n, mean, own, variance] = differences.of[one];
    for (Eigen::Index l = 0; l <= i; ++l) {
      const std::size_t other = some[static_cast<std::size_t>(l)];
      double both = 0;
      for (std::size_t j = 0; j < student.size(); ++j)
        both += student[j] && candidates[one][j] && candidates[other][j];
      noise(i, l) = noise(l, i) = of_student * both / (n * differences.of[other].n);
    }
    noise(i, i) += std::max(variance - of_student, (1 - kMostShared) * variance) / n;
  }
  return noise;
}

}  // namespace

std::vector<Belief> shrunken(const Scores& student, const std::vector<Scores>& candidates) {
  const Differences differences = differences_to(student, candidates);
  const auto& all = differences.of;
  const std::vector<std::size_t> telling = most_telling(all);
  const auto k = static_cast<Eigen::Index>(telling.size());
  const Eigen::MatrixXd noise = noise_of(differences, telling, student, candidates);
  Eigen::VectorXd d(k);
  for (Eigen::Index i = 0; i < k; ++i) d(i) = all[telling[static_cast<std::size_t>(i)]].mean;

  std::vector<Belief> beliefs(all.size());
  std::vector<double> weights;
  for (const double a : kSpreads)
    for (const double t : kSpreads) {
      Eigen::MatrixXd prior = Eigen::MatrixXd::Constant(k, k, a * a);
      prior.diagonal().array() += t * t;
      const Eigen::LLT<Eigen::MatrixXd> llt(noise + prior);
      require(llt.info() == Eigen::Success, "the differences have a covariance");
      const Eigen::VectorXd z = llt.solve(d);
      const Eigen::VectorXd centre = prior * z;
      const Eigen::MatrixXd back = llt.solve(prior);
      const Eigen::VectorXd learned = prior.cwiseProduct(back).colwise().sum().transpose();
      const double fit = -.5 * d.dot(z) - llt.matrixLLT().diagonal().array().log().sum();
      const double rare = student.size() < kFew ? 0 : (a * a + t * t) / (kScale * kScale);
      weights.push_back(fit - .5 * rare);
      const double whole = a * a + t * t;
      for (std::size_t c = 0; c < all.size(); ++c) {
        const double share = all[c].n > 0 ? whole / (whole + all[c].variance / all[c].n) : 0;
        beliefs[c].parts.push_back({0, share * all[c].mean, std::sqrt(whole * (1 - share))});
      }
      for (Eigen::Index i = 0; i < k; ++i)
        beliefs[telling[static_cast<std::size_t>(i)]].parts.back() = {
            0, centre(i), std::sqrt(std::max(whole - learned(i), 0.0))};
    }
  const double most = *std::ranges::max_element(weights);
  double total = 0;
  for (auto& weight_of : weights) total += weight_of = std::exp(weight_of - most);
  for (auto& belief : beliefs)
    for (std::size_t p = 0; p < weights.size(); ++p) belief.parts[p].weight = weights[p] / total;
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
