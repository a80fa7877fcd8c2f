#pragma once

#include <string>
#include <string_view>

namespace theta {

/// A text told from what its model thought before it.
struct Told {
  std::string_view answer;  ///< behind the thought and the white space that follows it; else all
  bool thought = false;     ///< the text began with one
  bool open = false;        ///< that does not end: there is no answer
};

/// Finds what stands behind the thoughts that a text begins with: `<think>..</think>` and the other
/// marks that models and chat templates put around them, in any case. A closing mark that begins or
/// ends its line closes a thought that a chat template opened. Marks within an answer are text.
Told behind_thought(std::string_view text);

/// Whether a text may begin with a thought: a quick look, for text that grows.
bool may_open_thought(std::string_view text);

/// In Response::note.
inline constexpr const char* kThoughtDropped = "a thought was dropped";

/// Why an answer that is nothing but a thought is none.
/// @param at_limit    max_tokens ended it
std::string no_answer_behind_thought(bool at_limit, int max_tokens);

}  // namespace theta
