#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_options.hpp"
#include "core/language_model.hpp"

namespace theta {

/// How a request is put to a chat server.
enum class ChatAsk {
  kGenerate,    ///< text
  kLogprobs,    ///< one token, for the log-probabilities of the most probable
  kNameOption,  ///< text that is one of the options, where kLogprobs could not tell them apart
};

/// Tokens for the answer of a model that thinks before it names an option.
inline constexpr int kThoughtTokens = 2048;

/// The reason that goes with Verdict::kNoLogprobs and kRefusesLogprobs.
inline constexpr const char* kLogprobsMissing = "the server gives no logprobs";

/// Whether the same request may succeed later: 408, 409, 429, 5xx.
inline bool is_passing(int status) {
  return status == 408 || status == 409 || status == 429 || status >= 500;
}

/// How many tokens are listed with their log-probabilities: the most that OpenAI's own servers
/// list, and what nearly any other does.
inline constexpr int kMostListed = 20, kFewListed = 5;

/// A way to ask, and to read the answer.
struct ChatWay {
  ChatAsk ask = ChatAsk::kGenerate;
  int listed = kMostListed;  ///< with kLogprobs, for how many tokens
  /// The model is known to think before it answers: no stop texts are sent, as they would end a
  /// thought, but applied to the answer behind it; an option is named in kThoughtTokens.
  bool thinks = false;
};

/// The JSON to send. Invalid UTF-8 is replaced by U+FFFD. A seed is cut to 31 bits, which every
/// server takes. `dialect` is not kAuto.
std::string chat_body(const std::string& model, Dialect dialect, const Request& request,
                      ChatWay way);

/// What became of one answer of the server.
struct ChatReading {
  enum class Verdict {
    kDone,             ///< `answer` stands
    kRetry,            ///< `answer` is an error that may pass: damaged JSON, 408, 409, 429, 5xx
    kUnscored,         ///< `answer` is an error that says why kNameOption has to be asked
    kNoLogprobs,       ///< the same: what came has no log-probabilities
    kRefusesLogprobs,  ///< the same, and it holds for every request to this server
    kThinks,           ///< `answer` is an error that says why ChatWay::thinks has to be set
    kMayThink          ///< `answer` stands unless the model thinks: ChatWay::thinks would show it
  };
  Result<Response> answer;
  Verdict verdict = Verdict::kDone;
  /// What the server says that it took, whatever became of it; at most 1e9 each.
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  std::int64_t reused_tokens = 0;  ///< prompt tokens that the server found in its cache
  bool thought = false;            ///< there is one before the answer
};

/// Reads any answer, of any status, to what chat_body(..., way) asked. Never throws on what the
/// server sent. Thoughts are told from the answer (behind_thought, reasoning fields, parts of the
/// content) before anything is looked for in it. Errors are told apart by refuses_prompt, also those
/// inside a 200; an answer without a text, or with a thought alone, is the prompt's fault.
ChatReading read_chat(int status, std::string_view body, const Request& request, Dialect dialect,
                      ChatWay way);

/// One token that the server lists as the answer's first, with log P in nats.
struct TokenLogprob {
  std::string token;
  double logprob = 0;
};

struct OptionScores {
  std::vector<double> logprobs;  ///< one an option
  std::string note;              ///< how they were got
};

/// Scores options by the first token of each. An option's probability is the sum over the listed
/// tokens that begin this option and no other, however they are spelt (spaces, quotes, capitals
/// unless they tell options apart); an option with no such token gets the smallest listed
/// log-probability less 1.
/// @return an error that says why if no option is listed, if the options hold less than half of
///   what is listed, or if tokens that begin several options hold so much that they could decide.
Result<OptionScores> score_options(const std::vector<TokenLogprob>& listed,
                                   const std::vector<std::string>& options);

/// The dialect of a server by its answer to `GET /models`; nullopt if that is not JSON.
std::optional<Dialect> dialect_of_models(std::string_view body);

}  // namespace theta
