#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/models/http/chat_body.hpp"
#include "core/models/http/refusal.hpp"

namespace theta {

/// The reason that goes with Verdict::kNoLogprobs and kRefusesLogprobs.
inline constexpr const char* kLogprobsMissing = "the server gives no logprobs";

/// What became of one answer of the server.
struct ChatReading {
  enum class Verdict {
    kDone,             ///< `answer` stands
    kRetry,            ///< `answer` is an error that may pass: damaged JSON, is_passing()
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
  std::int64_t reused_tokens = 0;           ///< prompt tokens that the server found in its cache
  bool thought = false;                     ///< there is one before the answer
  std::optional<ServerError> refusal = {};  ///< what the server says in place of an answer
};

/// Reads any answer, of any status, to what chat_body(..., way) asked. Never throws on what the
/// server sent. Thoughts are told from the answer (behind_thought, reasoning fields, parts of the
/// content) before anything is looked for in it. Errors are told apart by refuses_prompt, also those
/// inside a 200; an answer without a text, or with a thought alone, is the prompt's fault.
ChatReading read_chat(int status, std::string_view body, const Request& request, Dialect dialect,
                      const ChatWay& way);

/// The dialect of a server by its answer to `GET /models`; nullopt if that is not JSON.
std::optional<Dialect> dialect_of_models(std::string_view body);

}  // namespace theta
