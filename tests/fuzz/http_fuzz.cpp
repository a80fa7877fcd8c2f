// Any bytes as a server's answer, its status first: read or refused, never more than it says, and
// what is read is fit to be kept.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/models/http/chat_reading.hpp"
#include "core/models/http/retry_after.hpp"
#include "core/records/response_json.hpp"
#include "core/utf8.hpp"

namespace {

using namespace theta;

Request request(ChatAsk ask) {
  Request made;
  made.messages = {{"user", "Which?"}};
  made.answer_prefix = "Preference: ";
  if (ask != ChatAsk::kGenerate) made.options = {"First", "Second", "Seconds"};
  return made;
}

void check_scores(const Response& response, const Request& asked) {
  require(response.option_logprobs.size() == asked.options.size(), "every option is scored");
  for (const double logprob : response.option_logprobs) {
    require(std::isfinite(logprob), "a score is a number");
  }
  require(std::ranges::find(asked.options, response.text) != asked.options.end(),
          "the answer is an option");
}

void check(const ChatReading& reading, const Request& asked, ChatAsk ask) {
  using Verdict = ChatReading::Verdict;
  const bool scored = ask != ChatAsk::kGenerate;
  for (const auto tokens :
       {reading.prompt_tokens, reading.generated_tokens, reading.reused_tokens}) {
    require(tokens >= 0 && tokens <= 1'000'000'000, "sums of counts stay numbers");
  }
  if (!reading.answer) {
    const Error& error = reading.answer.error();
    require(is_utf8(error.message), "a message can be printed");
    require(error.message.size() < 2000, "a message is a line");
    require(error.message.find('\n') == std::string::npos, "a message is one line");
    require(reading.verdict == Verdict::kDone || reading.verdict == Verdict::kThinks ||
                reading.verdict == Verdict::kMayThink || error.fault == Fault::kService,
            "only the service and a thought are asked again");
    return;
  }
  require(reading.verdict == Verdict::kDone || reading.verdict == Verdict::kMayThink,
          "an answer stands");
  if (scored) check_scores(*reading.answer, asked);
  const auto kept = response_of(response_json(reading.answer), 0, 0);
  require(kept && kept->text == reading.answer->text &&
              kept->option_logprobs == reading.answer->option_logprobs,
          "an answer is read back as it was kept");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The first byte chooses the status: most inputs are answers, some are refusals.
  constexpr int kStatuses[] = {200, 200, 200, 200, 400, 404, 429, 503};
  const int status = size == 0 ? 200 : kStatuses[data[0] % 8];
  const std::string_view body = bytes.substr(std::min<std::size_t>(1, size));
  for (const auto ask : {ChatAsk::kGenerate, ChatAsk::kLogprobs, ChatAsk::kNameOption}) {
    const Request asked = request(ask);
    for (const auto dialect : {Dialect::kOpenAi, Dialect::kLlamaServer, Dialect::kVllm}) {
      check(read_chat(status, body, asked, dialect, {.ask = ask}), asked, ask);
    }
  }
  require(dialect_of_models(body) != std::optional(Dialect::kAuto),
          "a server's dialect is one of those known");
  const auto wait_s = retry_after_seconds(body, 1e9);
  require(!wait_s || (std::isfinite(*wait_s) && *wait_s >= 0), "a wait is a length of time");
  return 0;
}
