// What choices decide of a model: how much people share, and how they differ.

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

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

// For features whose blocks have a mean ||d||^2 of 1.
constexpr std::array kShared{.25, 1., 4., 16., 64.};        ///< s^2
constexpr std::array kOwn{0., .03, .1, .3, 1., 3.};         ///< tau^2 / s^2
constexpr std::array kAttributes{0., .03, .1, .3, 1., 3.};  ///< kappa^2 / s^2
constexpr std::array kSteps{0., .03, .1, .3, 1., 3., 10.};  ///< eta
constexpr std::array<Index, 5> kRanks{1, 2, 4, 8, 16};      ///< K
constexpr std::array kFirstPeople{4., 16., 64.};  ///< people that the first covariance counts for
constexpr int kMostRounds = 60;                   ///< of EM
constexpr double kRise = 1e-3;                    ///< of log Z a choice, in the last round

/// Of one block of features.
struct Scale {
  double shared = 4;  ///< s^2
  double own = 0;     ///< tau^2 / s^2
};

struct Scales {
  std::vector<Scale> blocks;
  double attributes = 0;
};

std::vector<Index> widths(const Choices& choices) {
  const Index d = choices.D.cols(), first = choices.first_block;
  if (first <= 0 || first >= d) return {d};
  return {first, d - first};
}

Priors priors_of(const Scales& scales, const Choices& choices) {
  const Index d = choices.D.cols();
  VectorXd shared(d), own(d);
  Index at = 0;
  for (std::size_t b = 0; const Index width : widths(choices)) {
    const Scale& scale = scales.blocks[b++];
    shared.segment(at, width).setConstant(scale.shared);
    own.segment(at, width).setConstant(std::sqrt(scale.own * scale.shared));
    at += width;
  }
  Priors priors{std::move(shared), MatrixXd::Zero(d, 0), scales.attributes};
  if (own.any()) priors.own = own.asDiagonal();
  return priors;
}

std::string text_of(const Scales& scales, const Choices& choices, bool own) {
  std::string text;
  for (std::size_t b = 0; b < scales.blocks.size(); ++b) {
    const char* name = scales.blocks.size() == 1 ? "" : b == 0 ? "first block " : "; rest ";
    text += fmt::format("{}s^2 = {:g}", name, scales.blocks[b].shared);
    if (own) text += fmt::format(", tau^2 / s^2 = {:g}", scales.blocks[b].own);
  }
  if (choices.attributes.cols() > 0)
    text += fmt::format("; kappa^2 / s^2 = {:g}", scales.attributes);
  return text;
}

/// The best scales on the grid, a block at a time until none moves.
/// @param ratios  of tau^2 / s^2 that are tried
Scales best_scales(const Choices& choices, std::span<const double> ratios,
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
  constexpr int kMostSweeps = 4;
  bool moved = true;
  for (int sweep = 0; sweep < kMostSweeps && moved; ++sweep) {
    moved = false;
    for (std::size_t b = 0; b < best.blocks.size(); ++b)
      for (const double shared : kShared)
        for (const double own : ratios) {
          Scales scales = best;
          scales.blocks[b] = {shared, own};
          moved = consider(scales) || moved;
        }
    if (best.blocks.size() == 1) break;
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
Choices subset(const Choices& all, const std::vector<Index>& rows) {
  Choices part;
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

/// Mean log P of choices that a pooled model did not see.
double pooled_goodness(const Choices& choices, const std::vector<Fold>& folds,
                       const Scales& scales) {
  double sum = 0;
  for (const Fold& fold : folds) {
    const Choices seen = subset(choices, fold.in);
    const Hierarchical fitted(seen, priors_of(scales, seen));
    for (const Forecast& one :
         fitted.predict({.own = MatrixXd(0, choices.D.cols())}, choices.D(fold.out, Eigen::all)))
      sum += log_logistic(one.margin);
  }
  return sum / static_cast<double>(choices.D.rows());
}

Choices without_attributes(Choices choices) {
  choices.attributes.resize(0, 0);
  return choices;
}

/// log P of each half of people's choices given the other, summed.
double halves_goodness(const RewardModel& model, const Choices& choices,
                       const std::vector<Index>& rows) {
  const Choices part = subset(choices, rows);
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

/// The people's own covariance by EM.
struct OwnCovariance {
  Priors priors;  ///< `own` spans all d directions
  int rounds = 0;
  double rise = 0;  ///< of log Z a choice in the last round
};

OwnCovariance learn_own(const Choices& choices, const Priors& first, double first_people) {
  OwnCovariance learnt{first};
  const MatrixXd start = first.own * first.own.transpose();
  const auto people = static_cast<double>(choices.people());
  const auto n = static_cast<double>(choices.D.rows());
  double log_z = kLowest;
  while (learnt.rounds < kMostRounds) {
    const Hierarchical fitted(choices, learnt.priors);
    learnt.rise = (fitted.log_z() - log_z) / n;
    if (learnt.rise < kRise) break;
    log_z = fitted.log_z();
    const MatrixXd& R = learnt.priors.own;
    const MatrixXd T = (R * fitted.own_moments().second * R.transpose() + first_people * start) /
                       (people + first_people);
    const Eigen::SelfAdjointEigenSolver<MatrixXd> spectrum(T);
    require(spectrum.info() == Eigen::Success, "a symmetric matrix has its directions");
    learnt.priors.own =
        spectrum.eigenvectors() * spectrum.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
    ++learnt.rounds;
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

std::unique_ptr<Hierarchical> fit_pooled(const Choices& given) {
  const Choices choices = without_attributes(given);
  auto folds = folds_of(choices.prompt);
  Scales best;
  best.blocks.resize(widths(choices).size());
  std::string how = ", by cross-validation over prompts";
  if (folds.empty())
    how = ", as there is one prompt alone";
  else
    best = best_scales(choices, std::array{0.}, [&](const Scales& scales) {
      return pooled_goodness(choices, folds, scales);
    });
  return std::make_unique<Hierarchical>(choices, priors_of(best, choices),
                                        text_of(best, choices, false) + how);
}

std::unique_ptr<Hierarchical> fit_hierarchical(const Choices& choices) {
  const Scales best = best_scales(choices, kOwn, [&](const Scales& scales) {
    return Hierarchical(choices, priors_of(scales, choices)).log_z();
  });
  return std::make_unique<Hierarchical>(choices, priors_of(best, choices),
                                        text_of(best, choices, true) + ", by log Z");
}

std::unique_ptr<Hierarchical> fit_low_rank(const Choices& given) {
  const Choices choices = without_attributes(given);
  Scales scales = best_scales(choices, kOwn, [&](const Scales& one) {
    return Hierarchical(choices, priors_of(one, choices)).log_z();
  });
  for (Scale& one : scales.blocks) one.own = std::max(one.own, kOwn[1]);  // else EM never moves
  const Priors first = priors_of(scales, choices);

  std::vector<std::vector<double>> goodness(kFirstPeople.size(),
                                            std::vector<double>(kRanks.size(), 0));
  for (const Fold& fold : folds_of(choices.person)) {
    Choices seen = subset(choices, fold.in);
    for (std::size_t i = 0; i < kFirstPeople.size(); ++i) {
      const OwnCovariance learnt = learn_own(seen, first, kFirstPeople[i]);
      for (std::size_t k = 0; k < kRanks.size(); ++k)
        goodness[i][k] += halves_goodness(Hierarchical(seen, truncated(learnt.priors, kRanks[k])),
                                          choices, fold.out);
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

std::unique_ptr<TestTime> fit_test_time(const Choices& given) {
  const Choices choices = without_attributes(given);
  std::array<double, kSteps.size()> goodness{};
  for (const Fold& fold : folds_of(choices.person)) {
    const VectorXd weights = fit_pooled(subset(choices, fold.in))->weights();
    const Choices left = subset(choices, fold.out);
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
