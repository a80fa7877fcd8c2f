#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/language_model.hpp"
#include "core/progress.hpp"
#include "core/store.hpp"

namespace theta {

/// A model whose every answer is kept in the run's store and never asked for twice.
///
/// A wave is answered from the store where it can be; identical requests of a wave are asked once;
/// what remains is cut, in its order, into units of the inner model's unit() and each is committed
/// in one transaction. What a unit holds depends only on the waves before it, never on time or
/// threads, so a killed run continues to the identical answers. Where unit() is 1, answers are
/// committed as they come. Service faults are not kept: asking again tries again.
class RecordedModel final : public LanguageModel {
 public:
  /// `inner` and `store` outlive this. `progress` may be null.
  RecordedModel(LanguageModel& inner, Store& store, Progress* progress);

  std::string identity() const override { return inner_.identity(); }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  std::size_t unit() const override { return inner_.unit(); }
  std::optional<std::size_t> count_tokens(const Request& request) const override {
    return inner_.count_tokens(request);
  }
  HostCounters counters() const override { return inner_.counters(); }

  /// Everything asked of this model so far, answered from the store or not. A program that asks the
  /// same twice is counted twice: this is what the program needs, not what the host did.
  Usage asked() const;
  std::int64_t store_hits() const;

 private:
  LanguageModel& inner_;
  Store& store_;
  Progress* progress_;
  mutable std::mutex mutex_;
  Usage asked_;
  std::int64_t hits_ = 0;
};

/// The canonical JSON of a request: sorted keys, every field, no whitespace.
std::string canonical(const Request& request);
/// Hex SHA-256.
std::string sha256(std::string_view bytes);
/// Of a file's content, read in pieces. @throws RunError if it cannot be read.
std::string sha256_file(const std::string& path);

}  // namespace theta
