#include "optimizers/paired_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <map>
#include <set>

#include "tests/bench/outcome_table.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

/// Answers from a table of outcomes and remembers what was asked.
struct Recorded {
  OutcomeTable table;
  std::map<std::pair<Combination, std::size_t>, int> asked = {};
  std::vector<std::size_t> waves = {};
  std::set<std::size_t> broken = {};  ///< examples that the service never answers

  explicit Recorded(std::uint64_t seed = 1, Family family = {.instructions = 4, .demos = 4})
      : table(family, seed) {}

  PairedSearchResult run(const PairedSearchOptions& options) {
    const EvaluateWave evaluate = [this](std::span<const Suggestion> wave) {
      waves.push_back(wave.size());
      std::vector<std::vector<Result<double>>> scores;
      for (const auto& [c, examples] : wave) {
        scores.emplace_back();
        for (const auto j : examples) {
          ++asked[{c, j}];
          if (broken.contains(j))
            scores.back().emplace_back(Error{Fault::kService, "timed out"});
          else
            scores.back().emplace_back(table.row(c)[j]);
        }
      }
      return scores;
    };
    return paired_search(table.space(), table.family().examples, evaluate, options);
  }
  std::string error_of(const PairedSearchOptions& options) {
    try {
      run(options);
    } catch (const std::runtime_error& e) {
      return e.what();
    }
    return "";
  }
  std::int64_t evaluations() const {
    std::int64_t sum = 0;
    for (const auto& [key, n] : asked) sum += n;
    return sum;
  }
  double mean(const Combination& c) const {
    double sum = 0;
    for (const double y : table.row(c)) sum += y;
    return sum / static_cast<double>(table.row(c).size());
  }
};

std::vector<Combination> combinations(const std::vector<Trial>& trials) {
  std::vector<Combination> all;
  for (const auto& trial : trials) all.push_back(trial.combination);
  return all;
}

TEST(PairedSearch, FindsANearlyBestCandidateWithAFractionOfTheOutcomes) {
  double regret = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Recorded recorded(seed);
    regret += recorded.table.regret(recorded.run({.budget = 400, .checked = false}).best) / 10;
  }
  EXPECT_LT(regret, 3);
}

/// Outcomes of another model, that gets more right and, of one in `flips`, the opposite.
std::vector<Observation> another_models(const OutcomeTable& table, std::size_t flips) {
  std::vector<Observation> outcomes;
  std::size_t n = 0;
  for (const Combination& c : table.combinations())
    for (std::size_t j = 0; j < table.family().examples; j += 4, ++n) {
      const double score = table.row(c)[j];
      outcomes.push_back({c, j, n % 7 == 0 ? 1 : n % flips == 0 ? 1 - score : score});
    }
  return outcomes;
}

/// Points that searches with a small budget lose on average.
double mean_regret(const std::function<std::vector<Observation>(const Recorded&)>& elsewhere) {
  double regret = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Recorded recorded(seed, {.instructions = 6, .demos = 6});
    const auto found =
        recorded.run({.budget = 60, .checked = false, .elsewhere = elsewhere(recorded)});
    regret += recorded.table.regret(found.best) / 20;
  }
  return regret;
}

TEST(PairedSearch, BeginsWithWhatAnotherModelMadeOfTheSameCandidates) {
  const double cold = mean_regret([](const Recorded&) { return std::vector<Observation>{}; });
  const double warm = mean_regret([](const Recorded& r) { return another_models(r.table, 5); });
  EXPECT_LT(warm, .6 * cold) << warm << " and " << cold;
}

TEST(PairedSearch, UnlearnsWhatAnotherModelMadeOfThemWhereItDiffers) {
  const double cold = mean_regret([](const Recorded&) { return std::vector<Observation>{}; });
  const double misled = mean_regret([](const Recorded& r) {
    return another_models(
        OutcomeTable({.instructions = 6, .demos = 6}, 1000 + r.table.family().examples), 5);
  });
  EXPECT_LT(misled, 1.5 * cold) << misled << " and " << cold;
}

TEST(PairedSearch, TellsAllOutcomes) {
  Recorded recorded(1, {.instructions = 2, .demos = 2, .examples = 20});
  const auto result = recorded.run({.budget = 1000, .checked = false});
  EXPECT_EQ(result.outcomes.size(), 80u);
  for (const auto& [combination, example, score] : result.outcomes)
    EXPECT_EQ(score, recorded.table.row(combination)[example]);
}

TEST(PairedSearch, SpendsTheBudgetAndNeverMore) {
  for (const bool checked : {false, true})
    for (const std::int64_t budget : {200, 203, 251, 400}) {
      Recorded recorded;
      const auto result = recorded.run({.budget = budget, .in_flight = 3, .checked = checked});
      EXPECT_LE(recorded.evaluations(), budget);
      EXPECT_EQ(result.trials.back().evaluations, recorded.evaluations());
      EXPECT_GE(recorded.evaluations(), checked ? 100 : budget);
    }
}

TEST(PairedSearch, NeverAsksTheSameTwiceAndEndsWhenAllIsKnown) {
  Recorded recorded(1, {.instructions = 2, .demos = 2, .examples = 20});
  recorded.run({.budget = 1000, .checked = false});
  EXPECT_EQ(recorded.asked.size(), 80u);
  for (const auto& [key, n] : recorded.asked) EXPECT_EQ(n, 1);
}

TEST(PairedSearch, PairsCandidatesOnOneOrderOfExamples) {
  Recorded recorded;
  recorded.run({.budget = 300, .checked = false});
  std::map<Combination, std::set<std::size_t>> seen;
  for (const auto& [key, n] : recorded.asked) seen[key.first].insert(key.second);
  for (const auto& [a, of_a] : seen)
    for (const auto& [b, of_b] : seen)
      EXPECT_TRUE(of_a.size() > of_b.size() ||
                  std::includes(of_b.begin(), of_b.end(), of_a.begin(), of_a.end()));
}

TEST(PairedSearch, SpendsMostOnTheBestFewAndLittleOnLosers) {
  Recorded recorded(3, {.instructions = 6, .demos = 6});
  const auto result = recorded.run({.budget = 900, .checked = false});
  std::map<Combination, int> spent;
  for (const auto& [key, n] : recorded.asked) spent[key.first] += n;
  int on_losers = 0, losers = 0;
  for (const auto& c : recorded.table.combinations())
    if (recorded.table.regret(c) > 15) on_losers += spent[c], ++losers;
  ASSERT_GT(losers, 10);
  EXPECT_LT(on_losers / losers, 25);
  EXPECT_GT(spent[result.best], 50);
}

TEST(PairedSearch, StartsFromTheDefaultAndTellsOfEveryNewIncumbent) {
  Recorded recorded(2);
  const auto result = recorded.run({.budget = 400, .checked = false});
  Combination incumbent{0, 0};
  for (const auto& trial : result.trials) {
    EXPECT_EQ(trial.improved, trial.incumbent != incumbent);
    incumbent = trial.incumbent;
  }
  EXPECT_EQ(result.best, incumbent);
}

TEST(PairedSearch, CheckedScoresTheDefaultFirstAndTheWinnerLastOnEverything) {
  Recorded recorded(3);
  const auto result = recorded.run({.budget = 600});
  EXPECT_EQ(result.trials.front().kind, TrialKind::kDefault);
  EXPECT_EQ(result.trials.front().evaluations, 100);
  EXPECT_DOUBLE_EQ(result.trials.front().score, recorded.mean({0, 0}));
  EXPECT_EQ(result.trials.back().kind, TrialKind::kFull);
  EXPECT_EQ(result.trials.back().combination, result.best);
  EXPECT_DOUBLE_EQ(result.score, recorded.mean(result.best));
}

TEST(PairedSearch, CheckedNeverReturnsWhatIsNotBetterThanTheDefaultAsMeasured) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    Recorded recorded(
        seed,
        {.instructions = 3, .demos = 2, .examples = 20, .sd_instruction = .1, .sd_demos = .1});
    const auto result = recorded.run({.budget = 60, .step = 2});
    const double gain = result.score - recorded.mean({0, 0});
    EXPECT_TRUE(result.best == Combination({0, 0}) || gain > 0) << seed;
  }
}

TEST(PairedSearch, CheckedEndsWithAFullTrialOfTheWinnerAlsoWhereNothingIsLeftToAskOfIt) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Recorded recorded(seed, {.instructions = 3, .demos = 1, .examples = 10});
    const auto result = recorded.run({.budget = 1000});
    const Trial& last = result.trials.back();
    EXPECT_EQ(last.kind, TrialKind::kFull) << seed;
    EXPECT_EQ(last.combination, result.best) << seed;
    EXPECT_DOUBLE_EQ(last.score, recorded.mean(result.best)) << seed;
    EXPECT_EQ(last.evaluations, recorded.evaluations()) << seed;
  }
}

TEST(PairedSearch, CheckedRefusesABudgetThatCannotPayForIt) {
  EXPECT_EQ(Recorded().error_of({.budget = 99}),
            "a budget of 99 evaluations does not cover the 100 examples that the default is scored "
            "on");
}

TEST(PairedSearch, CheckedComparesOneCandidateWithTheDefaultWhereTheBudgetIsForTwo) {
  std::set<std::int64_t> spent;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Recorded recorded(seed);
    recorded.run({.budget = 200, .seed = seed});
    spent.insert(recorded.evaluations());
  }
  EXPECT_THAT(spent, ElementsAre(102, 200));  // a bad start of the candidate, and a good one
}

/// Three candidates. The default is like both others, so that most is learned from one of these.
std::vector<Variable> telling_space() {
  Eigen::MatrixXd alike(3, 3);
  alike << 1, .6, .6, .6, 1, 0, .6, 0, 1;
  return {{.name = "instruction", .choices = 3, .similarity = alike}};
}

TEST(PairedSearch, UncheckedReturnsADefaultThatWasNeverAskedWhereWhatWasAskedIsWorse) {
  const auto evaluate = in_turn([](const Combination& c, std::span<const std::size_t> examples) {
    return std::vector<Result<double>>(examples.size(), c[0] == 0 ? 1. : 0.);
  });
  bool never_asked = false;
  for (std::int64_t budget = 1; budget <= 20; ++budget) {
    const auto result =
        paired_search(telling_space(), 10, evaluate, {.budget = budget, .checked = false});
    if (std::ranges::count(combinations(result.trials), Combination{0}) > 0) continue;
    never_asked = true;
    EXPECT_EQ(result.best, Combination{0}) << budget;
    EXPECT_GT(result.score, 0) << budget;
    EXPECT_LT(result.score, 1) << budget;
  }
  EXPECT_TRUE(never_asked);
}

TEST(PairedSearch, EndsEarlyWhereLittleIsToBeGained) {
  double lost = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Recorded recorded(seed), again(seed);
    const auto whole = recorded.run({.budget = 1600, .checked = false});
    const auto stopped = again.run({.budget = 1600, .stop_below = .01, .checked = false});
    EXPECT_LT(stopped.trials.back().evaluations, 800) << seed;
    lost += again.table.regret(stopped.best) - recorded.table.regret(whole.best);
  }
  EXPECT_LT(lost / 10, 2);
}

TEST(PairedSearch, TellsOfTheBestOtherThanTheDefaultWhetherOrNotItIsBetter) {
  int better = 0, worse = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Recorded recorded(seed, {.instructions = 3, .demos = 3});
    const auto result = recorded.run({.budget = 500});
    ASSERT_TRUE(result.winner);
    EXPECT_NE(result.winner->combination, (Combination{0, 0}));
    EXPECT_DOUBLE_EQ(result.winner->before, recorded.mean({0, 0}));
    const bool beats = result.winner->score > result.winner->before;
    EXPECT_EQ(result.best, beats ? result.winner->combination : Combination({0, 0}));
    ++(beats ? better : worse);
  }
  EXPECT_GT(better, 0);
  EXPECT_GT(worse, 0);
}

TEST(PairedSearch, ChecksTheCheapestOfWhatItDoesNotTellApart) {
  const EvaluateCandidate all_but_the_default = [](const Combination& candidate,
                                                   std::span<const std::size_t> examples) {
    return std::vector<Result<double>>(examples.size(), candidate[0] == 0 ? 0. : 1.);
  };
  for (const int cheapest : {1, 2, 3}) {
    const auto result = paired_search(
        {{.name = "demos", .choices = 4}}, 20, in_turn(all_but_the_default),
        {.budget = 100, .cost = [=](const Combination& c) { return c[0] == cheapest ? 1. : 2.; }});
    ASSERT_TRUE(result.winner);
    EXPECT_EQ(result.winner->combination, Combination{cheapest});
  }
}

TEST(PairedSearch, KeepsSeveralCandidatesInFlight) {
  Recorded recorded(1, {.instructions = 6, .demos = 6});
  const auto result = recorded.run({.budget = 400, .in_flight = 4, .checked = false});
  EXPECT_THAT(recorded.waves, ::testing::Contains(4u).Times(::testing::Ge(19)));
  // The first wave, which knows nothing, does not ask one candidate four times.
  const auto first = combinations(result.trials);
  EXPECT_GT(std::set<Combination>(first.begin(), first.begin() + 4).size(), 2u);
}

TEST(PairedSearch, AsksAtOnceAShareOfWhatItHasAsked) {
  Recorded recorded(3);
  recorded.run({.budget = 800, .step = 2, .in_flight = 4, .widening = .25, .checked = false});
  EXPECT_EQ(recorded.evaluations(), 800);
  std::size_t asked = 0;
  for (const std::size_t suggestions : recorded.waves) {
    EXPECT_LE(suggestions, std::max<std::size_t>(4, asked / 8));
    asked += 2 * suggestions;
  }
  EXPECT_EQ(recorded.waves.front(), 4U);
  EXPECT_GE(std::ranges::max(recorded.waves), 50U);
}

TEST(SideBySide, AsksCandidatesAtTheSameTimeAndAnswersInTheirOrder) {
  std::barrier both(2);
  const auto evaluate = side_by_side([&](const Combination& c, std::span<const std::size_t> of) {
    both.arrive_and_wait();
    return std::vector<Result<double>>(of.size(), c[0]);
  });
  const auto scores = evaluate(std::vector<Suggestion>{{{1}, {4, 5}}, {{0}, {6}}});
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_EQ(scores[0].size(), 2u);
  EXPECT_EQ(*scores[0][0], 1);
  EXPECT_EQ(*scores[1][0], 0);
}

TEST(SideBySide, PassesOnTheFirstExceptionOfAWaveOnceAllHaveEnded) {
  std::atomic<int> ended = 0;
  const auto evaluate = side_by_side(
      [&](const Combination& c, std::span<const std::size_t>) -> std::vector<Result<double>> {
        ++ended;
        if (c[0] > 0) throw RunError("candidate " + std::to_string(c[0]));
        return {0.0};
      });
  try {
    evaluate(std::vector<Suggestion>{{{0}, {1}}, {{2}, {1}}, {{1}, {1}}, {{0}, {1}}});
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "candidate 2");
  }
  EXPECT_EQ(ended, 4);
}

TEST(PairedSearch, GivesTheSameTrialsForTheSameSeed) {
  const auto trials = [](std::uint64_t seed) {
    return combinations(Recorded(7).run({.budget = 300, .checked = false, .seed = seed}).trials);
  };
  EXPECT_EQ(trials(3), trials(3));
  EXPECT_NE(trials(3), trials(4));
}

TEST(PairedSearch, StopsOnTheTokenWithTheBestSoFar) {
  const auto whole = Recorded(4).run({.budget = 300, .in_flight = 1, .checked = false});
  for (std::size_t last = 1; last <= whole.trials.size(); last += 7) {
    Recorded recorded(4);
    std::stop_source source;
    const auto result = recorded.run({.budget = 300,
                                      .in_flight = 1,
                                      .checked = false,
                                      .on_trial =
                                          [&](const Trial& trial) {
                                            if (trial.number == static_cast<int>(last))
                                              source.request_stop();
                                          },
                                      .stop = source.get_token()});
    EXPECT_TRUE(result.stopped);
    ASSERT_EQ(result.trials.size(), last);
    EXPECT_EQ(result.best, whole.trials[last - 1].incumbent) << last;
  }
}

TEST(PairedSearch, StopsOnTheTokenWithNothingWorseThanTheDefault) {
  for (int last = 1; last < 20; ++last) {
    std::stop_source source;
    Recorded recorded(4);
    const auto result = recorded.run({.budget = 300,
                                      .in_flight = 1,
                                      .on_trial =
                                          [&](const Trial& trial) {
                                            if (trial.number == last) source.request_stop();
                                          },
                                      .stop = source.get_token()});
    EXPECT_TRUE(result.stopped);
    EXPECT_EQ(result.trials.size(), static_cast<std::size_t>(last));
    double gain = 0;
    for (const auto& [key, n] : recorded.asked)
      if (key.first == result.best)
        gain +=
            recorded.table.row(result.best)[key.second] - recorded.table.row({0, 0})[key.second];
    EXPECT_TRUE(result.best == Combination({0, 0}) || gain > 0) << last;
  }
}

TEST(PairedSearch, HasNothingToReturnIfStoppedBeforeAnything) {
  std::stop_source source;
  source.request_stop();
  EXPECT_THROW(Recorded().run({.budget = 300, .stop = source.get_token()}), Interrupted);
}

TEST(PairedSearch, LeavesFailedExamplesOutInsteadOfScoringThemZero) {
  Recorded recorded(3);
  for (std::size_t j = 0; j < 100; j += 3) recorded.broken.insert(j);
  const auto result = recorded.run({.budget = 600});
  double sum = 0, n = 0;
  for (std::size_t j = 0; j < 100; ++j)
    if (j % 3 != 0) sum += recorded.table.row(result.best)[j], ++n;
  EXPECT_DOUBLE_EQ(result.score, sum / n);
  // Asked as the search went and, once more, in the last evaluation.
  for (const auto& [key, times] : recorded.asked)
    EXPECT_LE(times, recorded.broken.contains(key.second) ? 2 : 1);
}

TEST(PairedSearch, FailsWithTheReasonIfTheServiceIsGone) {
  Recorded all;
  for (std::size_t j = 0; j < 100; ++j) all.broken.insert(j);
  EXPECT_EQ(all.error_of({.budget = 300}),
            "no example of the last 30 could be scored, the last because: timed out");
  Recorded few(1, {.instructions = 2, .demos = 1, .examples = 4});
  few.broken = {0, 1, 2, 3};
  EXPECT_EQ(few.error_of({.budget = 8}),
            "no example of the default could be scored, the last because: timed out");
  EXPECT_EQ(few.error_of({.budget = 8, .checked = false}),
            "no example could be scored, the last because: timed out");
}

TEST(PairedSearch, TriesOnlyWhatIsAllowedAndTheDefault) {
  Recorded recorded;
  recorded.run({.budget = 500, .allowed = [](const Combination& c) { return c[0] == 2; }});
  std::set<int> tried;
  for (const auto& [key, n] : recorded.asked)
    if (key.first != Combination{0, 0}) tried.insert(key.first[0]);
  EXPECT_THAT(tried, ElementsAre(2));
}

TEST(PairedSearch, WorksInASpaceTooLargeToList) {
  double regret = 0, of_default = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    Recorded recorded(seed, {.predictors = 2});
    regret +=
        recorded.table.regret(recorded.run({.budget = 1500, .checked = false, .pool = 300}).best);
    of_default += recorded.table.regret({0, 0, 0, 0});
  }
  EXPECT_LT(regret, of_default / 3);
}

TEST(PairedSearch, WithNothingToChooseScoresTheDefault) {
  const auto evaluate = in_turn([](const Combination&, std::span<const std::size_t> examples) {
    return std::vector<Result<double>>(examples.size(), .5);
  });
  const auto result = paired_search({}, 3, evaluate, {.budget = 6});
  EXPECT_EQ(result.best, Combination{});
  EXPECT_EQ(result.score, .5);
  EXPECT_EQ(result.trials.size(), 1u);
}

TEST(PairedSearch, SpendsWhatDSPysRuleSpends) {
  EXPECT_EQ(mipro_budget(100, 10, 35, 5), 650);  // dspy 3.4.1, auto light, one predictor
  EXPECT_EQ(mipro_budget(60, 10, 25, 4), 60 + 250 + 3 * 60);
  EXPECT_EQ(mipro_budget(8, 4, 0, 3), 40);
  EXPECT_EQ(mipro_budget(20, 4, 35, 3), 100);
}

}  // namespace
}  // namespace theta
