#pragma once

#include <string>
#include <string_view>

namespace theta {

/// What a server says in place of an answer: with an error's status, or inside of a 200.
struct ServerError {
  int status = 0;       ///< of HTTP, or the one that the error itself names
  std::string code;     ///< `error.code`, `error.type` and their kin, joined by spaces
  std::string field;    ///< of the request that it complains of: `messages.0.content`
  std::string message;  ///< in words
};

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
