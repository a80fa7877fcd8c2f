#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace theta {

using Token = std::int32_t;

/// Plans how token sequences with common beginnings pass through a model with a key-value cache:
/// the sequences form a prefix tree, and every node of it is computed once.
///
/// The sequences are taken in lexicographic order, which is a depth-first walk of the tree, so that
/// whatever a sequence shares with any sequence before it, it shares with the one just before it.
/// Batches are filled up across branches. A branch leaves the cache as soon as nothing needs it: a
/// sequence that is only read when the next one has taken over its beginning, one that grows (its
/// continuation is generated) when it is finished. A growing sequence is admitted only when the
/// cache has room for all that it may grow to, so that nothing is ever evicted or computed again.
///
/// Knows nothing of models. A pure function of its arguments and of the order of calls: the same
/// sequences give the same batches. Not thread-safe.
class BatchPlanner {
 public:
  struct Sequence {
    std::vector<Token> tokens;  ///< at least one
    std::size_t growth = 0;     ///< how many tokens append() may add; 0: it is only read
  };

  struct Limits {
    std::size_t cells = 0;  ///< tokens the cache holds
    std::size_t slots = 0;  ///< sequences the cache holds
    std::size_t batch = 0;  ///< tokens a pass takes
  };

  /// A change of the cache: slot `slot` becomes the first `length` tokens of slot `from`. Where
  /// both are the same, it is cut to that length.
  struct Edit {
    std::size_t from = 0;
    std::size_t slot = 0;
    std::size_t length = 0;
    bool operator==(const Edit&) const = default;
  };

  /// One token to compute. It belongs to every slot listed.
  struct Entry {
    Token token = 0;
    std::size_t position = 0;
    std::size_t sequence = 0;  ///< the index of the sequence that brought it
    std::vector<std::size_t> slots;
    bool operator==(const Entry&) const = default;
  };

  /// What the model does next: the edits in their order, then one pass over the entries.
  struct Step {
    std::vector<Edit> edits;
    std::vector<Entry> entries;
  };

  /// @throws std::logic_error unless every sequence fits the cells together with its growth.
  BatchPlanner(std::vector<Sequence> sequences, Limits limits);

  /// The next step. Without entries: every sequence has been read and every growing one finished.
  /// Each growing sequence that has been read must have been given a token or finished meanwhile.
  Step next();

  /// The sequence whose entry brings the token at `position` of `sequence`: itself or one that
  /// shares it. What the model says there holds for both.
  std::size_t bringer(std::size_t sequence, std::size_t position) const;

  /// Continues a growing sequence that has been read, or one whose beginning another has read.
  void append(std::size_t sequence, Token token);
  /// Nothing will be appended any more.
  void finish(std::size_t sequence);

 private:
  struct State {
    Sequence sequence;
    std::size_t index = 0;   // in the caller's order
    std::size_t shared = 0;  // tokens shared with the one before
    std::size_t read = 0;    // tokens brought into the cache, this step's included
    std::optional<std::size_t> slot;
    std::optional<Token> pending;  // appended, not yet computed
    std::size_t grown = 0;         // appended and computed
    bool finished = false;
  };

  /// A step on its way. `path[i]` is the entry of it that brings token `cached + i` of the sequence
  /// being read; what comes before is in the cache.
  struct Pass {
    Step step = {};
    std::size_t cached = 0;
    std::vector<std::size_t> path = {};
  };

  void drop_done(Step& step);
  static void bring_pending(State& state, Step& step);
  bool read_on(Pass& pass);  ///< @return whether the last sequence has been read whole
  bool admit(Pass& pass);    ///< @return whether another sequence has begun
  bool done(const State& state) const;
  bool has_room(std::size_t next, bool takes_over) const;
  std::size_t common(std::size_t first, std::size_t last) const;

  Limits limits_;
  std::vector<State> states_;            // in lexicographic order
  std::vector<std::size_t> place_;       // of the caller's index in states_
  std::vector<std::size_t> active_;      // places that hold a slot, in order
  std::vector<std::size_t> free_slots_;  // descending
  std::size_t upcoming_ = 0;             // first place not started
};

/// Length of the common beginning.
std::size_t common_prefix(std::span<const Token> a, std::span<const Token> b);

/// Nodes of the sequences' prefix tree: the tokens that reading all of them takes.
std::size_t prefix_tree_nodes(std::vector<std::vector<Token>> sequences);

}  // namespace theta
