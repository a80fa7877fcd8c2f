#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/models/llama/batch_planner.hpp"

namespace theta {

/// Plans the passes of sequences that arrive at any time, over a key-value cache that keeps what it
/// has read: a radix tree over token prefixes that lives as long as the planner.
///
/// A sequence begins where the tree parts from it. What it reads stays in the cache, and when room
/// is needed the branches used least recently go: first the ends that nothing has shared, of which
/// only a few are kept at all, then what no waiting sequence begins with. Of the sequences that
/// wait, the one nearest to the last begun is begun next, so that a branch is finished before the
/// walk leaves it; one that many were preferred to is begun at last whatever it shares. A sequence
/// that grows is begun only when the cache has room for all that it may grow to, so that none is
/// ever stopped half way and computed again.
///
/// Knows nothing of models. A pure function of the order of calls. Not thread-safe.
class StreamPlanner {
 public:
  using Edit = BatchPlanner::Edit;
  using Entry = BatchPlanner::Entry;

  struct Sequence {
    std::vector<Token> tokens;  ///< at least one
    std::size_t growth = 0;     ///< how many tokens append() may add; 0: it is only read
    std::size_t from = 0;       ///< what the model says is wanted from this position on
    std::size_t request = 0;    ///< sequences of one request do not make a branch a shared one
  };

  struct Limits {
    std::size_t cells = 0;        ///< tokens the cache holds
    std::size_t slots = 0;        ///< sequences the cache holds
    std::size_t batch = 0;        ///< tokens a pass takes
    std::size_t ends = 0;         ///< tokens kept of ends that nothing has shared; one stays anyway
    std::size_t patience = 1024;  ///< sequences preferred to the one that waits longest
  };

  /// Entry `entry` is the token at `position` of a sequence that wants what the model says there.
  struct Read {
    std::size_t sequence = 0;
    std::size_t position = 0;
    std::size_t entry = 0;
  };

  /// What the model does next: the edits in their order, then one pass over the entries.
  struct Step {
    std::vector<Edit> edits;
    std::vector<Entry> entries;
    std::vector<Read> reads;         ///< of one sequence in the order of its positions
    std::vector<std::size_t> begun;  ///< sequences that no longer wait
  };

  explicit StreamPlanner(Limits limits);
  ~StreamPlanner();

  /// Lets a sequence wait.   @return its number, from 0 in the order of arrival.
  /// @throws std::logic_error unless it fits the cells together with its growth.
  std::size_t add(Sequence sequence);
  /// Continues a growing sequence by the token that the model's last answer for it gave.
  void append(std::size_t sequence, Token token);
  /// Nothing more is wanted of a sequence, waiting or begun.
  void finish(std::size_t sequence);

  /// The next step. Without entries: nothing is left to compute. Each growing sequence that has
  /// been read must have been given a token or finished meanwhile.
  Step next();

  /// Tokens in the cache.
  std::size_t held() const { return held_; }

 private:
  struct Node;
  struct Waiting {
    Sequence sequence;
    std::size_t begun_before = 0;  // begun_ when it came
  };
  struct Active {
    Sequence sequence;
    Node* node = nullptr;   // where its path ends
    bool own = false;       // that node is its leaf, to which it adds
    std::size_t read = 0;   // tokens in the cache or in this step
    std::size_t grown = 0;  // appended and in the cache or in this step
    std::optional<Token> pending;
    bool finished = false;
  };
  struct Place {
    Node* node;          // the last one reached
    std::size_t offset;  // tokens of it that match
  };
  using Key = std::pair<const std::vector<Token>*, std::size_t>;
  struct Before {
    bool operator()(const Key& a, const Key& b) const;
  };

  Place find(const Sequence& sequence) const;
  Node& split(Node& node, std::size_t offset);
  std::size_t choose() const;
  bool begin(std::size_t number, Step& step);
  /// A child of a node's for what a sequence has of its own: it takes the node's slot over, or copies
  /// what is cached of it.
  /// @param path  this step's entries on it, the last first
  Node& grow_leaf(Node& node, std::size_t shared, std::size_t request,
                  std::span<const std::size_t> path, Step& step);
  void read_on(Active& active, std::size_t number, Step& step);
  void put(Active& active, std::size_t number, Token token, Step& step);
  bool done(const Active& active) const;
  void settle(Step& step);
  void trim_ends(Step& step);
  bool make_slot(const Node& node, Step& step);
  bool evict_one(Step& step);
  void evict(Node& leaf, Step& step);
  bool awaited(const Node& node) const;
  std::vector<Node*> nodes() const;
  std::size_t reserved() const;

  const Limits limits_;
  std::unique_ptr<Node> root_;
  std::vector<std::size_t> free_slots_;     // descending
  std::map<std::size_t, Waiting> waiting_;  // by number
  std::set<Key, Before> order_;             // of those, lexicographic
  std::map<std::size_t, Active> active_;    // by number
  std::optional<std::size_t> reading_;      // the only active one that is read in part
  std::vector<Token> last_;                 // the tokens of the sequence begun last
  std::size_t held_ = 0;
  std::size_t added_ = 0;
  std::size_t begun_ = 0;
  std::size_t oldest_begun_ = 0;  // begun_ when the one that had waited longest was begun
  std::uint64_t clock_ = 0;
};

}  // namespace theta
