// Several servers of one model, and how much is asked of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/models/http/model.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"

namespace theta::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

TEST(HttpModel, SendsMoreToTheServerThatAnswersSooner) {
  const LoopbackServer fast(echo);
  const LoopbackServer slow(
      [](const Seen& seen) { return echo_after(std::chrono::milliseconds(100), seen); });
  auto options = options_for(fast.url());
  options.base_urls.push_back(slow.url());
  HttpModel model(options);
  const auto wave = questions(200);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_EQ(fast.requests() + slow.requests(), 200U);
  EXPECT_GE(slow.requests(), 4U);
  EXPECT_GT(fast.requests(), 2 * slow.requests());
}

TEST(HttpModel, TakesADeadServerOutAndTriesItAgain) {
  std::atomic<int> delay_ms = 0;
  const LoopbackServer alive(
      [&](const Seen& seen) { return echo_after(std::chrono::milliseconds(delay_ms), seen); });
  auto dead = std::make_unique<LoopbackServer>(echo);
  const auto port = dead->port();
  auto options = options_for(alive.url());
  options.base_urls.push_back(dead->url());
  options.backoff_s = 0.01;
  dead.reset();
  HttpModel model(options);
  const auto wave = questions(200);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_EQ(alive.requests(), 200U);
  // The eight that were sent at once, and tries now and then.
  EXPECT_LT(model.counters().attempts, 230);

  const LoopbackServer revived(echo, nullptr, port);
  while (revived.requests() == 0) expect_echoes(wave, ask_all(model, wave));
  delay_ms = 20;  // else one that gets no processor for a while loses the wave to the other
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_GT(revived.requests(), 20U);
}

TEST(HttpModel, NamesAServerWhoseAddressIsNotFound) {
  // Of the names that RFC 6761 keeps from ever being given to a host.
  auto options = options_for("http://nowhere.invalid/v1");
  options.retries = 0;
  options.connect_timeout_s = 0.5;
  HttpModel model(options);
  for (const auto& answer : ask_all(model, questions(8))) {
    // A resolver that asks far servers may take longer than the time there is.
    EXPECT_THAT(failure(answer), AnyOf(HasSubstr("cannot find the address of nowhere.invalid"),
                                       HasSubstr("no connection within 0.5 s")));
  }
}

TEST(HttpModel, LeavesADeadServerAloneWhileTheOthersAreFull) {
  const LoopbackServer throttled([](const Seen& seen) {
    if (seen.number % 6 == 0) return Reply{429, "slow down", {}, {}, {}};
    return echo_after(std::chrono::milliseconds(2), seen);
  });
  auto options = options_for(throttled.url());
  options.base_urls.push_back("http://127.0.0.1:1/v1");
  options.in_flight = 16;
  options.backoff_s = 0.01;
  options.retries = 30;
  HttpModel model(options);
  const auto wave = questions(200);
  expect_echoes(wave, ask_all(model, wave));
  // The eight that were sent at once, and tries now and then.
  EXPECT_LT(static_cast<std::size_t>(model.counters().attempts), throttled.requests() + 25);
}

TEST(HttpModel, LosesNothingToAServerThatRefusesAtOnceBesideASlowOne) {
  const LoopbackServer refusing([](const Seen&) {
    return Reply{503, "overloaded", {{"Retry-After", "60"}}, {}, {}};
  });
  const LoopbackServer slow(
      [](const Seen& seen) { return echo_after(std::chrono::milliseconds(5), seen); });
  auto options = options_for(refusing.url());
  options.base_urls.push_back(slow.url());
  options.retries = 2;
  HttpModel model(options);
  const auto wave = questions(200);
  expect_echoes(wave, ask_all(model, wave));
  EXPECT_LE(refusing.requests(), 8U);  // that were sent at once
}

TEST(HttpModel, KeepsTurnsAmongWhatWaitsForAServer) {
  const LoopbackServer server([](const Seen& seen) {
    if (seen.number % 3 == 0) return Reply{429, "slow down", {}, {}, {}};
    return echo_after(std::chrono::milliseconds(1), seen);
  });
  auto options = options_for(server.url());
  options.in_flight = 16;
  options.retries = 30;
  HttpModel model(options);
  std::size_t answered = 0, overtaken = 0;
  model.complete(questions(300),
                 [&](std::size_t i, const Result<Response>& answer) {
                   ASSERT_TRUE(answer) << failure(answer);
                   if (answer->failed.empty() && answered > i)
                     overtaken = std::max(overtaken, answered - i);
                   ++answered;
                 },
                 {});
  EXPECT_LT(overtaken, 10U);
}

TEST(HttpModel, NamesTheServerThatFailedAmongSeveral) {
  const LoopbackServer refusing([](const Seen&) { return Reply{400, "no", {}, {}, {}}; });
  auto options = options_for(refusing.url());
  options.base_urls.insert(options.base_urls.begin(), "http://127.0.0.1:1/v1");
  HttpModel model(options);
  for (const auto& answer : ask_all(model, questions(5))) {
    EXPECT_THAT(failure(answer), StartsWith(refusing.url() + ": status 400: no"));
  }
}

TEST(HttpModel, SendsFewerAtOnceToAServerThatSaysItIsOverloaded) {
  const LoopbackServer server([](const Seen& seen) {
    if (seen.number < 32) return Reply{429, "slow down", {}, {}, {}};
    return echo_after(std::chrono::milliseconds(5), seen);
  });
  auto options = options_for(server.url());
  options.in_flight = 32;
  HttpModel model(options);
  const auto wave = questions(32);
  expect_echoes(wave, ask_all(model, wave));
  // Half of 32, and the root of that more once as many are answered.
  EXPECT_LE(server.most_at_once(), 20U);
}

TEST(HttpModel, SendsNoMoreRequestsThanTheLimitAMinuteAllows) {
  const LoopbackServer server(echo);
  auto options = options_for(server.url());
  options.requests_per_minute = 1;
  HttpModel model(options);
  std::stop_source stop;
  EXPECT_THROW(model.complete(
                   questions(3), [&](std::size_t, const Result<Response>&) { stop.request_stop(); },
                   stop.get_token()),
               Interrupted);
  EXPECT_EQ(server.requests(), 1U);
}

TEST(HttpModel, SendsNoMoreTokensThanTheLimitAMinuteAllows) {
  const LoopbackServer server(echo);
  auto options = options_for(server.url());
  options.tokens_per_minute = 1;
  HttpModel model(options);
  std::stop_source stop;
  const std::jthread impatient([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    stop.request_stop();
  });
  // A request of 256 tokens waits for hours.
  EXPECT_THROW(model.complete(
                   questions(3), [](std::size_t, const Result<Response>&) {}, stop.get_token()),
               Interrupted);
  EXPECT_EQ(server.requests(), 0U);
}

TEST(HttpModel, GivesUpAConnectionThatIsNotMadeInTime) {
  // The kernel takes the connection, and nobody says anything to the handshake.
  namespace net = boost::asio;
  net::io_context io;
  const net::ip::tcp::acceptor silent(io, {net::ip::address_v4::loopback(), 0});
  auto options =
      options_for("https://127.0.0.1:" + std::to_string(silent.local_endpoint().port()) + "/v1");
  options.connect_timeout_s = 0.2;
  options.retries = 0;
  HttpModel model(options);
  EXPECT_EQ(failure(ask_one(model, question("hello"))),
            options.base_urls.front() + ": no connection within 0.2 s");
}

/// Stops a server after some answers, and starts it on the same port when it is told.
class Absent {
 public:
  explicit Absent(HttpModel& model, std::unique_ptr<LoopbackServer>& server)
      : port_(server->port()), server_(server) {
    expect_echoes(questions(8), ask_all(model, questions(8)));
    server.reset();
  }
  void come_back() { server_ = std::make_unique<LoopbackServer>(echo, nullptr, port_); }

 private:
  const unsigned short port_;
  std::unique_ptr<LoopbackServer>& server_;
};

TEST(HttpModel, WaitsForAServerThatIsGoneHoweverFewTheRetries) {
  auto server = std::make_unique<LoopbackServer>(echo);
  auto options = options_for(server->url());
  options.retries = 1;
  options.backoff_s = 0.005;
  HttpModel model(options);
  Absent absent(model, server);
  const std::jthread revival([&] {
    while (model.counters().attempts < 8 + 8 * 6) std::this_thread::yield();
    absent.come_back();
  });
  const auto wave = questions(40);
  expect_echoes(wave, ask_all(model, wave));
}

TEST(HttpModel, GivesUpAServerThatStaysGoneForTheTotalTimeout) {
  auto server = std::make_unique<LoopbackServer>(echo);
  auto options = options_for(server->url());
  options.retries = 1;
  options.total_timeout_s = 0.5;
  HttpModel model(options);
  const Absent absent(model, server);
  for (const auto& answer : ask_all(model, questions(8))) EXPECT_FALSE(answer);
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  const auto before = model.counters().attempts;
  for (const auto& answer : ask_all(model, questions(8)))
    EXPECT_THAT(failure(answer), HasSubstr("Connection refused; 2 attempts"));
  EXPECT_EQ(model.counters().attempts, before + 16);  // from here on retries count
}

TEST(HttpModel, WaitsForNoServerWithoutRetries) {
  auto server = std::make_unique<LoopbackServer>(echo);
  auto options = options_for(server->url());
  options.retries = 0;
  HttpModel model(options);
  const Absent absent(model, server);
  for (const auto& answer : ask_all(model, questions(8))) EXPECT_FALSE(answer);
  EXPECT_EQ(model.counters().attempts, 16);
}

TEST(HttpModel, CountsRetriesWhereTheServerAnswersOthers) {
  const LoopbackServer server([](const Seen& seen) {
    const bool bad = seen.body.find("question 3\"") != std::string::npos;
    return bad ? Reply{503, "not this", {}, {}, {}} : echo(seen);
  });
  auto options = options_for(server.url());
  options.retries = 2;
  options.in_flight = 2;
  HttpModel model(options);
  const auto answers = ask_all(model, questions(400));
  EXPECT_THAT(failure(answers[3]), HasSubstr("status 503: not this"));
  EXPECT_TRUE(answers[399]);
}

TEST(HttpModel, TellsOfAServerThatIsGoneAndOfItsReturn) {
  auto server = std::make_unique<LoopbackServer>(echo);
  auto options = options_for(server->url());
  options.backoff_s = 0.01;
  std::atomic<int> told = 0;
  std::vector<std::string> lines;  // of the client's thread
  {
    HttpModel model(options, [&](const std::string& at, const std::string& why, double seconds) {
      EXPECT_GE(seconds, 1);
      lines.push_back(at + ": " + why);
      ++told;
    });
    Absent absent(model, server);
    const std::jthread revival([&] {
      while (told == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      absent.come_back();
    });
    expect_echoes(questions(8), ask_all(model, questions(8)));
  }
  const std::string at = options.base_urls.front();
  EXPECT_THAT(lines, testing::ElementsAre(at + ": cannot connect: Connection refused", at + ": "));
}

}  // namespace
}  // namespace theta::test
