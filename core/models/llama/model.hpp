#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/models/llama/chat_tokenizer.hpp"
#include "core/models/llama/decoder.hpp"
#include "core/models/llama/job.hpp"
#include "core/models/llama/options.hpp"

struct llama_model;

namespace theta {

class LlamaStream;

/// A model run in this process by llama.cpp.
///
/// Deterministic mode: a wave is computed in units of `unit` requests, each from an empty cache,
/// and waves of several threads one after the other. Within a unit every prefix that prompts share
/// is computed once (BatchPlanner), scored options and answers being generated fill the same
/// batches, and an answer that ends makes room for the next. With quantised weights the batches
/// that a prompt shares move its logits by tenths, so an answer is a function of its whole unit;
/// but of nothing else: same build, host and options, same answers bit for bit.
///
/// Throughput mode: requests of all threads are computed together as they arrive, over prefixes
/// that stay in the cache (LlamaStream). Each stands alone, and is the same again only from a
/// store.
///
/// Thread-safe.
class LlamaModel final : public LanguageModel {
 public:
  /// Loads the model.   @throws UserError if the file cannot be used, saying why.
  explicit LlamaModel(LlamaOptions options);
  ~LlamaModel() override;

  std::string identity() const override;
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  void check(std::span<const Request> wave) const override;
  std::size_t unit() const override { return stream_ ? 1 : options_.unit; }
  std::optional<std::size_t> count_tokens(const Request& request) const override;
  HostCounters counters() const override;

 private:
  struct Free {
    void operator()(llama_model* model) const;
  };

  std::size_t window() const;
  /// Why a request cannot be computed; nullopt: it fits the window.
  std::optional<std::string> misfit(const LlamaJob& job) const;
  void compute(std::span<LlamaJob> unit, const std::function<void(std::size_t)>& answered,
               const std::stop_token& stop);
  void count(const HostCounters& spent);
  const std::string& hash() const;

  const LlamaOptions options_;
  std::unique_ptr<llama_model, Free> model_;
  std::optional<ChatTokenizer> tokenizer_;
  std::optional<LlamaDecoder> decoder_;  // none for a dry run
  std::mutex computing_;                 // held while decoder_ is used in deterministic mode

  mutable std::once_flag hashed_;
  mutable std::string hash_;      // of the weights
  mutable std::string adapters_;  // as they stand in identity()
  mutable std::mutex counting_;
  HostCounters counters_;
  std::unique_ptr<LlamaStream> stream_;  // in throughput mode; stops first
};

}  // namespace theta
