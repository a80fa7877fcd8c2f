#include "experiments/replay.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

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
        prediction.trace.push_back({p, input, prediction.fields});
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

/// The combination of a candidate that describe() made of a TableProgram.
Combination combination_of(const TrialRecord& trial) {
  Combination combination;
  const auto candidate = nlohmann::ordered_json::parse(trial.candidate);
  for (const auto& predictor : candidate.at("predictors")) {
    combination.push_back(static_cast<int>(read_token(predictor.at("instruction")).second));
    combination.push_back(0);
  }
  return combination;
}

void replay_search(const ScoreTable& table, const std::string& name, std::int64_t budget,
                   std::uint64_t seed, const OnIncumbent& on_incumbent,
                   const std::stop_token& stop) {
  const auto space = table.space();
  const auto look_up = [&](const Combination& candidate, std::span<const std::size_t> examples) {
    const auto& row = table.row(candidate);
    std::vector<Result<double>> scores;
    for (const auto j : examples) scores.emplace_back(row[j]);
    return scores;
  };
  const auto on_trial = [&](const Trial& trial) {
    if (trial.improved) on_incumbent(trial.evaluations, trial.incumbent);
    return false;
  };
  if (name == "paired" || name == "mipro") {
    paired_search(space, table.examples, in_turn(look_up),
                  {.budget = budget,
                   .checked = false,
                   .seed = seed,
                   .on_trial = on_trial,
                   .stop = stop});
    return;
  }
  // These begin with the default on every example.
  if (budget < static_cast<std::int64_t>(table.examples)) return;
  SearchOptions options{.num_trials = static_cast<std::size_t>(budget),
                        .max_evaluations = budget,
                        .seed = seed,
                        .on_trial = on_trial,
                        .stop = stop};
  if (name == "tpe") {
    dspy_search(space, table.examples, look_up, options);
    return;
  }
  if (name == "random") options.minibatch_size = 0;
  const auto surrogate = make_surrogate(name, space);
  search(space, table.examples, look_up, *surrogate, options);
}

void replay_proposals(const ScoreTable& table, const std::string& name, std::int64_t budget,
                      std::uint64_t seed, const OnIncumbent& on_incumbent,
                      const std::stop_token& stop) {
  spdlog::info("{} proposes instructions: it is given the table's in an order drawn from seed {}",
               name, seed);
  // Both begin with the default on every example.
  if (budget < static_cast<std::int64_t>(table.examples)) return;
  const TableProgram student(table);
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
                  if (trial.kind != "minibatch" && trial.score > best + 1e-9) {
                    if (best >= 0) on_incumbent(trial.evaluations, combination_of(trial));
                    best = trial.score;
                  }
                  return false;
                },
            .max_evaluations = budget};
  for (std::size_t j = 0; j < table.examples; ++j)
    task.validation.push_back({std::to_string(j), "", {{"example", static_cast<std::int64_t>(j)}}});
  task.train = task.validation;
  const WriterOptions writer{.adapter = make_terse_adapter(), .max_copied = 0};
  if (name == "copro")
    Copro({.writer = writer, .seed = seed}).compile(student, task);
  else
    Gepa({.writer = writer, .seed = seed}).compile(student, task);
}

}  // namespace

void replay(const ScoreTable& table, const std::string& optimizer, std::int64_t budget,
            std::uint64_t seed, const OnIncumbent& on_incumbent, std::stop_token stop) {
  if (std::ranges::find(kBuilders, optimizer) != kBuilders.end())
    throw UserError(fmt::format(
        "{} builds new demos, and a table has only what was recorded; these can be replayed: {}",
        optimizer, fmt::join(kReplayed, ", ")));
  if (std::ranges::find(kReplayed, optimizer) == kReplayed.end())
    throw UserError(fmt::format("there is no optimizer '{}' to replay; there are {}", optimizer,
                                fmt::join(kReplayed, ", ")));
  if (budget < 0) throw UserError(fmt::format("--budget must be at least 0, not {}", budget));
  on_incumbent(0, Combination(table.space().size(), 0));
  if (budget == 0) return;
  if (optimizer == "copro" || optimizer == "gepa")
    replay_proposals(table, optimizer, budget, seed, on_incumbent, stop);
  else
    replay_search(table, optimizer, budget, seed, on_incumbent, stop);
  // A search that was stopped ends with the best so far: not to pass for that of the whole budget.
  if (stop.stop_requested()) throw Interrupted("the search was stopped");
}

void replay_command(const ReplayArguments& arguments, std::stop_token stop) {
  const ScoreTable table = read_score_table(arguments.table);
  const auto print = [&](std::int64_t evaluations, const Combination& incumbent) {
    if (arguments.json)
      fmt::print("{{\"evaluations\": {}, \"combination\": [{}]}}\n", evaluations,
                 fmt::join(incumbent, ", "));
    else
      fmt::print("{:>8}  {}\n", evaluations, key_of(incumbent));
  };
  replay(table, arguments.optimizer, arguments.budget, arguments.seed, print, std::move(stop));
}

}  // namespace theta
