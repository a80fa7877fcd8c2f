#include "core/response_json.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"

namespace theta {

std::string response_json(const Result<Response>& answer) {
  if (!answer) {
    require(answer.error().fault == Fault::kPrompt, "a service's fault is not kept");
    return nlohmann::json{{"prompt_fault", json_text(answer.error().message)}}.dump();
  }
  const auto& response = *answer;
  auto logprobs = nlohmann::json::array();
  for (const double value : response.option_logprobs) {
    require(!std::isnan(value) && value < std::numeric_limits<double>::infinity(),
            "a log-probability is a number below infinity");
    if (std::isinf(value)) {
      logprobs.push_back(nullptr);  // JSON has no -infinity
    } else {
      logprobs.push_back(value);
    }
  }
  return nlohmann::json{{"text", json_text(response.text)},
                        {"option_logprobs", std::move(logprobs)},
                        {"truncated", response.truncated},
                        {"note", json_text(response.note)}}
      .dump();
}

Result<Response> response_of(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  if (const auto fault = json.find("prompt_fault"); fault != json.end()) {
    return Error{Fault::kPrompt, text_of(*fault)};
  }
  Response response;
  response.text = text_of(json.at("text"));
  for (const auto& value : json.at("option_logprobs")) {
    response.option_logprobs.push_back(value.is_null() ? -std::numeric_limits<double>::infinity()
                                                       : value.get<double>());
  }
  response.truncated = json.at("truncated");
  response.note = text_of(json.at("note"));
  return response;
}

}  // namespace theta
