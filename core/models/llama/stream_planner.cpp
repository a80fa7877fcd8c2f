#include "core/models/llama/stream_planner.hpp"

#include <algorithm>
#include <functional>
#include <span>
#include <tuple>

#include "core/result.hpp"

namespace theta {

// A run of tokens between two partings of the tree. Every leaf holds the slot that covers the path
// from the root to its end; an inner node is covered by the slots of the leaves under it.
struct StreamPlanner::Node {
  Node* parent = nullptr;
  std::vector<std::unique_ptr<Node>> children;
  std::size_t begin = 0;             // position of the first token
  std::vector<Token> tokens;         // in the cache, or computed in this step
  std::vector<std::size_t> entries;  // of this step: the last of the tokens
  std::optional<std::size_t> slot;   // a leaf's
  bool open = false;                 // a sequence may add to it
  std::size_t pins = 0;              // active sequences on whose path it is
  std::uint64_t used = 0;
  std::size_t request = 0;  // the first to come here
  bool shared = false;      // another one came too

  std::size_t end() const { return begin + tokens.size(); }
  bool in_step(std::size_t i) const { return i + entries.size() >= tokens.size(); }
};

bool StreamPlanner::Before::operator()(const Key& a, const Key& b) const {
  return std::tie(*a.first, a.second) < std::tie(*b.first, b.second);
}

StreamPlanner::StreamPlanner(Limits limits) : limits_(limits), root_(std::make_unique<Node>()) {
  require(limits.slots > 0 && limits.batch >= limits.slots, "a batch has a place for every slot");
  for (std::size_t slot = limits.slots; slot-- > 0;) free_slots_.push_back(slot);
}

StreamPlanner::~StreamPlanner() = default;

std::size_t StreamPlanner::add(Sequence sequence) {
  require(sequence.from < sequence.tokens.size(),
          "a sequence has a token that something is asked of");
  require(sequence.tokens.size() + sequence.growth <= limits_.cells,
          "every sequence fits the cache");
  const std::size_t number = added_++;
  const auto& kept = waiting_.emplace(number, Waiting{std::move(sequence), begun_}).first->second;
  order_.emplace(&kept.sequence.tokens, number);
  return number;
}

void StreamPlanner::append(std::size_t sequence, Token token) {
  Active& active = active_.at(sequence);
  require(!active.finished && !active.pending && active.grown < active.sequence.growth,
          "a sequence grows one token a step, as far as it said");
  active.pending = token;
}

void StreamPlanner::finish(std::size_t sequence) {
  if (const auto waiting = waiting_.find(sequence); waiting != waiting_.end()) {
    order_.erase({&waiting->second.sequence.tokens, sequence});
    waiting_.erase(waiting);
  } else if (const auto active = active_.find(sequence); active != active_.end()) {
    active->second.finished = true;
    active->second.pending.reset();
  }
}

bool StreamPlanner::done(const Active& active) const {
  return active.finished ||
         (active.sequence.growth == 0 && active.read == active.sequence.tokens.size());
}

StreamPlanner::Step StreamPlanner::next() {
  Step step;
  settle(step);
  for (auto& [number, active] : active_) {
    require(active.pending || active.read < active.sequence.tokens.size(),
            "a growing sequence that has been read is continued or finished");
    if (!active.pending) continue;
    put(active, number, *std::exchange(active.pending, std::nullopt), step);
    ++active.grown;
  }
  while (true) {
    if (reading_) {
      Active& active = active_.at(*reading_);
      read_on(active, *reading_, step);
      if (active.read < active.sequence.tokens.size()) break;
      reading_.reset();
    }
    if (waiting_.empty() || step.entries.size() == limits_.batch) break;
    const std::size_t number = choose();
    if (!begin(number, step)) break;
    reading_ = number;
  }
  require(!step.entries.empty() || (active_.empty() && waiting_.empty()),
          "what waits is begun when nothing else is left");
  return step;
}

// What was computed is in the cache now, and what is done makes way.
void StreamPlanner::settle(Step& step) {
  for (Node* node : nodes()) node->entries.clear();
  std::vector<Node*> left;
  for (auto at = active_.begin(); at != active_.end();) {
    Active& active = at->second;
    if (!done(active)) {
      ++at;
      continue;
    }
    if (reading_ == at->first) reading_.reset();
    ++clock_;
    for (Node* node = active.node; node != nullptr; node = node->parent) {
      --node->pins;
      node->used = clock_;
    }
    if (active.own) {
      active.node->open = false;
      left.push_back(active.node);
    }
    at = active_.erase(at);
  }
  // What says nothing that a neighbour does not say (the last token of a prompt that was in the
  // cache already, read again to see what follows) is not kept.
  for (Node* leaf : left) {
    if (leaf->pins > 0 || !leaf->children.empty()) continue;
    const auto& siblings = leaf->parent->children;
    const bool spare = std::any_of(siblings.begin(), siblings.end(), [&](const auto& other) {
      return other.get() != leaf &&
             common_prefix(other->tokens, leaf->tokens) == leaf->tokens.size();
    });
    if (spare || leaf->tokens.empty()) evict(*leaf, step);
  }
  trim_ends(step);
}

std::vector<StreamPlanner::Node*> StreamPlanner::nodes() const {
  std::vector<Node*> out = {root_.get()};
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (const auto& child : out[i]->children) out.push_back(child.get());
  }
  return out;
}

// The newest end stays in any case: a caller may ask one thing at a time.
void StreamPlanner::trim_ends(Step& step) {
  while (true) {
    std::vector<Node*> ends = nodes();
    std::erase_if(ends, [this](const Node* node) {
      return !node->slot || node->pins > 0 || node->shared || awaited(*node);
    });
    std::sort(ends.begin(), ends.end(), [](auto* a, auto* b) { return a->used < b->used; });
    std::size_t kept = 0;
    for (const Node* node : ends) kept += node->tokens.size();
    if (ends.size() <= 1 || kept <= limits_.ends) return;
    evict(*ends.front(), step);
  }
}

// The waiting sequence that shares most with the one begun last stands beside it in the order.
std::size_t StreamPlanner::choose() const {
  const auto oldest = waiting_.begin();
  if (begun_ - std::max(oldest->second.begun_before, oldest_begun_) > limits_.patience) {
    return oldest->first;
  }
  const auto after = order_.lower_bound({&last_, 0});
  if (after == order_.begin()) return after->second;
  const auto before = std::prev(after);
  const bool on = after != order_.end() &&
                  common_prefix(*after->first, last_) >= common_prefix(*before->first, last_);
  return on ? after->second : before->second;
}

// What the model says at a token computed in an earlier step is gone: from where it is wanted, only
// this step's tokens can be shared.
StreamPlanner::Place StreamPlanner::find(const Sequence& sequence) const {
  Place place{root_.get(), 0};
  std::size_t position = 0;
  while (true) {
    Place best{nullptr, 0};
    for (const auto& child : place.node->children) {
      const std::span<const Token> rest = std::span(sequence.tokens).subspan(position);
      std::size_t length = common_prefix(child->tokens, rest);
      const std::size_t wanted = sequence.from - std::min(sequence.from, position);
      if (length > wanted && !child->in_step(wanted)) length = wanted;
      if (length > best.offset) best = {child.get(), length};
    }
    if (best.node == nullptr) return place;
    place = best;
    position += best.offset;
    if (best.offset < best.node->tokens.size()) return place;
  }
}

StreamPlanner::Node& StreamPlanner::split(Node& node, std::size_t offset) {
  Node& parent = *node.parent;
  auto& place = *std::find_if(parent.children.begin(), parent.children.end(),
                              [&](const auto& child) { return child.get() == &node; });
  auto upper = std::make_unique<Node>();
  upper->parent = &parent;
  upper->begin = node.begin;
  const std::size_t computed = node.tokens.size() - node.entries.size();
  const auto cut = [](auto& from, auto& to, std::size_t n) {
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(n);
    to.assign(from.begin(), end);
    from.erase(from.begin(), end);
  };
  cut(node.entries, upper->entries, offset - std::min(offset, computed));
  cut(node.tokens, upper->tokens, offset);
  upper->pins = node.pins;
  upper->used = node.used;
  upper->request = node.request;
  upper->shared = node.shared;
  node.parent = upper.get();
  node.begin += offset;
  upper->children.push_back(std::move(place));
  place = std::move(upper);
  return *place;
}

StreamPlanner::Node& StreamPlanner::grow_leaf(Node& node, std::size_t shared, std::size_t request,
                                              std::span<const std::size_t> path, Step& step) {
  auto leaf = std::make_unique<Node>();
  leaf->parent = &node;
  leaf->begin = shared;
  leaf->open = true;
  leaf->pins = 1;
  leaf->used = clock_;
  leaf->request = request;
  if (node.slot) {
    leaf->slot = std::exchange(node.slot, std::nullopt);
  } else {
    leaf->slot = free_slots_.back();
    free_slots_.pop_back();
    const std::size_t cached = shared - path.size();
    const Node* source = &node;
    while (!source->slot && !source->children.empty()) source = source->children.front().get();
    if (cached > 0) step.edits.push_back({*source->slot, *leaf->slot, cached});
    for (const std::size_t entry : path) step.entries[entry].slots.push_back(*leaf->slot);
  }
  node.children.push_back(std::move(leaf));
  return *node.children.back();
}

bool StreamPlanner::begin(std::size_t number, Step& step) {
  Sequence& sequence = waiting_.at(number).sequence;
  auto [node, offset] = find(sequence);
  const std::size_t shared = node->begin + offset;
  const bool own = shared < sequence.tokens.size() || sequence.growth > 0;
  if (own && (offset < node->tokens.size() || node->open)) node = &split(*node, offset);

  const auto pin = [&, at = node](bool set) {
    for (Node* on = at; on != nullptr; on = on->parent) set ? ++on->pins : --on->pins;
  };
  pin(true);
  if (own) {
    const std::size_t rest = sequence.tokens.size() - shared + sequence.growth;
    if (reserved() + rest > limits_.cells || !make_slot(*node, step)) {
      pin(false);
      return false;
    }
  }

  std::vector<std::size_t> path;  // this step's entries on it, the last first
  for (const Node* on = node; on != nullptr; on = on->parent) {
    const std::size_t length = on == node ? shared - on->begin : on->tokens.size();
    for (std::size_t i = length; i-- > 0 && on->in_step(i);) {
      path.push_back(on->entries[i + on->entries.size() - on->tokens.size()]);
    }
  }
  for (std::size_t position = sequence.from; position < shared; ++position) {
    step.reads.push_back({number, position, path[shared - 1 - position]});
  }
  ++clock_;
  for (Node* on = node; on != nullptr; on = on->parent) {
    on->used = clock_;
    on->shared = on->shared || on->request != sequence.request;
  }

  if (own) node = &grow_leaf(*node, shared, sequence.request, path, step);

  const auto waiting = waiting_.find(number);
  order_.erase({&sequence.tokens, number});
  last_ = sequence.tokens;
  active_[number] = {std::move(sequence), node, own, shared, 0, std::nullopt, false};
  ++begun_;
  if (waiting == waiting_.begin()) oldest_begun_ = begun_;
  waiting_.erase(waiting);
  step.begun.push_back(number);
  return true;
}

void StreamPlanner::read_on(Active& active, std::size_t number, Step& step) {
  const std::vector<Token>& tokens = active.sequence.tokens;
  for (; active.read < tokens.size() && step.entries.size() < limits_.batch; ++active.read) {
    put(active, number, tokens[active.read], step);
  }
}

void StreamPlanner::put(Active& active, std::size_t number, Token token, Step& step) {
  while (held_ >= limits_.cells) {
    require(evict_one(step), "the cache has room for what was begun");
  }
  Node& leaf = *active.node;
  const std::size_t position = leaf.end();
  const std::size_t entry = step.entries.size();
  leaf.tokens.push_back(token);
  leaf.entries.push_back(entry);
  step.entries.push_back({token, position, number, {*leaf.slot}});
  if (position >= active.sequence.from) step.reads.push_back({number, position, entry});
  ++held_;
}

// A leaf that ends at `node` takes over its slot, or needs a free one.
bool StreamPlanner::make_slot(const Node& node, Step& step) {
  while (!node.slot && free_slots_.empty()) {
    if (!evict_one(step)) return false;
  }
  return true;
}

bool StreamPlanner::evict_one(Step& step) {
  std::vector<Node*> leaves = nodes();
  std::erase_if(leaves, [](const Node* node) { return !node->slot || node->pins > 0; });
  if (leaves.empty()) return false;
  const auto order = [](const Node* a, const Node* b) {
    return std::tie(a->shared, a->used) < std::tie(b->shared, b->used);
  };
  std::sort(leaves.begin(), leaves.end(), order);
  const auto idle =
      std::find_if(leaves.begin(), leaves.end(), [this](const Node* n) { return !awaited(*n); });
  evict(idle != leaves.end() ? **idle : *leaves.front(), step);
  return true;
}

// Its slot goes back to the parent if that is a leaf now.
void StreamPlanner::evict(Node& leaf, Step& step) {
  Node& parent = *leaf.parent;
  const std::size_t slot = *leaf.slot;
  held_ -= leaf.tokens.size();
  std::erase_if(parent.children, [&](const auto& child) { return child.get() == &leaf; });
  if (parent.children.empty() && parent.parent != nullptr) {
    step.edits.push_back({slot, slot, parent.end()});
    parent.slot = slot;
  } else {
    step.edits.push_back({slot, slot, 0});
    free_slots_.push_back(slot);
  }
}

// Whether a waiting sequence goes through the node.
bool StreamPlanner::awaited(const Node& node) const {
  if (waiting_.empty()) return false;
  std::vector<const Node*> path;
  for (const Node* on = node.parent; on != nullptr; on = on->parent) path.push_back(on);
  std::vector<Token> tokens;
  for (auto on = path.rbegin(); on != path.rend(); ++on) {
    tokens.insert(tokens.end(), (*on)->tokens.begin(), (*on)->tokens.end());
  }
  tokens.push_back(node.tokens.front());
  const auto found = order_.lower_bound({&tokens, 0});
  return found != order_.end() && common_prefix(*found->first, tokens) == tokens.size();
}

// Cells that must stay, or stay free, for what is active.
std::size_t StreamPlanner::reserved() const {
  std::size_t cells = 0;
  for (const Node* node : nodes()) cells += node->pins > 0 ? node->tokens.size() : 0;
  for (const auto& [number, active] : active_) {
    if (done(active)) continue;
    cells += active.sequence.tokens.size() - active.read + active.sequence.growth - active.grown;
  }
  return cells;
}

}  // namespace theta
