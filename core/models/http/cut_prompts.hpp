#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/models/language_model.hpp"

namespace theta {

/// Tells by a server's count of tokens whether it cuts prompts in silence, as Ollama does at
/// num_ctx. No tokenizer makes so few tokens of a text as a cut leaves: where the longest prompt has
/// more than kLettersPerToken letters for each token of the largest count, or where several prompts
/// are counted as the same largest number: of lengths that differ by a quarter, or at all where the
/// number is a multiple of 256, as windows are.
///
/// Letters are characters but for white space and repetitions, which tokenizers join. A server that
/// leaves out what it had cached counts the first of its prompts whole, and is not suspected.
class CutPrompts {
 public:
  static constexpr double kLettersPerToken = 6;

  /// @return the count that prompts are cut to, once it shows, the first time.
  std::optional<std::int64_t> add(const Request& request, std::int64_t tokens);

 private:
  std::int64_t most_tokens_ = 0;  // of any prompt
  std::size_t longest_ = 0;       // letters, of any prompt
  // Prompts that were counted as most_tokens_, and their bytes.
  std::size_t alike_ = 0, shortest_alike_ = 0, longest_alike_ = 0;
  bool told_ = false;
};

}  // namespace theta
