#include "core/models/http/server_health.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace theta {
namespace {

using Kind = AttemptOutcome::Kind;
using Time = ServerHealth::Time;

/// A server with a clock that the test winds.
struct Watched {
  ServerHealth health{8, 0.5};
  double now_s = 100;

  Time at(double s) const {
    return Time(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s)));
  }
  Time now() const { return at(now_s); }
  /// Sends a request that is over `took_s` later.
  void ask(AttemptOutcome outcome, double took_s = 0.125) {
    health.take(now());
    const Time sent = now();
    now_s += took_s;
    health.settle(outcome, sent, now());
  }
  double ready_in() const {
    return std::chrono::duration<double>(health.ready_at() - now()).count();
  }
};

constexpr AttemptOutcome kAnswered{};
constexpr AttemptOutcome kLimited{.kind = Kind::kLimited, .overloaded = true};

TEST(ServerHealth, TakesOutWhatRefusesForTwiceAsLongEachTime) {
  Watched server;
  server.ask({.kind = Kind::kUnwell});
  EXPECT_TRUE(server.health.is_out(server.at(server.now_s + 0.9)));
  EXPECT_FALSE(server.health.is_out(server.at(server.now_s + 1.1)));
  server.ask({.kind = Kind::kUnwell});
  EXPECT_TRUE(server.health.is_out(server.at(server.now_s + 1.9)));
  server.ask(kAnswered);
  EXPECT_FALSE(server.health.is_out(server.now()));
}

TEST(ServerHealth, TakesOutWhatBreaksOffOnTheThirdTime) {
  Watched server;
  for (const bool out : {false, false, true}) {
    server.ask({.kind = Kind::kBroken});
    EXPECT_EQ(server.health.is_out(server.now()), out);
  }
}

TEST(ServerHealth, IsNotAskedBeforeItSaysToComeBack) {
  Watched server;
  server.ask({.kind = Kind::kLimited, .overloaded = true, .retry_after_s = 7});
  EXPECT_DOUBLE_EQ(server.ready_in(), 7);
  ServerHealth* const servers[] = {&server.health};
  EXPECT_EQ(ServerHealth::best_of(servers, 0, server.at(server.now_s + 6.9)), nullptr);
  EXPECT_EQ(ServerHealth::best_of(servers, 0, server.at(server.now_s + 7.1)), &server.health);
}

TEST(ServerHealth, IsAskedByOneAfterTheOtherWhileItRefusesWithoutAWord) {
  Watched server;
  server.ask(kAnswered);
  server.ask(kLimited);
  EXPECT_LE(server.ready_in(), 0);  // it may have been too many at once
  server.ask(kLimited);
  EXPECT_DOUBLE_EQ(server.ready_in(), 2);
  server.now_s += 2;
  server.health.take(server.now());
  EXPECT_FALSE(server.health.has_room());
  server.health.leave();
  server.ask(kLimited);
  EXPECT_DOUBLE_EQ(server.ready_in(), 4);
  server.now_s += 4;
  server.ask(kAnswered);
  EXPECT_TRUE(server.health.has_room());
}

TEST(ServerHealth, LearnsThePaceFromWhatWasTakenUntilItTakesMore) {
  Watched server;
  for (int i = 0; i < 30; ++i) server.ask(kAnswered, 0.125);
  EXPECT_EQ(server.health.pace(), 0);
  server.ask(kLimited, 0.125);
  server.ask(kLimited, 0.125);
  server.now_s = 160 - 0.125;  // its minute is over
  server.ask(kAnswered, 0.125);
  EXPECT_DOUBLE_EQ(server.health.pace(), 0.5);
  server.health.take(server.now());
  EXPECT_DOUBLE_EQ(server.ready_in(), 2);
}

TEST(ServerHealth, LosesNoneOfSixtyRequestsToThirtyAMinute) {
  Watched server;
  int answered = 0, refused = 0, of_the_minute = 0;
  double minute_began_s = server.now_s;
  ServerHealth* const servers[] = {&server.health};
  while (answered < 60) {
    if (ServerHealth::best_of(servers, 0, server.now()) == nullptr) {
      server.now_s = std::max(server.now_s, server.now_s + server.ready_in()) + 0.001;
      continue;
    }
    const Time sent = server.now();
    server.now_s += 0.01;
    if (server.now_s >= minute_began_s + 60) {
      minute_began_s = server.now_s;
      of_the_minute = 0;
    }
    const bool taken = ++of_the_minute <= 30;
    ++(taken ? answered : refused);
    server.health.settle(taken ? kAnswered : kLimited, sent, server.now());
  }
  EXPECT_LE(refused, 12);
  EXPECT_LE(server.now_s, 100 + 180);
}

TEST(ServerHealth, TellsOnceThatItIsGoneAndOnceThatItIsBack) {
  Watched server;
  server.health.fall_silent(server.now(), "connection refused");
  EXPECT_FALSE(server.health.take_trouble(server.at(100.5)));
  const auto gone = server.health.take_trouble(server.at(102));
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->why, "connection refused");
  EXPECT_EQ(gone->seconds, 2);
  EXPECT_FALSE(server.health.take_trouble(server.at(103)));
  server.health.hear();
  const auto back = server.health.take_trouble(server.at(104));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->why, "");
}

TEST(ServerHealth, PrefersTheOneWithTheFewestOutstanding) {
  Watched one, other;
  one.health.take(one.now());
  ServerHealth* const servers[] = {&one.health, &other.health};
  EXPECT_EQ(ServerHealth::best_of(servers, 0, one.now()), &other.health);
}

TEST(ServerHealth, AsksOneThatIsOutOnlyWhereAllAre) {
  Watched one, other;
  one.ask({.kind = Kind::kNoConnection});
  other.now_s = one.now_s;
  ServerHealth* const servers[] = {&one.health, &other.health};
  EXPECT_EQ(ServerHealth::best_of(servers, 0, one.now()), &other.health);
  other.ask({.kind = Kind::kUnwell}, 0);
  EXPECT_EQ(ServerHealth::best_of(servers, 0, one.now()), &other.health);  // it at least refuses
}

TEST(ServerHealth, IsNoStandInForOneThatIsHeldWhereNobodyIsThere) {
  Watched held, gone;
  held.ask(kAnswered);
  held.ask({.kind = Kind::kLimited, .overloaded = true, .retry_after_s = 7});
  gone.now_s = held.now_s;
  gone.ask({.kind = Kind::kNoConnection}, 0);
  ServerHealth* const servers[] = {&held.health, &gone.health};
  EXPECT_EQ(ServerHealth::best_of(servers, 0, held.at(held.now_s + 0.5)), nullptr);
  // Its own time has come: one request tries it.
  EXPECT_EQ(ServerHealth::best_of(servers, 0, held.at(held.now_s + 1.1)), &gone.health);
  EXPECT_EQ(ServerHealth::best_of(servers, 0, held.at(held.now_s + 1.1)), nullptr);
  EXPECT_EQ(ServerHealth::best_of(servers, 0, held.at(held.now_s + 7.1)), &held.health);
}

}  // namespace
}  // namespace theta
