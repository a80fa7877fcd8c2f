#include "core/records/response_json.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_text.hpp"

namespace theta {
namespace {

constexpr const char* kPromptFault = "prompt_fault";
constexpr const char* kRefusal = "refused";

}  // namespace

std::string response_json(const Result<Response>& answer) {
  if (!answer) {
    require(answer.error().fault != Fault::kService, "a service's fault is not kept");
    const char* key = answer.error().fault == Fault::kPrompt ? kPromptFault : kRefusal;
    return nlohmann::json{{key, json_text(answer.error().message)}}.dump();
  }
  // Written by the thousand: not by way of a JSON value.
  std::string out;
  out.reserve(128 + answer->text.size() * 9 / 8);
  out += answer->named ? "{\"named\":true,\"note\":" : "{\"note\":";
  append_json_text(out, answer->note);
  out += ",\"option_logprobs\":[";
  for (const double value : answer->option_logprobs) {
    require(!std::isnan(value) && value < std::numeric_limits<double>::infinity(),
            "a log-probability is a number below infinity");
    if (!out.ends_with('[')) out += ',';
    if (std::isinf(value)) {
      out += "null";  // JSON has no -infinity
    } else {
      append_json_number(out, value);
    }
  }
  out += "],\"text\":";
  append_json_text(out, answer->text);
  out += answer->truncated ? ",\"truncated\":true}" : ",\"truncated\":false}";
  return out;
}

Result<Response> response_of(const std::string& text, std::int64_t prompt_tokens,
                             std::int64_t generated_tokens) try {
  const auto json = nlohmann::json::parse(text);
  for (const auto& [key, fault] :
       {std::pair(kPromptFault, Fault::kPrompt), std::pair(kRefusal, Fault::kRefused)}) {
    if (const auto why = json.find(key); why != json.end())
      return Error{fault, text_of(*why), {}, prompt_tokens, generated_tokens};
  }
  Response response;
  response.prompt_tokens = prompt_tokens;
  response.generated_tokens = generated_tokens;
  response.text = text_of(json.at("text"));
  for (const auto& value : json.at("option_logprobs")) {
    response.option_logprobs.push_back(value.is_null() ? -std::numeric_limits<double>::infinity()
                                                       : value.get<double>());
  }
  response.truncated = json.at("truncated");
  response.note = text_of(json.at("note"));
  response.named = json.value("named", false);
  return response;
} catch (const nlohmann::json::exception&) {
  throw RunError("the record or the cache is damaged: an answer in it cannot be read");
}

}  // namespace theta
