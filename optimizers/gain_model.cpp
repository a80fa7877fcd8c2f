#include "optimizers/gain_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/result.hpp"

namespace theta {
namespace {

/// How many differences of its own a candidate's variance takes to count as much as that of all.
constexpr double kPooledCount = 10;

/// Examples for which the prior on the student's share of that variance counts: a half.
constexpr double kShareCount = 20;

/// Most of that variance that can be the student's.
constexpr double kMostShared = 0.95;

/// The values that a and t are integrated over, an equal piece of the logarithmic axis each: most
/// candidates differ by next to nothing.
constexpr std::array<double, 8> kSpreads{.0025, .005, .01, .02, .04, .08, .16, .32};

/// Candidates that the model is fitted to: those with the most examples. O(kMostTelling^3).
constexpr std::size_t kMostTelling = 100;

/// Standard deviations below the student at which a candidate seems worse.
constexpr double kWorse = 1.2;

/// The search of 40 examples has so many.
constexpr std::size_t kFew = 28;

}  // namespace

SpreadPrior expected_spreads(std::size_t examples) {
  return examples < kFew ? SpreadPrior{0} : SpreadPrior{};
}

Differences differences_to(const Scores& student, const std::vector<Scores>& candidates) {
  Differences all{std::vector<Differences::One>(candidates.size())};
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

std::vector<std::size_t> most_telling(const Differences& differences) {
  const auto& of = differences.of;
  std::vector<std::size_t> telling;
  for (std::size_t c = 0; c < of.size(); ++c)
    if (of[c].n > 0 && of[c].mean > -kWorse * std::sqrt(of[c].variance / of[c].n))
      telling.push_back(c);
  std::ranges::stable_sort(telling, std::ranges::greater{}, [&](auto c) { return of[c].n; });
  telling.resize(std::min(telling.size(), kMostTelling));
  return telling;
}

Eigen::VectorXd means_of(const Differences& differences, std::span<const std::size_t> some) {
  Eigen::VectorXd d(static_cast<Eigen::Index>(some.size()));
  for (std::size_t i = 0; i < some.size(); ++i)
    d(static_cast<Eigen::Index>(i)) = differences.of[some[i]].mean;
  return d;
}

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

GainModel::GainModel(Eigen::VectorXd d, Eigen::MatrixXd noise, const SpreadPrior& prior)
    : d_(std::move(d)), noise_(std::move(noise)) {
  const Eigen::Index k = d_.size();
  double most = -INFINITY, total = 0;
  for (const double a : kSpreads)
    for (const double t : kSpreads) {
      Eigen::MatrixXd s = noise_ + Eigen::MatrixXd::Constant(k, k, a * a);
      s.diagonal().array() += t * t;
      Part& part = parts_.emplace_back(Part{0, a, t, Eigen::LLT<Eigen::MatrixXd>(s), {}});
      require(part.llt.info() == Eigen::Success, "the differences have a covariance");
      part.z = part.llt.solve(d_);
      const double fit = -.5 * d_.dot(part.z) - part.llt.matrixLLT().diagonal().array().log().sum();
      const double rare = prior.scale > 0 ? (a * a + t * t) / (prior.scale * prior.scale) : 0;
      most = std::max(most, part.weight = fit - std::log1p(rare));
    }
  for (Part& part : parts_) total += part.weight = std::exp(part.weight - most);
  for (Part& part : parts_) part.weight /= total;
}

Belief GainModel::belief(Eigen::Index c) const {
  Belief belief;
  for (const Part& part : parts_) {
    const double whole = part.a * part.a + part.t * part.t;
    Eigen::VectorXd prior = Eigen::VectorXd::Constant(d_.size(), part.a * part.a);
    prior(c) = whole;
    const double learned = prior.dot(part.llt.solve(prior));
    belief.parts.push_back(
        {part.weight, prior.dot(part.z), std::sqrt(std::max(whole - learned, 0.0))});
  }
  return belief;
}

Eigen::VectorXd GainModel::means() const {
  Eigen::VectorXd means = Eigen::VectorXd::Zero(d_.size());
  for (const Part& part : parts_)
    means.array() +=
        part.weight * (part.a * part.a * part.z.sum() + part.t * part.t * part.z.array());
  return means;
}

Belief after(const Belief& belief, double mean, double variance) {
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

}  // namespace theta
