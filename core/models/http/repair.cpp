#include "core/models/http/repair.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <system_error>
#include <vector>

#include "core/ascii.hpp"
#include "core/result.hpp"

namespace theta {
namespace {

using Json = nlohmann::json;
using Kind = Repair::Kind;

bool of_a_name(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c) || c == '_' || (c & 0x80) != 0;
}

/// A name as it is compared: `maxOutputTokens` is `max_output_tokens`.
std::string letters(std::string_view name) {
  std::string out = ascii::lower(name);
  std::erase_if(out, [](char c) { return !ascii::is_letter(c); });
  return out;
}

/// A name that a message holds.
struct Named {
  std::string_view name;
  bool marked;  ///< in quotes, or spelt as no word of a sentence is
};

std::vector<Named> names_in(std::string_view message) {
  std::vector<Named> names;
  for (std::size_t at = 0; at < message.size();) {
    if (!of_a_name(message[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < message.size() && of_a_name(message[end])) ++end;
    const std::string_view name = message.substr(at, end - at);
    const bool quoted = at > 0 && end < message.size() &&
                        std::string_view("'\"`").find(message[at - 1]) != std::string_view::npos;
    const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    const bool camel =
        name.size() > 7 && !is_capital(name.front()) && std::ranges::any_of(name, is_capital);
    names.push_back({name, quoted || camel || name.find('_') != name.npos});
    at = end;
  }
  return names;
}

bool has_any(const std::vector<Named>& names, std::string_view alternatives) {
  return std::ranges::any_of(names, [&](const Named& one) {
    const std::string word = "|" + ascii::lower(one.name) + "|";
    return alternatives.find(word) != alternatives.npos;
  });
}

/// Words of a complaint about a field, where its name alone may be a word of a sentence.
constexpr std::string_view kRefusing =
    "|unsupported|supported|support|supports|unknown|unrecognized|unrecognised|unexpected|extra|"
    "permitted|allowed|invalid|deprecated|accepted|accept|accepts|recognized|recognised|"
    "available|enabled|disallowed|forbidden|rejected|remove|removed|illegal|ignored|implemented|"
    "unavailable|disabled|takes|take|know|knows|understand|understood|fixed|must|cannot|"
    "unsupported_parameter|unsupported_value|unknown_parameter|extra_forbidden|";
/// Of those, what is said of a field that is not taken at all, whatever its value.
constexpr std::string_view kUnknownField =
    "|unsupported|supported|support|supports|unknown|unrecognized|unrecognised|unexpected|extra|"
    "permitted|allowed|deprecated|accept|accepts|accepted|rejected|recognized|recognised|removed|"
    "remove|forbidden|"
    "disallowed|instead|use|replaced|renamed|unsupported_parameter|unknown_parameter|"
    "extra_forbidden|";
constexpr std::string_view kSuggesting =
    "|use|instead|mean|renamed|replaced|favor|favour|prefer|rather|replace|try|called|switch|";
constexpr std::array<std::string_view, 6> kTokenLimits = {"maxtokens",       "maxcompletiontokens",
                                                          "maxoutputtokens", "maxnewtokens",
                                                          "numpredict",      "maxlength"};

bool is_token_limit(std::string_view name) {
  return std::ranges::find(kTokenLimits, letters(name)) != kTokenLimits.end();
}

/// Whether two names are of one field: `stopSequences` is `stop`.
bool is_same(std::string_view one, std::string_view other) {
  const std::string a = letters(one), b = letters(other);
  if (a.empty()) return false;
  return a == b || (is_token_limit(one) && is_token_limit(other)) ||
         (a == "stopsequences" && b == "stop") ||
         (b == "responseformat" && (a == "jsonschema" || a == "structuredoutputs"));
}

/// The request's fields that Theta fills, as they were sent, by the name that Theta has for them.
struct Field {
  std::string name, sent_as;
};

std::vector<Field> fields_of(const Json& sent, const RequestForm& form) {
  std::vector<Field> fields;
  for (const auto& [key, value] : sent.items()) {
    if (key == "model" || key == "messages") continue;
    const auto made_of = std::ranges::find_if(form.fields, [&](const FieldForm& field) {
      return field.sent_as == key || (field.name == key && field.sent_as.empty());
    });
    if (made_of != form.fields.end() && made_of->json) continue;  // the config's own
    fields.push_back({made_of != form.fields.end() ? made_of->name : key, key});
  }
  return fields;
}

/// The field that a complaint names.
std::optional<Field> complained_of(const ServerError& error, const std::vector<Field>& fields,
                                   const std::vector<Named>& names) {
  const auto find = [&](std::string_view name) -> std::optional<Field> {
    for (const Field& field : fields)
      if (field.sent_as == name || field.name == name) return field;
    for (const Field& field : fields)
      if (is_same(name, field.sent_as)) return field;
    return std::nullopt;
  };
  for (const Named& step : names_in(error.field))
    if (auto field = find(step.name)) return field;
  if (!error.field.empty() && ascii::lower(error.field).find("message") != std::string::npos)
    return std::nullopt;
  for (const Named& one : names)
    if (auto field = one.marked ? find(one.name) : std::nullopt) return field;
  if (!has_any(names, kRefusing)) return std::nullopt;
  for (const Named& one : names)
    if (auto field = find(one.name)) return field;
  return std::nullopt;
}

/// The name that a message says to use in place of a field's.
std::string suggested(const std::vector<Named>& names, const Field& refused,
                      const std::vector<Field>& fields, const Json& sent) {
  const bool limits = is_token_limit(refused.sent_as);
  const bool suggests = has_any(names, kSuggesting);
  for (const Named& one : names) {
    const std::string name(one.name);
    if (!one.marked || name == refused.sent_as || ascii::is_digit(name.front())) continue;
    const auto sent_too = [&](const Field& field) { return field.sent_as == name; };
    if (std::ranges::any_of(fields, sent_too) || sent.value("model", "") == name) continue;
    if (limits ? is_token_limit(name) : suggests && !has_any({one}, kSuggesting) && name.size() > 2)
      return name;
  }
  return "";
}

bool says_system_role(const ServerError& error, const std::vector<Named>& names) {
  const std::string message = ascii::lower(error.message), field = ascii::lower(error.field);
  if (field.find("role") != field.npos) return true;
  if (message.find("roles must alternate") != message.npos ||
      message.find("only user and assistant roles") != message.npos ||
      message.find("'user' or 'assistant'") != message.npos)
    return true;
  const bool role = has_any(names,
                            "|role|roles|message|messages|prompt|prompts|instruction|"
                            "instructions|systeminstruction|");
  return role && has_any(names, "|system|developer|systeminstruction|") &&
         has_any(names, kRefusing);
}

bool says_begun_answer(const ServerError& error, const std::vector<Named>& names) {
  const std::string message = ascii::lower(error.message);
  if (message.find("prefil") != message.npos || message.find("pre-fil") != message.npos)
    return true;
  if (has_any(names, "|continue_final_message|add_generation_prompt|enable_thinking|")) return true;
  if (has_any(names,
              "|last|final|end|ends|ended|ending|trailing|begun|beginning|continue|"
              "continuation|continuing|partial|") &&
      has_any(names, "|assistant|model|"))
    return true;
  return has_any(names, "|last|final|end|") && has_any(names, "|user|") &&
         has_any(names, "|message|messages|turn|role|roles|conversation|contents|");
}

/// The number behind a text, with at most a few words between.
std::optional<double> number_behind(const std::string& text, std::string_view before,
                                    std::size_t from = 0) {
  constexpr std::size_t kFar = 24;
  std::size_t at = text.find(before, from);
  if (at == text.npos) return std::nullopt;
  at += before.size();
  const std::size_t digit = text.find_first_of("0123456789", at);
  if (digit == text.npos || digit - at > kFar) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data() + digit, text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return digit > at && text[digit - 1] == '-' ? -number : number;
}

std::optional<double> first_of(const std::string& text, std::span<const std::string_view> all) {
  for (const std::string_view before : all)
    if (const auto number = number_behind(text, before)) return number;
  return std::nullopt;
}

/// `[1, 8]`, `(0, 2)`: both ends.
std::optional<std::pair<double, double>> brackets_in(const std::string& text) {
  for (std::size_t at = 0; (at = text.find_first_of("[(", at)) != text.npos; ++at) {
    double low = 0, high = 0;
    char comma = 0, close = 0;
    if (std::sscanf(text.c_str() + at + 1, "%lf %c %lf %c", &low, &comma, &high, &close) != 4)
      continue;
    if (comma == ',' && (close == ']' || close == ')') && high > low) return std::pair(low, high);
  }
  return std::nullopt;
}

/// `between 1 and 8`, `in [1, 8]`: both ends.
std::optional<std::pair<double, double>> range_in(const std::string& text) {
  for (const auto& [before, between] :
       {std::pair("between ", " and "), std::pair("range of ", " to "), std::pair("from ", " to "),
        std::pair("range ", "-"), std::pair("range ", " to ")}) {
    const std::size_t at = text.find(before);
    const auto low = number_behind(text, before);
    if (!low) continue;
    const auto high = number_behind(text, between, at);
    if (high && *high > *low) return std::pair(*low, *high);
  }
  return brackets_in(text);
}

std::optional<Repair> repair_of_number(const ServerError& error, const Field& field,
                                       const Json& value, const std::vector<Named>& names) {
  if (!value.is_number()) return std::nullopt;
  const double sent = value.get<double>();
  const bool limit = is_token_limit(field.sent_as);
  const bool unsupported =
      has_any(names, "|unsupported|unsupported_parameter|unknown|unrecognized|");
  if (const auto least = least_in(error.message); least && sent < *least)
    return Repair{.kind = Kind::kLeast, .field = field.name, .bound = *least};
  const std::string message = ascii::lower(error.message);
  const bool positive = message.find("strictly positive") != message.npos ||
                        message.find("greater than 0") != message.npos ||
                        message.find("> 0") != message.npos;
  if (!limit && sent == 0 && positive)
    return Repair{.kind = Kind::kLeast, .field = field.name, .bound = 0.01};
  constexpr double kUsualLeast = 16;
  const bool few = has_any(names, "|below|minimum|small|least|few|integer_below_min_value|");
  if (limit && sent < kUsualLeast && few && !unsupported)
    return Repair{.kind = Kind::kLeast, .field = field.name, .bound = kUsualLeast};
  // What room a prompt leaves in the window is another number for each.
  if (has_any(names, "|context|prompt|input|window|")) return std::nullopt;
  // `5000 > 4096`
  auto most = number_behind(error.message, fmt::format("{:g} > ", sent));
  if (!most) most = most_in(error.message);
  if (most && *most > 0 && sent > *most)
    return Repair{.kind = Kind::kMost, .field = field.name, .bound = *most};
  return std::nullopt;
}

/// What is done about a field that is refused.
/// @param words  of the message and the code
std::optional<Repair> repair_of(const ServerError& error, const Field& field,
                                const std::vector<Field>& fields, const std::vector<Named>& words,
                                const Json& sent) {
  if (auto number = repair_of_number(error, field, sent.at(field.sent_as), words)) return number;
  if (is_token_limit(field.sent_as) &&
      (!has_any(words, kUnknownField) || has_any(words, "|context|window|")))
    return std::nullopt;
  const std::string name = suggested(names_in(error.message), field, fields, sent);
  if (!name.empty()) return Repair{.kind = Kind::kRename, .field = field.name, .sent_as = name};
  // The one that models which think take, whatever their servers say.
  if (field.sent_as == "max_tokens")
    return Repair{.kind = Kind::kRename, .field = field.name, .sent_as = "max_completion_tokens"};
  return Repair{.kind = Kind::kDrop, .field = field.name};
}

bool is_known(const Repair& repair, const RequestForm& form) {
  const FieldForm* field = form.find(repair.field);
  switch (repair.kind) {
    case Kind::kNoSystemRole:
      return !form.system_role;
    case Kind::kNoBegunAnswers:
      return !form.begun_answers;
    case Kind::kDrop:
      return field != nullptr && field->dropped;
    case Kind::kRename:
      return field != nullptr && field->sent_as == repair.sent_as;
    case Kind::kLeast:
      return field != nullptr && field->least && *field->least >= repair.bound;
    case Kind::kMost:
      return field != nullptr && field->most && *field->most <= repair.bound;
  }
  return true;
}

}  // namespace

std::optional<double> least_in(std::string_view said) {
  constexpr std::array<std::string_view, 17> kLeast = {">=",
                                                       "≥",
                                                       "at least",
                                                       "minimum of",
                                                       "minimum value of",
                                                       "minimum is",
                                                       "minimum value is",
                                                       "minimum value:",
                                                       "minimum:",
                                                       "minimum (",
                                                       "greater than or equal to",
                                                       "no less than",
                                                       "not less than",
                                                       "less than the minimum",
                                                       "below the minimum",
                                                       "more than or equal to",
                                                       "lower than"};
  constexpr std::array<std::string_view, 5> kAbove = {"greater than", "above", "larger than",
                                                      "more than", "exceed"};
  const std::string text = ascii::lower(said);
  if (const auto range = range_in(text)) return range->first;
  if (const auto least = first_of(text, kLeast)) return least;
  if (text.find("not exceed") != text.npos || text.find("must be") == text.npos)
    return std::nullopt;
  const auto above = first_of(text, kAbove);
  return above && *above == std::floor(*above) && *above > 0 ? std::optional(*above + 1)
                                                             : std::nullopt;
}

std::optional<double> most_in(std::string_view said) {
  constexpr std::array<std::string_view, 15> kMost = {"<=",
                                                      "≤",
                                                      "at most",
                                                      "maximum of",
                                                      "maximum value of",
                                                      "maximum is",
                                                      "maximum value is",
                                                      "maximum value:",
                                                      "maximum:",
                                                      "maximum allowed",
                                                      "less than or equal to",
                                                      "no more than",
                                                      "not more than",
                                                      "not exceed",
                                                      "up to"};
  constexpr std::array<std::string_view, 3> kBelow = {"less than", "below", "smaller than"};
  const std::string text = ascii::lower(said);
  if (const auto range = range_in(text)) return range->second;
  if (const auto most = first_of(text, kMost)) return most;
  if (text.find("must be") == text.npos) return std::nullopt;
  const auto below = first_of(text, kBelow);
  return below && *below == std::floor(*below) ? std::optional(*below - 1) : std::nullopt;
}

bool may_refuse_form(int status) {
  constexpr std::array kOfElse = {401, 402, 403, 404, 407, 408, 409, 413, 414, 425, 429, 431};
  return (status >= 400 && status < 500 && std::ranges::find(kOfElse, status) == kOfElse.end()) ||
         status == 501;
}

std::optional<Repair> repair_for(const ServerError& error, const Json& sent,
                                 const RequestForm& form) {
  const std::string said = error.message + " " + error.code + " " + error.field;
  const std::vector<Named> words = names_in(said);
  // A chat template's exception, and no failure of the server's.
  const bool template_failed =
      error.status == 500 &&
      has_any(words, "|role|roles|system|assistant|template|jinja|minja|prefill|");
  if (!may_refuse_form(error.status) && !template_failed) return std::nullopt;
  const auto new_one = [&](Repair repair) {
    return is_known(repair, form) ? std::nullopt : std::optional(std::move(repair));
  };
  bool system = false;
  std::string last;
  for (const Json& message : sent.value("messages", Json::array())) {
    last = message.value("role", "");
    system = system || last == "system";
  }
  if (last == "assistant" && says_begun_answer(error, words))
    return new_one(Repair{.kind = Kind::kNoBegunAnswers});
  if (system && says_system_role(error, words)) return new_one(Repair{.kind = Kind::kNoSystemRole});
  if (template_failed) return std::nullopt;
  const std::vector<Field> fields = fields_of(sent, form);
  auto field = complained_of(error, fields, words);
  // Too few tokens may be told without the field's name.
  if (!field && error.field.empty() && has_any(words, "|token|tokens|"))
    for (const Field& one : fields)
      if (is_token_limit(one.sent_as) && least_in(error.message)) field = one;
  auto repair = field ? repair_of(error, *field, fields, words, sent) : std::nullopt;
  return repair ? new_one(*std::move(repair)) : std::nullopt;
}

void apply(const Repair& repair, RequestForm& form) {
  switch (repair.kind) {
    case Kind::kNoSystemRole:
      form.system_role = false;
      break;
    case Kind::kNoBegunAnswers:
      form.begun_answers = false;
      break;
    case Kind::kDrop:
      form.at(repair.field).dropped = true;
      break;
    case Kind::kRename:
      form.at(repair.field).sent_as = repair.sent_as;
      break;
    case Kind::kLeast:
      form.at(repair.field).least = repair.bound;
      break;
    case Kind::kMost:
      form.at(repair.field).most = repair.bound;
      break;
  }
}

std::string Repair::text() const {
  switch (kind) {
    case Kind::kNoSystemRole:
      return "what a system message says begins the next user message";
    case Kind::kNoBegunAnswers:
      return "answers are not begun for it but asked for in words";
    case Kind::kDrop:
      return field + " is not sent" + (field == "stop" ? ", and its answers are cut here" : "");
    case Kind::kRename:
      return field + " is sent as " + sent_as;
    case Kind::kLeast:
      return fmt::format("{} is {:g} at least", field, bound);
    case Kind::kMost:
      return fmt::format("{} is {:g} at most", field, bound);
  }
  return "";
}

std::string form_json(const RequestForm& form) {
  Json fields = Json::array();
  for (const FieldForm& field : form.fields) {
    Json one = {{"name", field.name}};
    if (field.dropped) one["dropped"] = true;
    if (!field.sent_as.empty()) one["sent_as"] = field.sent_as;
    if (field.least) one["least"] = *field.least;
    if (field.most) one["most"] = *field.most;
    fields.push_back(std::move(one));
  }
  return Json{
      {"fields", fields}, {"system_role", form.system_role}, {"begun_answers", form.begun_answers}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

RequestForm form_of(const std::string& text) try {
  const Json json = Json::parse(text);
  RequestForm form;
  form.system_role = json.at("system_role");
  form.begun_answers = json.at("begun_answers");
  for (const Json& one : json.at("fields")) {
    FieldForm& field = form.at(one.at("name").get<std::string>());
    field.dropped = one.value("dropped", false);
    field.sent_as = one.value("sent_as", "");
    if (one.contains("least")) field.least = one["least"].get<double>();
    if (one.contains("most")) field.most = one["most"].get<double>();
  }
  return form;
} catch (const Json::exception&) {
  throw RunError("the record is damaged: how a model is to be asked cannot be read");
}

}  // namespace theta
