#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/models/llama/batch_planner.hpp"
#include "core/models/llama/options.hpp"

struct llama_adapter_lora;
struct llama_context;
struct llama_model;

namespace theta {

/// A model's passes over a unified key-value cache, as a planner orders them. Not thread-safe.
class LlamaDecoder {
 public:
  /// @param model  outlives this
  /// @throws UserError if memory does not suffice, or an adapter is not of this model.
  LlamaDecoder(const LlamaOptions& options, llama_model* model);
  ~LlamaDecoder();

  /// Empties the cache.
  void clear();
  void edit(const std::vector<BatchPlanner::Edit>& edits);
  /// One pass.
  /// @param wanted  one an entry: whether logits() of it will be asked for
  /// @throws Interrupted when `stop` is requested, on a CPU also in the middle of the pass: what the
  ///   cache then holds is undefined.
  /// @throws RunError if llama.cpp fails.
  void decode(const std::vector<BatchPlanner::Entry>& entries, std::vector<std::int8_t> wanted,
              const std::stop_token& stop);
  /// What the model said at an entry of the last pass, one a token of the vocabulary.
  std::span<const float> logits(std::size_t entry) const;

 private:
  struct Free {
    void operator()(llama_context* context) const;
  };

  const std::string name_;
  const std::size_t batch_;
  std::unique_ptr<llama_context, Free> context_;
  std::size_t vocabulary_ = 0;
};

}  // namespace theta
