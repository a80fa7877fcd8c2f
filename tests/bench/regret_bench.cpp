// Simple regret of prompt searches on simulated outcome tables: accuracy points lost by the
// incumbent after so many program evaluations.
//
// usage: regret_bench [--json FILE] [--problems N] [--first SEED] [--optuna FILE]
//        regret_bench --export FOLDER [--problems N] [--first SEED]
//
// The second form writes the problems as tables, SEED.json, and runs nothing; regret_optuna.py
// searches them with Optuna's TPE and writes the FILE of the first form.

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/result.hpp"
#include "optimizers/dspy_search.hpp"
#include "optimizers/paired_search.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/outcome_table.hpp"

namespace theta {
namespace {

constexpr std::array<std::int64_t, 5> kBudgets{200, 400, 800, 1600, 3200};

/// The incumbent from so many evaluations on.
struct Change {
  std::int64_t evaluations = 0;
  Combination incumbent;
};
using Curve = std::vector<Change>;
using Method = std::function<Curve(const OutcomeTable&, std::uint64_t seed)>;

/// Combinations drawn at random, each evaluated on every example.
Curve random_full(const OutcomeTable& table, std::uint64_t seed) {
  Rng rng(derive_seed(seed, "random"));
  Curve curve;
  double best = -1;
  const auto examples = static_cast<std::int64_t>(table.family().examples);
  for (std::int64_t used = examples; used <= kBudgets.back(); used += examples) {
    Combination c;
    for (const auto& variable : table.space())
      c.push_back(static_cast<int>(rng.below(variable.choices)));
    double sum = 0;
    for (const double y : table.row(c)) sum += y;
    if (sum > best) {
      best = sum;
      curve.push_back({used, c});
    }
  }
  return curve;
}

EvaluateCandidate look_up(const OutcomeTable& table) {
  return [&table](const Combination& c, std::span<const std::size_t> examples) {
    std::vector<Result<double>> scores;
    for (const auto j : examples) scores.emplace_back(table.row(c)[j]);
    return scores;
  };
}

/// Collects the incumbents that a search tells of.
std::function<bool(const Trial&)> into(Curve& curve) {
  return [&curve](const Trial& trial) {
    if (trial.improved) curve.push_back({trial.evaluations, trial.incumbent});
    return false;
  };
}

Curve mipro_tpe(const OutcomeTable& table, std::uint64_t seed) {
  Curve curve;
  dspy_search(table.space(), table.family().examples, look_up(table),
              {.num_trials = static_cast<std::size_t>(kBudgets.back()),
               .max_evaluations = kBudgets.back(),
               .seed = derive_seed(seed, "mipro"),
               .on_trial = into(curve)});
  return curve;
}

/// The search on the level of examples, one suggestion at a time.
Curve paired(const OutcomeTable& table, std::uint64_t seed, std::size_t in_flight) {
  Curve curve;
  paired_search(table.space(), table.family().examples, in_turn(look_up(table)),
                {.budget = kBudgets.back(),
                 .in_flight = in_flight,
                 .checked = false,
                 .seed = derive_seed(seed, "paired"),
                 .on_trial = into(curve)});
  return curve;
}

/// Simple regret at each budget.
using Regret = std::array<double, kBudgets.size()>;

Regret regret_of(const OutcomeTable& table, const Curve& curve) {
  Regret regret{};
  for (std::size_t b = 0; b < kBudgets.size(); ++b) {
    Combination incumbent(table.space().size(), 0);
    for (const auto& change : curve)
      if (change.evaluations <= kBudgets[b]) incumbent = change.incumbent;
    regret[b] = table.regret(incumbent);
  }
  return regret;
}

struct Summary {
  Regret mean{}, error{};  ///< standard error of the mean
};

Summary summarise(const std::vector<Regret>& regrets) {
  Summary summary;
  const auto n = static_cast<double>(regrets.size());
  for (std::size_t b = 0; b < kBudgets.size(); ++b) {
    double sum = 0, squares = 0;
    for (const auto& regret : regrets) {
      sum += regret[b];
      squares += regret[b] * regret[b];
    }
    summary.mean[b] = sum / n;
    summary.error[b] = std::sqrt((squares / n - summary.mean[b] * summary.mean[b]) / n);
  }
  return summary;
}

void print(const std::string& name, const Summary& summary) {
  fmt::print("{:<24}", name);
  for (std::size_t b = 0; b < kBudgets.size(); ++b)
    fmt::print("  {:6.2f} ± {:.2f}", summary.mean[b], summary.error[b]);
  fmt::print("\n");
  std::fflush(stdout);
}

/// What regret_optuna.py found: `{"SEED": [[evaluations, [choices]], ..], ..}`.
Method read_curves(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw UserError(fmt::format("{}: cannot be read", path));
  return [curves = nlohmann::json::parse(in)](const OutcomeTable&, std::uint64_t seed) {
    Curve curve;
    for (const auto& change : curves.at(std::to_string(seed)))
      curve.push_back({change[0].get<std::int64_t>(), change[1].get<Combination>()});
    return curve;
  };
}

/// A problem as a table of recorded outcomes.
void export_table(const OutcomeTable& table, const std::filesystem::path& path) {
  nlohmann::json json{{"predictors", nlohmann::json::array()},
                      {"examples", table.family().examples}};
  const auto texts = [](const char* what, std::size_t n) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < n; ++i) all.push_back(fmt::format("{} {}", what, i));
    return all;
  };
  for (std::size_t p = 0; p < table.family().predictors; ++p)
    json["predictors"].push_back(
        {{"instructions", texts("instruction", table.family().instructions)},
         {"demos", texts("demos", table.family().demos)}});
  for (const auto& c : table.combinations())
    json["scores"][fmt::format("{}", fmt::join(c, ","))] = table.row(c);
  std::ofstream out(path);
  out << json << "\n";
  if (!out.flush()) throw UserError(fmt::format("{}: cannot be written", path.string()));
}

std::vector<Figure> regrets(std::vector<std::string>& arguments) {
  const std::uint64_t problems = std::stoull(take_option(arguments, "--problems", "60"));
  const std::uint64_t first = std::stoull(take_option(arguments, "--first", "0"));
  const std::string folder = take_option(arguments, "--export");
  if (!folder.empty()) {
    for (std::uint64_t seed = first; seed < first + problems; ++seed)
      export_table({{}, seed}, std::filesystem::path(folder) / fmt::format("{}.json", seed));
    return {};
  }
  fmt::print(
      "mean simple regret in points ± standard error over {} problems after {} evaluations\n",
      problems, fmt::join(kBudgets, ", "));
  const auto measure = [&](const std::string& name, const Method& method) {
    std::vector<Regret> all;
    for (std::uint64_t seed = first; seed < first + problems; ++seed) {
      const OutcomeTable table({}, seed);
      all.push_back(regret_of(table, method(table, seed)));
    }
    print(name, summarise(all));
    return all;
  };

  std::vector<Figure> figures;
  measure("random, full", random_full);
  measure("Theta, paired",
          [](const OutcomeTable& table, std::uint64_t seed) { return paired(table, seed, 1); });
  const auto tpe = measure("MIPROv2, TPE", mipro_tpe);
  if (const std::string optuna = take_option(arguments, "--optuna"); !optuna.empty()) {
    auto difference = measure("MIPROv2, Optuna's TPE", read_curves(optuna));
    for (std::size_t i = 0; i < difference.size(); ++i)
      for (std::size_t b = 0; b < kBudgets.size(); ++b)
        difference[i][b] = tpe[i][b] - difference[i][b];
    const Summary s = summarise(difference);
    print("the two TPEs' difference", s);
    for (std::size_t b = 1; b < kBudgets.size(); ++b)
      figures.push_back(
          {.name = fmt::format("TPE less Optuna's at {}, standard errors", kBudgets[b]),
           .theta = std::abs(s.mean[b]) / s.error[b],
           .target = 2,
           .better = "lower"});
  }
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("regret", argc, argv, theta::regrets); }
