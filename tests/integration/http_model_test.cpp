// One server: its answers, faults, refusals and end.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/models/http/model.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"

namespace theta::test {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::StartsWith;

TEST(HttpModel, SendsTheRequestAndReadsTheAnswer) {
  Seen seen;
  const LoopbackServer server([&](const Seen& s) { return seen = s, echo(s); });
  const KeyFile key;
  auto options = options_for(server.url());
  options.api_key_file = key.path();
  HttpModel model(options);
  auto request = question("what?\n\"quoted\"");
  request.temperature = 0.5;
  request.seed = 0xffffffffffULL;
  request.stop = {"[[ ##"};
  const auto answer = ask_one(model, request);
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "re: what?\n\"quoted\"");
  EXPECT_EQ(answer->prompt_tokens, 11);
  EXPECT_EQ(answer->generated_tokens, 3);
  EXPECT_FALSE(answer->truncated);
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/chat/completions");
  EXPECT_EQ(seen.authorization, std::string("Bearer ") + kKey);
  EXPECT_EQ(Json::parse(seen.body), Json::parse(R"({
      "model": "tiny", "max_tokens": 256, "temperature": 0.5, "seed": 2147483647,
      "stop": ["[[ ##"], "stream": false,
      "messages": [{"role": "system", "content": "Be brief."},
                   {"role": "user", "content": "what?\n\"quoted\""}]})"));
}

TEST(HttpModel, ReusesConnectionsAcrossRequestsAndWaves) {
  const LoopbackServer server(echo);
  HttpModel model(options_for(server.url()));
  const auto wave = questions(200);
  expect_echoes(wave, ask_all(model, wave));
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_EQ(server.requests(), 400U);
  EXPECT_LE(server.connections(), 8U);
  EXPECT_EQ(model.counters().attempts, 400);
}

TEST(HttpModel, CountsTheTokensThatTheServerSaysItRead) {
  const LoopbackServer server(echo);
  HttpModel model(options_for(server.url()));
  ask_all(model, questions(3));
  const HostCounters counters = model.counters();
  EXPECT_EQ(counters.asked_tokens, 33);
  EXPECT_EQ(counters.reused_tokens, 0);
  EXPECT_EQ(counters.computed_tokens, 33);
  EXPECT_EQ(counters.generated_tokens, 9);
}

TEST(HttpModel, KeepsAtMostInFlightRequestsOpen) {
  const LoopbackServer server(
      [](const Seen& seen) { return echo_after(std::chrono::milliseconds(5), seen); });
  auto options = options_for(server.url());
  options.in_flight = 3;
  HttpModel model(options);
  const auto wave = questions(30);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_EQ(server.most_at_once(), 3U);
}

TEST(HttpModel, AnswersWavesOfSeveralThreadsAtOnce) {
  const LoopbackServer server(echo);
  HttpModel model(options_for(server.url()));
  const auto wave = questions(50);
  std::vector<std::vector<Result<Response>>> answers(4);
  {
    std::vector<std::jthread> callers;
    for (auto& mine : answers) callers.emplace_back([&] { mine = ask_all(model, wave); });
  }
  for (const auto& mine : answers) expect_echoes(wave, mine);
}

TEST(HttpModel, ReadsChunkedBodiesAndBodiesThatEndWithTheConnection) {
  for (const auto delivery : {Delivery::kChunked, Delivery::kUntilClose}) {
    const LoopbackServer server([&](const Seen& seen) {
      Reply reply = echo(seen);
      reply.delivery = delivery;
      return reply;
    });
    HttpModel model(options_for(server.url()));
    const auto wave = questions(20);
    expect_echoes(wave, ask_all(model, wave));
    EXPECT_EQ(model.counters().attempts, 20);
  }
}

/// Faults that the first two requests meet, and the message when every request meets them.
struct Injected {
  const char* name;
  Reply reply;
  std::string message;  ///< after the server's address
};

void PrintTo(const Injected& fault, std::ostream* out) { *out << fault.name; }

class HttpModelFault : public testing::TestWithParam<Injected> {
 protected:
  static HttpOptions impatient(const std::string& url) {
    auto options = options_for(url);
    options.read_timeout_s = 0.2;
    options.retries = 2;
    options.max_response_bytes = 4096;
    return options;
  }
};

TEST_P(HttpModelFault, IsRetriedUntilTheServerAnswers) {
  const LoopbackServer server(
      [&](const Seen& seen) { return seen.number < 2 ? GetParam().reply : echo(seen); });
  HttpModel model(impatient(server.url()));
  const auto answer = ask_one(model, question("hello"));
  ASSERT_TRUE(answer) << failure(answer);
  EXPECT_EQ(answer->text, "re: hello");
  EXPECT_EQ(model.counters().attempts, 3);
}

TEST_P(HttpModelFault, IsNamedWhenItDoesNotPass) {
  const LoopbackServer server([&](const Seen&) { return GetParam().reply; });
  HttpModel model(impatient(server.url()));
  const auto answer = ask_one(model, question("hello"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().fault, Fault::kService);
  EXPECT_EQ(answer.error().message, server.url() + ": " + GetParam().message + "; 3 attempts");
  EXPECT_EQ(server.requests(), 3U);
}

Reply deliver(Delivery delivery) {
  Reply reply = chat("hello");
  reply.delivery = delivery;
  return reply;
}

INSTANTIATE_TEST_SUITE_P(
    All, HttpModelFault,
    testing::Values(
        Injected{"Reset", deliver(Delivery::kReset), "no answer: Connection reset by peer"},
        Injected{"HalfABody", deliver(Delivery::kHalf), "the answer broke off: End of file"},
        Injected{"LengthTooLong", deliver(Delivery::kTooLong), "the answer broke off: End of file"},
        Injected{"LengthTooShort", deliver(Delivery::kTooShort),
                 "not JSON: JSON that breaks off, of 114 bytes"},
        Injected{"AbsurdLength", deliver(Delivery::kAbsurd),
                 "an answer larger than max_response_bytes = 4096"},
        Injected{"TooLargeBody",
                 {200, std::string(9000, 'x'), {}, Delivery::kChunked, {}},
                 "an answer larger than max_response_bytes = 4096"},
        Injected{"Silence", deliver(Delivery::kSilent), "silent for 0.2 s"},
        Injected{"StallInTheBody", deliver(Delivery::kStall), "silent for 0.2 s"},
        Injected{"Garbage", deliver(Delivery::kGarbage), "not HTTP: bad version"},
        Injected{"Overloaded",
                 {503, R"({"error": {"message": "overloaded"}})", {}, {}, {}},
                 "status 503: overloaded"},
        Injected{"RateLimited",
                 {429, R"({"detail": "slow down"})", {{"Retry-After", "0"}}, {}, {}},
                 "status 429: slow down"},
        Injected{"Html", {200, "<html>\n  <b>Welcome</b></html>", {}, {}, {}}, "not JSON: Welcome"},
        Injected{"TruncatedJson",
                 {200, R"({"choices": [{"mess)", {}, {}, {}},
                 "not JSON: JSON that breaks off, of 19 bytes"},
        Injected{"NoChoices",
                 {200, R"({"choices": []})", {}, {}, {}},
                 "no choices in the answer: no words, only the fields choices"},
        Injected{"NoText",
                 {200, R"({"choices": [{"message": {"content": null}}]})", {}, {}, {}},
                 "the answer has no text and no finish_reason"}),
    [](const auto& param) { return std::string(param.param.name); });

struct Refused {
  int status;
  std::string advice;
};

void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.status; }

class HttpModelRefusal : public testing::TestWithParam<Refused> {};

TEST_P(HttpModelRefusal, IsNotRetriedAndSaysWhatToDo) {
  const LoopbackServer server([](const Seen&) {
    return Reply{GetParam().status, R"({"error": {"message": "no"}})", {}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  const auto answer = ask_one(model, question("hello"));
  ASSERT_FALSE(answer);
  std::string advice = GetParam().advice;
  if (const auto at = advice.find("URL"); at != advice.npos) advice.replace(at, 3, server.url());
  EXPECT_EQ(answer.error().message,
            server.url() + ": status " + std::to_string(GetParam().status) + ": no" + advice);
  EXPECT_EQ(server.requests(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    All, HttpModelRefusal,
    testing::Values(
        Refused{400, ""}, Refused{422, ""}, Refused{302, ""},
        Refused{401, "; no key was sent: say where it is with api_key_env or api_key_file"},
        Refused{403, "; no key was sent: say where it is with api_key_env or api_key_file"},
        Refused{404, "; check the model name 'tiny' and base_url: URL/models lists the models"}),
    [](const auto& param) { return "Status" + std::to_string(param.param.status); });

TEST(HttpModel, SurvivesOneCallInFiveFailingInARandomWay) {
  std::mt19937 random(5);
  std::size_t failed = 0;
  const std::vector<Reply> faults = {
      deliver(Delivery::kReset),   deliver(Delivery::kHalf),
      deliver(Delivery::kTooLong), deliver(Delivery::kTooShort),
      deliver(Delivery::kAbsurd),  deliver(Delivery::kDrop),
      deliver(Delivery::kGarbage), deliver(Delivery::kStall),
      {503, "busy", {}, {}, {}},   {429, "slow down", {{"Retry-After", "0.01"}}, {}, {}},
      {200, "<html>", {}, {}, {}}, {200, R"({"choices": [{"mess)", {}, {}, {}}};
  const LoopbackServer server([&](const Seen& seen) {
    if (random() % 5 > 0) return echo(seen);
    Reply fault = faults[random() % faults.size()];
    if (fault.delivery == Delivery::kDrop) {
      fault.body = echo(seen).body;
    } else {
      ++failed;
    }
    return fault;
  });
  auto options = options_for(server.url());
  options.read_timeout_s = 0.2;
  options.retries = 12;
  HttpModel model(options);
  const auto wave = questions(500);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_GT(failed, 50U);
  // A reset of a kept connection looks like one closed while idle and is not counted.
  EXPECT_LE(static_cast<std::size_t>(model.counters().attempts), wave.size() + failed);
  EXPECT_GT(static_cast<std::size_t>(model.counters().attempts), wave.size() + failed / 2);
}

TEST(HttpModel, SendsAgainOnANewConnectionWhatAKeptOneLost) {
  const LoopbackServer server([](const Seen& seen) {
    Reply reply = echo(seen);
    reply.delivery = Delivery::kDrop;
    return reply;
  });
  auto options = options_for(server.url());
  options.in_flight = 1;
  options.retries = 0;
  HttpModel model(options);
  const auto wave = questions(20);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_EQ(model.counters().attempts, 20);
}

TEST(HttpModel, GoesOnWhenAServerDiesAndComesBack) {
  auto server = std::make_unique<LoopbackServer>(echo);
  const auto port = server->port();
  auto options = options_for(server->url());
  options.backoff_s = 0.05;
  options.retries = 12;
  HttpModel model(options);
  const auto wave = questions(40);
  expect_echoes(wave, ask_all(model, wave));
  server.reset();
  {
    const std::jthread revival([&] {
      while (model.counters().attempts < 50) std::this_thread::yield();
      server = std::make_unique<LoopbackServer>(echo, nullptr, port);
    });
    expect_echoes(wave, ask_all(model, wave));
  }
  EXPECT_EQ(server->requests(), 40U);
  EXPECT_GT(model.counters().attempts, 80);
}

TEST(HttpModel, ListsEveryAttemptThatBroughtNoAnswer) {
  const LoopbackServer server([](const Seen& seen) {
    if (seen.number == 0) return Reply{503, "busy", {}, {}, {}};
    if (seen.number == 1) return deliver(Delivery::kHalf);
    if (seen.number == 2) return Reply{200, "<html>", {}, {}, {}};
    if (seen.number == 3) return Reply{429, "slow down", {{"Retry-After", "0.125"}}, {}, {}};
    return seen.number == 4 ? deliver(Delivery::kReset) : echo(seen);
  });
  HttpModel model(options_for(server.url()));
  const auto answer = ask_one(model, question("hello"));
  ASSERT_TRUE(answer) << failure(answer);
  std::vector<std::string> seen;
  for (const auto& attempt : answer->failed) {
    seen.push_back(std::to_string(attempt.number) + " " + attempt.outcome + " " + attempt.message);
  }
  const std::string at = server.url() + ": ";
  EXPECT_THAT(seen,
              ElementsAre("1 status 503 " + at + "status 503: busy",
                          "2 broken " + at + "the answer broke off: End of file",
                          "3 unreadable answer " + at + "not JSON: a page of HTML",
                          "4 status 429 " + at + "status 429: slow down",
                          "5 stale connection " + at + "no answer: Connection reset by peer"));
  EXPECT_GE(answer->failed[3].wait_s, 0.125);
}

TEST(HttpModel, ListsTheAttemptsOfARequestThatFailed) {
  const LoopbackServer server([](const Seen&) { return Reply{503, "busy", {}, {}, {}}; });
  auto options = options_for(server.url());
  options.retries = 1;
  HttpModel model(options);
  const auto answer = ask_one(model, question("hello"));
  ASSERT_FALSE(answer);
  ASSERT_EQ(answer.error().failed.size(), 2U);
  EXPECT_EQ(answer.error().failed[1].number, 2);
  EXPECT_EQ(answer.error().failed[1].outcome, "status 503");
  EXPECT_EQ(answer.error().failed[1].wait_s, 0);
}

TEST(HttpModel, NamesAServerThatIsNotThere) {
  auto options = options_for("http://127.0.0.1:1/v1");
  options.retries = 1;
  HttpModel model(options);
  for (const auto& answer : ask_all(model, questions(3))) {
    EXPECT_EQ(failure(answer),
              "http://127.0.0.1:1/v1: cannot connect: Connection refused; 2 attempts");
  }
}

TEST(HttpModel, ObeysRetryAfterUpToTheTotalTimeout) {
  const LoopbackServer server([](const Seen&) {
    return Reply{429, "slow down", {{"Retry-After", "3600"}}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            server.url() +
                ": status 429: slow down; no time for another before "
                "total_timeout_s = 600");
  EXPECT_EQ(server.requests(), 1U);
}

TEST(HttpModel, EndsASilenceAtTheTotalTimeout) {
  const LoopbackServer server([](const Seen&) { return deliver(Delivery::kSilent); });
  auto options = options_for(server.url());
  options.total_timeout_s = 0.1;
  HttpModel model(options);
  EXPECT_THAT(failure(ask_one(model, question("hello"))),
              StartsWith(server.url() + ": no answer within 0.1 s"));
}

TEST(HttpModel, EndsADripThatPassesNoReadTimeoutAtTheTotalTimeout) {
  const LoopbackServer server([](const Seen&) { return deliver(Delivery::kDrip); });
  auto options = options_for(server.url());
  options.read_timeout_s = 0.2;
  options.total_timeout_s = 0.5;
  HttpModel model(options);
  EXPECT_THAT(failure(ask_one(model, question("hello"))),
              StartsWith(server.url() + ": no answer within 0.5 s"));
}

TEST(HttpModel, StopsWhatIsUnderWayAndKeepsWhatWasAnswered) {
  std::stop_source stop;
  const LoopbackServer server([&](const Seen& seen) {
    Reply reply = echo(seen);
    if (seen.number >= 5) reply.delivery = Delivery::kSilent;
    return reply;
  });
  HttpModel model(options_for(server.url()));
  const auto wave = questions(30);
  std::size_t answered = 0;
  EXPECT_THROW(model.complete(
                   wave,
                   [&](std::size_t, const Result<Response>& answer) {
                     EXPECT_TRUE(answer) << failure(answer);
                     if (++answered == 5) stop.request_stop();
                   },
                   stop.get_token()),
               Interrupted);
  EXPECT_EQ(answered, 5U);
}

TEST(HttpModel, StopsWhileItWaitsForARetry) {
  std::stop_source stop;
  const LoopbackServer server([&](const Seen&) {
    return Reply{503, "busy", {{"Retry-After", "300"}}, {}, {}};
  });
  HttpModel model(options_for(server.url()));
  const std::jthread stopper([&] {
    while (server.requests() == 0) std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_THROW(ask(model, questions(3), stop.get_token()), Interrupted);
}

TEST(HttpModel, AsksNothingOnceStopped) {
  std::stop_source stop;
  stop.request_stop();
  const LoopbackServer server(echo);
  HttpModel model(options_for(server.url()));
  EXPECT_THROW(ask(model, questions(3), stop.get_token()), Interrupted);
  EXPECT_EQ(server.requests(), 0U);
}

TEST(HttpModel, PassesOnWhatTheCallerThrowsAndStaysUsable) {
  const LoopbackServer server(echo);
  HttpModel model(options_for(server.url()));
  const auto wave = questions(50);
  EXPECT_THROW(
      model.complete(wave,
                     [](std::size_t, const Result<Response>&) { throw RunError("disk full"); }, {}),
      RunError);
  expect_echoes(wave, ask_all(model, wave));
}

}  // namespace
}  // namespace theta::test
