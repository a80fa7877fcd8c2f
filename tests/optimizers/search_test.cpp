#include "optimizers/search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <set>

#include "core/result.hpp"
#include "optimizers/paired_surrogate.hpp"
#include "optimizers/random_surrogate.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

/// Outcomes of every combination of two variables, with additive effects, and a record of what was
/// asked. The best combination is the last.
struct Table {
  std::vector<Variable> space;
  std::size_t examples;
  std::map<std::pair<Combination, std::size_t>, int> asked = {};
  std::set<std::size_t> broken = {};  ///< examples that the service never answers

  double score(const Combination& c, std::size_t j) const {
    const double quality = .2 + .3 * c[0] / static_cast<double>(space[0].choices - 1) +
                           .3 * c[1] / static_cast<double>(space[1].choices - 1);
    Rng rng(derive_seed(derive_seed(static_cast<std::uint64_t>(c[0] * 100 + c[1]), 7), j));
    Rng difficulty(j);
    return quality + .2 * (difficulty.uniform() - .5) + .2 * (rng.uniform() - .5) > .5 ? 1 : 0;
  }
  double mean(const Combination& c) const {
    double sum = 0;
    for (std::size_t j = 0; j < examples; ++j) sum += score(c, j);
    return sum / static_cast<double>(examples);
  }
  EvaluateCandidate evaluate() {
    return [this](const Combination& c, std::span<const std::size_t> indices) {
      std::vector<Result<double>> scores;
      for (const auto j : indices) {
        ++asked[{c, j}];
        if (broken.count(j))
          scores.emplace_back(Error{Fault::kService, "timed out"});
        else
          scores.emplace_back(score(c, j));
      }
      return scores;
    };
  }
  std::set<std::size_t> seen(const Combination& c) const {
    std::set<std::size_t> examples_of;
    for (const auto& [key, n] : asked)
      if (key.first == c) examples_of.insert(key.second);
    return examples_of;
  }
};

Table table(std::size_t a = 6, std::size_t b = 6, std::size_t examples = 100) {
  return {{{"instruction", a, 0}, {"demos", b, 0}}, examples};
}

SearchResult run(Table& t, const SearchOptions& options) {
  PairedSurrogate surrogate(t.space);
  return search(t.space, t.examples, t.evaluate(), surrogate, options);
}

TEST(Search, FindsTheBestOfATableWithAFractionOfItsOutcomes) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Table t = table();
    const auto result = run(t, {.num_trials = 30, .minibatch_size = 20, .seed = seed});
    EXPECT_GT(t.mean(result.best), .85) << seed;
    EXPECT_LT(result.trials.back().evaluations, 36 * 100 / 2);
  }
}

TEST(Search, EvaluatesTheDefaultFirstAndInFull) {
  Table t = table();
  const auto result = run(t, {.num_trials = 0});
  ASSERT_EQ(result.trials.size(), 1u);
  EXPECT_EQ(result.trials[0].kind, TrialKind::kDefault);
  EXPECT_EQ(result.trials[0].number, 1);
  EXPECT_EQ(result.trials[0].evaluations, 100);
  EXPECT_EQ(result.best, (Combination{0, 0}));
  EXPECT_DOUBLE_EQ(result.score, t.mean({0, 0}));
}

TEST(Search, NeverAsksTheSameTwice) {
  Table t = table(3, 3, 40);
  run(t, {.num_trials = 200, .minibatch_size = 7});
  for (const auto& [key, n] : t.asked) EXPECT_EQ(n, 1);
}

TEST(Search, EndsWhenNoCandidateIsLeft) {
  Table t = table(2, 2, 10);
  const auto result = run(t, {.num_trials = 1000, .minibatch_size = 5});
  EXPECT_EQ(result.trials.back().evaluations, 40);
  EXPECT_FALSE(result.stopped);
}

TEST(Search, PairsMinibatchesOverCandidates) {
  Table t = table();
  const auto result = run(t, {.num_trials = 12, .minibatch_size = 10, .full_every = 100});
  std::set<std::set<std::size_t>> first_batches;
  for (const auto& trial : result.trials) {
    const auto seen = t.seen(trial.combination);
    if (seen.size() == 10) first_batches.insert(seen);
  }
  EXPECT_EQ(first_batches.size(), 1u);
}

TEST(Search, EvaluatesInFullEveryFewTrialsAndAfterTheLast) {
  Table t = table();
  std::vector<std::string> kinds;
  for (const auto& trial : run(t, {.num_trials = 5, .minibatch_size = 10, .full_every = 2}).trials)
    kinds.emplace_back(name_of(trial.kind));
  EXPECT_THAT(kinds, ElementsAre("default", "minibatch", "minibatch", "full", "minibatch",
                                 "minibatch", "full", "minibatch", "full"));
}

TEST(Search, ChangesTheIncumbentOnlyOnCompleteEvaluations) {
  Table t = table();
  std::map<Combination, std::size_t> seen;
  Combination incumbent{0, 0};
  const auto result = run(t, {.num_trials = 25, .minibatch_size = 20});
  for (const auto& trial : result.trials) {
    const auto before =
        seen.empty() ? 0 : result.trials[static_cast<std::size_t>(trial.number) - 2].evaluations;
    seen[trial.combination] += static_cast<std::size_t>(trial.evaluations - before);
    if (!trial.improved) continue;
    EXPECT_EQ(seen[trial.combination], 100u);
    EXPECT_GT(t.mean(trial.combination), t.mean(incumbent));
    incumbent = trial.combination;
  }
  EXPECT_EQ(result.best, incumbent);
  EXPECT_DOUBLE_EQ(result.score, t.mean(incumbent));
}

TEST(Search, KeepsTheFirstOfEqualCandidates) {
  Table t = table();
  PairedSurrogate surrogate(t.space);
  const auto result = search(t.space, 20,
                             [](const Combination&, std::span<const std::size_t> examples) {
                               return std::vector<Result<double>>(examples.size(), .1);
                             },
                             surrogate, {.num_trials = 20, .minibatch_size = 10});
  EXPECT_EQ(result.best, (Combination{0, 0}));
}

TEST(Search, WithoutMinibatchesEveryTrialIsFull) {
  Table t = table();
  const auto result = run(t, {.num_trials = 4, .minibatch_size = 0});
  ASSERT_EQ(result.trials.size(), 5u);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(result.trials[i].kind, TrialKind::kFull);
  EXPECT_EQ(result.trials.back().evaluations, 500);
}

TEST(Search, TriesOnlyWhatIsAllowedAndTheDefault) {
  Table t = table();
  run(t, {.num_trials = 100, .minibatch_size = 30, .allowed = [](const Combination& c) {
            return c[0] == 2;
          }});
  std::set<int> tried;
  for (const auto& [key, n] : t.asked)
    if (key.first != Combination{0, 0}) tried.insert(key.first[0]);
  EXPECT_THAT(tried, ElementsAre(2));
}

TEST(Search, GivesTheSameTrialsForTheSameSeed) {
  const auto trials = [](std::uint64_t seed) {
    Table t = table();
    std::vector<std::pair<Combination, double>> all;
    for (const auto& trial : run(t, {.num_trials = 12, .seed = seed}).trials)
      all.emplace_back(trial.combination, trial.score);
    return all;
  };
  EXPECT_EQ(trials(3), trials(3));
  EXPECT_NE(trials(3), trials(4));
}

TEST(Search, StopsAfterAnyTrialWithTheBestSoFar) {
  Table t = table();
  const auto whole = run(t, {.num_trials = 20, .minibatch_size = 20});
  for (int last = 1; last <= static_cast<int>(whole.trials.size()); ++last) {
    Table fresh = table();
    std::stop_source source;
    const auto result = run(fresh, {.num_trials = 20,
                                    .minibatch_size = 20,
                                    .on_trial =
                                        [&](const Trial& trial) {
                                          if (trial.number == last) source.request_stop();
                                        },
                                    .stop = source.get_token()});
    EXPECT_TRUE(result.stopped);
    ASSERT_EQ(result.trials.size(), static_cast<std::size_t>(last));
    Combination best{0, 0};
    for (int i = 0; i < last; ++i)
      if (whole.trials[static_cast<std::size_t>(i)].improved)
        best = whole.trials[static_cast<std::size_t>(i)].combination;
    EXPECT_EQ(result.best, best) << last;
  }
}

TEST(Search, HasNothingToReturnIfStoppedBeforeTheDefault) {
  Table t = table();
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(run(t, {.stop = source.get_token()}), Interrupted);
}

TEST(Search, LeavesFailedExamplesOutInsteadOfScoringThemZero) {
  Table t = table();
  for (std::size_t j = 0; j < 100; j += 5) t.broken.insert(j);
  const auto result = run(t, {.num_trials = 15, .minibatch_size = 20});
  double sum = 0;
  int n = 0;
  for (std::size_t j = 0; j < 100; ++j)
    if (j % 5 != 0) sum += t.score(result.best, j), ++n;
  EXPECT_DOUBLE_EQ(result.score, sum / n);
  EXPECT_GT(result.score, .75);
  // Asked in the minibatch and, once more, in the full evaluation.
  for (const auto& [key, times] : t.asked) EXPECT_LE(times, t.broken.count(key.second) ? 2 : 1);
}

TEST(Search, ComparesCandidatesOnTheExamplesThatBothWereScoredOn) {
  // Candidate 1 is worse on every example, but the service fails wherever it is wrong.
  const std::vector<Variable> space{{"instruction", 2}};
  RandomSurrogate surrogate;
  const auto result = search(space, 10,
                             [](const Combination& c, std::span<const std::size_t> examples) {
                               std::vector<Result<double>> scores;
                               for (const auto j : examples) {
                                 if (c[0] == 0)
                                   scores.emplace_back(j < 5 ? 1. : .2);
                                 else if (j < 5)
                                   scores.emplace_back(.9);
                                 else
                                   scores.emplace_back(Error{Fault::kService, "timed out"});
                               }
                               return scores;
                             },
                             surrogate, {.num_trials = 5, .minibatch_size = 0});
  EXPECT_EQ(result.best, (Combination{0}));
  EXPECT_DOUBLE_EQ(result.trials.back().score, .9);
}

TEST(Search, FailsWhenNothingOfATrialCouldBeScored) {
  Table t = table();
  for (std::size_t j = 0; j < 100; ++j) t.broken.insert(j);
  try {
    run(t, {});
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(),
                 "no example of the default could be scored, the first because: timed out");
  }
}

TEST(Search, WorksInASpaceTooLargeToList) {
  std::vector<Variable> space;
  for (std::size_t v = 0; v < 12; ++v) space.push_back({"v" + std::to_string(v), 10, v / 2});
  PairedSurrogate surrogate(space);
  const auto score = [](const Combination& c) {
    double sum = 0;
    for (const int choice : c) sum += choice;
    return sum / (9. * static_cast<double>(c.size()));
  };
  const auto result = search(space, 4,
                             [&](const Combination& c, std::span<const std::size_t> examples) {
                               return std::vector<Result<double>>(examples.size(), score(c));
                             },
                             surrogate, {.num_trials = 60, .minibatch_size = 2, .pool = 200});
  EXPECT_GT(result.score, .6);
}

TEST(Search, WithNothingToChooseEvaluatesTheDefault) {
  RandomSurrogate surrogate;
  const auto result = search({}, 3,
                             [](const Combination&, std::span<const std::size_t> examples) {
                               return std::vector<Result<double>>(examples.size(), .5);
                             },
                             surrogate, {});
  EXPECT_EQ(result.best, Combination{});
  EXPECT_EQ(result.trials.size(), 1u);
}

}  // namespace
}  // namespace theta
