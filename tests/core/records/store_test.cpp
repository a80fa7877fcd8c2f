#include "core/records/store.hpp"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>

#include "core/records/response_json.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::StartsWith;

class StoreTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "run.db"; }
  /// Runs SQL on the closed file, as somebody else would.
  void execute(const char* sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  TemporaryFolder folder_;
};

Response response(std::string text) {
  Response r;
  r.text = std::move(text);
  return r;
}

Outcome outcome(std::string method, std::string item, double score) {
  Outcome o;
  o.method = std::move(method);
  o.model = "teacher";
  o.item = std::move(item);
  o.group = "u1";
  o.score = score;
  return o;
}

TEST_F(StoreTest, GivesBackAResponseToTheLastBit) {
  Response kept = response(std::string("caf\xc3\xa9\0 \xff\"", 9));
  kept.option_logprobs = {-0.1, -std::numeric_limits<double>::infinity(), -1.0 / 3.0};
  kept.prompt_tokens = 12;
  kept.generated_tokens = 3;
  kept.truncated = true;
  kept.note = "named, not scored";
  kept.named = true;
  Store store(file());
  EXPECT_FALSE(store.find("k"));
  store.commit("model", {{"k", "{}", kept}});
  const auto found = store.find("k").value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->text, kept.text);
  EXPECT_EQ(found->option_logprobs, kept.option_logprobs);
  EXPECT_EQ(found->prompt_tokens, 12);
  EXPECT_EQ(found->generated_tokens, 3);
  EXPECT_TRUE(found->truncated);
  EXPECT_EQ(found->note, kept.note);
  EXPECT_TRUE(found->named);
}

TEST_F(StoreTest, ReadsAnAnswerThatSaysNotWhetherItWasNamedAsScored) {
  const auto answer =
      response_of(R"({"note":"","option_logprobs":[-1,-2],"text":"a","truncated":false})", 1, 0);
  EXPECT_FALSE(answer->named);
}

TEST_F(StoreTest, KeepsTheFirstAnswerToARequest) {
  Store store(file());
  store.commit("model", {{"k", "{}", response("first")}});
  store.commit("model", {{"k", "{}", response("second")}});
  EXPECT_EQ(store.find("k").value()->text, "first");
}

TEST_F(StoreTest, KeepsAPromptsFaultButNoServiceFault) {
  Store store(file());
  store.commit("model", {{"k", "{}", Error{Fault::kPrompt, "no option named"}}});
  const auto found = store.find("k").value();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().fault, Fault::kPrompt);
  EXPECT_EQ(found.error().message, "no option named");
  store.commit("model", {{"s", "{}", Error{Fault::kService, "timed out"}}});
  EXPECT_FALSE(store.find("s"));
}

TEST_F(StoreTest, CountsTheTokensOfAttemptsThatNoAnswerCameOf) {
  const std::vector<FailedAttempt> failed = {{1, "unreadable answer", "cut", 0.5, 7, 3},
                                             {2, "timeout", "late", 0}};
  Response answer = response("late, but here");
  answer.prompt_tokens = 20;  // of both attempts
  answer.generated_tokens = 8;
  answer.failed = failed;
  Error lost{Fault::kService, "gone", failed, 7, 3};
  {
    Store store(file());
    store.commit("model", {{"a", "{}", answer}, {"b", "{}", lost}});
    store.commit("other", {{"c", "{}", lost}});
  }
  const Store store(file());
  EXPECT_EQ(store.kept("model"), (Usage{1, 27, 11}));
  EXPECT_EQ(store.kept(), (Usage{1, 34, 14}));
}

TEST_F(StoreTest, NumbersUnitsOnAfterARestart) {
  {
    Store store(file());
    store.commit("model", {{"a", "{}", response("")}, {"b", "{}", response("")}});
  }
  {
    Store store(file());
    store.commit("model", {{"c", "{}", response("")}});
  }
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  std::string rows;
  sqlite3_exec(
      db, "SELECT key || unit || identity FROM answers ORDER BY rowid",
      [](void* out, int, char** row, char**) {
        *static_cast<std::string*>(out) += std::string(row[0]) + " ";
        return 0;
      },
      &rows, nullptr);
  sqlite3_close(db);
  EXPECT_EQ(rows, "a1model b1model c2model ");
}

TEST_F(StoreTest, RefusesALogProbabilityThatIsNotANumber) {
  Response broken = response("x");
  broken.option_logprobs = {std::numeric_limits<double>::quiet_NaN()};
  Store store(file());
  EXPECT_EQ(message_of<std::logic_error>([&] {
              store.commit("model", {{"k", "{}", broken}});
            }),
            "broken invariant: a log-probability is a number below infinity");
  EXPECT_FALSE(store.find("k"));
}

TEST_F(StoreTest, SaysThatAnAnswerIsDamaged) {
  { Store(file()).commit("model", {{"k", "{}", response("kept")}}); }
  execute("UPDATE answers SET response = replace(response, 'text', 'teXX')");
  EXPECT_EQ(message_of<RunError>([&] { (void)Store(file()).find("k"); }),
            "the record or the cache is damaged: an answer in it cannot be read");
}

TEST_F(StoreTest, KeepsMetaOverRestartsAndReplacesIt) {
  {
    Store store(file());
    EXPECT_FALSE(store.meta("seed"));
    store.set_meta("seed", "6");
    store.set_meta("seed", "7");
  }
  EXPECT_EQ(Store(file()).meta("seed"), "7");
}

TEST_F(StoreTest, GivesBackOutcomesRowByRowInTheOrderOfTheFirstPut) {
  Outcome full = outcome("b", "i2", 0.25);
  full.variant = 1;
  full.margin = -0.5;
  full.status = Outcome::Status::kUnparsable;
  Outcome failed = outcome("b", "i1", 0);
  failed.status = Outcome::Status::kFailed;
  failed.why = "timed out";
  Store store(file());
  store.put_row("b", "teacher", {outcome("b", "old", 1)}, {});
  store.put_row("a", "teacher", {outcome("a", "i1", 1)}, {1, 2, 3});
  store.put_row("b", "teacher", {full, failed}, {4, 5, 6});

  const auto outcomes = store.outcomes();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].method, "b");
  EXPECT_EQ(outcomes[0].model, "teacher");
  EXPECT_EQ(outcomes[0].item, "i2");
  EXPECT_EQ(outcomes[0].group, "u1");
  EXPECT_EQ(outcomes[0].variant, 1);
  EXPECT_EQ(outcomes[0].score, 0.25);
  EXPECT_EQ(outcomes[0].margin, -0.5);
  EXPECT_EQ(outcomes[0].status, Outcome::Status::kUnparsable);
  EXPECT_EQ(outcomes[1].item, "i1");
  EXPECT_EQ(outcomes[1].status, Outcome::Status::kFailed);
  EXPECT_EQ(outcomes[1].why, "timed out");
  EXPECT_EQ(outcomes[2].method, "a");
  EXPECT_EQ(outcomes[2].status, Outcome::Status::kScored);

  const auto usage = store.usage();
  ASSERT_EQ(usage.size(), 2u);
  EXPECT_EQ(usage[0].method, "b");
  EXPECT_EQ(usage[0].model, "teacher");
  EXPECT_EQ(usage[0].usage, (Usage{4, 5, 6}));
  EXPECT_EQ(usage[1].usage, (Usage{1, 2, 3}));
}

TEST_F(StoreTest, KeepsTheOldRowWhereTheNewOneCannotBePut) {
  Store store(file());
  store.put_row("a", "teacher", {outcome("a", "i1", 1)}, {1, 1, 1});
  EXPECT_EQ(message_of<std::logic_error>([&] {
              store.put_row("a", "teacher", {outcome("a", "i2", 0), outcome("a", "i3", 1.5)}, {});
            }),
            "broken invariant: a score is in [0, 1]");
  EXPECT_EQ(message_of<RunError>([&] {
              store.put_row("a", "teacher", {outcome("a", "i2", 0), outcome("a", "i2", 0)}, {});
            }),
            file().string() +
                ": UNIQUE constraint failed: outcomes.method, outcomes.model, outcomes.item, "
                "outcomes.variant");
  ASSERT_EQ(store.outcomes().size(), 1u);
  EXPECT_EQ(store.outcomes()[0].item, "i1");
  EXPECT_EQ(store.usage()[0].usage, (Usage{1, 1, 1}));
}

TEST_F(StoreTest, GivesBackTrialsAndReplacesThoseOfTheSameNumberAndKind) {
  Store store(file());
  const Candidate candidate{{3, 0}, {{"predict", "Be \"kind\".", 2}, {"answer", "", 0}}};
  store.put_trial({"s", 1, TrialKind::kMinibatch, {}, 0.5, 35});
  store.put_trial({"s", 1, TrialKind::kFull, {}, 0.25, 335});
  store.put_trial({"s", 1, TrialKind::kMinibatch, candidate, 0.75, 35, true, 0.5, 0.25, 0.875});
  const auto trials = store.trials();
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[0].search, "s");
  EXPECT_EQ(trials[0].number, 1);
  EXPECT_EQ(trials[0].kind, TrialKind::kMinibatch);
  EXPECT_EQ(trials[0].candidate, candidate);
  EXPECT_EQ(trials[1].candidate, Candidate{});
  EXPECT_EQ(trials[0].score, 0.75);
  EXPECT_EQ(trials[0].evaluations, 35);
  EXPECT_TRUE(trials[0].improved);
  EXPECT_EQ(trials[0].best, 0.5);
  EXPECT_EQ(trials[0].low, 0.25);
  EXPECT_EQ(trials[0].high, 0.875);
  EXPECT_FALSE(trials[1].improved);
  EXPECT_EQ(trials[1].kind, TrialKind::kFull);
}

TEST_F(StoreTest, AddsTimingUpOverRestarts) {
  {
    Store store(file());
    store.add_timing("seconds", 1.5);
    store.add_timing("attempts", 2);
  }
  Store store(file());
  store.add_timing("seconds", 0.25);
  EXPECT_THAT(store.timing(), ElementsAre(Pair("seconds", 1.75), Pair("attempts", 2)));
}

TEST_F(StoreTest, SaysWhatToDoAboutADamagedFile) {
  std::ofstream(file())
      << "these are not the bytes of a database, but there are enough of them ...";
  EXPECT_EQ(
      message_of<RunError>([&] { const Store store(file()); }),
      file().string() +
          " is damaged, or never was a database: put a copy of it back, or name another file");
}

TEST_F(StoreTest, NoticesDamageInTheMiddleWhenItOpens) {
  {
    Store store(file());
    for (int i = 0; i < 200; ++i) {
      store.commit("model", {{"key " + std::to_string(i), std::string(500, 'r'), response("x")}});
    }
  }
  std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(9 * 4096);
  bytes << std::string(8 * 4096, '\x5a');
  bytes.close();
  EXPECT_THAT(message_of<RunError>([&] { const Store store(file()); }),
              StartsWith(file().string() + " is damaged ("));
}

TEST_F(StoreTest, RefusesAnotherSchema) {
  { const Store store(file()); }
  execute("UPDATE meta SET value = '1' WHERE key = 'schema'");
  EXPECT_EQ(message_of<RunError>([&] { const Store store(file()); }),
            file().string() +
                " has schema 1, this program reads schema 7: use the version that wrote it, or "
                "another --out");
}

TEST_F(StoreTest, IsItsOwnersAlone) {
  const Store store(file());
  for (const char* part : {"", "-wal", "-shm", ".lock"}) {
    struct stat found {};
    ASSERT_EQ(::stat((file().string() + part).c_str(), &found), 0) << part;
    EXPECT_EQ(found.st_mode & 0777U, 0600U) << part;
  }
}

TEST_F(StoreTest, AFileThatIsDeletedWhileItIsOpenIsWrittenAnew) {
  {
    Store store(file());
    store.set_meta("note", "before");
    for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(file().string() + part);
    store.set_meta("more", "behind");
    testing::internal::CaptureStderr();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "theta: " + file().string() + " was deleted meanwhile: it is written anew\n");
  const Store again(file());
  EXPECT_EQ(again.meta("note"), "before");
  EXPECT_EQ(again.meta("more"), "behind");
}

TEST_F(StoreTest, RefusesADatabaseOfSomethingElse) {
  execute("CREATE TABLE songs (name TEXT)");
  const auto bytes = [&] {
    std::ifstream in(file(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string before = bytes();
  EXPECT_EQ(message_of<RunError>([&] { const Store store(file()); }),
            file().string() + " is not the record of a run: choose another --out");
  EXPECT_EQ(bytes(), before);
  EXPECT_FALSE(std::filesystem::exists(file().string() + "-wal"));
}

TEST_F(StoreTest, ReadsNoViewNorComputedColumnOfSomebodyElse) {
  { const Store store(file()); }
  execute("ALTER TABLE outcomes ADD COLUMN long TEXT AS (hex(zeroblob(1000000)))");
  const std::string refused =
      file().string() +
      " holds views, triggers or computed columns, and no run makes any: remove them";
  const auto open = [&] { const Store store(file(), Store::Access::kRead); };
  EXPECT_EQ(message_of<RunError>(open), refused);
  execute("ALTER TABLE outcomes DROP COLUMN long");
  execute("DROP TABLE trials; CREATE VIEW trials AS SELECT key AS search FROM meta");
  EXPECT_EQ(message_of<RunError>(open), refused);
}

TEST_F(StoreTest, ReadsNoMoreTrialsThanAReportHasMemoryFor) {
  { const Store store(file()); }
  execute(
      "PRAGMA synchronous = OFF; WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)"
      " INSERT INTO trials SELECT i, 's', i, 'full', '{\"predictors\":{\"p\":{\"instruction\":\"' "
      "||"
      " hex(zeroblob(500000)) || '\",\"demos\":0}}}', 0, 0, 0, 0, 0, 0 FROM n");
  const Store store(file(), Store::Access::kRead);
  EXPECT_EQ(message_of<RunError>([&] { (void)store.trials(); }),
            file().string() + " holds more than 64 MiB of trials, which no report reads");
}

TEST_F(StoreTest, HasOneLiveOwner) {
  const Store store(file());
  EXPECT_EQ(message_of<UserError>([&] { const Store second(file()); }),
            folder_.path().string() + " is in use by process " + std::to_string(::getpid()));
}

TEST_F(StoreTest, NamesTheProcessThatOwnsIt) {
  EXPECT_EQ(Store::owner(file()), std::nullopt);
  {
    const Store store(file());
    EXPECT_EQ(Store::owner(file()), ::getpid());
  }
  EXPECT_EQ(Store::owner(file()), std::nullopt);  // the lock's file names this process still
}

TEST_F(StoreTest, AddsUpTheAnswersItKeeps) {
  Store store(file());
  EXPECT_EQ(store.kept(), Usage{});
  Response first = response("a");
  first.prompt_tokens = 10;
  first.generated_tokens = 2;
  store.commit("m", {{"k1", "{}", first}, {"k2", "{}", Error{Fault::kPrompt, "no option"}}});
  store.commit("m", {{"k1", "{}", first}, {"k3", "{}", first}});
  store.commit("other", {{"k4", "{}", first}});
  EXPECT_EQ(store.kept(), (Usage{4, 30, 6}));
  EXPECT_EQ(store.kept("m"), (Usage{3, 20, 4}));
}

TEST_F(StoreTest, DoesNotAddUpWhatCameFromACache) {
  Response answer = response("a");
  answer.prompt_tokens = 10;
  {
    Store store(file());
    store.commit("m", {{"k1", "{}", answer}});
    store.commit("m", {{"k2", "{}", answer}}, false);
    EXPECT_TRUE(store.find("k2"));
  }
  Store store(file());
  store.commit("m", {{"k3", "{}", answer}});
  EXPECT_EQ(store.kept(), (Usage{2, 20, 0}));
  EXPECT_EQ(store.kept("m"), (Usage{2, 20, 0}));
}

TEST_F(StoreTest, IsReadWhileItsOwnerLives) {
  Store store(file());
  store.set_meta("name", "run");
  Store reader(file(), Store::Access::kRead);
  EXPECT_EQ(reader.meta("name"), "run");
  store.set_meta("name", "later");
  EXPECT_EQ(reader.meta("name"), "later");
  EXPECT_EQ(message_of<RunError>([&] { reader.set_meta("name", "mine"); }),
            file().string() + ": attempt to write a readonly database");
}

TEST_F(StoreTest, IsNotCreatedByAReader) {
  EXPECT_EQ(message_of<UserError>([&] { const Store store(file(), Store::Access::kRead); }),
            folder_.path().string() + " holds no run: there is no run.db");
  EXPECT_FALSE(std::filesystem::exists(file()));
}

/// Runs `work` in a child that then kills itself with SIGKILL, as a machine would.
template <typename F>
void run_and_kill(F&& work) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    work();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(StoreTest, HasEveryUnitThatWasCommittedBeforeTheProcessWasKilled) {
  run_and_kill([&] {
    Store store(file());
    store.commit("model", {{"a", "{}", response("A")}, {"b", "{}", response("B")}});
    store.commit("model", {{"c", "{}", response("C")}});
  });
  const Store store(file());
  EXPECT_EQ(store.find("a").value()->text, "A");
  EXPECT_EQ(store.find("b").value()->text, "B");
  EXPECT_EQ(store.find("c").value()->text, "C");
}

TEST_F(StoreTest, HasAllOfAUnitOrNothingWheneverTheProcessIsKilled) {
  // The second unit is many times the page cache, so that it is written to the file before its end.
  constexpr int kUnit = 3000;
  const std::string request(2000, 'r');
  const Result<Response> same = response("x");
  std::vector<std::string> keys;
  for (int i = 0; i < kUnit; ++i) keys.push_back("key " + std::to_string(i));
  std::vector<Store::Answer> unit;
  for (const auto& key : keys) unit.push_back({key, request, same});
  int cut_short = 0;
  for (int delay_us = 0; delay_us < 40'000; delay_us += 4'000) {
    const auto path = folder_.path() / ("run " + std::to_string(delay_us));
    std::filesystem::create_directory(path);
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Store store(path / "run.db");
      store.commit("model", {{"before", "{}", response("kept")}});
      if (::write(ready[1], "!", 1) == 1) store.commit("model", unit);
      ::pause();
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::usleep(static_cast<useconds_t>(delay_us));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(ready[0]);
    ::close(ready[1]);

    const Store store(path / "run.db");
    EXPECT_TRUE(store.find("before"));
    int there = 0;
    for (const auto& answer : unit) there += store.find(answer.key).has_value();
    EXPECT_TRUE(there == 0 || there == kUnit) << there << " after " << delay_us << " us";
    cut_short += there == 0;
  }
  EXPECT_GT(cut_short, 0);
}

TEST_F(StoreTest, ServesEightThreadsAtOnce) {
  Store store(file());
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto name = "t" + std::to_string(t);
      for (int i = 0; i < 50; ++i) {
        const auto key = name + "." + std::to_string(i);
        store.commit("model", {{key, "{}", response(key)}});
        wrong += store.find(key).value()->text != key;
        store.add_timing("commits", 1);
        store.put_row(name, "teacher", {outcome(name, key, 1)}, {i, 0, 0});
        for (const auto& o : store.outcomes()) wrong += o.score != 1;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
  EXPECT_THAT(store.timing(), ElementsAre(Pair("commits", 400)));
  EXPECT_EQ(store.outcomes().size(), 8u);
}

TEST_F(StoreTest, BeginsANewTryWithTheAnswersAloneAndOfTheSameRun) {
  {
    Store store(file());
    store.commit("model", {{"key", "{}", response("answer")}});
    store.set_meta("config_hash", "abc");
    store.set_meta("progress", "{}");
    store.set_meta("remarks", "[]");
    store.put_row("untouched", "teacher", {outcome("untouched", "a", 1)}, {1, 0, 0});
    store.put_trial({"mipro", 1, TrialKind::kFull, {}, 0.25, 335});
    store.add_timing("hits", 1);
    store.begin_try();
  }
  const Store store(file());
  EXPECT_TRUE(store.find("key"));
  EXPECT_EQ(store.kept().calls, 1);
  EXPECT_EQ(store.meta("config_hash"), "abc");
  EXPECT_EQ(store.meta("progress"), "{}");
  EXPECT_EQ(store.meta("remarks"), std::nullopt);
  EXPECT_TRUE(store.outcomes().empty());
  EXPECT_TRUE(store.usage().empty());
  EXPECT_TRUE(store.trials().empty());
  EXPECT_THAT(store.timing(), ElementsAre(Pair("hits", 1)));
}

}  // namespace
}  // namespace theta
