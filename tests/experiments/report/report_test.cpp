#include "experiments/report/report.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/statistics.hpp"
#include "experiments/report/report_tables.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kScored = Outcome::Status::kScored;
constexpr auto kUnparsable = Outcome::Status::kUnparsable;
constexpr auto kRefused = Outcome::Status::kRefused;
constexpr auto kFailed = Outcome::Status::kFailed;

Outcome outcome(std::string method, std::string model, std::string item, std::string user,
                int variant, double score, Outcome::Status status = kScored) {
  return {std::move(method),
          std::move(model),
          std::move(item),
          std::move(user),
          variant,
          score,
          score > 0.5 ? 1.0 : -1.0,
          status};
}

/// Three users, two items each, both orders. What is in here is worked out by hand below.
void fill(Store& store) {
  put(store, part::kConfigHash, "abc123");
  put(store, part::kSeed, 7);
  put(store, part::kName, "quickstart");
  put(store, part::kNote, "All users are simulated.");
  put(store, part::kConfig, "name: quickstart\n");
  put(store, part::kModels, {{"teacher", "t.gguf as q4_0, deterministic mode"}});
  put(store, part::kProposals, {{"mipro", {{"asked", 12}, {"copied", 3}}}});
  put(store, part::kFronts, {{"mipro", {{{{0, 0}, {}}, 0.5, 0.0625, 12}}}});
  put(store, part::kComparisons, {{"personas", "default"}, {"absent", "default"}});
  std::vector<Outcome> base;
  std::vector<Outcome> personas;
  for (const std::string user : {"u1", "u2", "u3"}) {
    for (const std::string item : {"a", "b"}) {
      for (const int variant : {0, 1}) {
        // default: order 0 is right, order 1 wrong. personas: always right.
        base.push_back(outcome("default", "teacher", user + item, user, variant, 1 - variant));
        personas.push_back(outcome("personas", "teacher", user + item, user, variant, 1));
      }
    }
  }
  base[11].status = kFailed;  // u3b, order 1
  base[11].why = "timed\nout";
  personas[10].score = 0.5;  // u3b, order 0
  personas[10].status = kUnparsable;
  personas[10].why = "no <section>";
  store.put_row("default", "teacher", base, {12, 240, 0});
  store.put_row("personas", "teacher", personas, {12, 300, 24});
  store.put_row("search", "teacher", {}, {100, 2000, 50});
  store.put_row("default", "student", {outcome("default", "student", "u1a", "u1", 0, 0)},
                {1, 20, 0});
  put(store, part::kPersonas,
      {{"personas", "teacher", "u1", "likes <b>praise</b>", "theta", "praise", "praise"},
       {"personas", "teacher", "u2", "likes \"mild\" & short", "theta", "mild", ""},
       {"personas", "teacher", "u3", "unknown", "theta", "", "praise"}});
  store.put_trial(
      {"theta-teacher", 0, TrialKind::kDefault, {{0, 0}, {}}, 0.5, 60, false, 0.5, 0.375, 0.625});
  store.put_trial({"theta-teacher",
                   1,
                   TrialKind::kMinibatch,
                   {{1, 0}, {}},
                   2.0 / 3.0,
                   85,
                   true,
                   0.6,
                   0.4,
                   0.8});
  store.put_trial(
      {"theta-teacher", 2, TrialKind::kMinibatch, {{2, 0}, {}}, 1, 87, false, 0.625, 0.5, 0.75});
  store.add_timing("seconds", 1.25);
}

class ReportTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Store store_{folder_.path() / "run.db"};
};

const Report::Row& row_of(const Report& report, const char* method, const char* model) {
  const auto* row = find_row(report, method, model);
  if (row == nullptr) throw std::out_of_range(method);
  return *row;
}

TEST_F(ReportTest, ComputesEveryNumberOfARowFromTheStore) {
  fill(store_);
  const auto report = make_report(store_);
  const auto& base = row_of(report, "default", "teacher");
  EXPECT_DOUBLE_EQ(*base.accuracy, 6.0 / 11.0);  // the failed judgement is left out
  EXPECT_EQ(base.users, 3u);
  EXPECT_EQ(base.judgements, 12u);
  EXPECT_DOUBLE_EQ(*base.order_consistency, 0);  // of the 5 items that have both orders
  EXPECT_FALSE(base.persona_match);
  EXPECT_EQ(base.unparsable, 0u);
  EXPECT_EQ(base.failed, 1u);
  EXPECT_EQ(base.usage, (Usage{12, 240, 0}));

  const auto& personas = row_of(report, "personas", "teacher");
  EXPECT_DOUBLE_EQ(*personas.accuracy, 11.5 / 12.0);  // an unparsable answer counts as stored
  EXPECT_DOUBLE_EQ(*personas.order_consistency, 1);   // an unparsable one chose nothing
  EXPECT_DOUBLE_EQ(*personas.persona_match, 0.5);     // of the 2 users of known taste
  EXPECT_EQ(personas.unparsable, 1u);
  EXPECT_EQ(personas.failed, 0u);
}

TEST_F(ReportTest, OrderConsistencyIsOfTheOrdersAloneAlsoWhereOneVerdictStandsForBoth) {
  fill(store_);
  std::vector<Outcome> both = {
      outcome("both", "teacher", "a", "u1", 0, 1), outcome("both", "teacher", "a", "u1", 1, 1),
      outcome("both", "teacher", "b", "u2", 0, 1), outcome("both", "teacher", "b", "u2", 1, 1)};
  both[1].margin = -0.4;
  store_.put_row("both", "teacher", both, {});
  EXPECT_DOUBLE_EQ(*row_of(make_report(store_), "both", "teacher").order_consistency, 0.5);
}

// Intervals and tests of what fill() holds: tests/core/statistics_reference.py.
TEST_F(ReportTest, ClustersIntervalsByUser) {
  fill(store_);
  const auto row = row_of(make_report(store_), "personas", "teacher");
  std::vector<double> scores(12, 1.0);
  scores[10] = 0.5;
  std::vector<std::string> users;
  for (int i = 0; i < 12; ++i) users.push_back("u" + std::to_string(1 + i / 4));
  const auto expected = score_interval(scores, users);
  EXPECT_EQ(row.interval, "wilson by users");
  EXPECT_EQ(*row.low, expected.low);
  EXPECT_EQ(*row.high, expected.high);
  EXPECT_NEAR(*row.low, 0.42313564, 1e-7);
  EXPECT_NEAR(*row.high, 0.99861532, 1e-7);
}

TEST_F(ReportTest, SaysThatFewUsersStandBehindAnInterval) {
  fill(store_);
  const auto report = make_report(store_);
  const std::string few =
      "an interval rests on 1 user (or items without one): fewer than 6 say little of others";
  EXPECT_EQ(few_users_of(report), few);
  EXPECT_THAT(to_html(report), HasSubstr("<p class=\"note\">" + few + ".</p>"));
  EXPECT_THAT(few_users(5), HasSubstr("rests on 5 users "));
  EXPECT_EQ(few_users(6), "");
}

TEST_F(ReportTest, CountsTheUsersThatAnIntervalRestsOn) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  store_.put_row("a", "m",
                 {outcome("a", "m", "i", "u1", 0, 0), outcome("a", "m", "j", "u2", 0, 1),
                  outcome("a", "m", "k", "u3", 0, 0, kFailed)},
                 {});
  EXPECT_EQ(row_of(make_report(store_), "a", "m").users, 2u);
}

TEST_F(ReportTest, GivesNoPointWhereAllScoresAreAlike) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  put(store_, part::kComparisons, {{"b", "a"}});
  std::vector<Outcome> a, b;
  for (int i = 0; i < 24; ++i) {
    const auto id = std::to_string(i), user = "u" + std::to_string(i % 8);
    a.push_back(outcome("a", "m", id, user, 0, 1));
    b.push_back(outcome("b", "m", id, user, 0, 1));
  }
  store_.put_row("a", "m", a, {});
  store_.put_row("b", "m", b, {});
  const auto report = make_report(store_);
  EXPECT_LT(*row_of(report, "a", "m").low, 0.95);
  EXPECT_EQ(report.paired[0].difference, 0);
  EXPECT_LT(report.paired[0].low, -0.02);
  EXPECT_GT(report.paired[0].high, 0.02);
  EXPECT_EQ(report.paired[0].p, 1);
}

TEST_F(ReportTest, UsesWilsonWhereEveryItemStandsAloneAndScoresAre01) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  std::vector<Outcome> alone;
  std::vector<Outcome> without_user;
  std::vector<Outcome> graded;
  for (int i = 0; i < 10; ++i) {
    const auto id = std::to_string(i);
    alone.push_back(outcome("alone", "m", id, id, 0, i < 8));
    without_user.push_back(outcome("without user", "m", id, "", 0, i < 8));
    graded.push_back(outcome("graded", "m", id, id, 0, 0.5));
  }
  store_.put_row("alone", "m", alone, {});
  store_.put_row("without user", "m", without_user, {});
  store_.put_row("graded", "m", graded, {});
  const auto report = make_report(store_);
  for (const auto* method : {"alone", "without user"}) {
    const auto& row = row_of(report, method, "m");
    EXPECT_EQ(row.interval, "wilson");
    EXPECT_NEAR(*row.low, 0.4901625, 1e-7);  // R: prop.test(8, 10, correct = FALSE)
    EXPECT_NEAR(*row.high, 0.9433178, 1e-7);
    EXPECT_FALSE(row.order_consistency);
  }
  EXPECT_EQ(row_of(report, "graded", "m").interval, "wilson by users");
}

TEST_F(ReportTest, ComparesTheJudgementsThatBothMethodsHave) {
  fill(store_);
  const auto report = make_report(store_);
  ASSERT_EQ(report.paired.size(), 1u);
  const auto& paired = report.paired[0];
  EXPECT_EQ(paired.method, "personas");
  EXPECT_EQ(paired.against, "default");
  EXPECT_EQ(paired.model, "teacher");
  EXPECT_EQ(paired.judgements, 11u);  // the failed one of default has no partner
  // Right where default was wrong: 5 of 11; 0.5 where default was right: once.
  EXPECT_DOUBLE_EQ(paired.difference, 4.5 / 11.0);
  EXPECT_EQ(paired.interval, "jackknife t by users");
  EXPECT_EQ(paired.users, 3u);
  EXPECT_NEAR(paired.low, -0.3227510578, 1e-7);
  EXPECT_NEAR(paired.high, 1, 1e-7);
  EXPECT_NEAR(paired.p, 0.1532692843, 1e-7);
}

TEST_F(ReportTest, CountsTheRowsThatOneSideOfAComparisonLacks) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  put(store_, part::kComparisons, {{"b", "a"}});
  const auto row = [](const char* method, const std::vector<Outcome::Status>& statuses, int first) {
    std::vector<Outcome> outcomes;
    for (std::size_t i = 0; i < statuses.size(); ++i)
      outcomes.push_back(outcome(method, "m", "i" + std::to_string(first + static_cast<int>(i)), "",
                                 0, statuses[i] == kScored, statuses[i]));
    return outcomes;
  };
  // a is asked 0 to 5, b 1 to 7; 2 fails for both, 3 for b; a's 4 is refused, b's 5 unparsable.
  store_.put_row("a", "m", row("a", {kScored, kScored, kFailed, kScored, kRefused, kScored}, 0),
                 {});
  store_.put_row("b", "m",
                 row("b", {kScored, kFailed, kFailed, kScored, kUnparsable, kFailed, kScored}, 1),
                 {});
  const auto report = make_report(store_);
  const auto& paired = report.paired.at(0);
  EXPECT_EQ(paired.judgements, 3u);  // 1, 4 and 5: what is refused or unparsable scored 0
  EXPECT_DOUBLE_EQ(paired.difference, 0);
  EXPECT_EQ(paired.missing, 4u);          // 0, 2, 3 and 6
  EXPECT_EQ(paired.missing_against, 3u);  // 2, 6 and 7
  const auto written = json::parse(to_json(report))["paired"][0];
  EXPECT_EQ(written["missing"], 4);
  EXPECT_EQ(written["missing_against"], 3);
  EXPECT_EQ(written["interval"], "jackknife t by items");
  EXPECT_THAT(to_table(report), HasSubstr("p = 1.000; missing: 4, 3 of the other\n"));
  EXPECT_THAT(to_html(report), HasSubstr("<td>missing: 4, 3 of the other</td>"));
}

TEST_F(ReportTest, LeavesTheAccuracyOfARowOutWhereEverythingFailed) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  put(store_, part::kComparisons, {{"b", "a"}});
  store_.put_row("a", "m", {outcome("a", "m", "i", "u", 0, 0, kFailed)}, {});
  store_.put_row("b", "m", {outcome("b", "m", "i", "u", 0, 1)}, {});
  const auto report = make_report(store_);
  EXPECT_FALSE(row_of(report, "a", "m").accuracy);
  EXPECT_TRUE(report.paired.empty());
  EXPECT_EQ(json::parse(to_json(report))["rows"][0]["accuracy"], nullptr);
  EXPECT_THAT(to_table(report),
              HasSubstr("\na      |                -     -     -    0    0    1     0      0\n"));
}

TEST_F(ReportTest, KeepsTheOrderOfTheRowsUnlessTheExperimentWantsAnother) {
  fill(store_);
  EXPECT_THAT(methods_of(make_report(store_)), ElementsAre("default", "personas"));
  EXPECT_THAT(models_of(make_report(store_)), ElementsAre("teacher", "student"));
  put(store_, part::kRows, {"personas"});
  EXPECT_THAT(methods_of(make_report(store_)), ElementsAre("personas", "default"));
}

TEST_F(ReportTest, SaysWhatIsMissingInARunThatHasNotBegun) {
  try {
    (void)make_report(store_);
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "the run's record has no config_hash: the run ended before it began");
  }
}

TEST_F(ReportTest, WritesTheContractThatOtherProgramsRead) {
  fill(store_);
  const auto report = json::parse(to_json(make_report(store_)));
  EXPECT_EQ(report["models"], json({{"teacher", "t.gguf as q4_0, deterministic mode"}}));
  EXPECT_EQ(report["schema"], 1);
  EXPECT_EQ(report["config_hash"], "abc123");
  EXPECT_EQ(report["seed"], 7);
  EXPECT_EQ(report["name"], "quickstart");
  EXPECT_EQ(report["note"], "All users are simulated.");
  EXPECT_EQ(report["rows"].size(), 3u);
  EXPECT_EQ(report["rows"][0], json::parse(R"({
    "method": "default", "model": "teacher", "accuracy": 0.545455, "low": 0.220392, "high": 0.835899,
    "interval": "wilson by users", "users": 3, "judgements": 12, "order_consistency": 0.0,
    "persona_match": null, "unparsable": 0, "refused": 0, "failed": 1,
    "why_unparsable": "", "why_refused": "", "why_failed": "timed\nout", "calls": 12, "prompt_tokens": 240, "generated_tokens": 0})"));
  EXPECT_EQ(report["paired"][0]["difference"], 0.409091);
  EXPECT_EQ(report["paired"][0]["p"], 0.153269);
  EXPECT_EQ(report["trials"][1], json::parse(R"({
    "search": "theta-teacher", "number": 1, "kind": "minibatch", "candidate": {"combination": [1, 0]},
    "score": 0.666667, "evaluations": 85, "improved": true, "best": 0.6, "low": 0.4,
    "high": 0.8})"));
  EXPECT_EQ(report["personas"][0], json::parse(R"({
    "method": "personas", "model": "teacher", "user": "u1", "persona": "likes <b>praise</b>",
    "source": "theta", "taste": "praise", "matched": "praise"})"));
  EXPECT_EQ(report["usage_by_role"], json::parse(R"([{
    "role": "search", "model": "teacher", "calls": 100, "prompt_tokens": 2000,
    "generated_tokens": 50}])"));
  EXPECT_EQ(report["proposals"], json::parse(R"({"mipro": {"asked": 12, "copied": 3}})"));
  EXPECT_EQ(report["fronts"], json::parse(R"({"mipro": [{
    "prompt_tokens": 12, "score": 0.5, "sd": 0.0625, "candidate": {"combination": [0, 0]}}]})"));
  EXPECT_EQ(report["timing"], json::parse(R"({"seconds": 1.25})"));
}

TEST_F(ReportTest, ShowsTheBestForEveryLengthOfPrompt) {
  fill(store_);
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, HasSubstr("<h2>Accuracy against prompt tokens</h2>"));
  EXPECT_THAT(page,
              HasSubstr("<td>mipro</td><td class=\"n\">12</td><td class=\"n\">0.500 ± 0.062"));
}

TEST_F(ReportTest, ShowsWhatTheGateSaidBesideTheSearchsOwnClaim) {
  fill(store_);
  const Decision kept{.estimate = .012,
                      .low = -.03,
                      .high = .054,
                      .p_better = .63,
                      .claimed = .1,
                      .n_fresh = 30,
                      .found = true};
  Decision saved = kept;
  saved.p_better = .97;
  saved.saved = true;
  put(store_, part::kGates, {{"mipro", kept}, {"copro", saved}, {"gepa", {}}});
  const auto report = make_report(store_);
  EXPECT_EQ(json::parse(to_json(report))["gates"]["mipro"], json::parse(R"({
    "estimate": 0.012, "low": -0.03, "high": 0.054, "p_better": 0.63, "claimed": 0.1,
    "n_fresh": 30, "found": true, "saved": false})"));
  EXPECT_THAT(to_table(report), HasSubstr(R"(
gate
search         expected gain  claimed  fresh  verdict
mipro   +.012 [-.030, +.054]    +.100     30  kept the untouched program: P(better) = .63
copro   +.012 [-.030, +.054]    +.100     30  saved: P(better) = .97
gepa                       -        -      0  kept the untouched program: the search found no other
)"));
  EXPECT_THAT(to_html(report), HasSubstr("<td>kept the untouched program: P(better) = .63</td>"));
}

TEST_F(ReportTest, ShowsOfTheMinibatchesThoseThatChangedTheBest) {
  fill(store_);
  EXPECT_EQ(trials_table(make_report(store_)), std::string(R"(
search         trial  kind       score            best  evaluations
theta-teacher      0  default     .500  .50 [.38, .62]           60
theta-teacher      1  minibatch   .667  .60 [.40, .80]           85
)")
                                                       .substr(1) +
                                                   kTrialsLegend + "\n");
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, HasSubstr("{&quot;combination&quot;:[1,0]}"));
  EXPECT_THAT(page, Not(HasSubstr("{&quot;combination&quot;:[2,0]}")));
}

TEST_F(ReportTest, ShowsWhatCameOfTheProposals) {
  fill(store_);
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, HasSubstr("<h2>Instructions and personas that models wrote</h2>"));
  EXPECT_THAT(page, HasSubstr("<td>mipro</td><td>copied</td><td class=\"n\">3</td>"));
}

TEST_F(ReportTest, ShowsWhyAnswersAreMissing) {
  fill(store_);
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, HasSubstr("<td>1 of 12 missing</td><td>timed out</td>"));
  EXPECT_THAT(page, HasSubstr("<td>1 of 12 not parsed</td><td>no &lt;section&gt;</td>"));
}

TEST_F(ReportTest, IsTheSameBytesForTheSameContentButForTiming) {
  fill(store_);
  Store other(folder_.path() / "other.db");
  fill(other);
  fill(other);  // a run done again over its store
  auto first = make_report(store_);
  auto second = make_report(other);
  EXPECT_NE(to_json(first), to_json(second));
  first.timing.clear();
  second.timing.clear();
  EXPECT_EQ(to_json(first), to_json(second));
  EXPECT_EQ(to_html(first), to_html(second));
}

TEST_F(ReportTest, IsTheSameFromAReaderOfTheFinishedRun) {
  std::string written;
  {
    Store store(folder_.path() / "finished.db");
    fill(store);
    written = to_json(make_report(store));
  }
  const Store reader(folder_.path() / "finished.db", Store::Access::kRead);
  EXPECT_EQ(to_json(make_report(reader)), written);
}

TEST_F(ReportTest, WritesValidJsonWhateverBytesAModelWrote) {
  fill(store_);
  put(store_, part::kPersonas, {{"personas", "teacher", "u1", "cut \xc3", "theta", "", ""}});
  const auto report = json::parse(to_json(make_report(store_)));
  EXPECT_EQ(report["personas"][0]["persona"], "cut \xef\xbf\xbd");
}

TEST_F(ReportTest, ShowsTheModelsSideBySideInATerminal) {
  fill(store_);
  const auto table = std::string(R"(
         | teacher                                                 | student
method   |        accuracy order match unp. ref. fail calls tokens |       accuracy order match unp. ref. fail calls tokens
default  |  .55 [.22, .84]   .00     -    0    0    1    12    240 | .00 [.00, .79]     -     -    0    0    0     1     20
personas | .96 [.42, 1.00]  1.00   .50    1    0    0    12    324 |
)");
  const auto rest = std::string(R"(
an interval rests on 1 user (or items without one): fewer than 6 say little of others

method    model    answers             the first of them
default   teacher  1 of 12 missing     timed out
personas  teacher  1 of 12 not parsed  no <section>

paired differences, 95 % interval and p by one t (jackknife)
  personas - default, teacher: +.409 [-.323, +1.000], p = .153; missing: 0, 1 of the other

usage by role
role    model    calls  prompt tokens  generated tokens
search  teacher    100           2000                50

All users are simulated.
)");
  EXPECT_EQ("\n" + to_table(make_report(store_)), table + kLegend + rest);
}

TEST_F(ReportTest, ShowsTheModelsBelowOneAnotherWhereTheTerminalIsNarrow) {
  fill(store_);
  const auto table = to_table(make_report(store_), 110);
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 110u) << line;
  EXPECT_THAT(table, HasSubstr("\n\n        | student"));
  EXPECT_THAT(table, HasSubstr("\ndefault |"));
}

TEST_F(ReportTest, ShowsARemarkOnceInEveryForm) {
  fill(store_);
  put(store_, part::kRemarks, {"<named> instead of scored"});
  const auto report = make_report(store_);
  EXPECT_EQ(json::parse(to_json(report))["remarks"], json::array({"<named> instead of scored"}));
  EXPECT_THAT(to_table(report), HasSubstr("\nremarks\n  <named> instead of scored\n"));
  EXPECT_THAT(to_html(report), HasSubstr("&lt;named&gt; instead of scored"));
}

TEST_F(ReportTest, ShowsHowOftenEachOptionWasChosenAndIsRight) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  store_.put_row("untouched", "task", {outcome("untouched", "task", "i", "u", 0, 1)}, {});
  store_.put_row("other", "task", {outcome("other", "task", "i", "u", 0, 1)}, {});
  put(store_, part::kOptions, {{"untouched", "task", {{"<good>", 150, 100}, {"bad", 48, 100}}}});
  const auto report = make_report(store_);
  const auto rows = json::parse(to_json(report))["rows"];
  EXPECT_EQ(rows[0]["options"], json::parse(R"([{"option": "<good>", "chosen": 150, "right": 100},
                                                {"option": "bad", "chosen": 48, "right": 100}])"));
  EXPECT_FALSE(rows[1].contains("options"));
  EXPECT_THAT(to_table(report), HasSubstr("<good> 150 / 100, bad 48 / 100"));
  EXPECT_THAT(to_html(report), HasSubstr("&lt;good&gt; 150 / 100, bad 48 / 100"));
}

TEST_F(ReportTest, ShowsOfManyOptionsThoseThatAreFurthestOff) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  store_.put_row("m", "task", {outcome("m", "task", "i", "u", 0, 1)}, {});
  OptionCounts counts{"m", "task", {{"o0", 10, 3}, {"o1", 1, 3}}};
  for (int i = 2; i < 9; ++i) counts.options.push_back({"o" + std::to_string(i), 3, 3});
  put(store_, part::kOptions, {counts});
  const auto report = make_report(store_);
  EXPECT_THAT(to_table(report), HasSubstr("o0 10 / 3, o1 1 / 3, o2 3 / 3, o3 3 / 3, o4 3 / 3, "
                                          "o5 3 / 3 and 3 closer"));
  EXPECT_EQ(json::parse(to_json(report))["rows"][0]["options"].size(), 9U);
}

TEST_F(ReportTest, AlignsNamesThatAreNotAscii) {
  put(store_, part::kConfigHash, "x");
  put(store_, part::kSeed, 1);
  store_.put_row("Θ", "m", {outcome("Θ", "m", "i", "u", 0, 1)}, {});
  const auto table = to_table(make_report(store_));
  EXPECT_THAT(table, HasSubstr("\nmethod | "));
  EXPECT_THAT(table, HasSubstr("\nΘ      | "));
}

TEST_F(ReportTest, EscapesEveryTextOfThePage) {
  const std::string evil = "<script>alert('x')</script>&\"";
  put(store_, part::kConfigHash, evil);
  put(store_, part::kSeed, 1);
  for (const auto& part : {part::kName, part::kNote, part::kConfig}) put(store_, part, evil);
  put(store_, part::kPrompts, {{evil, evil}});
  put(store_, part::kComparisons, {{evil, "other"}});
  store_.put_row(evil, evil, {outcome(evil, evil, "i", evil, 0, 1)}, {});
  store_.put_row("other", evil, {outcome("other", evil, "i", evil, 0, 1)}, {});
  store_.put_row("role" + evil, evil, {}, {});
  put(store_, part::kPersonas, {{evil, evil, evil, evil, evil, evil, evil}});
  store_.put_trial({evil, 0, TrialKind::kFull, {{}, {{evil, evil, 0}}}, 0.5, 1});
  store_.add_timing(evil, 1);
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("&\"")));
  EXPECT_THAT(page,
              HasSubstr("<h1>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;</h1>"));
}

TEST_F(ReportTest, SaysThatUsersAreSimulatedWhereverThePageShowsThem) {
  fill(store_);
  const auto page = to_html(make_report(store_));
  const std::string note = "<p class=\"note\">All users are simulated.</p>\n";
  EXPECT_THAT(page, HasSubstr("<h2>Results</h2>\n" + note));
  EXPECT_THAT(page, HasSubstr("<h2>Personas</h2>\n" + note));
}

/// Replaces PATH for as long as it lives.
class PathIs {
 public:
  explicit PathIs(const std::string& path) : old_(std::getenv("PATH")) {
    ::setenv("PATH", path.c_str(), 1);
  }
  ~PathIs() { ::setenv("PATH", old_.c_str(), 1); }

 private:
  std::string old_;
};

TEST_F(ReportTest, SaysInThePageThatGnuplotIsMissing) {
  fill(store_);
  const PathIs nothing(folder_.path());
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page,
              HasSubstr("<p class=\"muted\">No plots: gnuplot is not installed or failed.</p>"));
  EXPECT_THAT(page, Not(HasSubstr("<svg")));
}

TEST_F(ReportTest, DrawsIntervalsAndSearchesInline) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  fill(store_);
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, HasSubstr("<h2>Accuracy</h2>\n<figure role=\"img\" aria-label=\"Accuracy and "
                              "interval of every row of the table of results.\"><svg"));
  EXPECT_THAT(
      page, HasSubstr("<h2>Searches</h2>\n<figure role=\"img\" aria-label=\"The best score of "
                      "every search over its evaluations, as the table of trials has it.\"><svg"));
  EXPECT_THAT(page, HasSubstr("<text>theta-teacher</text>"));
  EXPECT_THAT(page, Not(HasSubstr("<?xml")));
}

TEST_F(ReportTest, DrawsASearchOverTheEvaluationsSoFar) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  fill(store_);
  store_.put_trial({"long", 0, TrialKind::kDefault, {}, 0.5, 100});
  store_.put_trial({"long", 1, TrialKind::kFull, {}, 0.7, 200});
  const auto page = to_html(make_report(store_));
  EXPECT_THAT(page, HasSubstr(" 200</text>"));
  EXPECT_THAT(page, Not(HasSubstr(" 300</text>")));
}

TEST_F(ReportTest, WritesBothFilesOrSaysWhichItCannot) {
  fill(store_);
  const auto report = make_report(store_);
  write_report(report, folder_.path());
  std::ifstream in(folder_.path() / "report.json");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), to_json(report));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "report.html"));
  try {
    write_report(report, folder_.path() / "missing");
    FAIL();
  } catch (const RunError& e) {
    EXPECT_EQ(std::string(e.what()), (folder_.path() / "missing" / "report.json").string() +
                                         ": cannot be written: No such file or directory");
  }
}

}  // namespace
}  // namespace theta
