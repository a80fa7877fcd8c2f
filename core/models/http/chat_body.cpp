#include "core/models/http/chat_body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/ascii.hpp"
#include "core/json_text.hpp"

namespace theta {
namespace {

using Json = nlohmann::json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
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
  const std::string_view prefix = ascii::trim(request.answer_prefix);
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

/// What is said at the end of the messages.
std::string told_in_words(Dialect dialect, const Request& request, const ChatWay& way) {
  const bool enforced = enforces(dialect, way);
  if (way.ask == ChatAsk::kNameOption && !enforced) return instruction(request, way.ask);
  if (dialect != Dialect::kOpenAi && way.begins_answers()) return "";
  // A grammar speaks of what follows the beginning, and lets nothing else through.
  const bool by_grammar = enforced && !request.grammar.empty() && way.ask == ChatAsk::kGenerate;
  return by_grammar ? "" : instruction(request, way.ask);
}

/// The messages with what a system message says at the beginning of the next user message.
Messages without_system_role(const Messages& messages) {
  Messages out;
  std::string told;
  for (const Message& message : messages) {
    if (message.role == "system") {
      told += (told.empty() ? "" : "\n\n") + message.content;
      continue;
    }
    if (!told.empty() && message.role != "user") out.push_back({"user", std::exchange(told, "")});
    out.push_back(message);
    if (!told.empty()) out.back().content = std::exchange(told, "") + "\n\n" + message.content;
  }
  if (!told.empty()) out.push_back({"user", told});
  return out;
}

double within(double number, const FieldForm& field) {
  if (field.least) number = std::max(number, *field.least);
  if (field.most) number = std::min(number, *field.most);
  return number;
}

/// Writes the fields of a request, in the form that its model wants. Requests are written by the
/// thousand: a JSON value is made of what is rare alone.
class Fields {
 public:
  Fields(std::string& out, const RequestForm* form) : out_(out), form_(form) {}

  /// Begins a field whose value is written next.   @return whether it is sent.
  bool begin(std::string_view name) {
    const FieldForm* field = form_ == nullptr ? nullptr : form_->find(name);
    if (field != nullptr && (field->dropped || field->json)) return false;
    if (field != nullptr && !field->sent_as.empty()) {
      add_name(field->sent_as);
    } else {
      out_ += ",\"";
      out_ += name;
      out_ += "\":";
    }
    return true;
  }
  template <typename T>
  void number(std::string_view name, T number) {
    if (!begin(name)) return;
    if (const FieldForm* field = form_ == nullptr ? nullptr : form_->find(name)) {
      const double allowed = within(static_cast<double>(number), *field);
      if (allowed != static_cast<double>(number)) {
        const bool whole = allowed == std::floor(allowed);
        out_ += dump(whole ? Json(std::llround(allowed)) : Json(allowed));
        return;
      }
    }
    if constexpr (std::is_integral_v<T>)
      fmt::format_to(std::back_inserter(out_), "{}", number);
    else
      append_json_number(out_, number);
  }
  void json(std::string_view name, const Json& value) {
    if (begin(name)) out_ += dump(value);
  }
  /// The values that the config gives, in place of Theta's and beside them.
  void of_the_config() {
    if (form_ == nullptr) return;
    for (const FieldForm& field : form_->fields) {
      if (field.dropped || !field.json) continue;
      add_name(field.sent_as.empty() ? field.name : field.sent_as);
      out_ += field.json->sent;
    }
  }

 private:
  void add_name(const std::string& name) {
    out_ += ',';
    append_json_string(out_, name);
    out_ += ':';
  }

  std::string& out_;
  const RequestForm* const form_;
};

/// Appends the messages.
/// @param told       is said at their end
/// @param beginning  of the answer, which the last message is; empty: there is none
void add_messages(std::string& out, const Messages& messages, std::string told,
                  std::string_view beginning) {
  out += ",\"messages\":[";
  const auto add = [&](const std::string& role, const std::string& content) {
    out += out.ends_with('[') ? "{\"role\":" : ",{\"role\":";
    append_json_string(out, role);
    out += ",\"content\":";
    append_json_string(out, content);
    out += '}';
  };
  for (const auto& message : messages) {
    if (!told.empty() && &message == &messages.back() && message.role == "user") {
      add(message.role, message.content + "\n\n" + std::exchange(told, ""));
    } else {
      add(message.role, message.content);
    }
  }
  if (!told.empty()) add("user", told);
  if (!beginning.empty()) add("assistant", std::string(beginning));
  out += ']';
}

void add_generation(Fields& fields, std::string& out, Dialect dialect, const Request& request,
                    const ChatWay& way) {
  fields.number("temperature", request.temperature);
  fields.number("max_tokens", request.max_tokens);
  if (request.temperature > 0) fields.number("seed", request.seed & 0x7fffffff);
  if (request.temperature > 0 && request.top_p < 1) fields.json("top_p", request.top_p);
  if (!request.stop.empty() && way.sends_stop() && fields.begin("stop")) {
    for (const auto& text : request.stop) {
      out += &text == &request.stop.front() ? '[' : ',';
      append_json_string(out, text);
    }
    out += ']';
  }
  if (dialect == Dialect::kOpenAi && !request.schema.empty() && fields.begin("response_format")) {
    out += R"({"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":)";
    out += request.schema;
    out += "}}";
  }
  if (request.grammar.empty()) return;
  if (dialect == Dialect::kLlamaServer) fields.json("grammar", request.grammar);
  if (dialect == Dialect::kVllm) fields.json("structured_outputs", {{"grammar", request.grammar}});
}

}  // namespace

int answer_tokens(const Request& request, const ChatWay& way) {
  int tokens = request.max_tokens;
  if (way.ask == ChatAsk::kLogprobs) {
    tokens = 1;
  } else if (way.ask == ChatAsk::kNameOption && way.thinks) {
    tokens = kThoughtTokens;
  } else if (way.ask == ChatAsk::kNameOption) {
    // No option has more tokens than bytes; an echoed prefix may stand before it.
    std::size_t longest = 16;
    for (const auto& option : request.options) longest = std::max(longest, option.size());
    tokens = static_cast<int>(longest + request.answer_prefix.size());
  }
  const FieldForm* field = way.form ? way.form->find("max_tokens") : nullptr;
  if (field == nullptr) return tokens;
  if (!field->json) return static_cast<int>(within(tokens, *field));
  const std::string& own = field->json->sent;
  std::from_chars(own.data(), own.data() + own.size(), tokens);
  return tokens;
}

bool enforces(Dialect dialect, const ChatWay& way) {
  return (dialect == Dialect::kLlamaServer && way.sends("grammar")) ||
         (dialect == Dialect::kVllm && way.sends("structured_outputs"));
}

std::string chat_body(const std::string& model, Dialect dialect, const Request& request,
                      const ChatWay& way) {
  std::string out;
  std::size_t expected = 512;
  for (const auto& message : request.messages) expected += message.content.size() * 9 / 8 + 32;
  out.reserve(expected);
  out += "{\"model\":";
  append_json_string(out, model);
  const auto prefix = ascii::trim_right(request.answer_prefix);
  const bool continues = dialect != Dialect::kOpenAi && way.begins_answers() && !prefix.empty();
  const bool merges = way.form && !way.form->system_role;
  const Messages merged = merges ? without_system_role(request.messages) : Messages{};
  add_messages(out, merges ? merged : request.messages, told_in_words(dialect, request, way),
               continues ? prefix : "");

  Fields fields(out, way.form.get());
  if (continues && dialect == Dialect::kVllm) {
    fields.json("add_generation_prompt", false);
    fields.json("continue_final_message", true);
  }
  if (way.ask == ChatAsk::kLogprobs) {
    // Some servers scale the log-probabilities by the temperature: 1 leaves the model's own.
    fields.number("temperature", 1);
    fields.number("max_tokens", answer_tokens(request, way));
    fields.json("logprobs", true);
    fields.number("top_logprobs", way.listed);
  } else if (way.ask == ChatAsk::kNameOption) {
    fields.number("temperature", 0);
    fields.number("max_tokens", answer_tokens(request, way));
    if (dialect == Dialect::kLlamaServer) fields.json("grammar", options_grammar(request.options));
    if (dialect == Dialect::kVllm) fields.json("structured_outputs", {{"choice", request.options}});
  } else {
    add_generation(fields, out, dialect, request, way);
  }
  fields.json("stream", false);
  fields.of_the_config();
  out += '}';
  return out;
}

}  // namespace theta
