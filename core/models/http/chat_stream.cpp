#include "core/models/http/chat_stream.hpp"

#include <algorithm>
#include <cstdint>

#include "core/ascii.hpp"
#include "core/json_text.hpp"
#include "core/models/http/sent_json.hpp"

namespace theta {
namespace {

constexpr std::string_view kData = "data:";

/// What the events said so far.
struct Joined {
  std::string text, thought, finish;
  std::int64_t prompt_tokens = 0, generated_tokens = 0;

  void add(Sent event) {
    const Sent choice = member(event, {"choices"}).at(0);
    const Sent delta = choice["delta"];
    if (const auto part = value<std::string_view>(delta["content"])) text += *part;
    for (const char* field : {"reasoning_content", "reasoning"})
      if (const auto part = value<std::string_view>(delta[field])) thought += *part;
    if (const auto why = value<std::string_view>(choice["finish_reason"])) finish = *why;
    if (const auto tokens = token_count(member(event, {"usage", "prompt_tokens"})); tokens > 0) {
      prompt_tokens = tokens;
      generated_tokens = token_count(member(event, {"usage", "completion_tokens"}));
    }
  }

  std::string json() const {
    std::string out = "{\"choices\":[{\"message\":{\"content\":";
    append_json_string(out, text);
    if (!thought.empty()) {
      out += ",\"reasoning_content\":";
      append_json_string(out, thought);
    }
    out += "},\"finish_reason\":";
    append_json_string(out, finish);
    return out + "}],\"usage\":{\"prompt_tokens\":" + std::to_string(prompt_tokens) +
           ",\"completion_tokens\":" + std::to_string(generated_tokens) + "}}";
  }
};

}  // namespace

bool is_stream(std::string_view body) {
  body = ascii::trim_left(body);
  return body.starts_with(kData) || body.starts_with("event:") || body.starts_with(": ");
}

std::optional<std::string> joined_stream(std::string_view body) {
  Joined joined;
  while (!body.empty()) {
    const std::string_view line = ascii::trim(body.substr(0, body.find('\n')));
    body.remove_prefix(std::min(body.find('\n'), body.size() - 1) + 1);
    if (!line.starts_with(kData)) continue;
    const std::string_view data = ascii::trim(line.substr(kData.size()));
    simdjson::dom::parser parser;
    const Sent event = parse_sent(parser, data);
    if (event.error()) continue;  // `[DONE]`
    if (!event["error"].error()) return std::string(data);
    joined.add(event);
  }
  return joined.finish.empty() ? std::nullopt : std::optional(joined.json());
}

}  // namespace theta
