#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "core/signature.hpp"

namespace theta {

class TextIndex;

/// What a signature reads of some fields, as one text: the value of its input; of several, `name:
/// value` each.   @throws UserError naming a missing field.
std::string input_text(const Signature& signature, const Record& fields);

/// Demos that every input picks for itself out of a pool, those whose inputs are most like it: DSPy's
/// KNNFewShot (dspy 3.4.1, teleprompt/knn_fewshot.py), with the words that texts share in place of
/// embeddings. A value type whose copies share what they hold, which never changes. Thread-safe.
class NearestDemos {
 public:
  /// @param pool       holds every input of the signature   @throws UserError as input_text()
  NearestDemos(std::vector<Demo> pool, const Signature& signature, std::size_t k);

  /// The `k` demos of each input, the most alike last, where a model looks first. A demo of the
  /// very same inputs is passed over: it would tell the answer.
  std::vector<std::vector<Demo>> pick(const Signature& signature,
                                      std::span<const Record> inputs) const;

  /// The same pool with another number.
  NearestDemos with(std::size_t k) const;

  std::size_t k() const { return k_; }
  const std::vector<Demo>& pool() const { return held_->demos; }
  bool operator==(const NearestDemos& other) const;

 private:
  struct Held {
    std::vector<Demo> demos;
    std::vector<std::string> texts;  ///< input_text() of each
    std::shared_ptr<const TextIndex> index;
  };

  std::size_t k_;
  std::shared_ptr<const Held> held_;
};

}  // namespace theta
