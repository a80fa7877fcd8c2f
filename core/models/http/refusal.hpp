#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace theta {

/// What a server says in place of an answer: with an error's status, or inside of a 200.
struct ServerError {
  int status = 0;       ///< of HTTP, or the one that the error itself names
  std::string code;     ///< `error.code`, `error.type` and their kin, joined by spaces
  std::string field;    ///< of the request that it complains of: `messages.0.content`
  std::string message;  ///< in words
  std::optional<double> retry_after_s = {};  ///< when it says to come back
};

/// Whether the same request may succeed later: 408, 409, 429, 5xx but what is not implemented.
inline bool is_passing(int status) {
  return status == 408 || status == 409 || status == 429 ||
         (status >= 500 && status != 501 && status != 505);
}

/// Whether an account has nothing left, which no waiting mends, whatever the status: a quota, a
/// balance or a subscription is used up. A server that says when to come back means a moment, unless
/// its code says otherwise.
bool is_for_good(const ServerError& error);

/// Whether a server refuses this prompt, and would answer a shorter or another one: it is longer
/// than the window, or a filter took it. All else is the service's fault: an outage, or a
/// configuration that it refuses for every prompt alike.
///
/// Told by the code where there is one, else by the words, as vLLM, llama-server, Ollama, TGI,
/// SGLang, LM Studio, OpenAI, Azure, Anthropic, Gemini, Groq, Mistral, Cerebras, DashScope, Bedrock
/// and OpenRouter choose them. A complaint about another field than the messages is never one.
/// @param max_tokens  that the request asked for: where they alone fill the window, it is they
bool refuses_prompt(const ServerError& error, int max_tokens);

}  // namespace theta
