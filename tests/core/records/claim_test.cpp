#include "core/records/claim.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "core/records/store.hpp"
#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using State = ClaimState::State;

/// A process of a machine that is not this one.
Holder on(const std::string& host) { return {host, "kernel of " + host, 7}; }

constexpr ClaimTimes kPatient{5ms, 1h};  // nobody is taken for dead
constexpr ClaimTimes kHasty{5ms, 0ms};   // who did not move between two looks is
constexpr ClaimTimes kNoBeats{1h, 0ms};

class ClaimTest : public testing::Test {
 protected:
  void write_claim(int number, const std::string& text) const {
    folder_.write("run.db.claim." + std::to_string(number), text);
  }
  static std::string held_by(const std::string& host, int beats) {
    return R"({"host":")" + host + R"(","pid":7,"state":"held","beats":)" + std::to_string(beats) +
           R"(,"doing":"judging","machine":"kernel of )" + host + R"(","locked":true})";
  }
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      names.insert(entry.path().filename());
    return names;
  }

  const TemporaryFolder folder_;
  const fs::path file_ = folder_.path() / "run.db";
};

TEST_F(ClaimTest, IsOneProcesssUntilItIsGivenBack) {
  Claims a(on("a"), kPatient), b(on("b"), kPatient);
  auto claim = a.take(file_);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->number(), 1);
  EXPECT_FALSE(b.take(file_));
  EXPECT_FALSE(a.take(file_));
  claim.reset();
  EXPECT_EQ(look_at_claim(file_).state, State::kGivenBack);
  claim = b.take(file_);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->number(), 2);
}

TEST_F(ClaimTest, SaysWhoHoldsItAndWhatTheyDo) {
  EXPECT_EQ(look_at_claim(file_).state, State::kNone);
  Claims a(on("a"), kPatient);
  const auto claim = a.take(file_);
  claim->tell([] { return std::string("judging"); });
  while (look_at_claim(file_).doing.empty()) std::this_thread::sleep_for(1ms);
  const ClaimState state = look_at_claim(file_);
  EXPECT_EQ(state.state, State::kHeld);
  EXPECT_EQ(state.number, 1);
  EXPECT_EQ(state.holder.name(), "a:7");
  EXPECT_EQ(state.doing, "judging");
  EXPECT_TRUE(state.held_elsewhere());
}

TEST_F(ClaimTest, TellsWhatEndedFromWhatWasGivenBackAndForGoodLeavesNothing) {
  Claims claims(Holder::self(), kPatient);
  claims.take(file_)->end(false);
  EXPECT_EQ(look_at_claim(file_).state, State::kEnded);
  auto again = claims.take(file_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->number(), 2);
  EXPECT_EQ(files(), std::set<std::string>{"run.db.claim.2"});
  again->end(true);
  again.reset();
  EXPECT_TRUE(files().empty());
}

TEST_F(ClaimTest, IsHadByOneOfManyWhoAskAtOnce) {
  constexpr int kThreads = 8, kRounds = 100;
  std::barrier together(kThreads);
  std::atomic<int> holders = 0;
  std::array<int, kRounds> had{};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&, i] {
        Claims claims(on(std::to_string(i)), kPatient);
        for (int& of_round : had) {
          together.arrive_and_wait();
          auto claim = claims.take(file_);
          holders += claim ? 1 : 0;
          together.arrive_and_wait();
          if (i == 0) of_round = holders.exchange(0);
          together.arrive_and_wait();
        }
      });
  }
  for (const int n : had) EXPECT_EQ(n, 1);
}

TEST_F(ClaimTest, OfAProcessThatDiedOnThisMachineIsFreeAtOnce) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    Claims claims(Holder::self(), kPatient);
    const auto claim = claims.take(file_);
    [[maybe_unused]] const auto told = ::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  Claims claims(Holder::self(), kHasty);
  ::kill(child, SIGSTOP);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(claims.take(file_)) << "it lives, and says nothing";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(look_at_claim(file_).state, State::kGivenBack);
  const auto claim = claims.take(file_);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->number(), 2);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(ClaimTest, OfAnotherMachineIsTakenOverOnceItHasNotMovedForItsLease) {
  Claims claims(on("b"), kNoBeats);
  write_claim(4, held_by("a", 1));
  EXPECT_FALSE(claims.take(file_));
  write_claim(4, held_by("a", 2));
  EXPECT_FALSE(claims.take(file_)) << "it moved";
  const auto claim = claims.take(file_);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->number(), 5);
  EXPECT_EQ(files(), std::set<std::string>{"run.db.claim.5"});
}

TEST_F(ClaimTest, ThatCannotBeReadIsAnothers) {
  Claims claims(on("b"), kNoBeats);
  write_claim(1, "{\"host\": 3");
  EXPECT_TRUE(look_at_claim(file_).held_elsewhere());
  EXPECT_EQ(look_at_claim(file_).holder.name(), "");
  EXPECT_FALSE(claims.take(file_));
  EXPECT_TRUE(claims.take(file_));
}

TEST_F(ClaimTest, AHolderWhoWasTakenForDeadIsToldAndLeavesTheOthersClaimAlone) {
  Claims a(on("a"), kPatient), b(on("b"), kHasty);
  auto lost = a.take(file_);
  std::unique_ptr<Claim> claim;
  while (!claim) claim = b.take(file_);  // two looks between two beats
  while (!lost->lost().stop_requested()) std::this_thread::sleep_for(1ms);
  lost->end(true);
  lost.reset();
  const ClaimState state = look_at_claim(file_);
  EXPECT_EQ(state.state, State::kHeld);
  EXPECT_EQ(state.holder.name(), "b:7");
  EXPECT_EQ(state.number, claim->number());
}

TEST_F(ClaimTest, IsLostWhereNoBeatCouldBeWrittenForTheLease) {
  Claims a(on("a"), {1ms, -1ms});  // every beat comes too late
  const auto claim = a.take(file_);
  while (!claim->lost().stop_requested()) std::this_thread::sleep_for(1ms);
}

TEST_F(ClaimTest, ThatCannotBeMadeIsAnError) {
  Claims claims(on("a"), kPatient);
  EXPECT_EQ(message_of<RunError>([&] { claims.take(folder_.path() / "none" / "run.db"); }),
            (folder_.path() / "none" / "run.db.claim.1").string() +
                ": cannot be made: No such file or directory");
}

TEST_F(ClaimTest, WaitsUntilItCanBeHadOrIsStopped) {
  Claims a(on("a"), kPatient), b(on("b"), kPatient);
  auto first = a.take(file_);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(b.wait(file_, stop.get_token()), Interrupted);
  std::jthread later([&] { first.reset(); });
  EXPECT_EQ(b.wait(file_, {})->number(), 2);
}

TEST_F(ClaimTest, ARecordOfAnotherMachinesIsNotOpened) {
  { const Store store(file_); }
  Claims a(on("a"), kPatient);
  const auto claim = a.take(file_);
  for (const auto access : {Store::Access::kRead, Store::Access::kWrite})
    EXPECT_EQ(message_of<UserError>([&] { Store(file_, access); }),
              folder_.path().string() + " is in use by a:7, on another machine");
}

}  // namespace
}  // namespace theta
