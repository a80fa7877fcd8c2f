#include "tests/support/scripted_model.hpp"

#include <sstream>

namespace theta {
namespace {

std::int64_t count_words(const std::string& text) {
  std::istringstream words(text);
  std::int64_t n = 0;
  for (std::string word; words >> word;) ++n;
  return n;
}

}  // namespace

ScriptedModel::ScriptedModel(Script script, Options options)
    : script_(std::move(script)), options_(std::move(options)) {}

void ScriptedModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                             std::stop_token stop) {
  {
    const std::lock_guard lock(mutex_);
    waves_.emplace_back(wave.begin(), wave.end());
  }
  for (std::size_t i = 0; i < wave.size(); ++i) {
    if (stop.stop_requested()) throw Interrupted("interrupted");
    std::size_t call = 0;
    {
      const std::lock_guard lock(mutex_);
      call = static_cast<std::size_t>(counters_.attempts++);
    }
    if (options_.failing.contains(call)) {
      on_answer(i, Error{Fault::kService, "timed out"});
      continue;
    }
    auto answer = script_(wave[i]);
    if (answer) {
      if (answer->prompt_tokens == 0) {
        answer->prompt_tokens = static_cast<std::int64_t>(*count_tokens(wave[i]));
      }
      if (answer->generated_tokens == 0 && wave[i].options.empty()) {
        answer->generated_tokens = count_words(answer->text);
      }
      const std::lock_guard lock(mutex_);
      counters_.computed_tokens += answer->prompt_tokens;
      counters_.generated_tokens += answer->generated_tokens;
    }
    on_answer(i, std::move(answer));
  }
}

std::optional<std::size_t> ScriptedModel::count_tokens(const Request& request) const {
  if (!options_.counts) return std::nullopt;
  std::int64_t n = count_words(request.answer_prefix);
  for (const auto& message : request.messages) n += count_words(message.content);
  return static_cast<std::size_t>(n);
}

HostCounters ScriptedModel::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::vector<std::vector<Request>> ScriptedModel::waves() const {
  const std::lock_guard lock(mutex_);
  return waves_;
}

std::size_t ScriptedModel::calls() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(counters_.attempts);
}

Request user_request(std::string content, std::vector<std::string> options) {
  Request request;
  request.messages = {{"user", std::move(content)}};
  request.options = std::move(options);
  return request;
}

Response say(std::string text) {
  Response response;
  response.text = std::move(text);
  return response;
}

Response choose(const Request& request, const std::string& option, double margin) {
  Response response;
  response.text = option;
  bool found = false;
  for (const auto& text : request.options) {
    found = found || text == option;
    response.option_logprobs.push_back(text == option ? -0.1 : -0.1 - margin);
  }
  require(found, "a chosen option is one of the request's");
  return response;
}

}  // namespace theta
