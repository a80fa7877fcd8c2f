#include "core/records/recorded_model.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <latch>
#include <thread>

#include "core/records/request_json.hpp"
#include "core/records/sqlite.hpp"
#include "core/sha256.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

Result<Response> echo(const Request& request) { return say("re " + request.messages[0].content); }

std::vector<Request> requests(std::initializer_list<const char*> contents) {
  std::vector<Request> wave;
  for (const auto* content : contents) wave.push_back(user_request(content));
  return wave;
}

std::vector<std::string> texts(const std::vector<Result<Response>>& answers) {
  std::vector<std::string> all;
  for (const auto& answer : answers) {
    all.push_back(answer ? answer->text : answer.error().message);
  }
  return all;
}

std::vector<std::vector<std::string>> contents(const ScriptedModel& model) {
  std::vector<std::vector<std::string>> all;
  for (const auto& wave : model.waves()) {
    all.emplace_back();
    for (const auto& request : wave) all.back().push_back(request.messages[0].content);
  }
  return all;
}

class RecordedModelOfUnit : public ::testing::TestWithParam<std::size_t> {
 protected:
  ScriptedModel model(std::set<std::size_t> failing = {}) const {
    return {echo, {.unit = GetParam(), .failing = std::move(failing)}};
  }
  TemporaryFolder folder_;
  Store store_{folder_.path() / "run.db"};
};
INSTANTIATE_TEST_SUITE_P(, RecordedModelOfUnit, ::testing::Values(1, 2, 64));

TEST_P(RecordedModelOfUnit, AnswersAWaveInItsOrder) {
  auto inner = model();
  RecordedModel recorded(inner, store_, nullptr);
  EXPECT_THAT(texts(ask(recorded, requests({"a", "b", "c"}), {})),
              ElementsAre("re a", "re b", "re c"));
}

TEST_P(RecordedModelOfUnit, NeverAsksForWhatIsKept) {
  {
    auto inner = model();
    RecordedModel recorded(inner, store_, nullptr);
    (void)ask(recorded, requests({"a", "b"}), {});
  }
  auto inner = model();
  RecordedModel recorded(inner, store_, nullptr);
  EXPECT_THAT(texts(ask(recorded, requests({"b", "c", "a"}), {})),
              ElementsAre("re b", "re c", "re a"));
  EXPECT_THAT(contents(inner), ElementsAre(ElementsAre("c")));
  EXPECT_EQ(recorded.store_hits(), 2);
}

TEST_P(RecordedModelOfUnit, CountsWhatIsMadeUpAndKeepsNothing) {
  auto inner = model();
  RecordedModel recorded(inner, store_, nullptr, nullptr, RecordedModel::Key::kNone);
  EXPECT_THAT(texts(ask(recorded, requests({"a", "b", "a"}), {})),
              ElementsAre("re a", "re b", "re a"));
  EXPECT_EQ(recorded.asked().calls, 3);
  EXPECT_EQ(store_.kept().calls, 0);
}

TEST_P(RecordedModelOfUnit, AsksIdenticalRequestsOfAWaveOnce) {
  auto inner = model();
  RecordedModel recorded(inner, store_, nullptr);
  EXPECT_THAT(texts(ask(recorded, requests({"a", "b", "a", "a"}), {})),
              ElementsAre("re a", "re b", "re a", "re a"));
  EXPECT_EQ(inner.calls(), 2u);
  EXPECT_EQ(recorded.store_hits(), 0);
}

TEST_P(RecordedModelOfUnit, CountsWhatTheProgramAskedForWhoeverAnswered) {
  auto first = model();
  RecordedModel computing(first, store_, nullptr);
  (void)ask(computing, requests({"a b", "c", "a b"}), {});
  auto second = model();
  RecordedModel answering(second, store_, nullptr);
  (void)ask(answering, requests({"a b", "c", "a b"}), {});
  EXPECT_EQ(computing.asked(), (Usage{3, 5, 8}));
  EXPECT_EQ(answering.asked(), computing.asked());
}

TEST_P(RecordedModelOfUnit, DeliversAServiceFaultAndAsksAgainNextTime) {
  auto inner = model({1});
  RecordedModel recorded(inner, store_, nullptr);
  EXPECT_THAT(texts(ask(recorded, requests({"a", "b", "c"}), {})),
              ElementsAre("re a", "timed out", "re c"));
  EXPECT_EQ(recorded.asked(), (Usage{3, 2, 4}));
  EXPECT_THAT(texts(ask(recorded, requests({"a", "b", "c"}), {})),
              ElementsAre("re a", "re b", "re c"));
  EXPECT_EQ(inner.calls(), 4u);
}

TEST_P(RecordedModelOfUnit, KeepsAPromptsFault) {
  ScriptedModel inner(
      [](const Request&) {
        return Error{Fault::kPrompt, "no option named"};
      },
      {.unit = GetParam()});
  RecordedModel recorded(inner, store_, nullptr);
  (void)ask(recorded, requests({"a"}), {});
  const auto again = ask(recorded, requests({"a"}), {});
  EXPECT_EQ(again[0].error().fault, Fault::kPrompt);
  EXPECT_EQ(again[0].error().message, "no option named");
  EXPECT_EQ(inner.calls(), 1u);
}

TEST_P(RecordedModelOfUnit, HasCommittedAnAnswerBeforeItDeliversIt) {
  auto inner = model();
  RecordedModel recorded(inner, store_, nullptr);
  const Store reader(folder_.path() / "run.db", Store::Access::kRead);
  const auto wave = requests({"a", "b", "c", "d", "e"});
  recorded.complete(wave,
                    [&](std::size_t i, const Result<Response>&) {
                      EXPECT_TRUE(reader.find(sha256("scripted\n" + canonical(wave[i])))) << i;
                    },
                    {});
}

TEST_P(RecordedModelOfUnit, PassesOnWhatTheProgramThrows) {
  auto inner = model();
  RecordedModel recorded(inner, store_, nullptr);
  const std::vector<Request> wave(1, user_request("a"));
  EXPECT_THROW(
      recorded.complete(
          wave, [](std::size_t, const Result<Response>&) { throw RunError("disk full"); }, {}),
      RunError);
}

TEST_P(RecordedModelOfUnit, TakesFromTheCacheWhatAnotherRunAskedAndCommitsIt) {
  AnswerCache cache({folder_.path() / "cache.db", CacheMode::kRecord});
  const auto wave = requests({"a b", "c", "d", "e"});
  auto first = model();
  RecordedModel recording(first, store_, nullptr, &cache);
  const auto asked = texts(ask(recording, wave, {}));
  EXPECT_EQ(recording.cache_hits(), 0);

  auto second = model();
  Store other(folder_.path() / "other.db");
  RecordedModel reusing(second, other, nullptr, &cache);
  EXPECT_EQ(texts(ask(reusing, wave, {})), asked);
  EXPECT_EQ(second.calls(), 0u);
  EXPECT_EQ(reusing.cache_hits(), 4);
  EXPECT_EQ(reusing.asked(), recording.asked());
  EXPECT_EQ(store_.kept().calls, 4);
  EXPECT_EQ(other.kept(), Usage{});  // paid for by the first
  for (const auto& request : wave) {
    EXPECT_TRUE(other.find(sha256("scripted\n" + canonical(request))));
  }
}

TEST_P(RecordedModelOfUnit, SharesTheCallsOfRunsSideBySide) {
  AnswerCache cache({folder_.path() / "cache.db", CacheMode::kRecord});
  auto inner = model();
  const auto wave = requests({"a", "b", "c", "d", "e"});
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> runs;
    for (int t = 0; t < 6; ++t) {
      runs.emplace_back([&, t] {
        Store own(folder_.path() / (std::to_string(t) + ".db"));
        RecordedModel recorded(inner, own, nullptr, &cache);
        right += texts(ask(recorded, wave, {})) ==
                 std::vector<std::string>{"re a", "re b", "re c", "re d", "re e"};
      });
    }
  }
  EXPECT_EQ(right, 6);
  EXPECT_EQ(inner.calls(), 5u);
}

TEST_P(RecordedModelOfUnit, ReplaysWhatTheCacheHasAndNamesWhatItLacks) {
  const CacheOptions options = {folder_.path() / "cache.db", CacheMode::kRecord};
  const auto wave = requests({"a", "b"});
  {
    AnswerCache cache(options);
    auto inner = model();
    RecordedModel recording(inner, store_, nullptr, &cache);
    (void)ask(recording, wave, {});
  }
  AnswerCache cache({options.path, CacheMode::kReplay});
  auto inner = model();
  Store other(folder_.path() / "other.db");
  RecordedModel replaying(inner, other, nullptr, &cache);
  EXPECT_THAT(texts(ask(replaying, wave, {})), ElementsAre("re a", "re b"));
  const auto missing = requests({"say \"why\""});
  try {
    (void)ask(replaying, missing, {});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_EQ(error.what(), options.path.string() + " holds no answer to request " +
                                sha256("scripted\n" + canonical(missing[0])).substr(0, 12) +
                                " of scripted, which ends with \"say \\\"why\\\"\": run once with "
                                "mode: record");
  }
  EXPECT_EQ(inner.calls(), 0u);
}

TEST(RecordedModel, TakesAUnitFromTheCacheOnlyWhole) {
  const TemporaryFolder folder;
  AnswerCache cache({folder.path() / "cache.db", CacheMode::kRecord});
  ScriptedModel inner(echo, {.unit = 2});
  Store first(folder.path() / "first.db"), second(folder.path() / "second.db");
  RecordedModel one(inner, first, nullptr, &cache), two(inner, second, nullptr, &cache);
  (void)ask(one, requests({"a", "b", "c", "d"}), {});
  (void)ask(two, requests({"b", "c", "d"}), {});
  (void)ask(two, requests({"a", "e"}), {});
  EXPECT_THAT(contents(inner),
              ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "d"), ElementsAre("b", "c"),
                          ElementsAre("d"), ElementsAre("a", "e")));
}

TEST_P(RecordedModelOfUnit, KeepsTheAttemptsThatBroughtNoAnswer) {
  ScriptedModel inner(
      [](const Request& request) -> Result<Response> {
        const std::vector<FailedAttempt> failed = {{1, "timeout", "silent for 1 s", 0.25},
                                                   {2, "status 503", "busy", 0}};
        if (request.messages[0].content == "lost") return Error{Fault::kService, "gone", failed};
        Response answer = say("found");
        answer.failed = failed;
        return answer;
      },
      {.unit = GetParam()});
  RecordedModel recorded(inner, store_, nullptr);
  (void)ask(recorded, requests({"found", "lost"}), {});
  const Database database((folder_.path() / "run.db").string(), false);
  EXPECT_EQ(database.value("SELECT count(*) FROM attempts"), "4");
  EXPECT_EQ(database.value("SELECT count(*) FROM answers"), "1");
  EXPECT_EQ(database.value("SELECT group_concat(number || ' ' || outcome || ' ' || message || ' ' "
                           "|| wait_s, '; ') FROM attempts JOIN answers USING (key)"),
            "1 timeout silent for 1 s 0.25; 2 status 503 busy 0.0");
}

TEST(RecordedModel, CutsTheRestOfAWaveIntoUnitsInItsOrder) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  ScriptedModel inner(echo, {.unit = 2});
  RecordedModel recorded(inner, store, nullptr);
  (void)ask(recorded, requests({"c"}), {});
  (void)ask(recorded, requests({"a", "b", "c", "d", "b", "e", "f"}), {});
  EXPECT_THAT(contents(inner), ElementsAre(ElementsAre("c"), ElementsAre("a", "b"),
                                           ElementsAre("d", "e"), ElementsAre("f")));
}

TEST(RecordedModel, KeepsFinishedUnitsOfAnInterruptedWaveAndCutsTheRestAlike) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  std::stop_source stop;
  ScriptedModel interrupted(
      [&](const Request& request) {
        if (request.messages[0].content == "c") stop.request_stop();
        return echo(request);
      },
      {.unit = 2});
  const auto wave = requests({"a", "b", "c", "d", "e", "f"});
  RecordedModel first(interrupted, store, nullptr);
  EXPECT_THROW((void)ask(first, wave, stop.get_token()), Interrupted);

  ScriptedModel resumed(echo, {.unit = 2});
  RecordedModel second(resumed, store, nullptr);
  (void)ask(second, wave, {});
  EXPECT_THAT(contents(resumed), ElementsAre(ElementsAre("c", "d"), ElementsAre("e", "f")));
}

TEST(RecordedModel, KeepsEveryAnswerThatArrivedBeforeAnInterruptWhereAnswersStandAlone) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  std::stop_source stop;
  ScriptedModel interrupted([&](const Request& request) {
    if (request.messages[0].content == "c") stop.request_stop();
    return echo(request);
  });
  const auto wave = requests({"a", "b", "c", "d"});
  RecordedModel first(interrupted, store, nullptr);
  EXPECT_THROW((void)ask(first, wave, stop.get_token()), Interrupted);

  ScriptedModel resumed(echo);
  RecordedModel second(resumed, store, nullptr);
  (void)ask(second, wave, {});
  EXPECT_THAT(contents(resumed), ElementsAre(ElementsAre("d")));
}

TEST(RecordedModel, KeepsTheAnswersOfTwoModelsApart) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  ScriptedModel teacher([](const Request&) { return say("T"); }, {.identity = "teacher"});
  ScriptedModel student([](const Request&) { return say("S"); }, {.identity = "student"});
  RecordedModel first(teacher, store, nullptr);
  RecordedModel second(student, store, nullptr);
  EXPECT_THAT(texts(ask(first, requests({"a"}), {})), ElementsAre("T"));
  EXPECT_THAT(texts(ask(second, requests({"a"}), {})), ElementsAre("S"));
}

TEST_P(RecordedModelOfUnit, AsksItselfWhatFailedForTheRunThatLed) {
  AnswerCache cache;
  std::latch asked(1), go_on(1);
  std::atomic<int> n = 0;
  ScriptedModel inner(
      [&](const Request& request) -> Result<Response> {
        if (n++ > 0) return echo(request);
        asked.count_down();
        go_on.wait();
        return Error{Fault::kService, "timed out"};
      },
      {.unit = GetParam()});
  RecordedModel leading(inner, store_, nullptr, &cache);
  std::jthread first(
      [&] { EXPECT_THAT(texts(ask(leading, requests({"a"}), {})), ElementsAre("timed out")); });
  asked.wait();
  std::atomic<bool> waiting = false;
  std::jthread second([&] {
    Store own(folder_.path() / "own.db");
    RecordedModel following(inner, own, nullptr, &cache);
    waiting = true;
    EXPECT_THAT(texts(ask(following, requests({"a"}), {})), ElementsAre("re a"));
    EXPECT_EQ(following.cache_hits(), 0);
  });
  while (!waiting) std::this_thread::yield();
  go_on.count_down();
  second.join();
  EXPECT_EQ(n, 2);
}

TEST(RecordedModel, AsksNothingTwiceOfWavesSideBySideWhereAnswersStandAlone) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  ScriptedModel inner(echo);
  RecordedModel recorded(inner, store, nullptr);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          const auto text = std::to_string(i);
          EXPECT_THAT(texts(ask(recorded, requests({text.c_str()}), {})),
                      ElementsAre("re " + text));
        }
      });
    }
  }
  EXPECT_EQ(inner.calls(), 100u);
}

TEST(RecordedModel, AnswersWavesOfManyThreadsAskingEachRequestOnceWhereUnitsAreShared) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  ScriptedModel inner(echo, {.unit = 4});
  RecordedModel recorded(inner, store, nullptr);
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        const auto answers = ask(recorded, requests({"a", "b", "c", "d", "e"}), {});
        right += texts(answers) == std::vector<std::string>{"re a", "re b", "re c", "re d", "re e"};
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 80);
  EXPECT_EQ(inner.calls(), 5u);
  EXPECT_EQ(recorded.asked().calls, 400);
}

TEST(Canonical, HasEveryFieldInSortedOrder) {
  Request request = user_request("say «x»\n", {"Yes", "No"});
  request.answer_prefix = "p";
  request.grammar = "g";
  request.stop = {"\n"};
  request.max_tokens = 7;
  request.temperature = 0.5;
  request.seed = 18446744073709551615u;
  EXPECT_EQ(canonical(request),
            R"({"answer_prefix":"p","grammar":"g","max_tokens":7,)"
            R"("messages":[{"content":"say «x»\n","role":"user"}],"options":["Yes","No"],)"
            R"("seed":18446744073709551615,"stop":["\n"],"temperature":0.5,"top_p":1.0})");
}

TEST(Canonical, TellsTextsApartThatAreNotUtf8) {
  EXPECT_NE(canonical(user_request("\xff")), canonical(user_request("\xfe")));
  EXPECT_NE(canonical(user_request("\xff")), canonical(user_request(R"({"hex":"ff"})")));
}

TEST_P(RecordedModelOfUnit, CountsWhatTheServiceLostAndTakesItForNoProgress) {
  auto inner = model({1, 2});
  Progress progress(false, 1e6, stderr);
  RecordedModel recorded(inner, store_, &progress);
  ask(recorded, requests({"a", "b", "c"}), {});
  const auto lost = recorded.take_lost();
  EXPECT_EQ(lost.requests, 2);
  EXPECT_EQ(lost.why, "timed out");
  EXPECT_EQ(progress.whole().done, 1);
  EXPECT_EQ(recorded.take_lost().requests, 0);
}

}  // namespace
}  // namespace theta
