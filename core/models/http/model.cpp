#include "core/models/http/model.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/models/http/asking.hpp"

namespace theta {

std::string_view name_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::kOpenAi:
      return "openai";
    case Dialect::kLlamaServer:
      return "llama-server";
    case Dialect::kVllm:
      return "vllm";
    case Dialect::kAuto:
      break;
  }
  return "auto";
}

namespace {

RequestForm form_of(const HttpOptions& options) {
  RequestForm form;
  form.fields = options.parameters;
  form.system_role = options.system_role;
  return form;
}

/// Another command may serve another model by the same name.
std::string started_by(const HttpOptions& options) {
  if (!options.server) return "";
  std::string out = ", started by";
  for (const Written& word : options.server->command) out += " " + word.shown;
  return out;
}

/// Tokens that are listed with their log-probabilities; 0: the config wants none.
int listed_by(const HttpOptions& options) {
  const RequestForm form = form_of(options);
  const bool sends = form.sends("logprobs") && form.sends("top_logprobs");
  return options.logprobs && sends ? kMostListed : 0;
}

/// What a config adds to the usual requests, as it stands there; empty: nothing.
std::string additions(const HttpOptions& options) {
  std::string out;
  for (const FieldForm& field : options.parameters)
    out += fmt::format(", {} {}", field.name,
                       field.dropped ? "dropped"
                       : field.json  ? field.json->shown
                                     : "as " + field.sent_as);
  for (const auto& [name, value] : options.headers)
    out += fmt::format(", header {}: {}", name, value.shown);
  for (const auto& [name, value] : options.query)
    out += fmt::format(", query {}={}", name, value.shown);
  return options.system_role ? out : out + ", no system role";
}

HttpOptions checked(HttpOptions options) {
  if (options.model.empty()) throw UserError("a server's model needs a name");
  if (options.base_urls.empty()) throw UserError("a server's model needs a base_url");
  if (options.in_flight < 1) throw UserError("in_flight is less than 1");
  if (options.retries < 0) throw UserError("retries is less than 0");
  for (const double timeout :
       {options.connect_timeout_s, options.read_timeout_s, options.total_timeout_s}) {
    if (!(timeout > 0 && timeout <= 1e6)) throw UserError("a timeout is not in 0..1000000 s");
  }
  for (const double limit : {options.requests_per_minute, options.tokens_per_minute}) {
    if (!(limit >= 0 && limit <= 1e12)) throw UserError("a limit a minute is not in 0..1e12");
  }
  return options;
}

}  // namespace

HttpModel::HttpModel(HttpOptions options, OnTrouble on_trouble, LessonsKept kept)
    : options_(checked(std::move(options))),
      client_(options_, std::move(on_trouble)),
      lessons_(options_.model, form_of(options_), listed_by(options_), std::move(kept)) {
  if (options_.dialect != Dialect::kAuto) dialect_ = options_.dialect;
}

std::string identity_of(const HttpOptions& options) {
  auto addresses = options.base_urls;
  std::ranges::sort(addresses);
  return fmt::format("{} at {}, dialect {}, logprobs {}{}{}", options.model,
                     fmt::join(addresses, ", "), name_of(options.dialect),
                     options.logprobs ? "auto" : "off", additions(options), started_by(options));
}

HostCounters HttpModel::counters() const {
  HostCounters counters;
  counters.attempts = client_.attempts();
  counters.asked_tokens = prompt_tokens_;
  counters.reused_tokens = reused_tokens_;
  counters.computed_tokens = prompt_tokens_ - reused_tokens_;
  counters.generated_tokens = generated_tokens_;
  return counters;
}

void HttpModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                         std::stop_token stop) {
  const bool plain = std::all_of(wave.begin(), wave.end(), [](const Request& request) {
    return request.options.empty() && request.grammar.empty() && request.answer_prefix.empty();
  });
  std::vector<FailedAttempt> asking;  // for the dialect: made once, so the first request's
  const Result<Dialect> spoken = plain ? Dialect::kOpenAi : dialect(stop, asking);
  if (!spoken) {
    for (std::size_t i = 0; i < wave.size(); ++i) {
      on_answer(i, Error{Fault::kService, spoken.error().message, std::exchange(asking, {})});
    }
    return;
  }
  Asking(*this, *spoken, wave, on_answer).run(std::move(asking), std::move(stop));
}

/// @param failed  takes the attempts to find out that failed.
Result<Dialect> HttpModel::dialect(std::stop_token stop, std::vector<FailedAttempt>& failed) {
  {
    const std::lock_guard lock(mutex_);
    if (dialect_) return *dialect_;
  }
  Result<Dialect> found = Error{};
  bool unreadable = false;  // the last answer
  HttpBatch batch;
  batch.method = "GET";
  batch.path = "/models";
  batch.size = 1;
  batch.retries = options_.retries;
  batch.body = [](std::size_t) { return std::string(); };
  batch.read = [&](std::size_t, int status, std::string_view body) -> HttpReading {
    if (is_passing(status)) return {Error{Fault::kService, fmt::format("status {}", status)}, true};
    const auto said = dialect_of_models(body);
    unreadable = !said && status >= 200 && status <= 299;
    if (unreadable) return {Error{Fault::kService, "not JSON"}, true};
    found = said.value_or(Dialect::kOpenAi);
    return {Response{}};
  };
  client_.run(
      batch,
      [&](std::size_t, const Result<Response>& answer) {
        failed = answer ? answer->failed : answer.error().failed;
        if (!answer) found = answer.error();
      },
      std::move(stop));
  if (unreadable) {
    spdlog::warn(
        "{}/models is not JSON: it is taken for a server of dialect openai; set `dialect`"
        " if it is another",
        options_.base_urls.front());
    found = Dialect::kOpenAi;
  }
  if (found) {
    const std::lock_guard lock(mutex_);
    dialect_ = *found;
  }
  return found;
}

}  // namespace theta
