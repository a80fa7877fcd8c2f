#include "core/models/http/chat_reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/ascii.hpp"
#include "core/models/http/chat_stream.hpp"
#include "core/models/http/refusal.hpp"
#include "core/models/http/sent_json.hpp"
#include "core/models/http/server_error.hpp"
#include "core/models/option_scores.hpp"
#include "core/models/thoughts.hpp"

namespace theta {
namespace {

using Verdict = ChatReading::Verdict;

/// The text after an echoed prefix, which may follow lines of other text: a courtesy, what a model
/// thought. A server is sent the prefix without the spaces at its end, which chat templates cut, so
/// an answer that continues it may begin with them.
std::string_view after_prefix(std::string_view text, std::string_view prefix) {
  const std::string_view body = ascii::trim(prefix);
  if (body.empty()) return text;
  for (std::size_t at = 0; (at = text.find(body, at)) != std::string_view::npos; ++at) {
    const std::string_view before = text.substr(0, at);
    const std::string_view line = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
    if (!ascii::trim(line).empty()) continue;
    text.remove_prefix(at + body.size());
    break;
  }
  const std::string_view tail = prefix.substr(ascii::trim_right(prefix).size());
  return text.starts_with(tail) ? text.substr(tail.size()) : text;
}

std::vector<TokenLogprob> listed_tokens(Sent choice) {
  std::vector<TokenLogprob> listed;
  const Sent sent = member(choice, {"logprobs", "content", "top_logprobs"});
  const auto entries = value<simdjson::dom::array>(sent);
  if (!entries) return listed;
  for (const auto entry : *entries) {
    const auto token = value<std::string_view>(entry["token"]);
    const auto logprob = value<double>(entry["logprob"]);
    // Rounding puts a sure token a little above 0.
    if (token && logprob) listed.push_back({std::string(*token), std::min(*logprob, 0.0)});
  }
  return listed;
}

std::size_t best(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

bool speaks_of_logprobs(std::string_view text) {
  std::string letters = ascii::lower(text);
  std::erase_if(letters, [](char c) { return c == '_' || c == '-' || c == ' '; });
  return letters.find("logprob") != letters.npos || letters.find("logit") != letters.npos;
}

/// @param within  the error stands inside of a 200
ChatReading read_error(ServerError error, bool within, const Request& request, const ChatWay& way) {
  const std::optional<int> status = within ? status_within(error) : error.status;
  error.status = status.value_or(400);
  const bool passing = (!status || is_passing(*status)) && !is_for_good(error);
  // The field names what is refused, the message only where that is missing: it may quote the
  // prompt.
  if (error.status != 429 && way.ask == ChatAsk::kLogprobs &&
      speaks_of_logprobs(error.field.empty() ? error.message : error.field))
    return {.answer = Error{Fault::kService, kLogprobsMissing},
            .verdict = Verdict::kRefusesLogprobs,
            .refusal = std::move(error)};
  std::string what = excerpt(error.message);
  if (!error.field.empty() &&
      what.find(error.field.substr(error.field.rfind('.') + 1)) == what.npos)
    what += fmt::format(" ({})", excerpt(error.field));
  const std::string why = within
                              ? fmt::format("an error{} inside of an answer: {}",
                                            status ? fmt::format(" of code {}", *status) : "", what)
                              : fmt::format("status {}: {}", error.status, what);
  if (refuses_prompt(error, answer_tokens(request, way))) return {Error{Fault::kRefused, why}};
  return {.answer = Error{Fault::kService, why},
          .verdict = passing ? Verdict::kRetry : Verdict::kDone,
          .refusal = std::move(error)};
}

/// What a message says, however its content is put.
struct Said {
  std::string joined;  ///< holds `text` where it came in parts
  std::string_view text;
  bool given = false;        ///< there is a text, if only an empty one
  bool thought = false;      ///< parts of it are one
  std::string_view refusal;  ///< of the model, in place of a text
};

/// @param content  of other than one text: parts, each a text, a thought or else
void add_parts(Sent content, Said& said) {
  const auto add = [&](Sent part) {
    if (const auto text = value<std::string_view>(part)) {
      said.joined += *text;
      said.given = true;
      return;
    }
    const auto type = value<bool>(part["thought"]).value_or(false)
                          ? "thought"
                          : value<std::string_view>(part["type"]).value_or("text");
    if (const auto text = value<std::string_view>(part["text"]);
        text && (type == "text" || type == "output_text")) {
      said.joined += *text;
      said.given = true;
    }
    said.thought = said.thought || type.find("think") != type.npos ||
                   type.find("reason") != type.npos || type.find("thought") != type.npos;
    if (const auto refusal = value<std::string_view>(part["refusal"])) said.refusal = *refusal;
  };
  if (const auto parts = value<simdjson::dom::array>(content)) {
    for (const auto part : *parts) add(Sent(simdjson::dom::element(part)));
  } else {
    add(content);
  }
  said.text = said.joined;
}

/// Whether a message has a thought in a field of its own.
bool has_reasoning(Sent message) {
  for (const char* field : {"reasoning_content", "reasoning", "thinking", "reasoning_details"}) {
    const Sent sent = message[field];
    if (const auto text = value<std::string_view>(sent); text && !ascii::trim(*text).empty())
      return true;
    if (const auto parts = value<simdjson::dom::array>(sent); parts && parts->size() > 0)
      return true;
  }
  return false;
}

bool is_limit(std::string_view finish) {
  return finish == "length" || finish == "max_tokens" || finish == "MAX_TOKENS" ||
         finish == "max_output_tokens" || finish == "model_length";
}

bool is_filter(std::string_view finish) {
  return finish == "content_filter" || finish == "SAFETY" || finish == "safety" ||
         finish == "PROHIBITED_CONTENT" || finish == "BLOCKLIST" || finish == "sensitive" ||
         finish.starts_with("content_filter");
}

/// `text` up to the first stop text.
std::string_view before_stop(std::string_view text, const std::vector<std::string>& stops) {
  std::size_t end = text.size();
  for (const auto& stop : stops) end = std::min(end, text.find(stop));
  return text.substr(0, end);
}

/// Whether a text is more than a few words and has nothing of the prefix that it was to begin with.
bool begins_otherwise(std::string_view text, std::string_view prefix) {
  constexpr std::ptrdiff_t kFew = 3;
  prefix = ascii::trim(prefix);
  return !prefix.empty() && text.find(prefix) == text.npos &&
         std::ranges::count(ascii::trim(text), ' ') >= kFew;
}

/// Why there is no answer in what a server sent, and what to do about it.
ChatReading no_answer(const Said& said, Sent choice, const Told& told, const Request& request,
                      const ChatWay& way) {
  const auto finish = value<std::string_view>(choice["finish_reason"]);
  const auto refuse = [](std::string why) -> ChatReading {
    return {Error{Fault::kRefused, std::move(why)}};
  };
  if (finish && is_filter(*finish))
    return refuse(fmt::format("the answer was filtered: finish_reason {}", *finish));
  if (!said.refusal.empty()) return refuse("the model refuses: " + excerpt(said.refusal));
  const bool thought = told.thought || said.thought || has_reasoning(choice["message"]);
  if (!finish && !said.given && !thought)
    return {Error{Fault::kService, "the answer has no text and no finish_reason"}, Verdict::kRetry};

  const bool at_limit = is_limit(finish.value_or(""));
  const bool stops = way.sends_stop() && !request.stop.empty() && way.ask == ChatAsk::kGenerate;
  if (!way.thinks) {
    if (way.ask == ChatAsk::kNameOption && at_limit)
      return {Error{Fault::kPrompt, "a thought left no room for an option"}, Verdict::kThinks};
    if (thought && !at_limit && stops)
      return {Error{Fault::kPrompt, "a stop text ended a thought"}, Verdict::kThinks};
  }
  const int limit = answer_tokens(request, way);
  const auto why = [&]() -> std::string {
    if (thought && (at_limit || told.open)) return no_answer_behind_thought(at_limit, limit);
    if (thought) return "no answer behind a thought";
    if (at_limit)
      return fmt::format("no answer: max_tokens = {} was used up without a text", limit);
    if (stops && finish == "stop")
      return "no answer: the model ended, or met a stop text, before it wrote anything";
    return fmt::format("no answer: the text is empty, finish_reason {}",
                       finish.value_or("missing"));
  };
  return {Error{Fault::kPrompt, why()}};
}

Said said_in(Sent message) {
  Said said;
  const Sent content = message["content"].error() ? message["text"] : message["content"];
  if (const auto text = value<std::string_view>(content)) {
    said.text = *text;
    said.given = true;
  } else if (!content.error() && !content.is_null()) {
    add_parts(content, said);
  }
  if (const auto refusal = value<std::string_view>(message["refusal"]);
      refusal && said.text.empty())
    said.refusal = *refusal;
  return said;
}

ChatReading fail(std::string why, Verdict verdict) {
  return {Error{Fault::kService, std::move(why)}, verdict};
}

ChatReading read_scores(Sent choice, const Request& request) {
  const Sent logprobs = member(choice, {"logprobs"});
  if (logprobs.error() || logprobs.is_null()) return fail(kLogprobsMissing, Verdict::kNoLogprobs);
  if (has_reasoning(choice["message"]))
    return fail("the first token is a thought's", Verdict::kUnscored);
  auto scores = score_options(listed_tokens(choice), request.options);
  if (!scores) return fail(scores.error().message, Verdict::kUnscored);
  Response response;
  response.text = request.options[best(scores->logprobs)];
  response.option_logprobs = std::move(scores->logprobs);
  response.note = std::move(scores->note);
  return {std::move(response)};
}

/// @param text  behind a thought   @param finish  why the answer ended
ChatReading read_named(std::string_view text, bool thought, std::string_view finish,
                       const Request& request, const ChatWay& way) {
  const auto named = named_option(text, request.options);
  if (!named) {
    Error none{Fault::kPrompt, fmt::format("the answer names none of the options {}: {}",
                                           fmt::join(request.options, ", "), excerpt(text))};
    const bool cut = is_limit(finish) && !thought && !way.thinks;
    return {std::move(none), cut ? Verdict::kMayThink : Verdict::kDone};
  }
  Response response;
  response.text = request.options[*named];
  response.option_logprobs.assign(request.options.size(), kUnnamedLogprob);
  response.option_logprobs[*named] = 0;
  response.named = true;
  if (thought) response.note = kThoughtDropped;
  return {std::move(response)};
}

ChatReading read_generated(const Told& told, bool thought, std::string_view finish,
                           const Request& request, Dialect dialect, const ChatWay& way) {
  // Without a thought the stop texts end it where the server would have.
  const bool stops = !way.sends_stop() && !request.stop.empty();
  auto text =
      stops && !thought ? before_stop(ascii::trim_left(told.answer), request.stop) : told.answer;
  text = after_prefix(text, request.answer_prefix);
  if (stops && thought) text = before_stop(text, request.stop);
  Response response;
  if (thought) response.note = kThoughtDropped;
  response.truncated = is_limit(finish) || is_filter(finish);
  if (stops && text.data() + text.size() < told.answer.data() + told.answer.size())
    response.truncated = false;
  response.text = text;
  // A chat template may have opened the thought.
  const bool stopped = way.sends_stop() && !thought && !request.stop.empty() && finish == "stop";
  const bool may_think = stopped && begins_otherwise(told.answer, request.answer_prefix);
  const bool by_schema = !request.schema.empty() && way.sends("response_format");
  if (!request.grammar.empty() && !by_schema && !enforces(dialect, way))
    response.note += response.note.empty() ? "grammar not enforced" : "; grammar not enforced";
  return {std::move(response), may_think ? Verdict::kMayThink : Verdict::kDone};
}

ChatReading read_choice(Sent choice, const Request& request, Dialect dialect, const ChatWay& way) {
  const auto finish = value<std::string_view>(choice["finish_reason"]).value_or("");
  if (way.ask == ChatAsk::kLogprobs && !is_filter(finish)) return read_scores(choice, request);
  const Said said = said_in(choice["message"].error() ? choice : choice["message"]);
  const Told told = behind_thought(said.text);
  const bool thought = told.thought || said.thought;
  ChatReading reading = ascii::trim(told.answer).empty()
                            ? no_answer(said, choice, told, request, way)
                        : way.ask == ChatAsk::kNameOption
                            ? read_named(after_prefix(told.answer, request.answer_prefix), thought,
                                         finish, request, way)
                            : read_generated(told, thought, finish, request, dialect, way);
  reading.thought = thought;
  return reading;
}

/// What stands in place of a choice, if anything does.
std::optional<ChatReading> read_no_choice(int status, Sent json, Sent choice, std::string_view body,
                                          const Request& request, const ChatWay& way) {
  const bool broken = value<std::string_view>(choice["finish_reason"]) == "error";
  if (!choice["message"].error() && !broken) return std::nullopt;
  for (const Sent& holder : {choice, json}) {
    if (const Sent error = holder["error"]; !error.error() && !error.is_null())
      return read_error(server_error(status, holder, body), true, request, way);
  }
  if (choice.error()) {
    ServerError told = server_error(status, json, body);
    if (status_within(told)) return read_error(std::move(told), true, request, way);
    return fail("no choices in the answer: " + excerpt(told.message), Verdict::kRetry);
  }
  if (broken) return fail("the answer broke off: finish_reason error", Verdict::kRetry);
  return std::nullopt;
}

}  // namespace

ChatReading read_chat(int status, std::string_view body, const Request& request, Dialect dialect,
                      const ChatWay& way) {
  simdjson::dom::parser parser;
  const Sent json = parse_sent(parser, body);
  if (status < 200 || status > 299)
    return read_error(server_error(status, json, body), false, request, way);
  if (json.error() && is_stream(body)) {
    const auto joined = joined_stream(body);
    if (!joined) return fail("a stream that broke off", Verdict::kRetry);
    return read_chat(status, *joined, request, dialect, way);
  }
  if (json.error())
    return fail("not JSON: " + excerpt(server_error(status, json, body).message), Verdict::kRetry);
  const Sent choice = member(json, {"choices"}).at(0);
  auto none = read_no_choice(status, json, choice, body, request, way);
  ChatReading reading = none ? *std::move(none) : read_choice(choice, request, dialect, way);
  const Sent usage = member(json, {"usage"});
  reading.prompt_tokens = token_count(member(usage, {"prompt_tokens"}));
  reading.generated_tokens = token_count(member(usage, {"completion_tokens"}));
  reading.reused_tokens = token_count(member(usage, {"prompt_tokens_details", "cached_tokens"}));
  if (reading.answer) {
    reading.answer->prompt_tokens = reading.prompt_tokens;
    reading.answer->generated_tokens = reading.generated_tokens;
  }
  return reading;
}

std::optional<Dialect> dialect_of_models(std::string_view body) {
  simdjson::dom::parser parser;
  const Sent json = parse_sent(parser, body);
  if (json.error()) return std::nullopt;
  const auto owner = value<std::string_view>(member(json, {"data", "owned_by"}));
  if (owner == "vllm") return Dialect::kVllm;
  return owner == "llamacpp" ? Dialect::kLlamaServer : Dialect::kOpenAi;
}

}  // namespace theta
