#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/models/http/client.hpp"
#include "core/models/http/lessons.hpp"
#include "core/models/http/options.hpp"
#include "core/models/language_model.hpp"

namespace theta {

/// HttpModel::identity of a model that is not made yet.
std::string identity_of(const HttpOptions& options);

/// A model behind an OpenAI-compatible chat server: vLLM, llama-server, Ollama, any host.
///
/// What can pass (transport, timeouts, damaged answers, 408, 409, 429, 5xx) is tried again; what
/// remains is an answer with a service's fault, one line that names the server, the cause and what
/// to do. The key appears in the Authorization header alone.
///
/// Options are scored by the log-probabilities of the answer's first token. Where the server gives
/// none, also of fewer tokens, or they do not tell the options apart, the model is made or asked to
/// name one option: that gets 0 and the others kUnnamedLogprob, and Response::note says how and
/// why. A model that names none is the prompt's fault.
///
/// Where a stop text or a limit of tokens ended a thought, the question is put once more, without
/// stop texts and with room for a thought, and so are all others from then on; the stop texts are
/// applied to the answer behind it. An answer that may be the beginning of a thought that a chat
/// template opened is kept back until one such was tried out.
///
/// A request that is refused for its form (a field that the server does not know, a system message,
/// a begun answer, too small a limit) is put again in another, which holds for all requests from then
/// on: see Lessons. That is no retry.
///
/// Where a server does not say how many tokens an answer took, they are estimated from its length,
/// and the note says that.
///
/// Thread-safe; concurrent waves share the connections.
class HttpModel final : public LanguageModel {
 public:
  /// @throws UserError as HttpClient does, and for a missing model name or limits out of range.
  explicit HttpModel(HttpOptions options, OnTrouble on_trouble = {}, LessonsKept kept = {});

  /// Model name, addresses in any order, and whatever else of the options decides an answer: two
  /// servers may call two models by one name.
  std::string identity() const override { return identity_of(options_); }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request&) const override { return std::nullopt; }
  HostCounters counters() const override;
  std::vector<std::string> lessons() const override { return lessons_.lines(); }

 private:
  class Asking;
  Result<Dialect> dialect(std::stop_token stop, std::vector<FailedAttempt>& failed);

  const HttpOptions options_;
  HttpClient client_;
  Lessons lessons_;
  std::mutex mutex_;
  std::optional<Dialect> dialect_;
  bool estimated_ = false;  ///< tokens, once; of the client's thread
  std::atomic<std::int64_t> prompt_tokens_ = 0, reused_tokens_ = 0, generated_tokens_ = 0;
};

}  // namespace theta
