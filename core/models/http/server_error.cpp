#include "core/models/http/server_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <system_error>
#include <utility>

#include "core/ascii.hpp"
#include "core/models/http/retry_after.hpp"

namespace theta {
namespace {

/// Names under which a server puts its words.
constexpr std::array kWords = {"message",   "msg",        "detail",      "error_description",
                               "reason",    "error",      "title",       "error_message",
                               "error_msg", "status_msg", "description", "Message"};

/// The first text under one of kWords, however deep.
std::optional<std::string> words_in(Sent json, int depth = 0) {
  if (depth > 8) return std::nullopt;
  if (const auto items = value<simdjson::dom::array>(json)) {
    for (const auto item : *items)
      if (auto words = words_in(Sent(simdjson::dom::element(item)), depth + 1)) return words;
    return std::nullopt;
  }
  const auto object = value<simdjson::dom::object>(json);
  if (!object) return std::nullopt;
  for (const char* name : kWords)
    if (const auto text = value<std::string_view>(json[name]); text && !text->empty())
      return std::string(*text);
  for (const auto field : *object)
    if (auto words = words_in(Sent(simdjson::dom::element(field.value)), depth + 1)) return words;
  return std::nullopt;
}

/// The first value under a name, however deep.
Sent anywhere(Sent json, std::string_view name, int depth = 0) {
  Sent found = json[name];
  if (!found.error() || depth > 8) return found;
  if (const auto items = value<simdjson::dom::array>(json))
    for (const auto item : *items)
      if (found = anywhere(Sent(simdjson::dom::element(item)), name, depth + 1); !found.error())
        return found;
  if (const auto object = value<simdjson::dom::object>(json))
    for (const auto field : *object)
      if (found = anywhere(Sent(simdjson::dom::element(field.value)), name, depth + 1);
          !found.error())
        return found;
  return found;
}

/// The words of a page: its title, or all that stands between its tags.
std::string words_of_page(std::string_view page) {
  const std::string small = ascii::lower(page);
  const std::size_t title = small.find("<title>");
  const std::size_t end = small.find("</title>");
  if (title != small.npos && end != small.npos && end > title + 7)
    return std::string(page.substr(title + 7, end - title - 7));
  std::string out;
  bool tag = false;
  for (const char c : page) {
    if (c == '<') tag = true;
    if (!tag) out += c;
    if (c == '>') {
      tag = false;
      out += ' ';
    }
  }
  return ascii::trim(out).empty() ? "a page of HTML" : std::string(ascii::trim(out));
}

/// What is told of an answer in which no words were found.
std::string told_of(Sent json, std::string_view body) {
  const std::string_view text = ascii::trim_left(body);
  if (const auto object = value<simdjson::dom::object>(json)) {
    std::string fields;
    for (const auto field : *object)
      fields += (fields.empty() ? "" : ", ") + std::string(field.key);
    return fields.empty() ? "an empty object" : "no words, only the fields " + fields;
  }
  if (text.starts_with('<')) return words_of_page(text);
  if (text.starts_with('{') || text.starts_with('['))
    return json.error() ? fmt::format("JSON that breaks off, of {} bytes", body.size())
                        : "a list without words";
  return std::string(body);
}

/// Where the JSON that a message quotes begins and ends; of no length where it quotes none.
std::string_view quoted_json(std::string_view message) {
  const std::size_t begin = message.find('{');
  const std::size_t end = message.rfind('}');
  if (begin == message.npos || end == message.npos || end < begin) return {};
  return message.substr(begin, end - begin + 1);
}

/// Reads what a message quotes of another server, which a router stands before.
void take_quoted(ServerError& error, std::string_view holder, std::string_view quoted) {
  simdjson::dom::parser parser;
  const Sent json = parse_sent(parser, quoted);
  if (json.error()) return;
  ServerError inner = server_error(error.status, json, quoted);
  const std::string_view before =
      holder.substr(0, static_cast<std::size_t>(quoted.data() - holder.data()));
  error.message = std::string(before) + inner.message;
  error.code += inner.code;
  if (error.field.empty()) error.field = std::move(inner.field);
  if (!error.retry_after_s) error.retry_after_s = inner.retry_after_s;
}

void add_codes(std::string& code, std::initializer_list<Sent> all) {
  for (const Sent& sent : all) {
    if (const auto text = value<std::string_view>(sent)) code += std::string(*text) + ' ';
    if (const auto number = value<std::int64_t>(sent)) code += std::to_string(*number) + ' ';
  }
}

/// The field that an error complains of: `seed`, `body.messages.0.role`.
std::string field_of(Sent json, Sent own) {
  std::string field;
  for (const Sent& sent : {own["param"], json["param"], member(own, {"details", "field"})})
    if (const auto text = value<std::string_view>(sent)) field = *text;
  if (const auto place = value<simdjson::dom::array>(anywhere(json, "loc")))
    for (const auto step : *place) {
      const Sent one{simdjson::dom::element(step)};
      const auto number = value<std::int64_t>(one);
      const auto name = value<std::string_view>(one);
      if (!name && !number) continue;
      field += field.empty() ? "" : ".";
      field += name ? std::string(*name) : std::to_string(*number);
    }
  return field;
}

/// The same by the headers that a router had of the server behind it, and repeats.
std::optional<double> told_by_headers(Sent headers) {
  const auto sent = value<simdjson::dom::object>(headers);
  if (!sent) return std::nullopt;
  const auto header = [&](std::string_view name) {
    for (const auto field : *sent)
      if (ascii::lower(field.key) == name)
        return value<std::string_view>(Sent(simdjson::dom::element(field.value))).value_or("");
    return std::string_view();
  };
  return told_wait(header, static_cast<double>(std::time(nullptr)));
}

/// When to come back, in seconds: by a RetryInfo among the details, a field, or the words.
std::optional<double> told_when(Sent json, Sent own, std::string_view message) {
  if (const auto details = value<simdjson::dom::array>(own["details"]))
    for (const auto detail : *details) {
      const Sent delay = Sent(simdjson::dom::element(detail))["retryDelay"];
      if (const auto text = value<std::string_view>(delay)) return duration_seconds(*text);
      if (const auto whole = value<double>(delay["seconds"]))
        return *whole + value<double>(delay["nanos"]).value_or(0) / 1e9;
      if (const auto text = value<std::string_view>(delay["seconds"]))
        return duration_seconds(*text);
    }
  if (const auto told = told_by_headers(member(own, {"metadata", "headers"}))) return told;
  for (const Sent& sent : {own["retry_after"], json["retry_after"], own["retry_after_seconds"],
                           json["estimated_time"]}) {
    if (const auto number = value<double>(sent); number && *number >= 0) return number;
    if (const auto text = value<std::string_view>(sent)) return duration_seconds(*text);
  }
  return told_delay(message);
}

}  // namespace

ServerError server_error(int status, Sent json, std::string_view body) {
  ServerError error;
  error.status = status;
  if (json.is_array()) json = json.at(0);
  const Sent own = json["error"];
  std::optional<std::string> words;
  for (const Sent& sent : {own["message"], own, json["message"], member(json, {"detail"}),
                           member(json, {"detail", "msg"}), member(json, {"errors", "message"})}) {
    if (const auto text = value<std::string_view>(sent); text && !words) words = *text;
  }
  if (!words) words = words_in(json);
  error.message = words ? *words : told_of(json, body);
  add_codes(error.code,
            {own["code"], own["type"], own["status"], member(own, {"innererror", "code"}),
             member(own, {"details", "reason"}), json["code"], json["type"], json["error_code"],
             member(json, {"detail", "type"})});
  error.field = field_of(json, own);
  error.retry_after_s = told_when(json, own, error.message);
  if (const std::string holder = error.message; !quoted_json(holder).empty())
    take_quoted(error, holder, quoted_json(holder));
  // Routers repeat what the server behind them said.
  if (!member(own, {"metadata", "flagged_input"}).error()) error.code += "flagged_input";
  if (const auto raw = value<std::string_view>(member(own, {"metadata", "raw"}))) {
    const std::string outer = error.message;
    error.message = *raw;
    if (const auto quoted = quoted_json(*raw); !quoted.empty()) take_quoted(error, *raw, quoted);
    error.message = fmt::format("{} ({})", outer, error.message);
  }
  return error;
}

ServerError server_error(int status, std::string_view body) {
  simdjson::dom::parser parser;
  return server_error(status, parse_sent(parser, body), body);
}

std::optional<int> status_within(const ServerError& error) {
  constexpr std::array<std::pair<std::string_view, int>, 30> kNames = {
      {{"insufficientquota", 402},
       {"insufficientcredit", 402},
       {"insufficientbalance", 402},
       {"paymentrequired", 402},
       {"billing", 402},
       {"unauthenticated", 401},
       {"unauthorized", 401},
       {"authentication", 401},
       {"invalidapikey", 401},
       {"permission", 403},
       {"forbidden", 403},
       {"accessdenied", 403},
       {"accessterminated", 403},
       {"notfound", 404},
       {"ratelimit", 429},
       {"toomanyrequests", 429},
       {"resourceexhausted", 429},
       {"throttl", 429},
       {"overloaded", 503},
       {"unavailable", 503},
       {"deadlineexceeded", 504},
       {"timeout", 504},
       {"internal", 500},
       {"servererror", 500},
       {"apierror", 500},
       {"invalidrequest", 400},
       {"invalidargument", 400},
       {"badrequest", 400},
       {"unsupported", 400},
       {"validation", 400}}};
  for (std::size_t at = 0; at < error.code.size();) {
    const std::size_t end = std::min(error.code.find(' ', at), error.code.size());
    int number = 0;
    const char* const last = error.code.data() + end;
    const auto [read, failed] = std::from_chars(error.code.data() + at, last, number);
    if (failed == std::errc() && read == last && number >= 400 && number < 600) return number;
    at = end + 1;
  }
  std::string code = ascii::lower(error.code);
  std::erase_if(code, [](char c) { return !ascii::is_letter(c); });
  for (const auto& [name, status] : kNames)
    if (code.find(name) != code.npos) return status;
  return std::nullopt;
}

}  // namespace theta
