#pragma once

#include <memory>
#include <string>

#include "core/models/language_model.hpp"

namespace theta {

/// A model that answers nothing and counts everything: what a run will ask for, before it is asked.
///
/// Prompts are counted by the real tokenizer where there is one, else as a token for every four
/// bytes. Made-up answers are as long as they may be, so that generated tokens are an upper bound.
class CountingModel final : public LanguageModel {
 public:
  /// @param tokenizer  counts tokens; may be null
  CountingModel(std::unique_ptr<LanguageModel> tokenizer, std::string name);

  std::string identity() const override { return "counting " + name_; }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request& request) const override;
  HostCounters counters() const override { return {}; }

 private:
  std::unique_ptr<LanguageModel> tokenizer_;
  std::string name_;
};

}  // namespace theta
