#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "core/models/language_model.hpp"

namespace theta {

/// A language model for tests: its answers come from a function. It counts words as tokens, fills
/// in the counts that the function leaves at 0, and remembers the waves it was asked. Thread-safe
/// if the function is.
class ScriptedModel final : public LanguageModel {
 public:
  using Script = std::function<Result<Response>(const Request&)>;
  struct Options {
    std::size_t unit = 1;
    std::string identity = "scripted";
    bool counts = true;                  ///< tokens; as servers do not
    std::set<std::size_t> failing = {};  ///< the calls (from 0, over all waves) that time out
  };

  explicit ScriptedModel(Script script) : ScriptedModel(std::move(script), Options{}) {}
  ScriptedModel(Script script, Options options);

  std::string identity() const override { return options_.identity; }
  /// Answers in order, on the calling thread. Looks at `stop` before every request.
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  std::size_t unit() const override { return options_.unit; }
  std::optional<std::size_t> count_tokens(const Request& request) const override;
  HostCounters counters() const override;

  std::vector<std::vector<Request>> waves() const;
  std::size_t calls() const;  ///< requests over all waves, failed ones included

 private:
  const Script script_;
  const Options options_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::vector<Request>> waves_;
  HostCounters counters_;
};

/// A request of one user message.
Request user_request(std::string content, std::vector<std::string> options = {});

/// The answer `text`.
Response say(std::string text);

/// The scored answer to `request` that prefers `option` by `margin` nats over all others.
Response choose(const Request& request, const std::string& option, double margin = 1);

}  // namespace theta
