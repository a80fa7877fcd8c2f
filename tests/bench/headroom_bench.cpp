// Whether headroom tells beforehand what a search gains, on simulated outcome tables: the
// probability that it gives from a tenth of the budget, beside whether paired_search() with all of
// it, and the gate, then gain more than 2 points of true mean.
//
// usage: headroom_bench [--json FILE] [--problems N] [--first SEED] [--budget B] [--rows N]
//                       [--share S] [--candidates K] [--draws N] [--csv FILE]
//
// --problems: tasks of each family.

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "optimizers/gain_model.hpp"
#include "optimizers/headroom.hpp"
#include "optimizers/paired_search.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/outcome_table.hpp"

namespace theta {
namespace {

constexpr double kMargin = .02;
constexpr std::size_t kProbes = 6;

struct Kind {
  std::string name;
  Family family;
  std::size_t best_of = 1;  ///< the student is the best of so many combinations that are drawn
};

std::vector<Kind> kinds(std::size_t rows) {
  std::vector<Kind> all{{"the targets'", {}},
                        {"4 x 6", {.instructions = 4, .demos = 6}},
                        {"two predictors", {.instructions = 5, .demos = 5, .predictors = 2}},
                        {"weak effects", {.sd_instruction = .15, .sd_demos = .15, .sd_both = .15}},
                        {"no effects", {.sd_instruction = 0, .sd_demos = 0, .sd_both = 0}},
                        {"no interactions", {.sd_both = 0}},
                        {"only interactions", {.sd_instruction = 0, .sd_demos = 0, .sd_both = .75}},
                        {"hard", {.level = -2}},
                        {"easy", {.level = 2}},
                        {"very easy", {.level = 4}},
                        {"a good student", {}, 20},
                        {"a good student, weak effects",
                         {.sd_instruction = .15, .sd_demos = .15, .sd_both = .15},
                         20}};
  for (Kind& kind : all) kind.family.examples = rows;
  return all;
}

/// A problem whose student is some combination of a table.
class Problem {
 public:
  Problem(const Kind& kind, std::uint64_t seed) : table_(kind.family, seed) {
    Rng rng(derive_seed(seed, "student"));
    student_ = drawn(rng);
    for (std::size_t i = 1; i < kind.best_of; ++i)
      if (const auto other = drawn(rng); table_.effect(other) > table_.effect(student_))
        student_ = other;
  }

  const std::vector<Variable>& space() const { return table_.space(); }
  /// Choice 0 of every variable is the student's.
  const std::vector<double>& row(const Combination& c) const { return table_.row(placed(c)); }
  double gain(const Combination& c) const {
    return table_.accuracy(placed(c)) - table_.accuracy(student_);
  }
  double best_gain() const { return table_.regret(student_) / 100; }

  /// Candidates that differ from the student in every variable and in one, in turn.
  std::vector<Combination> probes(std::uint64_t seed) const {
    Rng rng(derive_seed(seed, "probes"));
    std::vector<Combination> all;
    for (std::size_t i = 0; i < kProbes; ++i) {
      Combination c(space().size(), 0);
      for (std::size_t v = 0; v < c.size(); ++v)
        if (i % 2 == 0 || v == i / 2 % c.size())
          c[v] = 1 + static_cast<int>(rng.below(space()[v].choices - 1));
      if (std::ranges::find(all, c) == all.end()) all.push_back(c);
    }
    return all;
  }

 private:
  Combination drawn(Rng& rng) const {
    Combination c;
    for (const auto& variable : space()) c.push_back(static_cast<int>(rng.below(variable.choices)));
    return c;
  }
  Combination placed(Combination c) const {
    for (std::size_t v = 0; v < c.size(); ++v)
      c[v] = c[v] == 0 ? student_[v] : c[v] == student_[v] ? 0 : c[v];
    return c;
  }

  OutcomeTable table_;
  Combination student_;
};

Scores first_scores(const Problem& problem, const Combination& c, std::span<const std::size_t> rows,
                    std::size_t n) {
  Scores scores(rows.size());
  for (std::size_t i = 0; i < n; ++i) scores[i] = problem.row(c)[rows[i]];
  return scores;
}

/// What a search with its gate truly gains: 0 where the student is kept.
double searched_gain(const Problem& problem, const HeldBack& held, const SearchPlan& plan) {
  const EvaluateCandidate look_up = [&](const Combination& c, std::span<const std::size_t> rows) {
    std::vector<Result<double>> scores;
    for (const auto i : rows) scores.emplace_back(problem.row(c)[held.searched[i]]);
    return scores;
  };
  const auto found =
      paired_search(problem.space(), held.searched.size(), in_turn(look_up),
                    {.budget = plan.evaluations - 2 * static_cast<std::int64_t>(held.fresh.size()),
                     .seed = derive_seed(plan.seed, "search")});
  if (!found.winner) return 0;
  const Combination student(problem.space().size(), 0);
  const Belief belief =
      updated(found.winner->gain,
              first_scores(problem, found.winner->combination, held.fresh, held.fresh.size()),
              first_scores(problem, student, held.fresh, held.fresh.size()),
              std::vector<std::string>(held.fresh.size()));
  return decide(belief, 0, held.fresh.size(), plan.gate).saved
             ? problem.gain(found.winner->combination)
             : 0;
}

struct Outcome {
  GainForecast forecast;
  double gain = 0, best = 0;
  bool gains() const { return gain > kMargin; }
};

struct Settings {
  std::size_t rows, candidates, draws;
  std::int64_t budget;
  double share;
};

Outcome outcome_of(const Kind& kind, std::uint64_t seed, const Settings& settings) {
  const Problem problem(kind, seed);
  SearchPlan plan{.rows = settings.rows,
                  .gate = {.seed = seed},
                  .candidates = settings.candidates,
                  .draws = settings.draws,
                  .seed = seed};
  const HeldBack held = hold_back(std::vector<std::string>(settings.rows), plan.gate);
  const auto probes = problem.probes(seed);
  const ProbePlan probing = plan_probes(
      static_cast<std::size_t>(std::llround(settings.share * static_cast<double>(settings.budget))),
      probes.size(), held.searched.size());
  plan.evaluations = settings.budget - static_cast<std::int64_t>(probing.evaluations());
  const Combination student(problem.space().size(), 0);
  std::vector<Scores> scores;
  for (std::size_t p = 0; p < probing.probes; ++p)
    scores.push_back(first_scores(problem, probes[p], held.searched, probing.each));
  return {
      forecast_gain(first_scores(problem, student, held.searched, probing.student), scores, plan),
      searched_gain(problem, held, plan), problem.best_gain()};
}

/// The probability that one that gains was given a higher probability than one that does not.
double auroc(const std::vector<Outcome>& all) {
  double right = 0, pairs = 0;
  for (const Outcome& a : all)
    for (const Outcome& b : all) {
      if (!a.gains() || b.gains()) continue;
      ++pairs;
      const double less = a.forecast.p_gain - b.forecast.p_gain;
      right += less > 0 ? 1 : less == 0 ? .5 : 0;
    }
  return pairs > 0 ? right / pairs : .5;
}

/// Slope of the logistic regression of what happened on the logit of what was said: 1 where
/// probabilities are neither too bold nor too timid. Cox 1958.
double calibration_slope(const std::vector<Outcome>& all) {
  constexpr double kLeast = 1e-3;
  double slope = 1, intercept = 0;
  for (int step = 0; step < 50; ++step) {  // Newton
    double g0 = 0, g1 = 0, h00 = 1e-9, h01 = 0, h11 = 1e-9;
    for (const Outcome& one : all) {
      const double p = std::clamp(one.forecast.p_gain, kLeast, 1 - kLeast);
      const double x = std::log(p / (1 - p));
      const double q = 1 / (1 + std::exp(-intercept - slope * x)), w = q * (1 - q);
      const double rest = (one.gains() ? 1 : 0) - q;
      g0 += rest, g1 += rest * x, h00 += w, h01 += w * x, h11 += w * x * x;
    }
    const double det = h00 * h11 - h01 * h01;
    intercept += (h11 * g0 - h01 * g1) / det;
    slope += (h00 * g1 - h01 * g0) / det;
  }
  return slope;
}

void print_bins(const std::vector<Outcome>& all) {
  fmt::print("\n{:<14}{:>8}{:>10}{:>10}\n", "probability", "tasks", "mean", "gained");
  for (int bin = 0; bin < 5; ++bin) {
    double n = 0, said = 0, came = 0;
    for (const Outcome& one : all)
      if (std::min(4, static_cast<int>(5 * one.forecast.p_gain)) == bin)
        ++n, said += one.forecast.p_gain, came += one.gains();
    if (n > 0)
      fmt::print("{:.1f} to {:.1f}{:>12}{:>10.2f}{:>10.2f}\n", bin / 5., (bin + 1) / 5., n,
                 said / n, came / n);
  }
}

void print_kind(const std::string& name, const std::vector<Outcome>& all) {
  double p = 0, there = 0, came = 0, expected = 0, gain = 0, best = 0;
  for (const Outcome& one : all) {
    p += one.forecast.p_gain, there += one.forecast.p_there, came += one.gains();
    expected += one.forecast.expected, gain += one.gain, best += one.best;
  }
  const auto n = static_cast<double>(all.size());
  fmt::print("{:<30}{:>6.2f}{:>8.2f}{:>8.2f}{:>10.1f}{:>8.1f}{:>8.1f}{:>8.2f}\n", name, there / n,
             p / n, came / n, 100 * expected / n, 100 * gain / n, 100 * best / n, auroc(all));
  std::fflush(stdout);
}

std::vector<Figure> measure(std::vector<std::string>& arguments) {
  const auto number = [&](const char* name, const char* otherwise) {
    return std::stoull(take_option(arguments, name, otherwise));
  };
  const std::uint64_t problems = number("--problems", "20"), first = number("--first", "0");
  const Settings settings{.rows = number("--rows", "100"),
                          .candidates = number("--candidates", "32"),
                          .draws = number("--draws", "400"),
                          .budget = static_cast<std::int64_t>(number("--budget", "800")),
                          .share = std::stod(take_option(arguments, "--share", ".1"))};
  const std::string csv = take_option(arguments, "--csv");
  fmt::print("{:<30}{:>6}{:>8}{:>8}{:>10}{:>8}{:>8}{:>8}\n", "means over tasks", "there", "said",
             "gained", "expected", "gain", "best", "AUROC");
  std::vector<Outcome> all;
  for (const Kind& kind : kinds(settings.rows)) {
    std::vector<Outcome> some(problems);
    tbb::parallel_for(std::uint64_t{0}, problems,
                      [&](std::uint64_t i) { some[i] = outcome_of(kind, first + i, settings); });
    print_kind(kind.name, some);
    all.insert(all.end(), some.begin(), some.end());
  }
  print_kind("all", all);
  print_bins(all);
  if (!csv.empty()) {
    std::ofstream out(csv);
    for (const Outcome& one : all)
      out << one.forecast.p_gain << "," << one.forecast.p_there << "," << one.forecast.expected
          << "," << one.gain << "," << one.best << "\n";
    if (!out.flush()) throw UserError(fmt::format("{}: cannot be written", csv));
  }
  return {{.name = "AUROC", .theta = auroc(all), .target = .75},
          {.name = "calibration slope", .theta = calibration_slope(all)}};
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) {
  return theta::bench_main("headroom", argc, argv, theta::measure);
}
