#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/models/http/client.hpp"
#include "core/models/llama/chat_tokenizer.hpp"
#include "tests/support/process.hpp"

namespace theta {

/// A llama-server of the same source as the embedded engine, for the life of this: two threads,
/// prompt cache on.
class LlamaServer {
 public:
  /// Starts it and waits until the model is loaded.
  /// @param cells  tokens of the cache, of each slot
  /// @throws RunError if it ends before.
  LlamaServer(const std::string& binary, const std::filesystem::path& model, int slots, int cells);

  std::string url() const;

  struct Asked {
    std::vector<Token> prompt;
    int tokens = 1;    ///< exactly as many are generated
    int logprobs = 0;  ///< the likeliest to be listed for each
  };
  struct Spent {
    std::int64_t prompt_tokens = 0;  ///< passed to llama_decode
    double seconds = 0;
  };
  /// Keeps every slot busy, in this order.   @throws RunError if an answer is no answer.
  Spent ask(const std::vector<Asked>& wave);

 private:
  int port_;
  Process process_;
  HttpClient client_;
};

}  // namespace theta
