#include "core/records/request_json.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "core/json_text.hpp"

namespace theta {

std::string canonical(const Request& request) {
  std::string out;
  std::size_t expected = 512;
  for (const auto& message : request.messages) expected += message.content.size() * 9 / 8 + 32;
  out.reserve(expected);
  out += "{\"answer_prefix\":";
  const auto add_list = [&](const std::vector<std::string>& texts) {
    out += '[';
    for (const auto& text : texts) {
      if (&text != &texts.front()) out += ',';
      append_json_text(out, text);
    }
    out += ']';
  };
  append_json_text(out, request.answer_prefix);
  out += ",\"grammar\":";
  append_json_text(out, request.grammar);
  out += ",\"max_tokens\":" + std::to_string(request.max_tokens) + ",\"messages\":[";
  for (const auto& message : request.messages) {
    out += out.ends_with('[') ? "{\"content\":" : ",{\"content\":";
    append_json_text(out, message.content);
    out += ",\"role\":";
    append_json_text(out, message.role);
    out += '}';
  }
  out += "],\"options\":";
  add_list(request.options);
  if (!request.schema.empty()) {
    out += ",\"schema\":";
    append_json_text(out, request.schema);
  }
  out += ",\"seed\":" + std::to_string(request.seed) + ",\"stop\":";
  add_list(request.stop);
  out += ",\"temperature\":";
  append_json_number(out, request.temperature);
  out += ",\"top_p\":";
  append_json_number(out, request.top_p);
  out += '}';
  return out;
}

Request request_of(const std::string& text) try {
  const auto json = nlohmann::json::parse(text);
  Request request;
  for (const auto& message : json.at("messages"))
    request.messages.push_back({text_of(message.at("role")), text_of(message.at("content"))});
  request.answer_prefix = text_of(json.at("answer_prefix"));
  request.grammar = text_of(json.at("grammar"));
  for (const auto& option : json.at("options")) request.options.push_back(text_of(option));
  if (const auto schema = json.find("schema"); schema != json.end())
    request.schema = text_of(*schema);
  for (const auto& stop : json.at("stop")) request.stop.push_back(text_of(stop));
  request.max_tokens = json.at("max_tokens");
  request.seed = json.at("seed");
  request.temperature = json.at("temperature");
  request.top_p = json.at("top_p");
  return request;
} catch (const nlohmann::json::exception&) {
  throw RunError("the record is damaged: a request in it cannot be read");
}

}  // namespace theta
