#include "optimizers/headroom.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/rng.hpp"
#include "optimizers/gain_model.hpp"

namespace theta {
namespace {

constexpr double kNoSpreadIsRare = 0;

/// Two right and two wrong answers beforehand, as Agresti & Coull 1998 have them.
constexpr double kPriorRows = 4;

Eigen::VectorXd normals(Eigen::Index n, Rng& rng) {
  Eigen::VectorXd drawn(n);
  for (auto& value : drawn) value = rng.normal();
  return drawn;
}

/// What all candidates of one world are worth.
using Worths = std::vector<double>;

/// Worlds that agree with some scores.
class Worlds {
 public:
  Worlds(const Scores& student, const Differences& differences,
         const std::vector<std::size_t>& some, const std::vector<Scores>& probes)
      : model_(means_of(differences, some), noise_of(differences, some, student, probes),
               {kNoSpreadIsRare}),
        root_(model_.noise().llt().matrixL()) {
    double n = 0, sum = 0;
    for (const auto& score : student)
      if (score) ++n, sum += *score;
    accuracy_ = (sum + kPriorRows / 2) / (n + kPriorRows);
    sd_ = std::sqrt(accuracy_ * (1 - accuracy_) / (n + kPriorRows));
  }

  /// The tried come first.
  Worths draw(std::size_t candidates, Rng& rng) const {
    const auto& part = drawn_part(rng);
    const Eigen::Index k = model_.d().size();
    const double most = 1 - std::clamp(accuracy_ + sd_ * rng.normal(), 0.0, 1.0);
    double g = part.a * rng.normal();
    Eigen::VectorXd u = part.t * normals(k, rng);
    const Eigen::VectorXd rest =
        model_.d() - Eigen::VectorXd::Constant(k, g) - u - root_ * normals(k, rng);
    const Eigen::VectorXd z = part.llt.solve(rest);
    g += part.a * part.a * z.sum();
    u += part.t * part.t * z;
    Worths worths;
    for (std::size_t c = 0; c < std::max(candidates, static_cast<std::size_t>(k)); ++c) {
      const auto i = static_cast<Eigen::Index>(c);
      worths.push_back(std::min(g + (i < k ? u(i) : part.t * rng.normal()), most));
    }
    return worths;
  }

 private:
  const GainModel::Part& drawn_part(Rng& rng) const {
    double left = rng.uniform();
    for (const auto& part : model_.parts())
      if ((left -= part.weight) < 0) return part;
    return model_.parts().back();
  }

  GainModel model_;
  Eigen::MatrixXd root_;
  double accuracy_, sd_;
};

/// What a search and its gate are to be played with.
struct Table {
  double of_student, own;  ///< variance of one row's difference, the student's part and the rest
  std::size_t searched, fresh;  ///< rows
  double budget;                ///< evaluations, without the student's and the gate's
  double threshold;
  bool plays() const { return budget > 0; }
};

/// What sequential halving sees of its candidates.
struct Seen {
  Eigen::VectorXd d;     ///< (K) mean differences
  Eigen::VectorXd rows;  ///< (K) that each was scored on
};

Seen sequential_halving(const Worths& worths, const Table& table, Rng& rng) {
  const auto k = worths.size();
  const double rounds = std::max(1.0, std::ceil(std::log2(static_cast<double>(k))));
  const Eigen::VectorXd zero = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(k));
  Seen seen{zero, zero};
  Eigen::VectorXd sums = zero;
  std::vector<Eigen::Index> alive(k);
  std::iota(alive.begin(), alive.end(), 0);
  double luck = 0, at = 0;  // the student's on the rows so far
  while (true) {
    const double share = std::floor(table.budget / rounds / static_cast<double>(alive.size()));
    const double more = std::min(std::max(share, 1.0), static_cast<double>(table.searched) - at);
    luck += std::sqrt(more * table.of_student) * rng.normal();
    at += more;
    for (const auto c : alive) {
      sums(c) +=
          more * worths[static_cast<std::size_t>(c)] + std::sqrt(more * table.own) * rng.normal();
      seen.rows(c) = at;
      seen.d(c) = (sums(c) - luck) / at;
    }
    if (alive.size() == 1 || at >= static_cast<double>(table.searched)) return seen;
    std::ranges::stable_sort(alive, std::ranges::greater{}, [&](auto c) { return seen.d(c); });
    alive.resize((alive.size() + 1) / 2);
  }
}

/// What the model of shrunken() makes of it.
GainModel model_of(const Seen& seen, const Table& table) {
  const Eigen::Index k = seen.d.size();
  Eigen::MatrixXd noise(k, k);
  for (Eigen::Index c = 0; c < k; ++c)
    for (Eigen::Index l = 0; l < k; ++l)
      noise(c, l) = table.of_student / std::max(seen.rows(c), seen.rows(l));
  noise.diagonal().array() += table.own / seen.rows.array();
  return {seen.d, noise, expected_spreads(table.searched)};
}

/// Plays a search.   @return what is truly gained: 0 where the student is kept
double gained(const Worths& worths, const Table& table, Rng& rng) {
  const Seen seen = sequential_halving(worths, table, rng);
  const GainModel model = model_of(seen, table);
  // The winner is one of those that were scored on most rows.
  const Eigen::VectorXd means = model.means();
  Eigen::Index best = 0;
  for (Eigen::Index c = 0; c < means.size(); ++c)
    if (std::pair(seen.rows(c), means(c)) > std::pair(seen.rows(best), means(best))) best = c;
  const double worth = worths[static_cast<std::size_t>(best)];
  Belief belief = model.belief(best);
  if (table.fresh > 0) {
    const double variance = (table.of_student + table.own) / static_cast<double>(table.fresh);
    belief = after(belief, worth + std::sqrt(variance) * rng.normal(), variance);
  }
  return belief.p_better() > table.threshold ? worth : 0;
}

Table table_of(const Differences& differences, const SearchPlan& plan) {
  const auto fresh =
      static_cast<std::size_t>(std::llround(plan.gate.fresh * static_cast<double>(plan.rows)));
  const auto student = static_cast<double>(plan.rows - fresh);
  return {differences.of_student,
          differences.pooled - differences.of_student,
          plan.rows - fresh,
          fresh,
          static_cast<double>(plan.evaluations) - student - 2 * static_cast<double>(fresh),
          plan.gate.threshold};
}

}  // namespace

ProbePlan plan_probes(std::size_t evaluations, std::size_t probes, std::size_t rows) {
  ProbePlan plan;
  plan.student = std::min(std::max<std::size_t>(1, evaluations / (probes > 0 ? 3 : 1)), rows);
  const std::size_t left = evaluations - plan.student;
  plan.probes =
      std::min(probes, left / std::max<std::size_t>(1, std::min(kLeastRows, plan.student)));
  if (plan.probes > 0) plan.each = std::min(left / plan.probes, plan.student);
  return plan;
}

GainForecast forecast_gain(const Scores& student, const std::vector<Scores>& probes,
                           const SearchPlan& plan) {
  require(any(student), "the student was scored");
  const Differences differences = differences_to(student, probes);
  const auto telling = most_telling(differences);
  const Worlds worlds(student, differences, telling, probes);
  const Table table = table_of(differences, plan);
  GainForecast forecast;
  forecast.sd = std::sqrt(differences.pooled);
  Rng rng(derive_seed(plan.seed, "headroom"));
  double found = 0, there = 0, sum = 0, sum_found = 0;
  for (std::size_t draw = 0; draw < plan.draws; ++draw) {
    const Worths worths = worlds.draw(plan.candidates, rng);
    there += *std::ranges::max_element(worths) > plan.margin;
    const double gain = table.plays() ? gained(worths, table, rng) : 0;
    sum += gain;
    if (gain > plan.margin) ++found, sum_found += gain;
  }
  const auto n = static_cast<double>(plan.draws);
  forecast.p_gain = found / n;
  forecast.p_there = there / n;
  forecast.expected = sum / n;
  forecast.if_found = found > 0 ? sum_found / found : 0;
  forecast.error = std::sqrt(forecast.p_gain * (1 - forecast.p_gain) / n);
  return forecast;
}

double rows_to_tell(double gain, double sd) {
  const double z = normal_quantile(.975) + normal_quantile(.8);
  return std::ceil(z * z * sd * sd / (gain * gain));
}

}  // namespace theta
