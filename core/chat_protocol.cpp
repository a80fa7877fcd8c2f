#include "core/chat_protocol.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/json_text.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

using Json = nlohmann::json;
using Verdict = ChatReading::Verdict;

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trim_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

std::string_view trim_right(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

std::string_view trim(std::string_view text) { return trim_left(trim_right(text)); }

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// One short line of valid UTF-8 of what the server said.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kLength = 200;
  std::string line;
  for (const char c : trim(text)) {
    const bool space = static_cast<unsigned char>(c) <= ' ';
    if (space && line.ends_with(' ')) continue;
    if (line.size() >= kLength && (c & 0xC0) != 0x80) {
      line += "...";
      break;
    }
    line += space ? ' ' : c;
  }
  return line.empty() ? "(empty)" : Json::parse(dump(line)).get<std::string>();
}

/// What a server sent, or an error where it sent something else. Answers come by the thousand, and
/// simdjson reads one in an eighth of the instructions of nlohmann_json.
using Sent = simdjson::simdjson_result<simdjson::dom::element>;

/// @param parser  holds what is returned
Sent parse(simdjson::dom::parser& parser, std::string_view body) {
  body = after_byte_order_mark(body);
  return parser.parse(body.data(), body.size());
}

Sent member(Sent json, std::initializer_list<std::string_view> path) {
  for (const auto key : path) {
    if (json.is_array()) json = json.at(0);
    json = json.at_key(key);
  }
  return json;
}

template <typename T>
std::optional<T> value(Sent json) {
  T value;
  return json.get(value) == simdjson::SUCCESS ? std::optional(value) : std::nullopt;
}

/// Tokens, as far as they can be: what a server sends may be any number.
std::int64_t count(Sent json) {
  constexpr std::uint64_t kMost = 1'000'000'000;
  return static_cast<std::int64_t>(std::min(value<std::uint64_t>(json).value_or(0), kMost));
}

/// GBNF that allows one of the options.
std::string options_grammar(const std::vector<std::string>& options) {
  std::string alternatives;
  for (const auto& option : options) {
    if (!alternatives.empty()) alternatives += " | ";
    alternatives += '"';
    for (const char c : option) {
      if (c == '\n') {
        alternatives += "\\n";
      } else {
        if (c == '"' || c == '\\') alternatives += '\\';
        alternatives += c;
      }
    }
    alternatives += '"';
  }
  return "root ::= \" \"? (" + alternatives + ")";
}

/// What stands in for what OpenAI's own fields cannot express; empty: nothing has to.
std::string instruction(const Request& request, ChatAsk ask) {
  const std::string_view prefix = trim(request.answer_prefix);
  // The first token has to be an option's, so a prefix that cannot be forced is not asked for.
  if (ask == ChatAsk::kNameOption || (ask == ChatAsk::kLogprobs && !prefix.empty())) {
    return fmt::format("Answer with exactly one of: {}. Write nothing else.",
                       fmt::join(request.options, ", "));
  }
  // The messages of most adapters show how an answer begins.
  const auto shown = [&](const Message& message) {
    return message.content.find(prefix) != std::string::npos;
  };
  return std::ranges::any_of(request.messages, shown)
             ? ""
             : fmt::format("Begin your answer with: {}", prefix);
}

/// The text after an echoed prefix, which may follow lines of other text: a courtesy, what a model
/// thought. A server is sent the prefix without the spaces at its end, which chat templates cut, so
/// an answer that continues it may begin with them.
std::string_view after_prefix(std::string_view text, std::string_view prefix) {
  const std::string_view body = trim(prefix);
  if (body.empty()) return text;
  for (std::size_t at = 0; (at = text.find(body, at)) != std::string_view::npos; ++at) {
    const std::string_view before = text.substr(0, at);
    const std::string_view line = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
    if (!trim(line).empty()) continue;
    text.remove_prefix(at + body.size());
    break;
  }
  const std::string_view tail = prefix.substr(trim_right(prefix).size());
  return text.starts_with(tail) ? text.substr(tail.size()) : text;
}

bool of_a_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         (c & 0x80) != 0;
}

bool begins_with_word(std::string_view text, std::string_view word) {
  if (word.empty() || !text.starts_with(word)) return false;
  return text.size() == word.size() || !of_a_word(word.back()) || !of_a_word(text[word.size()]);
}

/// The option that a text begins with, the longest such, quotes and emphasis aside. One further
/// behind is not taken for the answer: it may be denied.
std::optional<std::size_t> named_option(std::string_view text,
                                        const std::vector<std::string>& options) {
  const std::string_view bare =
      text.substr(std::min(text.find_first_not_of(" \t\r\n\"'`*_"), text.size()));
  std::optional<std::size_t> named;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string_view option = trim(options[i]);
    const bool begins = begins_with_word(trim_left(text), option) || begins_with_word(bare, option);
    if (begins && (!named || options[i].size() > options[*named].size())) named = i;
  }
  return named;
}

std::vector<TokenLogprob> listed_tokens(Sent choice) {
  std::vector<TokenLogprob> listed;
  const Sent sent = member(choice, {"logprobs", "content", "top_logprobs"});
  const auto entries = value<simdjson::dom::array>(sent);
  if (!entries) return listed;
  for (const auto entry : *entries) {
    const auto token = value<std::string_view>(entry["token"]);
    const auto logprob = value<double>(entry["logprob"]);
    if (token && logprob && *logprob <= 0) listed.push_back({std::string(*token), *logprob});
  }
  return listed;
}

std::size_t best(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// An answer with an error status. Servers say why in `error.message`, `message` or `detail`.
ChatReading read_refusal(int status, std::string_view body, ChatAsk ask) {
  simdjson::dom::parser parser;
  const Sent json = parse(parser, body);
  std::string_view said = body;
  for (const Sent& sent : {member(json, {"error", "message"}), member(json, {"error"}),
                           member(json, {"message"}), member(json, {"detail"})}) {
    const auto text = value<std::string_view>(sent);
    if (!text) continue;
    said = *text;
    break;
  }
  // `param` names what is refused, the message only where that is missing: it may quote the prompt.
  const auto refused = value<std::string_view>(member(json, {"error", "param"})).value_or(said);
  if (status == 400 && ask == ChatAsk::kLogprobs && refused.find("logprob") != refused.npos) {
    return {Error{Fault::kService, kLogprobsMissing}, Verdict::kRefusesLogprobs};
  }
  std::string why = excerpt(said);
  return {Error{Fault::kService, fmt::format("status {}: {}", status, why)},
          is_passing(status) ? Verdict::kRetry : Verdict::kDone};
}

}  // namespace

std::string chat_body(const std::string& model, Dialect dialect, const Request& request,
                      ChatAsk ask, int listed) {
  // Written by the thousand: a JSON value is made of what is rare alone.
  std::string out;
  std::size_t expected = 512;
  for (const auto& message : request.messages) expected += message.content.size() * 9 / 8 + 32;
  out.reserve(expected);
  out += "{\"model\":";
  append_json_string(out, model);
  out += ",\"messages\":[";
  const auto add_message = [&](const std::string& role, const std::string& content) {
    out += out.ends_with('[') ? "{\"role\":" : ",{\"role\":";
    append_json_string(out, role);
    out += ",\"content\":";
    append_json_string(out, content);
    out += '}';
  };
  const auto& messages = request.messages;
  std::string told = dialect == Dialect::kOpenAi ? instruction(request, ask) : "";
  for (const auto& message : messages) {
    if (!told.empty() && &message == &messages.back() && message.role == "user") {
      add_message(message.role, message.content + "\n\n" + std::exchange(told, ""));
    } else {
      add_message(message.role, message.content);
    }
  }
  if (!told.empty()) add_message("user", told);
  const auto prefix = trim_right(request.answer_prefix);
  const bool continues = dialect != Dialect::kOpenAi && !prefix.empty();
  if (continues) add_message("assistant", std::string(prefix));
  out += ']';

  const auto add_number = [&](std::string_view name, auto number) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, number);
  };
  const auto add = [&](std::string_view name, const Json& value) { add_number(name, dump(value)); };
  if (continues && dialect == Dialect::kVllm) {
    add("add_generation_prompt", false);
    add("continue_final_message", true);
  }
  if (ask == ChatAsk::kLogprobs) {
    // Some servers scale the log-probabilities by the temperature: 1 leaves the model's own.
    add_number("temperature", 1);
    add_number("max_tokens", 1);
    add("logprobs", true);
    add_number("top_logprobs", listed);
  } else if (ask == ChatAsk::kNameOption) {
    // No option has more tokens than bytes; an echoed prefix may stand before it.
    std::size_t longest = 16;
    for (const auto& option : request.options) longest = std::max(longest, option.size());
    add_number("temperature", 0);
    add_number("max_tokens", longest + request.answer_prefix.size());
    if (dialect == Dialect::kLlamaServer) add("grammar", options_grammar(request.options));
    if (dialect == Dialect::kVllm) add("structured_outputs", {{"choice", request.options}});
  } else {
    out += ",\"temperature\":";
    append_json_number(out, request.temperature);
    add_number("max_tokens", request.max_tokens);
    if (request.temperature > 0) add_number("seed", request.seed & 0x7fffffff);
    if (request.temperature > 0 && request.top_p < 1) add("top_p", request.top_p);
    if (!request.stop.empty()) {
      out += ",\"stop\":";
      for (const auto& text : request.stop) {
        out += &text == &request.stop.front() ? '[' : ',';
        append_json_string(out, text);
      }
      out += ']';
    }
    if (!request.grammar.empty()) {
      if (dialect == Dialect::kLlamaServer) add("grammar", request.grammar);
      if (dialect == Dialect::kVllm) add("structured_outputs", {{"grammar", request.grammar}});
    }
  }
  out += '}';
  return out;
}

ChatReading read_chat(int status, std::string_view body, const Request& request, Dialect dialect,
                      ChatAsk ask) {
  if (status < 200 || status > 299) return read_refusal(status, body, ask);
  simdjson::dom::parser parser;
  const Sent json = parse(parser, body);
  const Sent usage = member(json, {"usage"});
  ChatReading reading{Error{}, Verdict::kDone, count(member(usage, {"prompt_tokens"})),
                      count(member(usage, {"completion_tokens"})),
                      count(member(usage, {"prompt_tokens_details", "cached_tokens"}))};
  const auto fail = [&](std::string why, Verdict verdict) {
    reading.answer = Error{Fault::kService, std::move(why)};
    reading.verdict = verdict;
    return std::move(reading);
  };
  if (json.error()) return fail("not JSON: " + excerpt(body), Verdict::kRetry);
  const Sent choice = member(json, {"choices"}).at(0);
  if (choice.error()) return fail("no choices: " + excerpt(body), Verdict::kRetry);
  Response response;
  response.prompt_tokens = reading.prompt_tokens;
  response.generated_tokens = reading.generated_tokens;

  if (ask == ChatAsk::kLogprobs) {
    const Sent logprobs = member(choice, {"logprobs"});
    if (logprobs.error() || logprobs.is_null()) {
      return fail(kLogprobsMissing, Verdict::kNoLogprobs);
    }
    auto scores = score_options(listed_tokens(choice), request.options);
    if (!scores) return fail(scores.error().message, Verdict::kUnscored);
    response.text = request.options[best(scores->logprobs)];
    response.option_logprobs = std::move(scores->logprobs);
    response.note = std::move(scores->note);
    reading.answer = std::move(response);
    return reading;
  }

  const auto content = value<std::string_view>(member(choice, {"message", "content"}));
  if (!content) return fail("no text in the answer: " + excerpt(body), Verdict::kRetry);
  const auto text = after_prefix(*content, request.answer_prefix);
  if (ask == ChatAsk::kNameOption) {
    const auto named = named_option(text, request.options);
    if (!named) {
      reading.answer =
          Error{Fault::kPrompt, fmt::format("the answer names none of the options {}: {}",
                                            fmt::join(request.options, ", "), excerpt(text))};
      return reading;
    }
    response.text = request.options[*named];
    response.option_logprobs.assign(request.options.size(), kUnnamedLogprob);
    response.option_logprobs[*named] = 0;
    response.named = true;
  } else {
    response.text = text;
    response.truncated = value<std::string_view>(member(choice, {"finish_reason"})) == "length";
    if (!request.grammar.empty() && dialect == Dialect::kOpenAi) {
      response.note = "grammar not enforced";
    }
  }
  reading.answer = std::move(response);
  return reading;
}

Result<OptionScores> score_options(const std::vector<TokenLogprob>& listed,
                                   const std::vector<std::string>& options) {
  const auto unscored = [](std::string why) { return Error{Fault::kService, std::move(why)}; };
  std::vector<double> mass(options.size(), 0.0);
  double shared = 0;
  double smallest = 0;
  for (const auto& [token, logprob] : listed) {
    smallest = std::min(smallest, logprob);
    const auto begin = trim(token);
    if (begin.empty()) continue;
    std::size_t matches = 0;
    std::size_t last = 0;
    for (std::size_t i = 0; i < options.size(); ++i) {
      if (!trim(options[i]).starts_with(begin)) continue;
      ++matches;
      last = i;
    }
    if (matches == 1) mass[last] += std::exp(logprob);
    if (matches > 1) shared += std::exp(logprob);
  }

  double own = 0;
  OptionScores scores;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < options.size(); ++i) {
    own += mass[i];
    if (mass[i] == 0) missing.push_back(options[i]);
    scores.logprobs.push_back(mass[i] > 0 ? std::log(mass[i]) : smallest - 1);
  }
  if (shared > own) return unscored("several options begin with the same token");
  if (own == 0) {
    return unscored(fmt::format("none of the {} listed tokens begins an option", listed.size()));
  }
  scores.note = "logprobs of the first token";
  if (!missing.empty()) scores.note += fmt::format("; not listed: {}", fmt::join(missing, ", "));
  return scores;
}

std::optional<Dialect> dialect_of_models(std::string_view body) {
  simdjson::dom::parser parser;
  const Sent json = parse(parser, body);
  if (json.error()) return std::nullopt;
  const auto owner = value<std::string_view>(member(json, {"data", "owned_by"}));
  if (owner == "vllm") return Dialect::kVllm;
  return owner == "llamacpp" ? Dialect::kLlamaServer : Dialect::kOpenAi;
}

}  // namespace theta
