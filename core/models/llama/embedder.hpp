#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "core/models/embedder.hpp"

struct llama_context;
struct llama_model;

namespace theta {

struct LlamaEmbedderOptions {
  std::filesystem::path path = {};  ///< a GGUF file: of an encoder, or of any language model
  int threads = 2;
  int gpu_layers = 0;          ///< layers kept on the GPU; -1: all; 0: no GPU is used
  std::size_t context = 2048;  ///< tokens of a text that are read; the model's own window at most
  /// Stands before every text: some models want `classification: ` or `search_document: `.
  std::string prefix = {};
};

/// An embedding model run in this process by llama.cpp. Texts are read one by one, pooled as the
/// file says, and by their mean where it says nothing, as for models that are made to write.
class LlamaEmbedder final : public Embedder {
 public:
  /// Loads the model.   @throws UserError if the file cannot be used, saying why.
  explicit LlamaEmbedder(LlamaEmbedderOptions options);
  ~LlamaEmbedder() override;

  std::string identity() const override;
  std::vector<std::vector<float>> embed(std::span<const std::string> texts,
                                        std::stop_token stop) override;

 private:
  struct Free {
    void operator()(llama_model* model) const;
    void operator()(llama_context* context) const;
  };

  std::vector<float> embed(const std::string& text);

  const LlamaEmbedderOptions options_;
  std::unique_ptr<llama_model, Free> model_;
  std::unique_ptr<llama_context, Free> context_;
  std::size_t window_ = 0;
  std::mutex embedding_;  // held while context_ is used
};

}  // namespace theta
