// Simple regret of prompt searches on simulated outcome tables: accuracy points lost by the
// incumbent after so many program evaluations.
//
// usage: regret_bench [--json FILE] [--problems N] [--first SEED] [--optuna FILE] [--families N]
//                     [--texts N] [--further N]
//        regret_bench --export FOLDER [--problems N] [--first SEED]
//
// --families and --texts, with so many problems each, are for other families than the one of the
// targets, and for candidates with texts; --further is for that family's problems that nothing was
// developed on.
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
#include <numeric>

#include "core/result.hpp"
#include "optimizers/dspy_search.hpp"
#include "optimizers/paired_search.hpp"
#include "optimizers/text_kernel.hpp"
#include "tests/bench/figures.hpp"
#include "tests/bench/outcome_table.hpp"

namespace theta {
namespace {

constexpr std::array<std::int64_t, 5> kBudgets{200, 400, 800, 1600, 3200};
constexpr std::array<double, 5> kTargets{7.5, 5, 3, 1.8, 1.5};

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
OnTrial into(Curve& curve) {
  return [&curve](const Trial& trial) {
    if (trial.improved) curve.push_back({trial.evaluations, trial.incumbent});
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

Curve paired(const OutcomeTable& table, const std::vector<Variable>& space, std::uint64_t seed,
             PairedSearchOptions options = {}) {
  Curve curve;
  options.budget = kBudgets.back();
  options.checked = false;
  options.seed = derive_seed(seed, "paired");
  options.on_trial = into(curve);
  paired_search(space, table.family().examples, in_turn(look_up(table)), options);
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

/// a - share b, problem by problem.
std::vector<Regret> less(std::vector<Regret> a, const std::vector<Regret>& b,
                         const Regret& share = {1, 1, 1, 1, 1}) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < share.size(); ++k) a[i][k] -= share[k] * b[i][k];
  return a;
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

struct Problems {
  Family family;
  std::uint64_t first = 0, count = 0;

  /// Runs a method on each and prints a line.
  std::vector<Regret> measure(const std::string& name, const Method& method) const {
    std::vector<Regret> all;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
      const OutcomeTable table(family, seed);
      all.push_back(regret_of(table, method(table, seed)));
    }
    print(name, summarise(all));
    return all;
  }
};

Curve theta(const OutcomeTable& table, std::uint64_t seed) {
  return paired(table, table.space(), seed);
}

Curve informed(const OutcomeTable& table, std::uint64_t) { return {{0, table.informed_choice()}}; }

/// What the same knowledge of the family makes of as many outcomes as a search asks, of every
/// candidate alike: where effects are weak, more than that is hard to learn.
Curve informed_evenly(const OutcomeTable& table, std::uint64_t) {
  const auto candidates = static_cast<std::int64_t>(table.combinations().size());
  Curve curve;
  for (const auto budget : kBudgets)
    if (budget >= candidates)
      curve.push_back(
          {budget, table.informed_choice(static_cast<std::size_t>(budget / candidates))});
  return curve;
}

/// What it costs to ask several at once: candidates a wave x examples a candidate.
void measure_waves(const Problems& problems, const std::vector<Regret>& ours,
                   std::vector<Figure>& figures) {
  const auto sum = [](const Regret& regret) {
    return std::accumulate(regret.begin(), regret.end(), 0.0);
  };
  const auto measure = [&](std::size_t in_flight, std::size_t step) {
    const auto waves = [=](const OutcomeTable& table, std::uint64_t seed) {
      return paired(table, table.space(), seed, {.step = step, .in_flight = in_flight});
    };
    return sum(
        summarise(problems.measure(fmt::format("Theta, {} x {}", in_flight, step), waves)).mean);
  };
  const auto wider = [](const OutcomeTable& table, std::uint64_t seed) {
    return paired(table, table.space(), seed, {.widening = 1 / 8.});
  };
  const auto of_wider = problems.measure("Theta, widening waves", wider);
  print("their difference to Theta's", summarise(less(of_wider, ours)));
  const double alone = measure(1, 2);
  const auto add = [&](std::size_t in_flight, double regret) {
    figures.push_back({.name = fmt::format("{} in flight: regret over all budgets", in_flight),
                       .theta = regret,
                       .peer = alone,
                       .better = "lower"});
  };
  measure(1, 5);
  add(4, sum(summarise(ours).mean));
  add(8, measure(8, 2));
}

void compare_with_optuna(const Problems& problems, const std::vector<Regret>& tpe,
                         const std::string& path, std::vector<Figure>& figures) {
  const Summary s =
      summarise(less(tpe, problems.measure("MIPROv2, Optuna's TPE", read_curves(path))));
  print("the two TPEs' difference", s);
  for (std::size_t b = 1; b < kBudgets.size(); ++b)  // at 200 only the default is known
    figures.push_back({.name = fmt::format("TPE less Optuna's at {}, standard errors", kBudgets[b]),
                       .theta = std::abs(s.mean[b]) / s.error[b],
                       .target = 2,
                       .better = "lower"});
}

/// The targets on problems that nothing was developed on.
void measure_further(std::uint64_t count, std::vector<Figure>& figures) {
  constexpr std::uint64_t kFirst = 20'000;
  fmt::print("\n{} further problems\n", count);
  const Problems problems{{}, kFirst, count};
  problems.measure("the floor", informed);
  const Summary ours = summarise(problems.measure("Theta", theta));
  for (std::size_t b = 0; b < kBudgets.size(); ++b)
    figures.push_back({.name = fmt::format("regret at {}, {} further problems", kBudgets[b], count),
                       .theta = ours.mean[b],
                       .target = kTargets[b],
                       .better = "lower"});
}

/// Regret in excess of the floor: at most .4 of MIPROv2's, and no more where that is under a point.
void measure_families(std::uint64_t first, std::uint64_t count, std::vector<Figure>& figures) {
  const std::vector<std::pair<const char*, Family>> families{
      {"4 x 6", {.instructions = 4, .demos = 6}},
      {"30 x 20", {.instructions = 30, .demos = 20}},
      {"two predictors", {.instructions = 5, .demos = 5, .predictors = 2}},
      {"three predictors", {.instructions = 3, .demos = 3, .predictors = 3}},
      {"weak effects", {.sd_instruction = .15, .sd_demos = .15, .sd_both = .15}},
      {"no interactions", {.sd_both = 0}},
      {"only interactions", {.sd_instruction = 0, .sd_demos = 0, .sd_both = .75}},
      {"hard", {.level = -2}},
      {"easy", {.level = 2}},
      {"30 examples", {.examples = 30}},
      {"1000 examples", {.examples = 1000}}};
  for (const auto& [name, family] : families) {
    fmt::print("\n{}\n", name);
    const Problems problems{family, first, count};
    const auto floor = problems.measure("the floor", informed);
    if (family.sd_instruction < Family{}.sd_instruction && family.sd_both < Family{}.sd_both)
      problems.measure("the same, even outcomes", informed_evenly);
    const auto ours = less(problems.measure("Theta", theta), floor);
    const auto peers = less(problems.measure("MIPROv2, TPE", mipro_tpe), floor);
    const Regret excess = summarise(ours).mean, of_peer = summarise(peers).mean;
    Regret share;
    for (std::size_t b = 0; b < kBudgets.size(); ++b) share[b] = of_peer[b] > 1 ? .4 : 1;
    print("excess beyond its share", summarise(less(ours, peers, share)));
    for (std::size_t b = 0; b < kBudgets.size(); ++b) {
      const auto figure = fmt::format("{}: excess regret at {}", name, kBudgets[b]);
      if (of_peer[b] > 1)
        figures.push_back({.name = figure,
                           .theta = excess[b],
                           .peer = of_peer[b],
                           .target = share[b],
                           .better = "lower"});
      else
        figures.push_back({.name = figure + ", less MIPROv2's",
                           .theta = excess[b] - of_peer[b],
                           .target = 0,
                           .better = "lower"});
    }
  }
}

/// Texts of instructions: `none`, `random`, `equal`, `numbered`, or `telling`, whose words are the
/// likelier the better or the worse the instruction is.
std::vector<Variable> with_texts(const OutcomeTable& table, std::uint64_t seed,
                                 const std::string& kind) {
  constexpr std::size_t kWords = 12, kVocabulary = 40;
  Rng rng(derive_seed(seed, "texts"));
  auto space = table.space();
  for (std::size_t p = 0; p < table.family().predictors && kind != "none"; ++p) {
    std::vector<std::string> texts;
    for (const double effect : table.instruction_effects(p)) {
      std::string text = kind == "numbered" ? fmt::format("instruction {}", texts.size() + 1) : "";
      const double praise = 1 / (1 + std::exp(-3 * effect / table.family().sd_instruction));
      for (std::size_t w = 0; w < kWords; ++w) {
        const std::size_t word = rng.below(kVocabulary);
        if (kind == "random") text += fmt::format("w{} ", word);
        if (kind == "telling")
          text += fmt::format("{}{} ", rng.uniform() < praise ? "good" : "bad", word % 10);
      }
      texts.push_back(kind == "equal" ? "Answer the question." : text);
    }
    space[2 * p].similarity = text_similarity(texts);
  }
  return space;
}

/// Texts that say nothing cost at most a twentieth; those that tell help.
void measure_texts(std::uint64_t first, std::uint64_t count, std::vector<Figure>& figures) {
  const Problems problems{{}, first, count};
  Regret without{};
  fmt::print("\ntexts of 10 instructions\n");
  for (const std::string kind : {"none", "random", "equal", "numbered", "telling"}) {
    const auto all = problems.measure(kind, [&](const OutcomeTable& table, std::uint64_t seed) {
      return paired(table, with_texts(table, seed, kind), seed);
    });
    const Regret regret = summarise(all).mean;
    if (kind == "none") {
      without = regret;
      continue;
    }
    double sum = 0, peer = 0;  // over the budgets, as one alone is too noisy
    for (std::size_t b = 0; b < kBudgets.size(); ++b) sum += regret[b], peer += without[b];
    figures.push_back({.name = kind + " texts: regret over all budgets, to no texts",
                       .theta = sum,
                       .peer = peer,
                       .target = kind == "telling" ? 1 : 1.05,
                       .better = "lower"});
  }
}

std::vector<Figure> regrets(std::vector<std::string>& arguments) {
  const auto number = [&](const char* name, const char* otherwise) {
    return std::stoull(take_option(arguments, name, otherwise));
  };
  const Problems problems{{}, number("--first", "0"), number("--problems", "60")};
  const std::uint64_t in_families = number("--families", "0"), with = number("--texts", "0");
  const std::uint64_t further = number("--further", "0");
  const std::string folder = take_option(arguments, "--export");
  if (!folder.empty()) {
    for (std::uint64_t seed = problems.first; seed < problems.first + problems.count; ++seed)
      export_table({{}, seed}, std::filesystem::path(folder) / fmt::format("{}.json", seed));
    return {};
  }
  std::vector<Figure> figures;
  fmt::print(
      "mean simple regret in points ± standard error over {} problems after {} evaluations\n",
      problems.count, fmt::join(kBudgets, ", "));
  if (problems.count > 0) {
    problems.measure("the floor", informed);
    const auto of_theta = problems.measure("Theta", theta);
    const Regret ours = summarise(of_theta).mean;
    measure_waves(problems, of_theta, figures);
    problems.measure("random, full", random_full);
    const auto tpe = problems.measure("MIPROv2, TPE", mipro_tpe);
    for (std::size_t b = 0; b < kBudgets.size(); ++b)
      figures.push_back({.name = fmt::format("regret at {}", kBudgets[b]),
                         .theta = ours[b],
                         .target = kTargets[b],
                         .better = "lower"});
    if (const std::string optuna = take_option(arguments, "--optuna"); !optuna.empty())
      compare_with_optuna(problems, tpe, optuna, figures);
  }
  if (further > 0) measure_further(further, figures);
  if (in_families > 0) measure_families(problems.first, in_families, figures);
  if (with > 0) measure_texts(problems.first, with, figures);
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("regret", argc, argv, theta::regrets); }
