#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "core/models/language_model.hpp"
#include "core/models/llama/decoder.hpp"
#include "core/models/llama/job.hpp"
#include "core/models/llama/stream_planner.hpp"

namespace theta {

/// Throughput mode: the waves of many threads, batched as they arrive by a thread that owns the
/// decoder. Prefixes that were read stay in the cache from wave to wave (StreamPlanner). What
/// batches hold depends on time, and so, by tenths of a logit, do answers.
///
/// Thread-safe.
class LlamaStream {
 public:
  using Count = std::function<void(const HostCounters&)>;

  /// Both outlive this.   @param count  is told what each pass has spent.
  LlamaStream(LlamaDecoder& decoder, const LlamaOptions& options, Count count);
  /// No call may be in progress.
  ~LlamaStream();

  /// Answers every job, in any order and one at a time.   @throws as LanguageModel::complete.
  void complete(std::vector<LlamaJob> jobs, const LanguageModel::OnAnswer& on_answer,
                std::stop_token stop);

 private:
  struct Call;
  struct Sequence;

  void work();
  void take_calls();
  void enter(Call& call);
  void pass();
  void deliver(const Sequence& sequence, const StreamPlanner::Read& read,
               std::optional<double>& normaliser);
  void drop(Call& call);
  void release(Call& call);
  void start_anew();
  std::stop_token abandoned_token();

  LlamaDecoder& decoder_;
  const StreamPlanner::Limits limits_;
  const Count count_;

  // Of the working thread alone.
  std::unique_ptr<StreamPlanner> planner_;
  std::map<std::size_t, Sequence> sequences_;  // by the planner's number
  std::size_t requests_ = 0;

  std::mutex mutex_;  // guards what follows and what Call says it does
  std::condition_variable_any changed_;
  std::vector<Call*> arrived_;
  std::vector<Call*> current_;
  std::stop_source abandoned_;  // asked to stop when nobody waits for what is being computed
  bool closing_ = false;
  std::jthread worker_;
};

}  // namespace theta
