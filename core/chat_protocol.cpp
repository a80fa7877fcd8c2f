#include "core/chat_protocol.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/json_text.hpp"
#include "core/refusal.hpp"
#include "core/thoughts.hpp"
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

std::string valid_utf8(std::string_view text) {
  return Json::parse(dump(std::string(text))).get<std::string>();
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
  return line.empty() ? "(empty)" : valid_utf8(line);
}

/// What a server sent, or an error where it sent something else. Answers come by the thousand, and
/// simdjson reads one in an eighth of the instructions of nlohmann_json.
using Sent = simdjson::simdjson_result<simdjson::dom::element>;

/// @param parser  holds what is returned
Sent parse(simdjson::dom::parser& parser, std::string_view body) {
  body = after_byte_order_mark(body);
  return parser.parse(body.data(), body.size());
}

/// JSON of what some servers send for it: bytes that are no UTF-8 and halves of surrogate pairs
/// become U+FFFD, bare control characters are escaped, and numbers that JSON has none of
/// (-Infinity, NaN, 1e999) are null.
std::string mended(std::string_view sent) {
  const std::string body = valid_utf8(sent);
  std::string out;
  const auto unit = [&](std::size_t at) -> unsigned {  // of `\uXXXX`; 0: there is none
    unsigned value = 0;
    if (at + 6 > body.size() || body[at] != '\\' || body[at + 1] != 'u') return 0;
    const auto [end, error] = std::from_chars(&body[at + 2], &body[at + 2] + 4, value, 16);
    return error == std::errc() && end == &body[at + 2] + 4 ? value : 0;
  };
  bool text = false;
  for (std::size_t at = 0; at < body.size(); ++at) {
    const char c = body[at];
    if (text) {
      const unsigned first = unit(at);
      const unsigned second = unit(at + 6);
      const bool high = first >= 0xD800 && first < 0xDC00;
      if (high && second >= 0xDC00 && second < 0xE000) {
        out += body.substr(at, 12);
        at += 11;
      } else if (first >= 0xD800 && first < 0xE000) {
        out += "\\ufffd";
        at += 5;
      } else if (c == '\\' && at + 1 < body.size()) {
        out += c;
        out += body[++at];
      } else if (static_cast<unsigned char>(c) < ' ') {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
      } else {
        text = c != '"';
        out += c;
      }
      continue;
    }
    constexpr std::string_view kNumber =
        "+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const std::string word = body.substr(at, body.find_first_not_of(kNumber, at) - at);
    if (word.empty()) {
      text = c == '"';
      out += c;
      continue;
    }
    at += word.size() - 1;
    char* end = nullptr;
    const double number = std::strtod(word.c_str(), &end);
    const bool whole = word.find_first_not_of("-0123456789") == word.npos;
    if (*end != '\0')
      out += word;  // true, false, null, or nothing that JSON knows
    else if (!std::isfinite(number))
      out += "null";
    else
      out += whole && word.size() > 18 ? word + ".0" : word;
  }
  return out;
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

constexpr std::string_view kAround = " \t\r\n\"'`*_";

/// A spelling that is compared: without spaces and quotes around it.
std::string_view bare(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kAround);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(kAround) - first + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Options as they are compared with tokens.
struct Spellings {
  explicit Spellings(const std::vector<std::string>& options) {
    for (const auto& option : options) texts.push_back(lower(bare(option)));
    std::vector<std::string> sorted = texts;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) == sorted.end()) return;
    folded = false;
    for (std::size_t i = 0; i < options.size(); ++i) texts[i] = trim(options[i]);
  }

  /// The options that an answer may be which begins with this token.
  std::vector<std::size_t> begun_by(std::string_view token) const {
    const std::string text = folded ? lower(bare(token)) : std::string(trim(token));
    std::vector<std::size_t> begun;
    if (text.empty()) return begun;
    std::size_t longest = 0;  // of the options that the token begins with, which leaves no other
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].starts_with(text)) {
        begun.push_back(i);
      } else if (begins_with_word(text, texts[i]) && texts[i].size() > longest) {
        longest = texts[i].size();
        begun.assign(1, i);
      }
    }
    return begun;
  }

  std::vector<std::string> texts;
  bool folded = true;  ///< capitals and quotes tell no two options apart
};

/// The option that a text begins with, the longest such. One further behind is not taken for the
/// answer: it may be denied.
std::optional<std::size_t> named_option(std::string_view text,
                                        const std::vector<std::string>& options) {
  const Spellings spellings(options);
  const std::string plain =
      spellings.folded ? lower(trim_left(text)) : std::string(trim_left(text));
  const std::string_view inner =
      std::string_view(plain).substr(std::min(plain.find_first_not_of(kAround), plain.size()));
  std::optional<std::size_t> named;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string& option = spellings.texts[i];
    const bool begins = begins_with_word(plain, option) || begins_with_word(inner, option);
    if (begins && (!named || option.size() > spellings.texts[*named].size())) named = i;
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
    // Rounding puts a sure token a little above 0.
    if (token && logprob) listed.push_back({std::string(*token), std::min(*logprob, 0.0)});
  }
  return listed;
}

std::size_t best(const std::vector<double>& scores) {
  return static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

/// The most tokens that an answer may have.
int answer_tokens(const Request& request, ChatWay way) {
  if (way.ask == ChatAsk::kGenerate) return request.max_tokens;
  if (way.ask == ChatAsk::kLogprobs) return 1;
  if (way.thinks) return kThoughtTokens;
  // No option has more tokens than bytes; an echoed prefix may stand before it.
  std::size_t longest = 16;
  for (const auto& option : request.options) longest = std::max(longest, option.size());
  return static_cast<int>(longest + request.answer_prefix.size());
}

/// What a server says in place of an answer: an object of its own, or one in a list, with the words
/// in `error.message`, `error`, `message` or `detail`.
ServerError server_error(int status, Sent json, std::string_view body) {
  ServerError error;
  error.status = status;
  if (json.is_array()) json = json.at(0);
  const Sent own = json["error"];
  const Sent detail = member(json, {"detail"});
  const Sent listed = member(json, {"detail", "msg"});
  error.message = body;
  for (const Sent& sent : {own["message"], own, json["message"], detail, listed,
                           member(json, {"errors", "message"})}) {
    const auto text = value<std::string_view>(sent);
    if (!text) continue;
    error.message = *text;
    break;
  }
  for (const Sent& sent : {own["code"], own["type"], own["status"],
                           member(own, {"innererror", "code"}), member(own, {"details", "reason"}),
                           json["code"], json["type"], member(json, {"detail", "type"})}) {
    if (const auto text = value<std::string_view>(sent)) error.code += std::string(*text) + ' ';
    if (const auto number = value<std::int64_t>(sent)) error.code += std::to_string(*number) + ' ';
  }
  // Routers repeat what the server behind them said.
  if (!member(own, {"metadata", "flagged_input"}).error()) error.code += "flagged_input";
  if (const auto raw = value<std::string_view>(member(own, {"metadata", "raw"})))
    error.message += fmt::format(" ({})", *raw);

  for (const Sent& sent : {own["param"], json["param"]})
    if (const auto text = value<std::string_view>(sent)) error.field = *text;
  if (const auto place = value<simdjson::dom::array>(member(json, {"detail", "loc"})))
    for (const auto step : *place) {
      if (const auto name = value<std::string_view>(Sent(simdjson::dom::element(step))))
        error.field += (error.field.empty() ? "" : ".") + std::string(*name);
    }
  return error;
}

/// The status that an error inside of a 200 stands for, if it says one.
std::optional<int> status_within(const ServerError& error) {
  for (std::size_t at = 0; at < error.code.size();) {
    const std::size_t end = std::min(error.code.find(' ', at), error.code.size());
    int number = 0;
    const char* const last = error.code.data() + end;
    const auto [read, failed] = std::from_chars(error.code.data() + at, last, number);
    if (failed == std::errc() && read == last && number >= 400 && number < 600) return number;
    at = end + 1;
  }
  return std::nullopt;
}

/// @param within  the error stands inside of a 200
ChatReading read_error(ServerError error, bool within, const Request& request, ChatWay way) {
  const std::optional<int> status = within ? status_within(error) : error.status;
  error.status = status.value_or(400);
  const bool passing = !status || is_passing(*status);
  // The field names what is refused, the message only where that is missing: it may quote the
  // prompt.
  const std::string refused = lower(error.field.empty() ? error.message : error.field);
  if (!passing && error.status < 500 && way.ask == ChatAsk::kLogprobs &&
      refused.find("logprob") != refused.npos)
    return {Error{Fault::kService, kLogprobsMissing}, Verdict::kRefusesLogprobs};
  const std::string why =
      within
          ? fmt::format("an error{} inside of an answer: {}",
                        status ? fmt::format(" of code {}", *status) : "", excerpt(error.message))
          : fmt::format("status {}: {}", error.status, excerpt(error.message));
  if (refuses_prompt(error, answer_tokens(request, way))) return {Error{Fault::kRefused, why}};
  return {Error{Fault::kService, why}, passing ? Verdict::kRetry : Verdict::kDone};
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
    if (const auto text = value<std::string_view>(sent); text && !trim(*text).empty()) return true;
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
  prefix = trim(prefix);
  return !prefix.empty() && text.find(prefix) == text.npos &&
         std::ranges::count(trim(text), ' ') >= kFew;
}

/// Why there is no answer in what a server sent, and what to do about it.
ChatReading no_answer(const Said& said, Sent choice, std::string_view body, const Told& told,
                      const Request& request, ChatWay way) {
  const auto finish = value<std::string_view>(choice["finish_reason"]);
  const auto refuse = [](std::string why) -> ChatReading {
    return {Error{Fault::kRefused, std::move(why)}};
  };
  if (finish && is_filter(*finish))
    return refuse(fmt::format("the answer was filtered: finish_reason {}", *finish));
  if (!said.refusal.empty()) return refuse("the model refuses: " + excerpt(said.refusal));
  const bool thought = told.thought || said.thought || has_reasoning(choice["message"]);
  if (!finish && !said.given && !thought)
    return {Error{Fault::kService, "no text in the answer: " + excerpt(body)}, Verdict::kRetry};

  const bool at_limit = is_limit(finish.value_or(""));
  if (!way.thinks) {
    if (way.ask == ChatAsk::kNameOption && at_limit)
      return {Error{Fault::kPrompt, "a thought left no room for an option"}, Verdict::kThinks};
    if (thought && !at_limit && !request.stop.empty() && way.ask == ChatAsk::kGenerate)
      return {Error{Fault::kPrompt, "a stop text ended a thought"}, Verdict::kThinks};
  }
  const int limit = answer_tokens(request, way);
  const auto why = [&]() -> std::string {
    if (thought && (at_limit || told.open)) return no_answer_behind_thought(at_limit, limit);
    if (thought) return "no answer behind a thought";
    if (at_limit)
      return fmt::format("no answer: max_tokens = {} was used up without a text", limit);
    return fmt::format("no answer: the text is empty, finish_reason {}",
                       finish.value_or("missing"));
  };
  return {Error{Fault::kPrompt, why()}};
}

}  // namespace

std::string chat_body(const std::string& model, Dialect dialect, const Request& request,
                      ChatWay way) {
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
  std::string told = dialect == Dialect::kOpenAi ? instruction(request, way.ask) : "";
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
  if (way.ask == ChatAsk::kLogprobs) {
    // Some servers scale the log-probabilities by the temperature: 1 leaves the model's own.
    add_number("temperature", 1);
    add_number("max_tokens", answer_tokens(request, way));
    add("logprobs", true);
    add_number("top_logprobs", way.listed);
  } else if (way.ask == ChatAsk::kNameOption) {
    add_number("temperature", 0);
    add_number("max_tokens", answer_tokens(request, way));
    if (dialect == Dialect::kLlamaServer) add("grammar", options_grammar(request.options));
    if (dialect == Dialect::kVllm) add("structured_outputs", {{"choice", request.options}});
  } else {
    out += ",\"temperature\":";
    append_json_number(out, request.temperature);
    add_number("max_tokens", request.max_tokens);
    if (request.temperature > 0) add_number("seed", request.seed & 0x7fffffff);
    if (request.temperature > 0 && request.top_p < 1) add("top_p", request.top_p);
    if (!request.stop.empty() && !way.thinks) {
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
                      ChatWay way) {
  simdjson::dom::parser parser;
  Sent json = parse(parser, body);
  if (json.error()) json = parse(parser, mended(body));
  if (status < 200 || status > 299)
    return read_error(server_error(status, json, body), false, request, way);
  const Sent usage = member(json, {"usage"});
  const std::int64_t prompt_tokens = count(member(usage, {"prompt_tokens"}));
  const std::int64_t generated_tokens = count(member(usage, {"completion_tokens"}));
  bool thought = false;
  const auto with_usage = [&](ChatReading reading) {
    reading.thought = thought;
    reading.prompt_tokens = prompt_tokens;
    reading.generated_tokens = generated_tokens;
    reading.reused_tokens = count(member(usage, {"prompt_tokens_details", "cached_tokens"}));
    return reading;
  };
  const auto fail = [&](std::string why, Verdict verdict) {
    return with_usage({Error{Fault::kService, std::move(why)}, verdict});
  };
  if (json.error()) return fail("not JSON: " + excerpt(body), Verdict::kRetry);
  const Sent choice = member(json, {"choices"}).at(0);
  const Sent message = choice["message"];
  const auto finish = value<std::string_view>(choice["finish_reason"]).value_or("");
  if (message.error() || finish == "error") {
    for (const Sent& holder : {choice, json}) {
      if (const Sent error = holder["error"]; !error.error() && !error.is_null())
        return with_usage(read_error(server_error(status, holder, body), true, request, way));
    }
    if (choice.error()) return fail("no choices: " + excerpt(body), Verdict::kRetry);
    if (finish == "error") return fail("the answer broke off: " + excerpt(body), Verdict::kRetry);
  }
  Response response;
  response.prompt_tokens = prompt_tokens;
  response.generated_tokens = generated_tokens;
  if (way.ask == ChatAsk::kLogprobs && !is_filter(finish)) {
    const Sent logprobs = member(choice, {"logprobs"});
    if (logprobs.error() || logprobs.is_null()) {
      return fail(kLogprobsMissing, Verdict::kNoLogprobs);
    }
    if (has_reasoning(message)) return fail("the first token is a thought's", Verdict::kUnscored);
    auto scores = score_options(listed_tokens(choice), request.options);
    if (!scores) return fail(scores.error().message, Verdict::kUnscored);
    response.text = request.options[best(scores->logprobs)];
    response.option_logprobs = std::move(scores->logprobs);
    response.note = std::move(scores->note);
    return with_usage({std::move(response)});
  }

  Said said;
  const Sent content = message["content"];
  if (const auto text = value<std::string_view>(content)) {
    said.text = *text;
    said.given = true;
  } else if (!content.error() && !content.is_null()) {
    add_parts(content, said);
  }
  if (const auto refusal = value<std::string_view>(message["refusal"]);
      refusal && said.text.empty())
    said.refusal = *refusal;
  const Told told = behind_thought(said.text);
  thought = told.thought || said.thought;
  if (trim(told.answer).empty())
    return with_usage(no_answer(said, choice, body, told, request, way));

  // Without a thought the stop texts end it where the server would have.
  const bool stops = way.thinks && way.ask == ChatAsk::kGenerate;
  auto text = stops && !thought ? before_stop(trim_left(told.answer), request.stop) : told.answer;
  text = after_prefix(text, request.answer_prefix);
  if (stops && thought) text = before_stop(text, request.stop);
  auto verdict = Verdict::kDone;
  if (thought) response.note = kThoughtDropped;
  const auto add_note = [&](std::string_view note) {
    if (!response.note.empty()) response.note += "; ";
    response.note += note;
  };
  if (way.ask == ChatAsk::kNameOption) {
    const auto named = named_option(text, request.options);
    if (!named) {
      Error none{Fault::kPrompt, fmt::format("the answer names none of the options {}: {}",
                                             fmt::join(request.options, ", "), excerpt(text))};
      const bool cut = is_limit(finish) && !told.thought && !way.thinks;
      return with_usage({std::move(none), cut ? Verdict::kMayThink : Verdict::kDone});
    }
    response.text = request.options[*named];
    response.option_logprobs.assign(request.options.size(), kUnnamedLogprob);
    response.option_logprobs[*named] = 0;
    response.named = true;
  } else {
    response.truncated = is_limit(finish) || is_filter(finish);
    if (stops && text.data() + text.size() < told.answer.data() + told.answer.size())
      response.truncated = false;
    response.text = text;
    // A chat template may have opened the thought.
    const bool stopped = !way.thinks && !thought && !request.stop.empty() && finish == "stop";
    if (stopped && begins_otherwise(told.answer, request.answer_prefix))
      verdict = Verdict::kMayThink;
    if (!request.grammar.empty() && dialect == Dialect::kOpenAi) add_note("grammar not enforced");
  }
  return with_usage({std::move(response), verdict});
}

Result<OptionScores> score_options(const std::vector<TokenLogprob>& listed,
                                   const std::vector<std::string>& options) {
  const auto unscored = [](std::string why) { return Error{Fault::kService, std::move(why)}; };
  const Spellings spellings(options);
  std::vector<double> mass(options.size(), 0.0);
  double all = 0;
  double shared = 0;
  double smallest = 0;
  for (const auto& [token, logprob] : listed) {
    smallest = std::min(smallest, logprob);
    const double probability = std::exp(logprob);
    all += probability;
    const auto begun = spellings.begun_by(token);
    if (begun.size() == 1) mass[begun[0]] += probability;
    if (begun.size() > 1) shared += probability;
  }

  double own = 0;
  OptionScores scores;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < options.size(); ++i) {
    own += mass[i];
    if (mass[i] == 0) missing.push_back(options[i]);
    scores.logprobs.push_back(mass[i] > 0 ? std::log(mass[i]) : smallest - 1);
  }
  if (own + shared == 0) {
    return unscored(fmt::format("none of the {} listed tokens begins an option", listed.size()));
  }
  if (own + shared < all / 2) {
    return unscored(
        fmt::format("the options hold {:.2g} of the {:.2g} that is listed", own + shared, all));
  }
  // What several options share may be the one's or the other's.
  auto sorted = mass;
  std::ranges::sort(sorted, std::greater());
  const double lead = sorted[0] - (sorted.size() > 1 ? sorted[1] : 0);
  if (shared > own || shared >= lead) return unscored("several options begin with the same token");
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
