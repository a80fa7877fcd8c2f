#include "optimizers/paired_surrogate.hpp"

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/result.hpp"

namespace theta {
namespace {

constexpr double kPriorMean = 0.5;
constexpr double kPriorMeanVariance = 0.25;

// The priors. The noise is scaled inverse chi-squared: as if kNoiseWeight observations of the
// centre had been made, so that outcomes without spread cannot drive it to 0. The others are
// log-normal: bounded data bound them from above, and going to 0 is harmless.
constexpr double kNoiseWeight = 4;
constexpr double kLogVarianceSd = 1.5;

constexpr double kRefitGrowth = 1.2;
constexpr int kFitEvaluations = 40;
constexpr int kRunnerUpDraws = 32;

Eigen::LLT<Eigen::MatrixXd> cholesky(const Eigen::MatrixXd& matrix, const char* what) {
  Eigen::LLT<Eigen::MatrixXd> llt(matrix);
  if (llt.info() != Eigen::Success || !llt.matrixLLT().allFinite())
    throw RunError(fmt::format("the surrogate's {} is not positive definite", what));
  return llt;
}

double log_determinant(const Eigen::LLT<Eigen::MatrixXd>& llt) {
  return 2 * llt.matrixLLT().diagonal().array().log().sum();
}

Eigen::VectorXd normals(Eigen::Index n, Rng& rng) {
  Eigen::VectorXd z(n);
  for (auto& value : z) value = rng.normal();
  return z;
}

/// R with R R' = `similarity`, which may be singular: alike texts are common.
Eigen::MatrixXd square_root(const Eigen::MatrixXd& similarity, const std::string& name) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(similarity);
  const double tolerance = 1e-8 * static_cast<double>(similarity.rows());
  if (solver.info() != Eigen::Success || !(solver.eigenvalues().minCoeff() > -tolerance))
    throw UserError(fmt::format("the similarity of {} is not positive semidefinite", name));
  return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
}

bool meet(const Variable& a, const Variable& b) {
  return a.group == b.group || a.meets_all || b.meets_all;
}

struct Objective {
  double value = 0;
  Eigen::VectorXd gradient;
};

/// Climbs from `x` by BFGS with backtracking, steps of at most 1 an axis, and returns the highest
/// point found within `evaluations` calls of `f`. Nocedal & Wright 2006, Alg. 6.1.
template <typename F>
Eigen::VectorXd climb(Eigen::VectorXd x, int evaluations, const F& f) {
  const auto n = x.size();
  Objective at = f(x);
  Eigen::MatrixXd inverse = Eigen::MatrixXd::Identity(n, n);  // of the negative Hessian
  double step = 1;
  for (int used = 1; used < evaluations;) {
    Eigen::VectorXd direction = inverse * at.gradient;
    if (direction.dot(at.gradient) <= 0) {
      inverse.setIdentity();
      direction = at.gradient;
    }
    direction *= std::min(1.0, 1 / direction.cwiseAbs().maxCoeff());
    const double slope = direction.dot(at.gradient);
    if (slope < 1e-6) break;
    const Eigen::VectorXd tried = x + step * direction;
    Objective there = f(tried);
    ++used;
    if (there.value < at.value + 1e-4 * step * slope) {
      step /= 2;
      if (step < 1e-4) break;
      continue;
    }
    const Eigen::VectorXd moved = tried - x;
    const Eigen::VectorXd bent = at.gradient - there.gradient;
    const double curvature = moved.dot(bent);
    if (curvature > 1e-10) {
      const Eigen::MatrixXd left =
          Eigen::MatrixXd::Identity(n, n) - moved * bent.transpose() / curvature;
      inverse = left * inverse * left.transpose() + moved * moved.transpose() / curvature;
    }
    x = tried;
    at = std::move(there);
    step = 1;
  }
  return x;
}

}  // namespace

PairedSurrogate::PairedSurrogate(std::vector<Variable> space, PairedOptions options)
    : space_(std::move(space)), options_(options) {
  for (std::size_t i = 0; i < space_.size(); ++i) {
    const auto& variable = space_[i];
    if (variable.choices < 2) continue;  // nothing to learn that m does not say
    effects_.push_back({variable.name, {i}, variable.choices, {}, {}, options_.main_effect});
    if (variable.similarity.size() > 0) {
      const auto n = static_cast<Eigen::Index>(variable.choices);
      if (variable.similarity.rows() != n || variable.similarity.cols() != n)
        throw UserError(fmt::format("the similarity of {} is {} x {} for {} choices", variable.name,
                                    variable.similarity.rows(), variable.similarity.cols(), n));
      effects_.push_back({variable.name + " ~",
                          {i},
                          variable.choices,
                          variable.similarity,
                          square_root(variable.similarity, variable.name),
                          options_.main_effect});
    }
    for (std::size_t k = 0; k < i; ++k)
      if (space_[k].choices > 1 && meet(space_[k], variable))
        effects_.push_back({space_[k].name + " x " + variable.name,
                            {k, i},
                            space_[k].choices * variable.choices,
                            {},
                            {},
                            options_.interaction});
  }
  variances_ = {options_.noise, options_.example, {}};
  for (const auto& effect : effects_) variances_.effects.push_back(effect.prior_variance);
}

std::vector<std::string> PairedSurrogate::effects() const {
  std::vector<std::string> names;
  for (const auto& effect : effects_) names.push_back(effect.name);
  return names;
}

PairedSurrogate::Keys PairedSurrogate::keys(const Combination& combination) const {
  require(combination.size() <= space_.size(), "a combination has no more choices than variables");
  Keys cells;
  cells.reserve(effects_.size());
  for (const auto& effect : effects_) {
    std::size_t cell = 0;
    for (const auto v : effect.variables) {
      const auto choice =
          v < combination.size() ? static_cast<std::size_t>(combination[v]) : std::size_t{0};
      require(choice < space_[v].choices, "a combination's choices are in range");
      cell = cell * space_[v].choices + choice;
    }
    cells.push_back(static_cast<int>(cell));
  }
  return cells;
}

std::vector<PairedSurrogate::Keys> PairedSurrogate::keys(
    const std::vector<Combination>& combinations) const {
  std::vector<Keys> all;
  all.reserve(combinations.size());
  for (const auto& combination : combinations) all.push_back(keys(combination));
  return all;
}

Eigen::MatrixXd PairedSurrogate::gram(const Effect& effect, std::size_t t,
                                      const std::vector<Keys>& rows,
                                      const std::vector<Keys>& columns) const {
  Eigen::MatrixXd k(rows.size(), columns.size());
  for (std::size_t j = 0; j < columns.size(); ++j)
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const int a = rows[i][t], b = columns[j][t];
      k(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
          effect.similarity.size() > 0 ? effect.similarity(a, b) : (a == b ? 1.0 : 0.0);
    }
  return k;
}

Eigen::MatrixXd PairedSurrogate::prior_covariance(const PairedVariances& variances,
                                                  const std::vector<Keys>& rows,
                                                  const std::vector<Keys>& columns) const {
  Eigen::MatrixXd k =
      Eigen::MatrixXd::Constant(static_cast<Eigen::Index>(rows.size()),
                                static_cast<Eigen::Index>(columns.size()), kPriorMeanVariance);
  for (std::size_t t = 0; t < effects_.size(); ++t)
    k += variances.effects[t] * gram(effects_[t], t, rows, columns);
  return k;
}

void PairedSurrogate::observe(const std::vector<Observation>& outcomes) {
  for (const auto& outcome : outcomes)
    if (!std::isfinite(outcome.score)) throw RunError("a score told to the search is not finite");
  for (const auto& outcome : outcomes) {
    const double y = outcome.score - kPriorMean;
    const auto [entry, is_new] =
        index_.try_emplace(outcome.combination, static_cast<Eigen::Index>(observed_.size()));
    const Eigen::Index c = entry->second;
    if (is_new) {
      observed_.push_back(keys(outcome.combination));
      counts_.push_back(0);
      sums_.push_back(0);
    }
    counts_[static_cast<std::size_t>(c)] += 1;
    sums_[static_cast<std::size_t>(c)] += y;
    auto& row = rows_[outcome.example];
    row.count += 1;
    row.sum += y;
    const auto seen = std::find_if(row.seen.begin(), row.seen.end(),
                                   [c](const auto& cell) { return cell.first == c; });
    if (seen == row.seen.end())
      row.seen.emplace_back(c, 1);
    else
      seen->second += 1;
    total_ += 1;
    squares_ += y * y;
  }
  if (outcomes.empty()) return;
  if (options_.fit && total_ >= kRefitGrowth * fitted_at_) fit();
  solution_ = solve(variances_);
}

PairedSurrogate::Solution PairedSurrogate::solve(const PairedVariances& variances) const {
  const auto n = static_cast<Eigen::Index>(observed_.size());
  const double noise = variances.noise;
  Eigen::MatrixXd p = Eigen::MatrixXd::Zero(n, n);
  Eigen::VectorXd r(n);
  for (Eigen::Index c = 0; c < n; ++c) {
    p(c, c) = counts_[static_cast<std::size_t>(c)] / noise;
    r(c) = sums_[static_cast<std::size_t>(c)] / noise;
  }
  double fit = squares_ / noise;  // y' S^-1 y
  for (const auto& [example, row] : rows_) {
    const double shared = variances.example / (noise + row.count * variances.example) / noise;
    fit -= shared * row.sum * row.sum;
    for (const auto& [c, count] : row.seen) {
      r(c) -= shared * count * row.sum;
      for (const auto& [d, other] : row.seen) p(d, c) -= shared * count * other;
    }
  }

  Solution s;
  s.precision = cholesky(p, "information");
  s.noise = s.precision.solve(Eigen::MatrixXd::Identity(n, n));
  s.pseudo = s.precision.solve(r);
  s.covariance =
      cholesky(prior_covariance(variances, observed_, observed_) + s.noise, "covariance");
  s.weights = s.covariance.solve(s.pseudo);
  s.misfit = fit - r.dot(s.pseudo);
  if (!s.weights.allFinite() || !std::isfinite(s.misfit))
    throw RunError("the surrogate's weights are not finite");
  return s;
}

// With a' = V^-1 y and V = S + Z_c K Z_c' the covariance of all outcomes:
//   log p(y) = -1/2 [y' V^-1 y + log |V| + N log 2 pi]
//   y' V^-1 y = (y' S^-1 y - r' g) + g' H^-1 g,   log |V| = log |S| + log |P| + log |H|
//   d/dv_t = 1/2 [a' K_t a - tr(H^-1 K_t)]
//   d/ds_b^2 = 1/2 [|Z_b' a'|^2 - tr(Z_b' V^-1 Z_b)],
//     Z_b' a' = (u_j - sum_c W_cj mu_c) / (s_e^2 + n_j s_b^2),   mu = g - P^-1 a
//     tr(Z_b' V^-1 Z_b) = sum_j n_j / (s_e^2 + n_j s_b^2) - tr(Q M),   Q = P^-1 - P^-1 H^-1 P^-1,
//     M = W diag(1 / (s_e^2 + n_j s_b^2)^2) W'
// and s_e^2 follows from the others, as scaling all variances scales V:
//   sum over all variances of v d/dv = 1/2 [y' V^-1 y - N].
PairedSurrogate::Likelihood PairedSurrogate::log_marginal_likelihood(
    const PairedVariances& variances) const {
  require(!observed_.empty(), "there is an observation");
  const auto n = static_cast<Eigen::Index>(observed_.size());
  const Solution s = solve(variances);
  const Eigen::MatrixXd h_inverse = s.covariance.solve(Eigen::MatrixXd::Identity(n, n));
  const double misfit = s.misfit + s.pseudo.dot(s.weights);

  const auto by_log = [&](double variance, const Eigen::MatrixXd& k) {
    return variance / 2 * (s.weights.dot(k * s.weights) - h_inverse.cwiseProduct(k).sum());
  };
  Likelihood result;
  result.gradient.resize(2 + static_cast<Eigen::Index>(effects_.size()));
  double others = by_log(kPriorMeanVariance, Eigen::MatrixXd::Ones(n, n));
  for (std::size_t t = 0; t < effects_.size(); ++t)
    others += result.gradient(2 + static_cast<Eigen::Index>(t)) =
        by_log(variances.effects[t], gram(effects_[t], t, observed_, observed_));

  const Eigen::VectorXd mu = s.pseudo - s.noise * s.weights;
  const Eigen::MatrixXd q = s.noise - s.noise * h_inverse * s.noise;
  double log_s = total_ * std::log(variances.noise), explained = 0, expected = 0;
  for (const auto& [example, row] : rows_) {
    const double scale = variances.noise + row.count * variances.example;
    log_s += std::log(scale / variances.noise);
    double rest = row.sum;
    expected += row.count / scale;
    for (const auto& [c, count] : row.seen) {
      rest -= count * mu(c);
      for (const auto& [d, other] : row.seen) expected -= count * other / (scale * scale) * q(d, c);
    }
    explained += rest * rest / (scale * scale);
  }
  result.gradient(1) = variances.example / 2 * (explained - expected);
  result.gradient(0) = (misfit - total_) / 2 - others - result.gradient(1);
  result.value = -0.5 * (misfit + log_s + log_determinant(s.precision) +
                         log_determinant(s.covariance) + total_ * std::log(2 * std::numbers::pi));
  if (!std::isfinite(result.value) || !result.gradient.allFinite())
    throw RunError("the surrogate's likelihood is not finite");
  return result;
}

void PairedSurrogate::fit() {
  // An example variance of 0 stays 0: its gradient is 0, and so is its coordinate.
  const bool examples = options_.example > 0;
  const auto pack = [examples](const PairedVariances& v) {
    Eigen::VectorXd x(2 + static_cast<Eigen::Index>(v.effects.size()));
    x(0) = std::log(v.noise);
    x(1) = examples ? std::log(v.example) : 0;
    for (std::size_t t = 0; t < v.effects.size(); ++t)
      x(2 + static_cast<Eigen::Index>(t)) = std::log(v.effects[t]);
    return x;
  };
  const auto unpack = [examples](const Eigen::VectorXd& x) {
    PairedVariances v{std::exp(x(0)), examples ? std::exp(x(1)) : 0, {}};
    for (Eigen::Index t = 2; t < x.size(); ++t) v.effects.push_back(std::exp(x(t)));
    return v;
  };
  PairedVariances centre{options_.noise, options_.example, {}};
  for (const auto& effect : effects_) centre.effects.push_back(effect.prior_variance);
  const Eigen::VectorXd prior = pack(centre);

  const auto posterior = [&](const Eigen::VectorXd& x) {
    const Likelihood likelihood = log_marginal_likelihood(unpack(x));
    Objective at{likelihood.value, likelihood.gradient};
    const Eigen::VectorXd away = x - prior;
    at.value -= kNoiseWeight / 2 * (away(0) + std::exp(-away(0)));
    at.gradient(0) -= kNoiseWeight / 2 * (1 - std::exp(-away(0)));
    const auto others = away.tail(away.size() - 1);
    at.value -= others.squaredNorm() / (2 * kLogVarianceSd * kLogVarianceSd);
    at.gradient.tail(others.size()) -= others / (kLogVarianceSd * kLogVarianceSd);
    return at;
  };
  variances_ = unpack(climb(pack(variances_), kFitEvaluations, posterior));
  fitted_at_ = total_;
}

Posterior PairedSurrogate::posterior(const std::vector<Combination>& candidates) const {
  const auto m = static_cast<Eigen::Index>(candidates.size());
  const std::vector<Keys> at = keys(candidates);
  Posterior belief{Eigen::VectorXd::Constant(m, kPriorMean), Eigen::VectorXd(m)};
  for (std::size_t i = 0; i < at.size(); ++i) {
    double variance = kPriorMeanVariance;
    for (std::size_t t = 0; t < effects_.size(); ++t) {
      const auto& similarity = effects_[t].similarity;
      variance +=
          variances_.effects[t] * (similarity.size() > 0 ? similarity(at[i][t], at[i][t]) : 1.0);
    }
    belief.variance(static_cast<Eigen::Index>(i)) = variance;
  }
  if (!observed_.empty()) {
    Eigen::MatrixXd cross = prior_covariance(variances_, observed_, at);
    belief.mean += cross.transpose() * solution_.weights;
    solution_.covariance.matrixL().solveInPlace(cross);
    belief.variance -= cross.colwise().squaredNorm().transpose();
    if (!(belief.variance.minCoeff() > -1e-8))
      throw RunError("the surrogate's posterior variance is negative");
    belief.variance = belief.variance.cwiseMax(0);
  }
  if (!belief.mean.allFinite()) throw RunError("the surrogate's posterior is not finite");
  return belief;
}

PairedSurrogate::Joint PairedSurrogate::joint(const std::vector<Combination>& candidates) const {
  const std::vector<Keys> at = keys(candidates);
  const auto m = static_cast<Eigen::Index>(candidates.size());
  Joint belief{Eigen::VectorXd::Constant(m, kPriorMean), prior_covariance(variances_, at, at)};
  if (observed_.empty()) return belief;
  Eigen::MatrixXd cross = prior_covariance(variances_, observed_, at);
  belief.mean += cross.transpose() * solution_.weights;
  solution_.covariance.matrixL().solveInPlace(cross);
  belief.covariance -= cross.transpose() * cross;
  return belief;
}

Eigen::VectorXd PairedSurrogate::draw(const std::vector<Combination>& candidates, Rng& rng) const {
  const std::vector<Keys> at = keys(candidates);
  return draw(at, prior_covariance(variances_, at, observed_), rng);
}

Eigen::VectorXd PairedSurrogate::draw(const std::vector<Keys>& at, const Eigen::MatrixXd& cross,
                                      Rng& rng) const {
  const auto read = [](const Eigen::VectorXd& cells, const std::vector<Keys>& where,
                       std::size_t t) {
    Eigen::VectorXd values(where.size());
    for (std::size_t i = 0; i < where.size(); ++i)
      values(static_cast<Eigen::Index>(i)) = cells(where[i][t]);
    return values;
  };
  const double level = std::sqrt(kPriorMeanVariance) * rng.normal();
  Eigen::VectorXd drawn =
      Eigen::VectorXd::Constant(static_cast<Eigen::Index>(at.size()), kPriorMean + level);
  Eigen::VectorXd known =
      Eigen::VectorXd::Constant(static_cast<Eigen::Index>(observed_.size()), level);
  for (std::size_t t = 0; t < effects_.size(); ++t) {
    const auto& effect = effects_[t];
    Eigen::VectorXd cells = normals(static_cast<Eigen::Index>(effect.levels), rng);
    if (effect.root.size() > 0) cells = effect.root * cells;
    cells *= std::sqrt(variances_.effects[t]);
    drawn += read(cells, at, t);
    known += read(cells, observed_, t);
  }
  if (observed_.empty()) return drawn;
  // A draw of N(0, P^-1): with P = G G', solve G' x = z.
  known += solution_.precision.matrixU().solve(normals(known.size(), rng));
  return drawn + cross * solution_.covariance.solve(solution_.pseudo - known);
}

Combination PairedSurrogate::suggest(const std::vector<Combination>& candidates, Rng& rng) {
  require(!candidates.empty(), "there is a candidate to suggest");
  const std::vector<Keys> at = keys(candidates);
  const Eigen::MatrixXd cross = prior_covariance(variances_, at, observed_);
  const auto best_of = [&](const Eigen::VectorXd& values) {
    Eigen::Index best = 0;
    values.maxCoeff(&best);
    return candidates[static_cast<std::size_t>(best)];
  };
  const Combination leader = best_of(draw(at, cross, rng));
  if (candidates.size() == 1 || rng.uniform() < 0.5) return leader;
  // The challenger is the first other winner. Where one candidate wins nearly every draw, it is the
  // best of the others in the last one.
  Eigen::VectorXd values;
  for (int i = 0; i < kRunnerUpDraws; ++i) {
    values = draw(at, cross, rng);
    if (Combination challenger = best_of(values); challenger != leader) return challenger;
  }
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (candidates[i] == leader)
      values(static_cast<Eigen::Index>(i)) = -std::numeric_limits<double>::infinity();
  return best_of(values);
}

}  // namespace theta
