#include "core/models/llama/stream_planner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <stdexcept>

namespace theta {
namespace {

using ::testing::ElementsAre;
using Tokens = std::vector<Token>;

// A cache that holds what the steps say and checks the rules of llama.cpp's unified cache on the
// way. A growing sequence is continued by tokens of its own.
class Cache {
 public:
  explicit Cache(StreamPlanner::Limits limits) : limits_(limits), planner_(limits) {}

  std::size_t add(Tokens tokens, std::size_t length = 0, std::optional<std::size_t> from = {}) {
    const std::size_t last = tokens.size() - 1;
    const std::size_t number =
        planner_.add({tokens, length, from.value_or(last), requests_.value_or(asked_.size())});
    asked_.push_back({std::move(tokens), last + 1, length, from.value_or(last), 0});
    return number;
  }

  // One step. False: nothing was left to do.
  bool step() {
    const StreamPlanner::Step step = planner_.next();
    for (const auto& edit : step.edits) apply(edit);
    for (const std::size_t number : step.begun) begun_.push_back(number);
    if (step.entries.empty()) return false;
    EXPECT_LE(step.entries.size(), limits_.batch);
    std::map<std::size_t, std::size_t> cached;
    for (const auto& [slot, cells] : slots_) cached[slot] = cells.size();
    for (const auto& entry : step.entries) {
      EXPECT_EQ(std::set(entry.slots.begin(), entry.slots.end()).size(), entry.slots.size());
      for (const std::size_t slot : entry.slots) {
        EXPECT_LT(slot, limits_.slots);
        EXPECT_EQ(cached[slot], cached[entry.slots[0]]) << "coupled slots that differ";
        EXPECT_EQ(slots_[slot].size(), entry.position) << "positions of a slot have no gap";
        slots_[slot].push_back(cells_.size());
      }
      cells_.push_back(entry.token);
      (entry.position < asked_[entry.sequence].prompt ? computed_ : grown_) += 1;
    }
    EXPECT_LE(live(), limits_.cells);
    EXPECT_EQ(live(), planner_.held());
    for (const auto& read : step.reads) deliver(read, step.entries[read.entry].slots.front());
    return true;
  }
  void run() {
    while (step()) continue;
  }

  StreamPlanner& planner() { return planner_; }
  std::size_t computed() const { return computed_; }
  std::size_t grown() const { return grown_; }
  const std::vector<std::size_t>& begun() const { return begun_; }
  std::size_t unread() const {
    std::size_t n = 0;
    for (const auto& one : asked_) {
      n += one.reads != one.tokens.size() - one.from ? 1 : 0;
    }
    return n;
  }
  void one_request(std::optional<std::size_t> request) { requests_ = request; }

 private:
  struct Asked {
    Tokens tokens;  // what was appended included
    std::size_t prompt, length, from, reads;
  };

  void apply(const StreamPlanner::Edit& edit) {
    if (edit.from != edit.slot) {
      EXPECT_TRUE(slots_[edit.slot].empty()) << "a slot is copied to while in use";
      slots_[edit.slot] = slots_[edit.from];
      EXPECT_LE(edit.length, slots_[edit.slot].size());
    }
    slots_[edit.slot].resize(std::min(edit.length, slots_[edit.slot].size()));
  }

  std::size_t live() const {
    std::set<std::size_t> live;
    for (const auto& [slot, cells] : slots_) live.insert(cells.begin(), cells.end());
    return live.size();
  }

  void deliver(const StreamPlanner::Read& read, std::size_t slot) {
    Asked& one = asked_[read.sequence];
    ++one.reads;
    Tokens held;
    for (const std::size_t cell : slots_[slot]) held.push_back(cells_[cell]);
    ASSERT_GE(held.size(), read.position + 1);
    held.resize(read.position + 1);
    ASSERT_EQ(held, Tokens(one.tokens.begin(),
                           one.tokens.begin() + static_cast<std::ptrdiff_t>(read.position) + 1));
    if (one.length == 0 || read.position + 1 < one.tokens.size()) return;
    if (appended_[read.sequence] == one.length) {
      planner_.finish(read.sequence);
      return;
    }
    const auto token = static_cast<Token>(1000 + 100 * read.sequence + appended_[read.sequence]++);
    planner_.append(read.sequence, token);
    one.tokens.push_back(token);
  }

  StreamPlanner::Limits limits_;
  StreamPlanner planner_;
  std::vector<Asked> asked_;
  std::optional<std::size_t> requests_;
  std::map<std::size_t, std::size_t> appended_;
  std::map<std::size_t, std::vector<std::size_t>> slots_;
  std::vector<Token> cells_;
  std::vector<std::size_t> begun_;
  std::size_t computed_ = 0, grown_ = 0;
};

std::size_t distinct_nodes(const std::vector<Tokens>& sequences) {
  return prefix_tree_nodes(sequences);
}

Tokens range(Token first, std::size_t n) {
  Tokens out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(first + static_cast<Token>(i));
  return out;
}

Tokens joined(Tokens a, const Tokens& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr StreamPlanner::Limits kRoomy = {
    .cells = 4096, .slots = 32, .batch = 64, .ends = 4096, .patience = 1024};

TEST(StreamPlanner, ComputesWhatAWaveSharesOnce) {
  Cache cache(kRoomy);
  const Tokens beginning = range(1, 100);
  std::vector<Tokens> all;
  for (int i = 0; i < 20; ++i) all.push_back(joined(beginning, range(200 + 10 * i, 7)));
  for (const Tokens& tokens : all) cache.add(tokens);
  cache.run();
  EXPECT_EQ(cache.computed(), distinct_nodes(all));
  EXPECT_EQ(cache.unread(), 0U);
}

TEST(StreamPlanner, KeepsTheTreeFromOneWaveToTheNext) {
  Cache cache(kRoomy);
  cache.add(joined(range(1, 100), range(200, 7)));
  cache.run();
  cache.add(joined(range(1, 100), range(300, 5)));
  cache.run();
  EXPECT_EQ(cache.computed(), 107U + 5U);
}

TEST(StreamPlanner, ReadsTheLastTokenOfAPromptThatIsInTheCacheAgain) {
  Cache cache(kRoomy);
  for (int i = 0; i < 3; ++i) {
    cache.add(range(1, 50));
    cache.run();
  }
  EXPECT_EQ(cache.computed(), 52U);
  EXPECT_EQ(cache.planner().held(), 50U) << "and keeps it once";
  EXPECT_EQ(cache.unread(), 0U);
}

TEST(StreamPlanner, SamplesOfOnePromptReadItOnce) {
  Cache cache(kRoomy);
  for (int i = 0; i < 5; ++i) cache.add(range(1, 50), 10);
  cache.run();
  EXPECT_EQ(cache.computed(), 50U);
  EXPECT_EQ(cache.grown(), 50U);
  EXPECT_EQ(cache.unread(), 0U);
}

TEST(StreamPlanner, ContinuesWhatWasGeneratedWithoutReadingItAgain) {
  Cache cache(kRoomy);
  cache.add(range(1, 50), 10);
  cache.run();
  cache.add(joined(range(1, 50), joined(range(1000, 10), range(70, 2))));
  cache.run();
  EXPECT_EQ(cache.computed(), 52U);
}

TEST(StreamPlanner, FinishesABranchBeforeItLeavesIt) {
  Cache cache({.cells = 64, .slots = 4, .batch = 32, .ends = 0});
  // Arriving in turns, the branches would push each other out of the cache.
  std::vector<Tokens> all;
  for (int i = 0; i < 12; ++i) {
    all.push_back(joined(range(100 * (i % 3) + 1, 40), range(1000 + 10 * i, 4)));
  }
  for (const Tokens& tokens : all) cache.add(tokens);
  cache.run();
  EXPECT_EQ(cache.computed(), distinct_nodes(all));
}

TEST(StreamPlanner, DropsTheBranchUsedLeastRecently) {
  Cache cache({.cells = 100, .slots = 8, .batch = 100, .ends = 100});
  const auto ask = [&](Token first, Token own) {
    const std::size_t before = cache.computed();
    cache.add(joined(range(first, 30), {own}));
    cache.run();
    return cache.computed() - before;
  };
  for (const Token own : {901, 902}) {
    for (const Token first : {100, 200}) ask(first, own);
  }
  EXPECT_EQ(ask(100, 903), 1U) << "used again";
  for (const Token own : {904, 905}) ask(300, own);
  ask(400, 906);
  EXPECT_EQ(ask(100, 907), 1U);
  EXPECT_EQ(ask(200, 908), 31U) << "dropped";
}

TEST(StreamPlanner, KeepsWhatAWaitingSequenceBeginsWith) {
  Cache cache({.cells = 100, .slots = 8, .batch = 50, .ends = 100});
  for (const Token own : {901, 902}) cache.add(joined(range(100, 40), {own}));
  cache.run();
  for (const Token own : {901, 902}) cache.add(joined(range(200, 40), {own}));
  cache.run();
  // The first branch is the older one, but the last of these needs it.
  cache.add(range(300, 50));
  cache.add(joined(range(100, 40), {903}));
  const std::size_t before = cache.computed();
  cache.run();
  EXPECT_EQ(cache.computed() - before, 51U);
}

TEST(StreamPlanner, KeepsFewEndsThatNothingShares) {
  Cache cache({.cells = 4096, .slots = 32, .batch = 64, .ends = 20});
  for (int i = 0; i < 10; ++i) {
    cache.add(joined(range(1, 30), range(100 * (i + 1), 9)));
    cache.run();
  }
  EXPECT_EQ(cache.planner().held(), 30U + 2 * 9U);
  EXPECT_EQ(cache.computed(), 30U + 10 * 9U);
}

TEST(StreamPlanner, TheOptionsOfOneRequestDoNotMakeItsPromptAShared) {
  Cache cache({.cells = 4096, .slots = 32, .batch = 64, .ends = 0});
  cache.one_request(7);
  for (int i = 0; i < 3; ++i) cache.add(joined(range(1, 30), range(100 * (i + 1), 3)), 0, 29);
  cache.run();
  cache.add(range(900, 5));
  cache.run();
  EXPECT_EQ(cache.planner().held(), 5U);
  EXPECT_EQ(cache.computed(), 39U + 5U);
}

TEST(StreamPlanner, BeginsAtLastWhatOthersWerePreferredTo) {
  Cache cache({.cells = 200, .slots = 1, .batch = 16, .ends = 200, .patience = 5});
  const std::size_t lonely = cache.add(range(900, 3));
  cache.add(range(1, 15));
  std::size_t next = 0;
  // One that shares with the last begun is always there.
  while (cache.begun().empty() || cache.begun().back() != lonely) {
    cache.add(joined(range(1, 14), {static_cast<Token>(500 + next++)}));
    cache.step();
    ASSERT_LT(next, 50U);
  }
  EXPECT_GE(next, 3U);
}

TEST(StreamPlanner, AWaveLongerThanItsPatienceStillGoesBranchByBranch) {
  Cache cache({.cells = 64, .slots = 4, .batch = 32, .ends = 0, .patience = 20});
  std::vector<Tokens> all;
  for (int i = 0; i < 90; ++i) {
    all.push_back(joined(range(100 * (i % 3) + 1, 40), range(1000 + 10 * i, 4)));
  }
  for (const Tokens& tokens : all) cache.add(tokens);
  cache.run();
  const std::size_t returns = 90 / 20 + 1;  // to the branch of one that waited too long, and back
  EXPECT_LE(cache.computed(), distinct_nodes(all) + 2 * returns * 40);
}

TEST(StreamPlanner, NothingMoreIsDoneForWhatIsFinished) {
  Cache cache({.cells = 64, .slots = 4, .batch = 8, .ends = 64});
  const std::size_t read = cache.add(range(1, 30));
  const std::size_t waits = cache.add(range(100, 30));
  cache.step();
  cache.planner().finish(read);
  cache.planner().finish(waits);
  cache.run();
  EXPECT_EQ(cache.computed(), 8U);
  EXPECT_THAT(cache.begun(), ElementsAre(read));
}

TEST(StreamPlanner, RefusesWhatCannotFit) {
  StreamPlanner planner({.cells = 16, .slots = 1, .batch = 8});
  EXPECT_THROW(planner.add({range(1, 10), 7, 9}), std::logic_error);
  EXPECT_THROW(planner.add({{}, 0, 0}), std::logic_error);
}

// Sequences from a small alphabet share beginnings of every length; limits are tight.
TEST(StreamPlanner, AnswersEverySequenceWithinEveryLimit) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto draw = [&](std::size_t low, std::size_t high) {
      return std::uniform_int_distribution<std::size_t>(low, high)(random);
    };
    StreamPlanner::Limits limits{.cells = draw(24, 120), .slots = draw(1, 6)};
    limits.batch = limits.slots + draw(0, 20);
    limits.ends = draw(0, limits.cells);
    limits.patience = draw(1, 40);
    Cache cache(limits);
    std::size_t asked = 0;
    while (asked < 40) {
      for (std::size_t n = draw(0, 6); n > 0; --n, ++asked) {
        Tokens tokens;
        for (std::size_t length = draw(1, 16); length > 0; --length) {
          tokens.push_back(static_cast<Token>(draw(1, 2)));
        }
        const std::size_t from = draw(0, tokens.size() - 1);
        cache.one_request(asked / 2);
        cache.add(std::move(tokens), draw(0, 1) * draw(1, 8), from);
      }
      for (std::size_t n = draw(0, 4); n > 0; --n) cache.step();
      if (HasFailure()) return;
    }
    cache.run();
    ASSERT_EQ(cache.unread(), 0U);
  }
}

}  // namespace
}  // namespace theta
