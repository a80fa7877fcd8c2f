#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/batch_planner.hpp"
#include "core/chat_tokenizer.hpp"
#include "core/language_model.hpp"

struct llama_context;

namespace theta {

struct LlamaOptions {
  std::filesystem::path path = {};  ///< a GGUF file
  int threads = 2;
  int gpu_layers = 0;          ///< layers kept on the GPU; -1: all
  std::size_t context = 8192;  ///< tokens the cache holds, and the longest prompt with its answer
  std::size_t batch = 512;     ///< tokens a pass takes
  std::size_t sequences = 64;  ///< sequences the cache holds
  std::size_t unit = 64;       ///< requests computed together
  std::string chat_template = {};  ///< a name that llama.cpp knows; empty: the one in the file
  std::string convert = {};        ///< `q4_0` or `q8_0`: use the weights so; empty: as they are
  std::filesystem::path converted = {};  ///< the folder where converted weights are kept
  bool vocab_only = false;               ///< counts tokens and answers nothing: for a dry run
};

/// A model run in this process by llama.cpp.
///
/// A wave is computed in units of `unit` requests, each from an empty cache. Within a unit every
/// prefix that prompts share is computed once (BatchPlanner), scored options and answers being
/// generated fill the same batches, and an answer that ends makes room for the next. With quantised
/// weights the batches that a prompt shares move its logits by tenths, so an answer is a function
/// of its whole unit; but of nothing else: same build, host and options, same answers bit for bit.
///
/// An option's log-probability counts every token from where the options part from the prompt
/// itself. Where one option's tokens begin another's, each option is closed by the end of the turn.
///
/// Thread-safe: waves of several threads are computed one after the other.
class LlamaModel final : public LanguageModel {
 public:
  /// Loads the model. @throws UserError if the file cannot be used, saying why.
  explicit LlamaModel(LlamaOptions options);
  ~LlamaModel() override;

  std::string identity() const override;
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  void check(std::span<const Request> wave) const override;
  std::size_t unit() const override { return options_.unit; }
  std::optional<std::size_t> count_tokens(const Request& request) const override;
  HostCounters counters() const override;

 private:
  struct Free {
    void operator()(llama_model* model) const;
    void operator()(llama_context* context) const;
  };
  struct Job;

  Job prepare(const Request& request) const;
  void check_window(const Job& job) const;
  void compute(std::span<Job> unit, const std::function<void(Job&)>& answered,
               const std::stop_token& stop);
  void edit_cache(const std::vector<BatchPlanner::Edit>& edits);
  void decode(const std::vector<BatchPlanner::Entry>& entries, std::vector<std::int8_t> wanted,
              const std::stop_token& stop);

  const LlamaOptions options_;
  std::unique_ptr<llama_model, Free> model_;
  std::unique_ptr<llama_context, Free> context_;
  std::optional<ChatTokenizer> tokenizer_;

  const std::string& hash() const;

  mutable std::once_flag hashed_;
  mutable std::string hash_;
  std::mutex computing_;
  mutable std::mutex counting_;
  HostCounters counters_;
};

}  // namespace theta
