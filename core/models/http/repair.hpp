#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/models/http/refusal.hpp"
#include "core/models/http/request_form.hpp"

namespace theta {

/// A change to the form of requests that a refusal asks for.
struct Repair {
  enum class Kind {
    kNoSystemRole,    ///< RequestForm::system_role
    kNoBegunAnswers,  ///< RequestForm::begun_answers
    kDrop,
    kRename,
    kLeast,  ///< FieldForm::least
    kMost
  };
  Kind kind;
  std::string field = {};    ///< as Theta calls it
  std::string sent_as = {};  ///< with kRename
  double bound = 0;          ///< with kLeast and kMost

  std::string text() const;  ///< `max_tokens is sent as max_completion_tokens`
};

/// What mends a request that a server refused for its form: told by the field that the error names
/// (`param`, `loc`, in quotes, or in words), as vLLM, llama-server, Ollama, TGI, SGLang, OpenAI,
/// Azure, Anthropic, Gemini, Groq, Mistral, Cerebras and the routers before them choose the words.
/// @param sent  the request, as JSON
/// @param form  that it was put in
/// @return nothing where the error is about the caller, the moment, the prompt or a field of the
///   config's, where it names nothing, or where the form has been mended so already
std::optional<Repair> repair_for(const ServerError& error, const nlohmann::json& sent,
                                 const RequestForm& form);

void apply(const Repair& repair, RequestForm& form);

/// Whether a server may have refused the form of a request rather than its caller or its moment,
/// with whatever words.
bool may_refuse_form(int status);

/// The most that a message says a number may be, or the least.
std::optional<double> most_in(std::string_view message);
std::optional<double> least_in(std::string_view message);

/// What was learnt of a model, beyond its config: JSON, read back by form_of.
std::string form_json(const RequestForm& form);
/// @throws RunError if it is none.
RequestForm form_of(const std::string& json);

}  // namespace theta
