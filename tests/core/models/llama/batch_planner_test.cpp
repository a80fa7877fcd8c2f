#include "core/models/llama/batch_planner.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <stdexcept>

namespace theta {
namespace {

using Tokens = std::vector<Token>;
using Edit = BatchPlanner::Edit;
using Entry = BatchPlanner::Entry;

// A cache that holds what the steps say, checks the rules of llama.cpp's unified cache on the way,
// and answers every growing sequence with a continuation of its own.
class Simulation {
 public:
  Simulation(std::vector<BatchPlanner::Sequence> sequences, BatchPlanner::Limits limits)
      : sequences_(sequences), limits_(limits), planner_(std::move(sequences), limits) {}

  // `length_of(i)` is how many tokens sequence i is continued by.
  template <typename LengthOf>
  void run(LengthOf length_of) {
    while (true) {
      const BatchPlanner::Step step = planner_.next();
      if (step.entries.empty()) break;
      ASSERT_LE(step.entries.size(), limits_.batch);
      for (const Edit& edit : step.edits) apply(edit);
      std::map<std::size_t, std::size_t> cached;
      for (const auto& [slot, cells] : slots_) cached[slot] = cells.size();
      for (const Entry& entry : step.entries) {
        ASSERT_EQ(cells_.size(), cell_tokens_.size());
        for (const std::size_t slot : entry.slots) {
          ASSERT_LT(slot, limits_.slots);
          ASSERT_EQ(cached[slot], cached[entry.slots[0]]) << "coupled slots that differ";
          ASSERT_EQ(slots_[slot].size(), entry.position) << "positions of a slot have no gap";
          slots_[slot].push_back(cells_.size());
        }
        cells_.push_back(entry);
        cell_tokens_.push_back(entry.token);
      }
      ASSERT_LE(live_cells(), limits_.cells);
      for (const Entry& entry : step.entries) {
        Tokens expected = whole(entry.sequence);
        expected.resize(entry.position + 1);
        for (const std::size_t slot : entry.slots) {
          Tokens held;
          for (const std::size_t cell : slots_[slot]) held.push_back(cell_tokens_[cell]);
          held.resize(entry.position + 1);
          ASSERT_EQ(held, expected);
        }
        if (entry.position < sequences_[entry.sequence].tokens.size()) {
          ++computed_;
          continue_sharers(entry, length_of);
        } else {
          go_on(entry.sequence, length_of(entry.sequence));
        }
      }
      ++steps_;
    }
  }

  std::size_t computed() const { return computed_; }
  std::size_t steps() const { return steps_; }
  const std::map<std::size_t, Tokens>& grown() const { return grown_; }
  std::size_t read() const { return read_.size(); }

 private:
  void apply(const Edit& edit) {
    if (edit.from != edit.slot) {
      ASSERT_TRUE(slots_[edit.slot].empty()) << "a slot is copied to while in use";
      slots_[edit.slot] = slots_[edit.from];
    }
    ASSERT_LE(edit.length, slots_[edit.slot].size());
    slots_[edit.slot].resize(edit.length);
  }

  std::size_t live_cells() const {
    std::set<std::size_t> live;
    for (const auto& [slot, cells] : slots_) live.insert(cells.begin(), cells.end());
    return live.size();
  }

  Tokens whole(std::size_t sequence) {
    Tokens tokens = sequences_[sequence].tokens;
    const Tokens& grown = grown_[sequence];
    tokens.insert(tokens.end(), grown.begin(), grown.end());
    return tokens;
  }

  // The model's output at a sequence's last token starts its continuation.
  template <typename LengthOf>
  void continue_sharers(const Entry& entry, LengthOf length_of) {
    for (std::size_t i = 0; i < sequences_.size(); ++i) {
      const std::size_t last = sequences_[i].tokens.size() - 1;
      if (last != entry.position || planner_.bringer(i, last) != entry.sequence) continue;
      ASSERT_TRUE(read_.insert(i).second) << "read twice";
      if (sequences_[i].growth > 0) go_on(i, length_of(i));
    }
  }

  void go_on(std::size_t sequence, std::size_t length) {
    Tokens& grown = grown_[sequence];
    if (grown.size() == length) {
      planner_.finish(sequence);
      return;
    }
    grown.push_back(static_cast<Token>(1000 + sequence));
    planner_.append(sequence, grown.back());
  }

  std::vector<BatchPlanner::Sequence> sequences_;
  BatchPlanner::Limits limits_;
  BatchPlanner planner_;
  std::map<std::size_t, std::vector<std::size_t>> slots_;  // cells of each
  std::vector<Entry> cells_;
  Tokens cell_tokens_;
  std::map<std::size_t, Tokens> grown_;
  std::set<std::size_t> read_;
  std::size_t computed_ = 0;
  std::size_t steps_ = 0;
};

std::size_t distinct_prefixes(const std::vector<BatchPlanner::Sequence>& sequences) {
  std::set<Tokens> prefixes;
  for (const auto& sequence : sequences) {
    for (std::size_t n = 1; n <= sequence.tokens.size(); ++n) {
      prefixes.emplace(sequence.tokens.begin(),
                       sequence.tokens.begin() + static_cast<std::ptrdiff_t>(n));
    }
  }
  return prefixes.size();
}

TEST(BatchPlanner, BringsASharedBeginningOnceForAllThatShareIt) {
  BatchPlanner planner({{{1, 2, 3}}, {{1, 2, 4}}}, {.cells = 16, .slots = 4, .batch = 8});
  const BatchPlanner::Step step = planner.next();
  EXPECT_TRUE(step.edits.empty());
  const std::vector<Entry> expected = {
      {1, 0, 0, {0, 1}}, {2, 1, 0, {0, 1}}, {3, 2, 0, {0}}, {4, 2, 1, {1}}};
  EXPECT_EQ(step.entries, expected);
  EXPECT_TRUE(planner.next().entries.empty());
  EXPECT_EQ(planner.bringer(1, 1), 0U);
  EXPECT_EQ(planner.bringer(1, 2), 1U);
}

TEST(BatchPlanner, LetsTheNextSequenceTakeOverABranchThatIsDone) {
  BatchPlanner planner({{{1, 2, 3}}, {{1, 2, 4}}}, {.cells = 3, .slots = 1, .batch = 3});
  EXPECT_EQ(planner.next().entries.size(), 3U);
  const BatchPlanner::Step step = planner.next();
  EXPECT_EQ(step.edits, (std::vector<Edit>{{0, 0, 2}}));
  EXPECT_EQ(step.entries, (std::vector<Entry>{{4, 2, 1, {0}}}));
}

TEST(BatchPlanner, GivesNoSlotToWhatBringsNothing) {
  BatchPlanner planner({{{1, 2}}, {{1, 3}}, {{1, 2}}, {{1, 2}}},
                       {.cells = 16, .slots = 2, .batch = 8});
  EXPECT_EQ(planner.next().entries.size(), 3U);
  EXPECT_TRUE(planner.next().entries.empty());
}

TEST(BatchPlanner, GrowsSamplesOfOnePromptFromOneReading) {
  std::vector<BatchPlanner::Sequence> samples(5, {{1, 2, 3, 4}, 3});
  Simulation simulation(samples, {.cells = 64, .slots = 8, .batch = 16});
  simulation.run([](std::size_t i) { return i % 4; });
  EXPECT_EQ(simulation.computed(), 4U);
  EXPECT_EQ(simulation.steps(), 4U);
  EXPECT_EQ(simulation.grown().at(3), (Tokens{1003, 1003, 1003}));
}

TEST(BatchPlanner, AdmitsAGrowingSequenceOnlyWithRoomForAllItMayGrowTo) {
  BatchPlanner planner({{{1, 2}, 4}, {{1, 3}, 4}}, {.cells = 10, .slots = 4, .batch = 8});
  EXPECT_EQ(planner.next().entries.size(), 2U);  // 1 + 1 + 4 and 1 + 4 would be 11
  planner.append(0, 9);
  EXPECT_EQ(planner.next().entries, (std::vector<Entry>{{9, 2, 0, {0}}}));
  planner.finish(0);
  const BatchPlanner::Step step = planner.next();
  EXPECT_EQ(step.edits, (std::vector<Edit>{{0, 0, 1}}));
  EXPECT_EQ(step.entries, (std::vector<Entry>{{3, 1, 1, {0}}}));
}

TEST(BatchPlanner, RefusesASequenceLargerThanTheCache) {
  EXPECT_THROW(BatchPlanner({{{1, 2, 3}, 2}}, {.cells = 4, .slots = 1, .batch = 1}),
               std::logic_error);
}

TEST(BatchPlanner, ComputesEveryNodeOnceWithinAnyLimits) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    std::vector<BatchPlanner::Sequence> sequences(1 + below(30));
    std::size_t longest = 0;
    for (auto& sequence : sequences) {
      // A copy of an earlier one, the beginning of one with a tail of its own, or only the tail.
      const std::size_t kind = below(4);
      const auto earlier = static_cast<std::size_t>(&sequence - sequences.data());
      if (earlier > 0 && kind > 0) sequence.tokens = sequences[below(earlier)].tokens;
      if (earlier == 0 || kind < 3) {
        sequence.tokens.resize(below(sequence.tokens.size() + 1));
        for (std::size_t n = 1 + below(12); n > 0; --n) {
          sequence.tokens.push_back(static_cast<Token>(below(2)));
        }
      }
      if (below(2) == 0) sequence.growth = 1 + below(6);
      longest = std::max(longest, sequence.tokens.size() + sequence.growth);
    }
    const std::size_t slots = 1 + below(8);
    const BatchPlanner::Limits limits{
        .cells = longest + below(40), .slots = slots, .batch = slots + below(20)};
    Simulation simulation(sequences, limits);
    simulation.run([&](std::size_t i) { return (i * 7 + seed) % (sequences[i].growth + 1); });
    ASSERT_EQ(simulation.computed(), distinct_prefixes(sequences)) << "seed " << seed;
    ASSERT_EQ(simulation.read(), sequences.size()) << "seed " << seed;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      if (sequences[i].growth == 0) continue;
      ASSERT_EQ(simulation.grown().at(i).size(), (i * 7 + seed) % (sequences[i].growth + 1));
    }
  }
}

TEST(PrefixTreeNodes, CountsDistinctBeginnings) {
  EXPECT_EQ(prefix_tree_nodes({{1, 2, 3}, {4}, {1, 2}, {1, 5}}), 5U);
  EXPECT_EQ(prefix_tree_nodes({}), 0U);
}

}  // namespace
}  // namespace theta
