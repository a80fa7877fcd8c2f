#include "experiments/runs/replay.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "optimizers/copro.hpp"
#include "optimizers/dspy_search.hpp"
#include "optimizers/gepa.hpp"
#include "optimizers/paired_search.hpp"

namespace theta {
namespace {

const std::vector<std::string> kReplayed = {"paired", "gp",    "tpe", "random",
                                            "mipro",  "copro", "gepa"};
const std::vector<std::string> kBuilders = {"labeled_few_shot", "bootstrap_few_shot",
                                            "random_search"};

/// Stands for an instruction: `[1.12]`, choice 12 of predictor 1. The texts may be equal.
std::string token(std::size_t predictor, std::size_t choice) {
  return fmt::format("[{}.{}]", predictor, choice);
}

std::pair<std::size_t, std::size_t> read_token(const std::string& token) {
  const auto dot = token.find('.');
  return {std::stoul(token.substr(1, dot - 1)), std::stoul(token.substr(dot + 1))};
}

/// A program that looks up what its instructions score on the example it is given.
class TableProgram final : public Module {
 public:
  explicit TableProgram(const ScoreTable& table) : table_(table) {
    for (std::size_t p = 0; p < table.predictors.size(); ++p)
      predictors_.push_back({fmt::format("predictor_{}", p),
                             Signature::parse("example: int -> score: float", token(p, 0)),
                             {}});
  }

  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& /*call*/) const override {
    const auto& row = table_.row(combination());
    std::vector<Result<Prediction>> predictions;
    for (const auto& input : inputs) {
      const auto example = static_cast<std::size_t>(std::get<std::int64_t>(input.at("example")));
      Prediction prediction{{{"score", row.at(example)}}, {}, {}};
      for (std::size_t p = 0; p < predictors_.size(); ++p)
        prediction.trace.push_back({p, {{"example", input.at("example")}}, prediction.fields});
      predictions.emplace_back(std::move(prediction));
    }
    return predictions;
  }
  std::vector<Predictor*> predictors() override {
    std::vector<Predictor*> all;
    for (auto& predictor : predictors_) all.push_back(&predictor);
    return all;
  }
  std::unique_ptr<Module> clone() const override { return std::make_unique<TableProgram>(*this); }

 private:
  Combination combination() const {
    Combination combination;
    for (const auto& predictor : predictors_) {
      combination.push_back(static_cast<int>(read_token(predictor.signature.instructions).second));
      combination.push_back(0);
    }
    return combination;
  }

  const ScoreTable& table_;
  std::vector<Predictor> predictors_;
};

/// A proposer that answers with the table's instructions of the predictor it is asked about, in a
/// drawn order, over and over.
class TableProposer final : public LanguageModel {
 public:
  TableProposer(const ScoreTable& table, std::uint64_t seed) {
    Rng rng(derive_seed(seed, "proposals"));
    for (const auto& predictor : table.predictors) {
      const std::size_t n = predictor.instructions.size();
      orders_.push_back({rng.sample(n, n)});
    }
  }

  std::string identity() const override { return "table"; }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token /*stop*/) override {
    for (std::size_t i = 0; i < wave.size(); ++i) {
      const std::string& prompt = wave[i].messages.back().content;
      const std::size_t p = read_token(prompt.substr(prompt.find('['))).first;
      Order& order = orders_.at(p);
      Response answer;
      answer.text = " " + token(p, order.choices[order.next++ % order.choices.size()]);
      on_answer(i, answer);
    }
  }
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request&) const override { return std::nullopt; }
  HostCounters counters() const override { return {}; }

 private:
  struct Order {
    std::vector<std::size_t> choices;
    std::size_t next = 0;
  };
  std::vector<Order> orders_;
};

/// The combination of a TableProgram that was tried.
Combination combination_of(const Candidate& candidate) {
  Combination combination;
  for (const Candidate::Part& part : candidate.parts) {
    combination.push_back(static_cast<int>(read_token(part.instruction).second));
    combination.push_back(0);
  }
  return combination;
}

/// The part of a table that a search sees.
class Searched {
 public:
  Searched(const ScoreTable& table, const GateOptions& gate)
      : table_(table),
        held_(hold_back(std::vector<std::string>(table.examples), gate)),
        options_(gate) {}

  const HeldBack& held() const { return held_; }
  std::size_t examples() const { return held_.searched.size(); }
  /// Evaluations of the gate.
  std::int64_t reserved() const { return 2 * static_cast<std::int64_t>(held_.fresh.size()); }

  std::vector<Result<double>> look_up(const Combination& candidate,
                                      std::span<const std::size_t> examples) const {
    const auto& row = table_.row(candidate);
    std::vector<Result<double>> scores;
    for (const auto j : examples) scores.emplace_back(row[held_.searched[j]]);
    return scores;
  }

  /// What the gate says of a winner that the search believes this of.
  Decision pass(const Combination& winner, Belief belief, double claimed) const {
    if (belief.mean() < 0 || held_.fresh.empty()) return decide(belief, claimed, 0, options_);
    const auto fresh = [&](const Combination& candidate) {
      Scores scores;
      for (const auto j : held_.fresh) scores.emplace_back(table_.row(candidate)[j]);
      return scores;
    };
    const std::vector<std::string> groups(held_.fresh.size());
    belief = updated(belief, fresh(winner), fresh(Combination(winner.size(), 0)), groups);
    return decide(belief, claimed, held_.fresh.size(), options_);
  }

 private:
  const ScoreTable& table_;
  HeldBack held_;
  GateOptions options_;
};

Replayed replay_search(const ScoreTable& table, const std::string& name, std::int64_t budget,
                       std::uint64_t seed, const OnIncumbent& on_incumbent, const GateOptions& gate,
                       const std::stop_token& stop) {
  const auto space = table.space();
  const Searched searched(table, gate);
  const Combination student(space.size(), 0);
  budget -= searched.reserved();
  const EvaluateCandidate look_up = [&](const Combination& candidate,
                                        std::span<const std::size_t> examples) {
    return searched.look_up(candidate, examples);
  };
  const auto on_trial = [&](const Trial& trial) {
    if (trial.improved) on_incumbent(trial.evaluations, trial.incumbent);
  };
  // All but `paired` begin with the student on every example.
  const bool checked = name != "paired";
  if (budget < (checked ? static_cast<std::int64_t>(searched.examples()) : 1)) return {student, {}};
  if (name == "paired" || name == "mipro") {
    const auto found = paired_search(
        space, searched.examples(), in_turn(look_up),
        {.budget = budget, .checked = checked, .seed = seed, .on_trial = on_trial, .stop = stop});
    if (!found.winner) return {student, {}};
    const auto& [winner, gain, score, before] = *found.winner;
    return {winner, searched.pass(winner, gain, score - before)};
  }
  SearchOptions options{.num_trials = static_cast<std::size_t>(budget),
                        .max_evaluations = budget,
                        .seed = seed,
                        .on_trial = on_trial,
                        .stop = stop};
  KeptScores ledger(searched.examples(), [](const Combination&) { return 0; });
  const auto kept = ledger.keeping(look_up);
  std::optional<KeptScores::Winner> best;
  if (name == "tpe") {
    const auto found = dspy_search(space, searched.examples(), kept, options);
    best = found.best != student ? ledger.winner_is(found.best) : ledger.winner(student);
  } else {
    if (name == "random") options.minibatch_size = 0;
    const auto surrogate = make_surrogate(name, space);
    search(space, searched.examples(), kept, *surrogate, options);
    best = ledger.winner(student);
  }
  if (!best) return {student, {}};
  const double claimed = mean(best->scores) - mean(ledger.student());
  return {best->combination, searched.pass(best->combination, best->gain, claimed)};
}

Replayed replay_proposals(const ScoreTable& table, const std::string& name, std::int64_t budget,
                          std::uint64_t seed, const OnIncumbent& on_incumbent,
                          const GateOptions& gate, const std::stop_token& stop) {
  spdlog::info("{} proposes instructions: it is given the table's in an order drawn from seed {}",
               name, seed);
  const TableProgram student(table);
  const Combination own(table.space().size(), 0);
  const Searched searched(table, gate);
  // Both begin with the student on every example.
  if (budget < static_cast<std::int64_t>(searched.examples()) + searched.reserved())
    return {own, {}};
  TableProposer model(table, seed);
  double best = -1;
  Task task{.train = {},
            .validation = {},
            .metric = [](const Example&,
                         const Prediction& p) { return std::get<double>(p.fields.at("score")); },
            .model = model,
            .proposer = model,
            .teacher = model,
            .stop = stop,
            .on_trial =
                [&](const TrialRecord& trial) {
                  const bool full =
                      trial.kind == TrialKind::kDefault || trial.kind == TrialKind::kFull;
                  if (full && trial.score > best + 1e-9) {
                    if (best >= 0) on_incumbent(trial.evaluations, combination_of(trial.candidate));
                    best = trial.score;
                  }
                },
            .max_evaluations = budget,
            .gate = gate};
  for (std::size_t j = 0; j < table.examples; ++j)
    task.validation.push_back({std::to_string(j), "", {{"example", static_cast<std::int64_t>(j)}}});
  for (const auto j : searched.held().searched) task.train.push_back(task.validation[j]);
  const WriterOptions writer{.adapter = make_terse_adapter(), .max_copied = 0};
  const auto compiled = name == "copro"
                            ? Copro({.writer = writer, .seed = seed}).compile(student, task)
                            : Gepa({.writer = writer, .seed = seed}).compile(student, task);
  return {compiled.winner ? combination_of(*compiled.winner) : own, compiled.gate};
}

}  // namespace

Replayed replay(const ScoreTable& table, const std::string& optimizer, std::int64_t budget,
                std::uint64_t seed, const OnIncumbent& on_incumbent, GateOptions gate,
                std::stop_token stop) {
  if (std::ranges::find(kBuilders, optimizer) != kBuilders.end())
    throw UserError(fmt::format(
        "{} builds new demos, and a table has only what was recorded; these can be replayed: {}",
        optimizer, fmt::join(kReplayed, ", ")));
  if (std::ranges::find(kReplayed, optimizer) == kReplayed.end())
    throw UserError(fmt::format("there is no optimizer '{}' to replay; there are {}", optimizer,
                                fmt::join(kReplayed, ", ")));
  if (budget < 0) throw UserError(fmt::format("--budget must be at least 0, not {}", budget));
  gate.seed = seed;
  const Combination student(table.space().size(), 0);
  on_incumbent(0, student);
  if (budget == 0) return {student, {}};
  const auto run = optimizer == "copro" || optimizer == "gepa" ? replay_proposals : replay_search;
  auto replayed = run(table, optimizer, budget, seed, on_incumbent, gate, stop);
  // A search that was stopped ends with the best so far: not to pass for that of the whole budget.
  if (stop.stop_requested()) throw Interrupted("the search was stopped");
  return replayed;
}

}  // namespace theta
