#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace theta {

/// How the requests of a model in this process share batches.
enum class LlamaMode {
  kDeterministic,  ///< planned from the whole wave: the same wave, the same answers bit for bit
  kThroughput      ///< by arrival, over a cache that stays: as fast as it goes
};

/// Low-rank changes to a model's weights (Hu et al. 2021), from a GGUF file.
struct LoraAdapter {
  std::filesystem::path path;
  double scale = 1;
  std::string where = {};  ///< in the config, for messages; may be empty
};

struct LlamaOptions {
  std::filesystem::path path = {};  ///< a GGUF file
  LlamaMode mode = LlamaMode::kDeterministic;
  int threads = 2;             ///< a long prompt's answer depends on it in its last digits
  int gpu_layers = 0;          ///< layers kept on the GPU; -1: all; 0: no GPU is used
  std::size_t context = 8192;  ///< tokens the cache holds, and the longest prompt with its answer
  std::size_t batch = 512;     ///< tokens a pass takes
  std::size_t sequences = 64;  ///< sequences the cache holds
  std::size_t unit = 64;       ///< requests computed together; in throughput mode each stands alone
  std::string chat_template = {};  ///< a name that llama.cpp knows; empty: the one in the file
  std::string convert = {};        ///< `q4_0` or `q8_0`: use the weights so; empty: as they are
  std::filesystem::path converted = {};  ///< the folder where converted weights are kept
  std::vector<LoraAdapter> lora = {};    ///< all at once
  bool vocab_only = false;               ///< counts tokens and answers nothing: for a dry run
};

}  // namespace theta
