// What choices decide of a model: how much people share, and how they differ.

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "modules/reward/hierarchical.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kFolds = 5;
constexpr double kLowest = -std::numeric_limits<double>::infinity();

constexpr std::array kShared{.0625, .25, 1., 4., 16., 64., 256.};  ///< s^2
constexpr std::array kOwn{0., .03, .1, .3, 1., 3.};                ///< tau^2 / s^2
constexpr std::array kEvenness{0., .5, 1.};
constexpr std::array kAttributes{0., .03, .1, .3, 1., 3.};  ///< kappa^2 / s^2
constexpr std::array kSteps{0., .03, .1, .3, 1., 3., 10.};  ///< eta
constexpr std::array<Index, 5> kRanks{1, 4, 8, 16, 32};     ///< K
constexpr std::array kFirstPeople{4., 32.};  ///< people that the first covariance counts for
/// Choices, of whole people, that scales and ranks are chosen on.
constexpr std::size_t kMostForScales = 3000;
constexpr std::size_t kMostForRanks = 6000;
constexpr std::size_t kMostForFolds = 3000;  ///< more choices: one fold says enough
constexpr int kMostSweeps = 4;               ///< over the blocks
constexpr int kMostRounds = 60;              ///< of EM
constexpr double kLonger = 1.3;              ///< is each step of EM that log Z rises by
constexpr double kRise = 1e-4;               ///< of log Z a choice, in the last round

/// Of one block of features. Feature j, of mean square q_j, has a prior variance in proportion to
/// q_j^-evenness: 0: weights are alike; 1: what each feature adds to a margin is. The sum over j of
/// variance times q_j is s^2, or tau^2: the prior variance of a margin, where features are apart.
struct Scale {
  double shared = 4;  ///< s^2
  double own = 0;     ///< tau^2 / s^2
  double shared_evenness = 0, own_evenness = 0;
};

struct Scales {
  std::vector<Scale> blocks;
  double attributes = 0;
};

std::vector<Index> widths(const PreferenceData& choices) {
  const Index d = choices.D.cols(), first = choices.first_block;
  if (first <= 0 || first >= d) return {d};
  return {first, d - first};
}

/// (d) variances of a block whose features have these mean squares.
VectorXd variances(const VectorXd& squares, double sum, double evenness) {
  const auto used = (squares.array() > 0).cast<double>();
  const VectorXd relative =
      used * squares.array().max(std::numeric_limits<double>::min()).pow(-evenness);
  const double total = relative.dot(squares);
  return total > 0 ? VectorXd(sum / total * relative) : VectorXd::Zero(squares.size());
}

Priors priors_of(const Scales& scales, const PreferenceData& choices) {
  const Index d = choices.D.cols();
  const VectorXd squares =
      choices.D.colwise().squaredNorm() / static_cast<double>(choices.D.rows());
  VectorXd shared(d), own(d);
  Index at = 0;
  for (std::size_t b = 0; const Index width : widths(choices)) {
    const Scale& scale = scales.blocks[b++];
    const VectorXd of_block = squares.segment(at, width);
    shared.segment(at, width) = variances(of_block, scale.shared, scale.shared_evenness);
    own.segment(at, width) = variances(of_block, scale.own * scale.shared, scale.own_evenness);
    at += width;
  }
  Priors priors{std::move(shared), MatrixXd::Zero(d, 0), scales.attributes};
  if (own.any()) priors.own = own.cwiseSqrt().asDiagonal();
  return priors;
}

/// `s^2 = 4 (evenness 1), tau^2 / s^2 = .3 (evenness 0)`, a block each.
std::string text_of(const Scales& scales, const PreferenceData& choices, bool own) {
  std::string text;
  for (std::size_t b = 0; b < scales.blocks.size(); ++b) {
    const Scale& scale = scales.blocks[b];
    if (scales.blocks.size() > 1) text += b == 0 ? "embeddings " : "; style ";
    text += fmt::format("s^2 = {:g} (evenness {:g})", scale.shared, scale.shared_evenness);
    if (own)
      text += fmt::format(", tau^2 / s^2 = {:g} (evenness {:g})", scale.own, scale.own_evenness);
  }
  if (choices.attributes.cols() > 0)
    text += fmt::format("; kappa^2 / s^2 = {:g}", scales.attributes);
  return text;
}

/// The best scales on the grid, a block at a time until none moves.
/// @param ratios  of tau^2 / s^2 that are tried
Scales best_scales(const PreferenceData& choices, std::span<const double> ratios,
                   const std::function<double(const Scales&)>& goodness) {
  Scales best;
  best.blocks.resize(widths(choices).size());
  double highest = goodness(best);
  const auto consider = [&](const Scales& scales) {
    const double value = goodness(scales);
    if (!(value > highest)) return false;
    highest = value;
    best = scales;
    return true;
  };
  bool moved = true;
  for (int sweep = 0; sweep < kMostSweeps && std::exchange(moved, false); ++sweep)
    for (std::size_t b = 0; b < best.blocks.size(); ++b) {
      for (const double shared : kShared)
        for (const double own : ratios) {
          Scales scales = best;
          scales.blocks[b].shared = shared;
          scales.blocks[b].own = own;
          moved = consider(scales) || moved;
        }
      for (const double shared : kEvenness)
        for (const double own : kEvenness) {
          Scales scales = best;
          scales.blocks[b].shared_evenness = shared;
          scales.blocks[b].own_evenness = own;
          moved = consider(scales) || moved;
        }
    }
  if (choices.attributes.cols() > 0)
    for (const double attributes : kAttributes) {
      Scales scales = best;
      scales.attributes = attributes;
      consider(scales);
    }
  return best;
}

/// Some of the choices, and their people numbered anew.
PreferenceData subset(const PreferenceData& all, const std::vector<Index>& rows) {
  PreferenceData part;
  part.D = all.D(rows, Eigen::all);
  part.first_block = all.first_block;
  std::vector<Index> people;
  for (const Index row : rows) {
    const auto i = static_cast<std::size_t>(row);
    const auto who = static_cast<Index>(all.person[i]);
    const auto known = std::ranges::find(people, who);
    part.person.push_back(static_cast<std::size_t>(known - people.begin()));
    if (known == people.end()) people.push_back(who);
    part.prompt.push_back(all.prompt[i]);
  }
  if (all.attributes.cols() > 0) part.attributes = all.attributes(people, Eigen::all);
  return part;
}

/// Rows out and in of each fold: rows of one `group` are in one fold.
struct Fold {
  std::vector<Index> in, out;
};
std::vector<Fold> folds_of(const std::vector<std::size_t>& group) {
  std::vector<std::size_t> known = group;
  std::ranges::sort(known);
  known.erase(std::ranges::unique(known).begin(), known.end());
  Rng rng(derive_seed(0, "folds"));
  rng.shuffle(known);
  const std::size_t count = std::min(kFolds, known.size());
  if (count < 2) return {};
  std::vector<Fold> folds(count);
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto place = static_cast<std::size_t>(std::ranges::find(known, group[i]) - known.begin());
    for (std::size_t k = 0; k < count; ++k)
      (place % count == k ? folds[k].out : folds[k].in).push_back(static_cast<Index>(i));
  }
  return folds;
}

/// The choices of the first people, `most` at least where there are more.
PreferenceData first_people(const PreferenceData& choices, std::size_t most) {
  std::vector<Index> rows;
  for (const auto& of_person : choices.rows()) {
    if (rows.size() >= most) break;
    rows.insert(rows.end(), of_person.begin(), of_person.end());
  }
  return rows.size() < choices.person.size() ? subset(choices, rows) : choices;
}

/// Mean log P of choices that a pooled model did not see.
double pooled_goodness(const PreferenceData& choices, const std::vector<Fold>& folds,
                       const Scales& scales) {
  double sum = 0;
  for (const Fold& fold : folds) {
    const PreferenceData seen = subset(choices, fold.in);
    const Hierarchical fitted(seen, priors_of(scales, seen));
    for (const Forecast& one :
         fitted.predict({.own = MatrixXd(0, choices.D.cols())}, choices.D(fold.out, Eigen::all)))
      sum += log_logistic(one.margin);
  }
  return sum / static_cast<double>(choices.D.rows());
}

PreferenceData without_attributes(PreferenceData choices) {
  choices.attributes.resize(0, 0);
  return choices;
}

/// log P of each half of people's choices given the other, summed.
double halves_goodness(const RewardModel& model, const PreferenceData& choices,
                       const std::vector<Index>& rows) {
  const PreferenceData part = subset(choices, rows);
  double sum = 0;
  for (const auto& of_person : part.rows()) {
    std::array<std::vector<Index>, 2> half;
    for (std::size_t i = 0; i < of_person.size(); ++i) half[i % 2].push_back(of_person[i]);
    for (const std::size_t asked : {0, 1}) {
      if (half[asked].empty()) continue;
      for (const Forecast& one : model.predict({.own = part.D(half[1 - asked], Eigen::all)},
                                               part.D(half[asked], Eigen::all)))
        sum += std::log(one.probability);
    }
  }
  return sum;
}

Scales scales_by_evidence(const PreferenceData& choices) {
  const PreferenceData some = first_people(choices, kMostForScales);
  return best_scales(some, kOwn, [&](const Scales& scales) {
    return Hierarchical(some, priors_of(scales, some)).log_z();
  });
}

/// The people's own covariance by EM.
struct OwnCovariance {
  Priors priors;  ///< `own` spans all d directions
  int rounds = 0;
  double rise = 0;  ///< of log Z a choice in the last round
};

/// A step of EM from R R', `length` times as long on a log scale.
/// @param second  E[z z'] summed over people
MatrixXd next_own(const MatrixXd& R, const MatrixXd& second, double people, const MatrixXd& start,
                  double first_people, double length) {
  const MatrixXd back = R.completeOrthogonalDecomposition().pseudoInverse();
  const MatrixXd M =
      (second + first_people * back * start * back.transpose()) / (people + first_people);
  const Eigen::SelfAdjointEigenSolver<MatrixXd> step(M);
  require(step.info() == Eigen::Success, "a symmetric matrix has its directions");
  const VectorXd scales = step.eigenvalues().cwiseMax(0).array().pow(length / 2);
  const MatrixXd longer = R * step.eigenvectors() * scales.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<MatrixXd> spectrum(longer * longer.transpose());
  require(spectrum.info() == Eigen::Success, "a symmetric matrix has its directions");
  return spectrum.eigenvectors() * spectrum.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
}

/// EM is slow where a person's choices say little of z, so that its steps are lengthened for as long
/// as log Z rises by them, and else taken back (Salakhutdinov & Roweis 2003).
OwnCovariance learn_own(const PreferenceData& choices, const Priors& first, double first_people) {
  OwnCovariance learnt{first};
  const MatrixXd start = first.own * first.own.transpose();
  const auto people = static_cast<double>(choices.people());
  const auto n = static_cast<double>(choices.D.rows());
  auto fitted = std::make_unique<Hierarchical>(choices, learnt.priors);
  MatrixXd second = fitted->own_moments().second;
  double length = 1;
  for (; learnt.rounds < kMostRounds; ++learnt.rounds) {
    Priors next = learnt.priors;
    next.own = next_own(learnt.priors.own, second, people, start, first_people, length);
    auto tried = std::make_unique<Hierarchical>(choices, next, "", fitted.get());
    const double rise = (tried->log_z() - fitted->log_z()) / n;
    if (rise < 0 && length > 1) {
      length = 1;
      continue;
    }
    learnt.priors = std::move(next);
    learnt.rise = rise;
    fitted = std::move(tried);
    if (rise < kRise) break;
    length *= kLonger;
    second = fitted->own_moments().second;
  }
  return learnt;
}

/// Only the `rank` directions in which people differ most: the last columns.
Priors truncated(Priors priors, Index rank) {
  priors.own = MatrixXd(priors.own.rightCols(std::min(rank, priors.own.cols())));
  return priors;
}

double step_of(const Eigen::Ref<const VectorXd>& d, const MatrixXd& own) {
  return own.rows() > 0 ? d.dot(own.colwise().sum()) : 0;
}

}  // namespace

std::unique_ptr<Hierarchical> fit_pooled(const PreferenceData& given) {
  const PreferenceData choices = without_attributes(given);
  const PreferenceData some = first_people(choices, kMostForScales);
  const auto folds = folds_of(some.prompt);
  Scales best;
  best.blocks.resize(widths(choices).size());
  std::string how = ", by cross-validation over prompts";
  if (folds.empty())
    how = ", as there is one prompt alone";
  else
    best = best_scales(some, std::array{0.},
                       [&](const Scales& scales) { return pooled_goodness(some, folds, scales); });
  return std::make_unique<Hierarchical>(choices, priors_of(best, choices),
                                        text_of(best, choices, false) + how);
}

std::unique_ptr<Hierarchical> fit_hierarchical(const PreferenceData& choices) {
  const Scales best = scales_by_evidence(choices);
  return std::make_unique<Hierarchical>(choices, priors_of(best, choices),
                                        text_of(best, choices, true) + ", by log Z");
}

std::unique_ptr<Hierarchical> fit_low_rank(const PreferenceData& given) {
  const PreferenceData choices = without_attributes(given);
  Scales scales = scales_by_evidence(choices);
  for (Scale& one : scales.blocks) one.own = std::max(one.own, kOwn[1]);  // else EM never moves
  const Priors first = priors_of(scales, choices);

  std::vector<std::vector<double>> goodness(kFirstPeople.size(),
                                            std::vector<double>(kRanks.size(), 0));
  const PreferenceData some = first_people(choices, kMostForRanks);
  auto folds = folds_of(some.person);
  if (some.person.size() > kMostForFolds) folds.resize(1);
  for (const Fold& fold : folds) {
    const PreferenceData seen = subset(some, fold.in);
    for (std::size_t i = 0; i < kFirstPeople.size(); ++i) {
      const OwnCovariance learnt = learn_own(seen, first, kFirstPeople[i]);
      for (std::size_t k = 0; k < kRanks.size(); ++k)
        goodness[i][k] += halves_goodness(Hierarchical(seen, truncated(learnt.priors, kRanks[k])),
                                          some, fold.out);
    }
  }
  std::size_t people = 0, rank = 0;
  for (std::size_t i = 0; i < kFirstPeople.size(); ++i)
    for (std::size_t k = 0; k < kRanks.size(); ++k)
      if (goodness[i][k] > goodness[people][rank]) people = i, rank = k;
  const OwnCovariance learnt = learn_own(choices, first, kFirstPeople[people]);
  std::string decided = fmt::format(
      "rank {}, the first covariance counts for {:g} people, by cross-validation over people; {} "
      "rounds of EM",
      std::min(kRanks[rank], choices.D.cols()), kFirstPeople[people], learnt.rounds);
  if (learnt.rise >= kRise)
    decided +=
        fmt::format(", in the last of which log Z still rose by {:.2g} a choice", learnt.rise);
  return std::make_unique<Hierarchical>(choices, truncated(learnt.priors, kRanks[rank]), decided);
}

std::vector<Forecast> TestTime::predict(const Newcomer& person, const MatrixXd& asked) const {
  std::vector<Forecast> out;
  for (Index i = 0; i < asked.rows(); ++i) {
    const VectorXd d = asked.row(i);
    out.push_back(forecast(weights_.dot(d) + eta_ * step_of(d, person.own), 0));
  }
  return out;
}

std::string TestTime::decided() const {
  return fmt::format(
      "eta = {:g}, by leaving out one choice at a time of people whom w_0 did not see", eta_);
}

std::unique_ptr<TestTime> fit_test_time(const PreferenceData& given) {
  const PreferenceData choices = without_attributes(given);
  std::array<double, kSteps.size()> goodness{};
  auto folds = folds_of(choices.person);
  if (choices.person.size() > kMostForFolds) folds.resize(1);
  for (const Fold& fold : folds) {
    const VectorXd weights = fit_pooled(subset(choices, fold.in))->weights();
    const PreferenceData left = subset(choices, fold.out);
    for (const auto& rows : left.rows()) {
      const MatrixXd own = left.D(rows, Eigen::all);
      for (Index i = 0; i < own.rows(); ++i) {
        const VectorXd d = own.row(i);
        const double step = step_of(d, own) - d.squaredNorm();  // of the others
        for (std::size_t e = 0; e < kSteps.size(); ++e)
          goodness[e] += log_logistic(weights.dot(d) + kSteps[e] * step);
      }
    }
  }
  const auto best = static_cast<std::size_t>(std::ranges::max_element(goodness) - goodness.begin());
  return std::make_unique<TestTime>(fit_pooled(choices)->weights(), kSteps[best]);
}

}  // namespace theta
