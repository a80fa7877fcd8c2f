#include "core/models/llama/embedder.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <cmath>

#include "core/models/llama/gguf_file.hpp"
#include "core/models/llama/start.hpp"
#include "core/result.hpp"
#include "core/sha256.hpp"

namespace theta {
namespace {

llama_context* context(const LlamaEmbedderOptions& options, llama_model* model, std::size_t window,
                       enum llama_pooling_type pooling) {
  llama_context_params params = llama_context_default_params();
  // An encoder reads a text in one pass.
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(window);
  params.n_threads = params.n_threads_batch = options.threads;
  params.embeddings = true;
  params.pooling_type = pooling;
  llama_context* made = llama_init_from_model(model, params);
  if (!made)
    throw UserError(
        fmt::format("{} does not fit this machine's memory with a context of {}: lower context",
                    options.path.filename().string(), window));
  return made;
}

}  // namespace

void LlamaEmbedder::Free::operator()(llama_model* model) const { llama_model_free(model); }
void LlamaEmbedder::Free::operator()(llama_context* context) const { llama_free(context); }

LlamaEmbedder::LlamaEmbedder(LlamaEmbedderOptions options) : options_(std::move(options)) {
  start_llama();
  check_gpu(options_.path, options_.gpu_layers);
  check_gguf(options_.path, GgufKind::kModel);
  model_.reset(load_weights(options_.path, options_.path, options_.gpu_layers, false));
  window_ =
      std::min(options_.context, static_cast<std::size_t>(llama_model_n_ctx_train(model_.get())));
  context_.reset(context(options_, model_.get(), window_, LLAMA_POOLING_TYPE_UNSPECIFIED));
  if (llama_pooling_type(context_.get()) == LLAMA_POOLING_TYPE_NONE)
    context_.reset(context(options_, model_.get(), window_, LLAMA_POOLING_TYPE_MEAN));
}

LlamaEmbedder::~LlamaEmbedder() = default;

std::string LlamaEmbedder::identity() const {
  return fmt::format("llama.cpp {} weights {} context {} prefix '{}'", THETA_LLAMA_VERSION,
                     sha256_file(options_.path), window_, options_.prefix);
}

std::vector<std::vector<float>> LlamaEmbedder::embed(std::span<const std::string> texts,
                                                     std::stop_token stop) {
  const std::lock_guard lock(embedding_);
  std::vector<std::vector<float>> out;
  for (const std::string& text : texts) {
    if (stop.stop_requested()) throw Interrupted("interrupted");
    out.push_back(embed(text));
  }
  return out;
}

std::vector<float> LlamaEmbedder::embed(const std::string& text) {
  if (text.empty()) throw UserError("an empty text has no embedding");
  const std::string read = options_.prefix + text;
  const llama_vocab* vocabulary = llama_model_get_vocab(model_.get());
  std::vector<llama_token> tokens(read.size() + 2);  // a byte or more each, and those at the ends
  const std::int32_t count = llama_tokenize(
      vocabulary, read.data(), static_cast<std::int32_t>(read.size()), tokens.data(),
      static_cast<std::int32_t>(tokens.size()), /*add_special=*/true, /*parse_special=*/false);
  require(count > 0, "a text has a token, and no more than bytes");
  tokens.resize(std::min(static_cast<std::size_t>(count), window_));

  llama_memory_clear(llama_get_memory(context_.get()), true);
  const std::int32_t status = llama_decode(
      context_.get(), llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size())));
  if (status != 0)
    throw RunError(fmt::format("llama.cpp could not read a text of {} tokens with {} (code {})",
                               tokens.size(), options_.path.filename().string(), status));
  const float* pooled = llama_get_embeddings_seq(context_.get(), 0);
  require(pooled != nullptr, "a text that was read has an embedding");
  const auto width = static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
  std::vector<float> out(pooled, pooled + width);
  double square = 0;
  for (const float x : out) square += static_cast<double>(x) * x;
  require(std::isfinite(square) && square > 0, "the output of a model has a direction");
  for (float& x : out) x = static_cast<float>(x / std::sqrt(square));
  return out;
}

}  // namespace theta
