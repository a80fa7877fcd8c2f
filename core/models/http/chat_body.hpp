#pragma once

#include <memory>
#include <string>

#include "core/models/http/options.hpp"
#include "core/models/http/request_form.hpp"
#include "core/models/language_model.hpp"

namespace theta {

/// How a request is put to a chat server.
enum class ChatAsk {
  kGenerate,    ///< text
  kLogprobs,    ///< one token, for the log-probabilities of the most probable
  kNameOption,  ///< text that is one of the options, where kLogprobs could not tell them apart
};

/// Tokens for the answer of a model that thinks before it names an option.
inline constexpr int kThoughtTokens = 2048;

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
  std::shared_ptr<const RequestForm> form = {};  ///< null: the usual

  bool sends(std::string_view field) const { return !form || form->sends(field); }
  bool sends_stop() const { return !thinks && sends("stop"); }
  bool begins_answers() const { return !form || form->begun_answers; }
};

/// The most tokens that an answer may have.
int answer_tokens(const Request& request, const ChatWay& way);

/// Whether a server is made to keep to a grammar or to options.
bool enforces(Dialect dialect, const ChatWay& way);

/// The JSON to send. Invalid UTF-8 is replaced by U+FFFD. A seed is cut to 31 bits, which every
/// server takes. `dialect` is not kAuto.
std::string chat_body(const std::string& model, Dialect dialect, const Request& request,
                      const ChatWay& way);

}  // namespace theta
