// What the gate lets through on simulated tables of recorded outcomes: how often it saves a prompt
// where nothing is better than the untouched one, what gain it then claims, and how often it saves
// one that is better by 3, 5, 10 and 20 points.
//
// usage: null_bench [--json FILE] [--tables N] [--power N] [--rows 40,100,300] [--fresh F]
//                   [--threshold P] [--optimizers a,b] [--families "equal,worse,gain 3"]
//
// --tables: null tables for each optimiser, of 100 rows. --power: tables for each gain and number of
// rows; without it none, as it takes long. Beside MIPROv2 by DSPy's rules (`tpe`) and GEPA stands
// what these claim by their own: the best mean on all of validation less the untouched program's.

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "experiments/runs/replay.hpp"
#include "tests/bench/figures.hpp"

namespace theta {
namespace {

constexpr std::size_t kChoices = 10;  ///< instructions, and demo sets
constexpr double kDifficulty = 1.5;   ///< sd of the examples' difficulty, in nats
constexpr double kLevel = 0.5;        ///< of the untouched program, in nats
constexpr std::size_t kNullRows = 100;
constexpr std::int64_t kBudget = 8;  ///< evaluations a row

/// The mean score of a program of this level over all examples.
double accuracy_of(double level) {
  double sum = 0, weights = 0;
  for (int k = -40; k <= 40; ++k) {
    const double z = k / 10.0, weight = std::exp(-z * z / 2);
    sum += weight / (1 + std::exp(-level - kDifficulty * z));
    weights += weight;
  }
  return sum / weights;
}

/// The level at which a program is better than the untouched one by `gain`.
double level_of(double gain) {
  double low = -10, high = 10;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (accuracy_of(middle) < accuracy_of(kLevel) + gain ? low : high) = middle;
  }
  return low;
}

/// A family of tables: what its candidates gain over the untouched program.
struct Family {
  std::string name;
  double gain = 0;  ///< of every fourth instruction, at least of one
  double loss = 0;  ///< of every fourth instruction and demo set
};

struct Table {
  ScoreTable scores;
  std::map<Combination, double> gains;  ///< true ones
};

Table make_table(const Family& family, std::size_t rows, std::uint64_t seed) {
  Rng rng(derive_seed(seed, family.name));
  std::vector<double> instruction(kChoices), demos(kChoices), difficulty(rows);
  const auto gaining = 1 + rng.below(kChoices - 1);
  for (std::size_t i = 1; i < kChoices; ++i) {
    const double u = rng.uniform(), v = rng.uniform();
    instruction[i] = i == gaining || u < .25 ? family.gain : u < .5 ? -family.loss : 0;
    demos[i] = v < .25 ? -family.loss : 0;
  }
  for (auto& b : difficulty) b = kDifficulty * rng.normal();
  Table table;
  table.scores.name = family.name;
  table.scores.examples = rows;
  table.scores.predictors.resize(1);
  for (std::size_t i = 0; i < kChoices; ++i) {
    table.scores.predictors[0].instructions.push_back(fmt::format("instruction {}", i));
    table.scores.predictors[0].demos.push_back(fmt::format("demos {}", i));
  }
  std::map<double, double> levels;
  for (std::size_t i = 0; i < kChoices; ++i)
    for (std::size_t d = 0; d < kChoices; ++d) {
      const Combination c{static_cast<int>(i), static_cast<int>(d)};
      const double gain = instruction[i] + demos[d];
      const auto [level, added] = levels.try_emplace(gain, 0);
      if (added) level->second = level_of(gain);
      table.gains[c] = gain;
      auto& row = table.scores.scores[c];
      for (const double b : difficulty) {
        const double u = std::max(rng.uniform(), 0x1p-54);
        row.push_back(level->second + b + std::log(u / (1 - u)) > 0 ? 1 : 0);
      }
    }
  return table;
}

/// What came of the tables of one family.
struct Tally {
  double tables = 0, saved = 0, covered = 0, claimed = 0, own = 0, true_gain = 0;

  void add(const Decision& gate, double gain) {
    ++tables;
    covered += !gate.found || (gate.low <= gain && gain <= gate.high);
    own += std::max(gate.claimed, 0.0);
    if (!gate.saved) return;
    ++saved;
    claimed += gate.estimate;
    true_gain += gain;
  }
  double share(double of) const { return of / tables; }
};

Tally run(const Family& family, const std::string& optimizer, std::size_t rows, std::size_t tables,
          const GateOptions& gate) {
  std::vector<std::pair<Decision, double>> came(tables);
  tbb::parallel_for(std::size_t{0}, tables, [&](std::size_t seed) {
    const Table table = make_table(family, rows, seed);
    const auto ignore = [](std::int64_t, const Combination&) {};
    const auto replayed = replay(table.scores, optimizer, kBudget * static_cast<std::int64_t>(rows),
                                 seed, ignore, gate);
    came[seed] = {replayed.gate, table.gains.at(replayed.winner)};
  });
  Tally tally;
  for (const auto& [decision, gain] : came) tally.add(decision, gain);
  return tally;
}

std::size_t count(const std::string& text) { return std::stoul(text); }

std::vector<Figure> measure(std::vector<std::string>& arguments) {
  const auto tables = count(take_option(arguments, "--tables", "500"));
  const auto power = count(take_option(arguments, "--power", "0"));
  const auto rows = take_list(arguments, "--rows", "40,100,300");
  const auto optimizers =
      take_list(arguments, "--optimizers", "paired,mipro,gp,tpe,random,copro,gepa");
  const auto wanted = take_list(arguments, "--families", "equal,worse,gain 3,gain 5,gain 10,gain 20");
  GateOptions gate;
  gate.fresh = std::stod(take_option(arguments, "--fresh", fmt::format("{}", gate.fresh)));
  gate.threshold =
      std::stod(take_option(arguments, "--threshold", fmt::format("{}", gate.threshold)));
  std::vector<Figure> figures;
  spdlog::set_level(spdlog::level::warn);  // a replay says where the table's instructions are given

  if (tables > 0)
    fmt::print(
        "every candidate equally good, {} rows, {} tables: points claimed by the search's own "
        "rule, claimed\nby the gate of what it saves, share of tables where its interval "
        "holds 0, share saved\n{:<10}{:>8}{:>8}{:>8}{:>8}\n",
        kNullRows, tables, "", "own", "gate", "holds", "saved");
  for (const auto& optimizer : tables > 0 ? optimizers : std::vector<std::string>{}) {
    const Family null{"equal"};
    const Tally tally = run(null, optimizer, kNullRows, tables, gate);
    const double claimed = 100 * tally.share(tally.claimed), holds = tally.share(tally.covered);
    std::optional<double> own;
    if (optimizer == "tpe" || optimizer == "gepa") {
      const Tally alone = run(null, optimizer, kNullRows, tables, {.fresh = 0});
      own = 100 * alone.share(alone.own);
    }
    fmt::print("{:<10}{:>8}{:8.2f}{:8.3f}{:8.3f}\n", optimizer,
               own ? fmt::format("{:.2f}", *own) : "-", claimed, holds, tally.share(tally.saved));
    std::fflush(stdout);
    figures.push_back({.name = "points claimed, nothing better: " + optimizer,
                       .theta = claimed,
                       .peer = own,
                       .target = own ? std::nullopt : std::optional(.3),
                       .better = "lower"});
    figures.push_back(
        {.name = "tables where the interval holds 0: " + optimizer, .theta = holds, .target = .93});
    figures.push_back({.name = "tables where a winner is saved: " + optimizer,
                       .theta = tally.share(tally.saved),
                       .target = .05,
                       .better = "lower"});
  }
  if (power == 0) return figures;

  std::vector<Family> families{{"equal"},
                               {"worse", 0, .10},
                               {"gain 3", .03, .03},
                               {"gain 5", .05, .05},
                               {"gain 10", .10, .10},
                               {"gain 20", .20, .20}};
  std::erase_if(families, [&](const Family& family) {
    return std::ranges::find(wanted, family.name) == wanted.end();
  });
  fmt::print(
      "\nshare of {} tables where a winner is saved; in brackets the mean true gain of what is "
      "used, in points\n{:<18}",
      power, "");
  for (const auto& family : families) fmt::print("{:>16}", family.name);
  fmt::print("\n");
  for (const auto& n : rows) {
    for (const auto& optimizer : optimizers) {
      fmt::print("{:<10}{:>5} rows", optimizer, n);
      for (const auto& family : families) {
        const Tally tally = run(family, optimizer, count(n), power, gate);
        fmt::print("{:8.2f} [{:5.2f}]", tally.share(tally.saved),
                   100 * tally.share(tally.true_gain));
        std::fflush(stdout);
      }
      fmt::print("\n");
    }
  }
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("null", argc, argv, theta::measure); }
