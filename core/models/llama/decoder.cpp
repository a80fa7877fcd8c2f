#include "core/models/llama/decoder.hpp"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>

#include "core/result.hpp"

namespace theta {

void LlamaDecoder::Free::operator()(llama_context* context) const { llama_free(context); }

LlamaDecoder::LlamaDecoder(const LlamaOptions& options, llama_model* model)
    : name_(options.path.filename().string()),
      batch_(options.batch),
      vocabulary_(static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model)))) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(options.context);
  params.n_batch = static_cast<std::uint32_t>(options.batch);
  params.n_ubatch = params.n_batch;
  params.n_seq_max = static_cast<std::uint32_t>(options.sequences);
  params.n_threads = options.threads;
  params.n_threads_batch = options.threads;
  params.kv_unified = true;
  context_.reset(llama_init_from_model(model, params));
  if (!context_) {
    throw UserError(
        fmt::format("{} does not fit this machine's memory with a context of {}: lower context",
                    name_, options.context));
  }

  std::vector<llama_adapter_lora*> adapters;
  std::vector<float> scales;
  for (const LoraAdapter& lora : options.lora) {
    const std::string where = lora.where.empty() ? "" : lora.where + ": ";
    adapters.push_back(llama_adapter_lora_init(model, lora.path.c_str()));  // freed with the model
    if (adapters.back() == nullptr) {
      throw UserError(fmt::format("{}{} is no LoRA adapter of {} (the log at level debug says why)",
                                  where, lora.path.string(), name_));
    }
    if (llama_adapter_get_alora_n_invocation_tokens(adapters.back()) > 0) {
      throw UserError(fmt::format(
          "{}{} is an adapter that only acts from a certain text on, which is not supported", where,
          lora.path.string()));
    }
    scales.push_back(static_cast<float>(lora.scale));
  }
  if (!adapters.empty()) {
    require(llama_set_adapters_lora(context_.get(), adapters.data(), adapters.size(),
                                    scales.data()) == 0,
            "an adapter that was loaded can be set");
  }
}

LlamaDecoder::~LlamaDecoder() = default;

void LlamaDecoder::clear() { llama_memory_clear(llama_get_memory(context_.get()), false); }

void LlamaDecoder::edit(const std::vector<BatchPlanner::Edit>& edits) {
  llama_memory_t memory = llama_get_memory(context_.get());
  for (const BatchPlanner::Edit& edit : edits) {
    const auto from = static_cast<llama_seq_id>(edit.from);
    const auto slot = static_cast<llama_seq_id>(edit.slot);
    const auto length = static_cast<llama_pos>(edit.length);
    if (from == slot) {
      require(llama_memory_seq_rm(memory, slot, length, -1), "the cache can be cut");
    } else {
      llama_memory_seq_cp(memory, from, slot, 0, length);
    }
  }
}

void LlamaDecoder::decode(const std::vector<BatchPlanner::Entry>& entries,
                          std::vector<std::int8_t> wanted, const std::stop_token& stop) {
  if (stop.stop_requested()) throw Interrupted("interrupted");
  const std::size_t n = entries.size();
  std::vector<llama_token> tokens(n);
  std::vector<llama_pos> positions(n);
  std::vector<std::int32_t> slot_counts(n);
  std::vector<std::vector<llama_seq_id>> slots(n);
  std::vector<llama_seq_id*> slot_lists(n);
  for (std::size_t i = 0; i < n; ++i) {
    tokens[i] = entries[i].token;
    positions[i] = static_cast<llama_pos>(entries[i].position);
    for (const std::size_t slot : entries[i].slots) {
      slots[i].push_back(static_cast<llama_seq_id>(slot));
    }
    slot_counts[i] = static_cast<std::int32_t>(slots[i].size());
    slot_lists[i] = slots[i].data();
  }
  const llama_batch batch{
      static_cast<std::int32_t>(n), tokens.data(),     nullptr,      positions.data(),
      slot_counts.data(),           slot_lists.data(), wanted.data()};

  llama_set_abort_callback(
      context_.get(),
      [](void* token) { return static_cast<const std::stop_token*>(token)->stop_requested(); },
      const_cast<std::stop_token*>(&stop));
  const std::int32_t status = llama_decode(context_.get(), batch);
  llama_synchronize(context_.get());  // a GPU is still computing, and the pass is timed
  llama_set_abort_callback(context_.get(), nullptr, nullptr);
  if (status == 2) throw Interrupted("interrupted");
  require(status != 1, "the planner keeps within the cache");
  if (status != 0) {
    throw RunError(fmt::format("llama.cpp could not compute a batch of {} tokens of {} (code {})",
                               n, name_, status));
  }
}

std::span<const float> LlamaDecoder::logits(std::size_t entry) const {
  return {llama_get_logits_ith(context_.get(), static_cast<std::int32_t>(entry)), vocabulary_};
}

}  // namespace theta
