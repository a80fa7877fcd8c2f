#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace theta {

struct Message {
  std::string role;  ///< `system`, `user` or `assistant`
  std::string content;
  bool operator==(const Message&) const = default;
};
using Messages = std::vector<Message>;

/// One question to a model. With `options` it is scored: nothing is generated, and the answer is
/// log P(option | prompt) of each. Without, it is generated.
struct Request {
  Messages messages;
  /// Text that the answer is made to begin with; not part of the answer.
  std::string answer_prefix;
  std::vector<std::string> options;  ///< continuations of answer_prefix to score
  std::string grammar;               ///< GBNF that the generated text must match; empty: free
  /// JSON schema of the whole answer, prefix included, for hosts that know no grammar; empty: free.
  std::string schema = {};
  std::vector<std::string> stop;  ///< generation ends before any of these texts
  int max_tokens = 256;
  double temperature = 0.0;  ///< 0: greedy
  double top_p = 1.0;        ///< sampling from the likeliest tokens of this share; 1: from all
  std::uint64_t seed = 0;    ///< of the sampling; no effect at temperature 0
  bool operator==(const Request&) const = default;
};

/// Of English text, for an estimate where nobody counts its tokens.
inline constexpr std::size_t kBytesPerToken = 4;
/// Bytes of what a model is given to read.
std::size_t prompt_bytes(const Request& request);

/// Tokens that a program asked for, whatever the host reused or repeated.
struct Usage {
  std::int64_t calls = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;

  Usage& operator+=(const Usage& other) {
    calls += other.calls;
    prompt_tokens += other.prompt_tokens;
    generated_tokens += other.generated_tokens;
    return *this;
  }
  Usage operator-(const Usage& other) const {
    return {calls - other.calls, prompt_tokens - other.prompt_tokens,
            generated_tokens - other.generated_tokens};
  }
  bool operator==(const Usage&) const = default;
};

/// log P of an option that the model did not name, where it only named one: far below any that a
/// model reports, and finite so that differences of such scores stay numbers.
inline constexpr double kUnnamedLogprob = -100.0;

struct Response {
  std::string text;  ///< the generated text without answer_prefix; scored: the best option
  std::vector<double> option_logprobs;  ///< nats, one an option, not normalised over the options
  /// Of all that was asked for this answer, attempts that were thrown away included.
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  bool truncated = false;  ///< generation reached max_tokens
  /// The model named an option where scores were wanted: option_logprobs are 0 for that and
  /// kUnnamedLogprob for the others, no probabilities.
  bool named = false;
  std::string note;  ///< how the answer was got, where a host has several ways or fell back
  std::vector<FailedAttempt> failed = {};  ///< attempts before the one that brought this
};

/// What an answer took, also one that is the prompt's fault.
inline Usage usage_of(const Result<Response>& answer) {
  return answer ? Usage{1, answer->prompt_tokens, answer->generated_tokens}
                : Usage{1, answer.error().prompt_tokens, answer.error().generated_tokens};
}

/// What the host did to answer: none of it can change a result, so it stands under `timing`.
struct HostCounters {
  std::int64_t attempts = 0;         ///< requests sent or decoded, retries included
  std::int64_t asked_tokens = 0;     ///< of prompts; what one request's options share counts once
  std::int64_t reused_tokens = 0;    ///< of those, found in a shared prefix
  std::int64_t computed_tokens = 0;  ///< prompt tokens passed to the model
  std::int64_t generated_tokens = 0;
  double prompt_seconds = 0;
  double decode_seconds = 0;
  double queue_seconds = 0;  ///< from asking to the first token computed, summed over requests

  HostCounters& operator+=(const HostCounters& other) {
    attempts += other.attempts;
    asked_tokens += other.asked_tokens;
    reused_tokens += other.reused_tokens;
    computed_tokens += other.computed_tokens;
    generated_tokens += other.generated_tokens;
    prompt_seconds += other.prompt_seconds;
    decode_seconds += other.decode_seconds;
    queue_seconds += other.queue_seconds;
    return *this;
  }
  /// Adds the time of one pass, shared out by its tokens.
  void add_pass(double seconds, std::int64_t computed, std::int64_t generated) {
    const double share = static_cast<double>(generated) / static_cast<double>(computed + generated);
    computed_tokens += computed;
    generated_tokens += generated;
    prompt_seconds += seconds * (1 - share);
    decode_seconds += seconds * share;
  }
};

/// The seam to every model. Programs ask in waves: all the requests that one step of the program
/// needs, at once, so that an engine can compute each shared prefix once and keep every connection
/// busy. Thread-safe.
class LanguageModel {
 public:
  /// Called once for each request of a wave, from any thread, one call at a time.
  using OnAnswer = std::function<void(std::size_t index, Result<Response> answer)>;

  virtual ~LanguageModel() = default;

  /// Everything that decides an answer beside the request (the weights' hash, the server's address
  /// and model name): part of the key under which answers are kept. Holds no secret.
  virtual std::string identity() const = 0;

  /// Answers every request of the wave. Each answer is a Response, a service's fault, or the
  /// prompt's: one that does not fit the model's window, or where options cannot be scored and the
  /// model, asked for one, names none.
  /// @throws Interrupted when `stop` is requested; answers given so far stand.
  virtual void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                        std::stop_token stop) = 0;

  /// Whether every prompt of a wave fits, where that is known without asking.
  /// @throws UserError if one does not, naming both lengths.
  virtual void check(std::span<const Request> /*wave*/) const {}

  /// How many requests influence one another's answers by sharing batches and are therefore
  /// computed and kept as one unit. 1: every answer stands alone.
  virtual std::size_t unit() const = 0;

  /// Prompt length in this model's tokens, template included; nullopt where only the server knows.
  virtual std::optional<std::size_t> count_tokens(const Request& request) const = 0;

  virtual HostCounters counters() const = 0;

  /// What was found out about how the model can be asked, a line each, for the report.
  virtual std::vector<std::string> lessons() const { return {}; }
};

/// A model in front of another. It passes on whatever it does not answer itself.
class ModelInFront : public LanguageModel {
 public:
  /// `inner` outlives this.
  explicit ModelInFront(LanguageModel& inner) : inner_(inner) {}

  std::string identity() const override { return inner_.identity(); }
  void check(std::span<const Request> wave) const override { inner_.check(wave); }
  std::size_t unit() const override { return inner_.unit(); }
  std::optional<std::size_t> count_tokens(const Request& request) const override {
    return inner_.count_tokens(request);
  }
  HostCounters counters() const override { return inner_.counters(); }
  std::vector<std::string> lessons() const override { return inner_.lessons(); }

 protected:
  LanguageModel& inner_;
};

/// The answers of one wave in its order.
std::vector<Result<Response>> ask(LanguageModel& model, std::span<const Request> wave,
                                  std::stop_token stop);

}  // namespace theta
