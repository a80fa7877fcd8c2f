#include "core/models/llama/batch_planner.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/result.hpp"

namespace theta {

std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t length = 0;
  while (length < n && a[length] == b[length]) ++length;
  return length;
}

BatchPlanner::BatchPlanner(std::vector<Sequence> sequences, Limits limits)
    : limits_(limits), states_(sequences.size()), place_(sequences.size()) {
  require(limits.slots > 0 && limits.batch >= limits.slots, "a batch has a place for every slot");
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sequences[a].tokens < sequences[b].tokens;
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    State& state = states_[i];
    state.index = order[i];
    state.sequence = std::move(sequences[order[i]]);
    place_[order[i]] = i;
    require(!state.sequence.tokens.empty(), "a sequence has tokens");
    require(state.sequence.tokens.size() + state.sequence.growth <= limits.cells,
            "every sequence fits the cache");
    if (i > 0) state.shared = common_prefix(states_[i - 1].sequence.tokens, state.sequence.tokens);
  }
  for (std::size_t slot = limits.slots; slot-- > 0;) free_slots_.push_back(slot);
}

bool BatchPlanner::done(const State& state) const {
  return state.sequence.growth == 0 ? state.read == state.sequence.tokens.size() : state.finished;
}

std::size_t BatchPlanner::common(std::size_t first, std::size_t last) const {
  std::size_t length = states_[first].sequence.tokens.size();
  for (std::size_t i = first + 1; i <= last; ++i) length = std::min(length, states_[i].shared);
  return length;
}

// Whether the cache holds what is active, with room to grow, and the sequence at place `next`. If
// that one takes over the last active one's slot, the last one keeps nothing of its own.
bool BatchPlanner::has_room(std::size_t next, bool takes_over) const {
  std::vector<std::size_t> held = active_;
  if (takes_over) held.pop_back();
  held.push_back(next);
  std::size_t cells = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const State& state = states_[held[i]];
    cells += state.sequence.tokens.size() - (i > 0 ? common(held[i - 1], held[i]) : 0);
    cells += state.sequence.growth;
  }
  return cells <= limits_.cells;
}

BatchPlanner::Step BatchPlanner::next() {
  Pass pass;
  drop_done(pass.step);
  // Growing sequences come first: each takes one place of the batch.
  for (const std::size_t place : active_) {
    State& state = states_[place];
    require(state.pending || done(state) || state.read < state.sequence.tokens.size(),
            "a growing sequence that has been read is continued or finished");
    bring_pending(state, pass.step);
  }
  // Then the walk goes on.
  pass.cached = active_.empty() ? 0 : states_[active_.back()].read;
  while (read_on(pass) && admit(pass)) {
  }
  return std::move(pass.step);
}

void BatchPlanner::drop_done(Step& step) {
  // The last sequence stays although it is done: the next one shares most with it.
  for (std::size_t i = 0; i + 1 < active_.size();) {
    State& state = states_[active_[i]];
    if (!done(state)) {
      ++i;
      continue;
    }
    step.edits.push_back({*state.slot, *state.slot, 0});
    free_slots_.push_back(*std::exchange(state.slot, std::nullopt));
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void BatchPlanner::bring_pending(State& state, Step& step) {
  if (!state.pending) return;
  const std::size_t position = state.sequence.tokens.size() + state.grown++;
  step.entries.push_back({*state.pending, position, state.index, {*state.slot}});
  state.pending.reset();
}

bool BatchPlanner::read_on(Pass& pass) {
  if (active_.empty()) return true;
  State& state = states_[active_.back()];
  const std::vector<Token>& tokens = state.sequence.tokens;
  auto& entries = pass.step.entries;
  for (; state.read < tokens.size() && entries.size() < limits_.batch; ++state.read) {
    pass.path.push_back(entries.size());
    entries.push_back({tokens[state.read], state.read, state.index, {*state.slot}});
  }
  return state.read == tokens.size();
}

bool BatchPlanner::admit(Pass& pass) {
  auto& [step, cached, path] = pass;
  // One that is only read and equals the one before it brings nothing; nor does one that ended with
  // the first token drawn for it.
  while (upcoming_ < states_.size() && upcoming_ > 0 &&
         states_[upcoming_].shared == states_[upcoming_].sequence.tokens.size() &&
         (states_[upcoming_].sequence.growth == 0 || states_[upcoming_].finished)) {
    ++upcoming_;
  }
  if (upcoming_ == states_.size()) return false;

  State& state = states_[upcoming_];
  const bool takes_over = !active_.empty() && done(states_[active_.back()]) && path.empty();
  if ((!takes_over && free_slots_.empty()) || !has_room(upcoming_, takes_over)) return false;

  state.read = active_.empty() ? 0 : common(active_.back(), upcoming_);
  cached = std::min(cached, state.read);
  path.resize(state.read - cached);
  if (takes_over) {
    state.slot = std::exchange(states_[active_.back()].slot, std::nullopt);
    step.edits.push_back({*state.slot, *state.slot, cached});
    active_.pop_back();
  } else {
    state.slot = free_slots_.back();
    free_slots_.pop_back();
    if (cached > 0) step.edits.push_back({*states_[active_.back()].slot, *state.slot, cached});
  }
  for (const std::size_t entry : path) step.entries[entry].slots.push_back(*state.slot);
  active_.push_back(upcoming_++);
  bring_pending(state, step);
  return true;
}

std::size_t BatchPlanner::bringer(std::size_t sequence, std::size_t position) const {
  std::size_t place = place_.at(sequence);
  while (position < states_[place].shared) --place;
  return states_[place].index;
}

void BatchPlanner::append(std::size_t sequence, Token token) {
  State& state = states_[place_.at(sequence)];
  require(!state.finished && !state.pending && state.grown < state.sequence.growth,
          "a sequence grows one token a step, as far as it said");
  state.pending = token;
}

void BatchPlanner::finish(std::size_t sequence) { states_[place_.at(sequence)].finished = true; }

std::size_t prefix_tree_nodes(std::vector<std::vector<Token>> sequences) {
  std::sort(sequences.begin(), sequences.end());
  std::size_t nodes = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    nodes += sequences[i].size() - (i > 0 ? common_prefix(sequences[i - 1], sequences[i]) : 0);
  }
  return nodes;
}

}  // namespace theta
