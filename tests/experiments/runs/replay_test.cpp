#include "experiments/runs/replay.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// One predictor, six instructions and three demo sets over 60 examples. Instruction 4 is best, and
/// demo set 1 adds to every instruction.
ScoreTable table(std::size_t predictors = 1) {
  ScoreTable made;
  made.name = "table.json";
  made.examples = 60;
  for (std::size_t p = 0; p < predictors; ++p)
    made.predictors.push_back({{"i0", "i1", "i2", "i3", "i4", "i5"}, {"d0", "d1", "d2"}});
  Rng rng(3);
  std::vector<double> difficulty;
  for (std::size_t j = 0; j < made.examples; ++j) difficulty.push_back(rng.uniform());
  const std::vector<double> quality{.2, .25, .3, .2, .7, .4};
  Combination at(2 * predictors, 0);
  for (;;) {
    double q = 0;
    for (std::size_t p = 0; p < predictors; ++p)
      q += quality[static_cast<std::size_t>(at[2 * p])] + (at[2 * p + 1] == 1 ? .2 : 0);
    auto& row = made.scores[at];
    for (const double d : difficulty)
      row.push_back(d < q / static_cast<double>(predictors) ? 1 : 0);
    std::size_t v = at.size();
    while (v > 0 && ++at[v - 1] == (v % 2 == 0 ? 3 : 6)) at[--v] = 0;
    if (v == 0) return made;
  }
}

struct Change {
  std::int64_t evaluations;
  Combination incumbent;
  bool operator==(const Change&) const = default;
};

std::vector<Change> replayed(const ScoreTable& table, const std::string& optimizer,
                             std::int64_t budget, std::uint64_t seed = 1) {
  std::vector<Change> changes;
  replay(table, optimizer, budget, seed,
         [&](std::int64_t evaluations, const Combination& c) {
           changes.push_back({evaluations, c});
         },
         {.fresh = 0});
  return changes;
}

class EveryReplay : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryReplay, BeginsWithTheFirstChoices) {
  EXPECT_EQ(replayed(table(), GetParam(), 0), (std::vector<Change>{{0, {0, 0}}}));
  EXPECT_EQ(replayed(table(2), GetParam(), 2000).front(), (Change{0, {0, 0, 0, 0}}));
}

TEST_P(EveryReplay, FindsABetterInstruction) {
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_EQ(replayed(table(), GetParam(), 3000, seed).back().incumbent[0], 4) << seed;
}

TEST_P(EveryReplay, TellsItsIncumbentsInOrderAndWithinTheBudget) {
  for (const std::int64_t budget : {60, 119, 120, 500, 1000}) {
    const auto changes = replayed(table(), GetParam(), budget);
    for (std::size_t i = 1; i < changes.size(); ++i) {
      // What mipro checks in the end can have nothing left to ask.
      EXPECT_GE(changes[i].evaluations, changes[i - 1].evaluations);
      EXPECT_NE(changes[i].incumbent, changes[i - 1].incumbent);
    }
    EXPECT_LE(changes.back().evaluations, budget);
  }
}

TEST_P(EveryReplay, IsTheSameForTheSameSeed) {
  EXPECT_EQ(replayed(table(2), GetParam(), 1500, 7), replayed(table(2), GetParam(), 1500, 7));
}

TEST_P(EveryReplay, TellsInstructionsOfEqualTextsApart) {
  auto equal = table();
  equal.predictors[0].instructions.assign(6, "the same: [0.1]");
  EXPECT_EQ(replayed(equal, GetParam(), 3000).back().incumbent[0], 4);
}

TEST_P(EveryReplay, StopsWhereItIsAskedTo) {
  for (const std::size_t last : {1, 2}) {  // before the search, and within it
    std::stop_source stop;
    std::size_t told = 0;
    const auto on_incumbent = [&](std::int64_t, const Combination&) {
      if (++told == last) stop.request_stop();
    };
    EXPECT_THROW(replay(table(), GetParam(), 3000, 1, on_incumbent, {}, stop.get_token()),
                 Interrupted);
    EXPECT_EQ(told, last);
  }
}

void ignore(std::int64_t, const Combination&) {}

/// The table with scores that no search may ask for.
ScoreTable spoiled(ScoreTable made, const std::vector<std::size_t>& examples, double score) {
  for (auto& [candidate, row] : made.scores)
    for (const auto j : examples) row[j] = candidate == Combination{0, 0} ? 1 - score : score;
  return made;
}

TEST_P(EveryReplay, SavesAWinnerThatIsPlainlyBetterOnFreshExamplesToo) {
  const auto [winner, gate] = replay(table(), GetParam(), 3000, 1, ignore, {.fresh = .3});
  EXPECT_EQ(winner[0], 4);
  EXPECT_TRUE(gate.saved);
  EXPECT_EQ(gate.n_fresh, 18u);
  EXPECT_GT(gate.low, 0);
}

TEST_P(EveryReplay, DecidesByFreshExamplesThatTheSearchDoesNotSee) {
  const GateOptions options{.fresh = .3, .seed = 1};
  const auto fresh = hold_back(std::vector<std::string>(60), options).fresh;
  std::vector<Change> better, worse;
  const auto into = [](std::vector<Change>& changes) {
    return [&changes](std::int64_t evaluations, const Combination& c) {
      changes.push_back({evaluations, c});
    };
  };
  const auto yes = replay(spoiled(table(), fresh, 1), GetParam(), 2000, 1, into(better), options);
  const auto no = replay(spoiled(table(), fresh, 0), GetParam(), 2000, 1, into(worse), options);
  EXPECT_EQ(better, worse);
  EXPECT_EQ(yes.winner, no.winner);
  EXPECT_DOUBLE_EQ(yes.gate.claimed, no.gate.claimed);
  EXPECT_TRUE(yes.gate.saved);
  EXPECT_FALSE(no.gate.saved);
}

TEST_P(EveryReplay, FindsNothingWhereTheBudgetIsTheGatesAlone) {
  const auto [winner, gate] = replay(table(), GetParam(), 36, 1, ignore, {.fresh = .3});
  EXPECT_EQ(winner, (Combination{0, 0}));
  EXPECT_FALSE(gate.found);
  EXPECT_FALSE(gate.saved);
}

TEST_P(EveryReplay, ClaimsLittleWhereEveryCandidateIsEquallyGood) {
  double claimed = 0;
  int saved = 0, holds = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    auto null = table();
    Rng rng(seed);
    std::vector<double> difficulty(60);
    for (auto& d : difficulty) d = .3 + .4 * rng.uniform();
    for (auto& [candidate, row] : null.scores)
      for (std::size_t j = 0; j < 60; ++j) row[j] = rng.uniform() < difficulty[j] ? 1 : 0;
    const auto [winner, gate] = replay(null, GetParam(), 400, seed, ignore);
    holds += gate.low <= 0 && 0 <= gate.high;
    saved += gate.saved;
    claimed += gate.saved ? gate.estimate : 0;
  }
  EXPECT_LE(saved, 2);
  EXPECT_LE(claimed / 20, .01);
  EXPECT_GE(holds, 17);
}

INSTANTIATE_TEST_SUITE_P(Replay, EveryReplay,
                         ::testing::Values("paired", "gp", "tpe", "random", "mipro", "copro",
                                           "gepa"),
                         [](const auto& instance) { return std::string(instance.param); });

std::string error_of(const std::string& optimizer, std::int64_t budget, ScoreTable t = table()) {
  try {
    replayed(t, optimizer, budget);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(Replay, RefusesOptimizersThatBuildDemos) {
  EXPECT_EQ(error_of("random_search", 100),
            "random_search builds new demos, and a table has only what was recorded; these can be "
            "replayed: paired, gp, tpe, random, mipro, copro, gepa");
}

TEST(Replay, RefusesUnknownOptimizers) {
  EXPECT_EQ(error_of("papered", 100),
            "there is no optimizer 'papered' to replay; there are paired, gp, tpe, random, mipro, "
            "copro, gepa");
}

TEST(Replay, RefusesANegativeBudget) {
  EXPECT_EQ(error_of("tpe", -1), "--budget must be at least 0, not -1");
}

/// Its default is the best, and the text that is unlike all others is asked first.
ScoreTable telling_table() {
  auto made = table();
  made.predictors[0].instructions = {"Answer the question about the review with good or bad.",
                                     "Answer the question about the review with good or bad, now.",
                                     "Answer the question about a review with good or bad.",
                                     "Answer the question on the review with good or bad.",
                                     "Answer the question about the review with bad or good.",
                                     "Say yes."};
  for (auto& [candidate, row] : made.scores) row.assign(row.size(), candidate[0] == 0 ? 1 : 0);
  return made;
}

TEST(Replay, PairedEndsWellAtAnySmallBudget) {
  for (std::int64_t budget = 1; budget <= 20; ++budget)
    EXPECT_EQ(replayed(telling_table(), "paired", budget).back().incumbent[0], 0) << budget;
}

TEST(Replay, MissesAScoreOnlyWhenItIsAskedFor) {
  auto incomplete = table();
  incomplete.scores.erase({5, 2});
  EXPECT_EQ(error_of("random", 60, incomplete), "");
  EXPECT_EQ(error_of("random", 18 * 60, incomplete),
            "table.json: there is no \"5,2\" in these scores, which was asked for");
}

/// What is printed of replayed().
std::string lines(const std::string& optimizer, std::int64_t budget) {
  std::string text;
  for (const auto& [evaluations, incumbent] : replayed(table(), optimizer, budget))
    text += fmt::format("{{\"evaluations\": {}, \"combination\": [{}, {}]}}\n", evaluations,
                        incumbent[0], incumbent[1]);
  return text;
}

TEST(Replay, PrintsALineForEachIncumbent) {
  const TemporaryFolder folder;
  write_score_table(table(), folder.path() / "t.json");
  const auto done =
      run_to_end({theta_binary(), "replay", folder.path() / "t.json", "--optimizer", "tpe",
                  "--budget", "1000", "--seed", "1", "--fresh", "0", "--json"});
  EXPECT_EQ(done.code, 0);
  EXPECT_THAT(done.out, StartsWith(lines("tpe", 1000) + "{\"gate\":{\"estimate\":"));
}

TEST(Replay, EndsWithWhatTheGateSays) {
  const TemporaryFolder folder;
  write_score_table(table(), folder.path() / "t.json");
  const std::vector<std::string> command{theta_binary(), "replay",  folder.path() / "t.json",
                                         "--optimizer",  "mipro",   "--budget",
                                         "1000",         "--fresh", ".3"};
  auto in_json = command;
  in_json.emplace_back("--json");
  EXPECT_THAT(run_to_end(in_json).out,
              AllOf(HasSubstr("\"n_fresh\":18,\"found\":true,\"saved\":true,\"combination\":[4,"),
                    EndsWith("]}}\n")));
  EXPECT_THAT(run_to_end(command).out,
              AllOf(HasSubstr("    gate  4,"), EndsWith(", saved: P(better) = 1.00\n")));
  auto strict = command;
  strict.insert(strict.end(), {"--threshold", "1"});
  const auto refused = run_to_end(strict);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--threshold must be in [0, 1), not 1"));
}

TEST(Replay, SaysBesideItsLinesThatTheTableProposes) {
  const TemporaryFolder folder;
  write_score_table(table(), folder.path() / "t.json");
  for (const std::string optimizer : {"copro", "gepa"})
    for (const std::int64_t budget : {59, 1000}) {
      const auto done =
          run_to_end({theta_binary(), "replay", folder.path() / "t.json", "--optimizer", optimizer,
                      "--budget", std::to_string(budget), "--seed", "1", "--fresh", "0", "--json"});
      EXPECT_EQ(done.code, 0);
      EXPECT_THAT(done.err, HasSubstr(optimizer + " proposes instructions: it is given the table's "
                                                  "in an order drawn from seed 1\n"));
      EXPECT_THAT(done.out, StartsWith(lines(optimizer, budget) + "{\"gate\":"));
    }
}

TEST(Replay, EndsWithTwoForWhatItCannotReplay) {
  const TemporaryFolder folder;
  write_score_table(table(), folder.path() / "t.json");
  const auto done = run_to_end({theta_binary(), "replay", folder.path() / "t.json", "--optimizer",
                                "bootstrap_few_shot", "--budget", "1000"});
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(done.out, "");
}

}  // namespace
}  // namespace theta
