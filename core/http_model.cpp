#include "core/http_model.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/chat_protocol.hpp"

namespace theta {

using Verdict = ChatReading::Verdict;

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

/// How a server is held to the options that it cannot score.
std::string_view how_named(Dialect dialect) {
  switch (dialect) {
    case Dialect::kLlamaServer:
      return "by a grammar";
    case Dialect::kVllm:
      return "by guided choice";
    default:
      return "asked in words";
  }
}

std::int64_t tokens_in(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + kBytesPerToken - 1) / kBytesPerToken);
}

/// What `later` took, behind what was tried before it.
std::vector<FailedAttempt> after(std::vector<FailedAttempt> before,
                                 std::vector<FailedAttempt> later) {
  for (auto& attempt : later) {
    attempt.number = static_cast<int>(before.size()) + 1;
    before.push_back(std::move(attempt));
  }
  return before;
}

}  // namespace

HttpModel::HttpModel(HttpOptions options, OnTrouble on_trouble)
    : options_(checked(std::move(options))),
      client_(options_, std::move(on_trouble)),
      listed_(options_.logprobs ? kMostListed : 0) {
  if (options_.dialect != Dialect::kAuto) dialect_ = options_.dialect;
}

std::string HttpModel::identity() const {
  auto addresses = options_.base_urls;
  std::ranges::sort(addresses);
  return fmt::format("{} at {}, dialect {}, logprobs {}", options_.model,
                     fmt::join(addresses, ", "), name_of(options_.dialect),
                     options_.logprobs ? "auto" : "off");
}

/// A request of a wave, put to the server in one of the ways to ask.
struct HttpModel::Item {
  std::size_t index;
  ChatWay way;
  std::string unscored = {};     ///< why an option is named, where its own answer said so
  bool again = false;            ///< found out by the answer: another question is to be put
  bool may_think = false;        ///< found out by the answer, which then is kept back
  bool probe = false;            ///< its answer tells whether the model thinks
  std::int64_t body_tokens = 0;  ///< an estimate
  std::int64_t prompt_tokens = 0, generated_tokens = 0;  ///< of the answers that were none
  std::vector<FailedAttempt> failed = {};                ///< before this question was put
};

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

  const std::string general =
      options_.logprobs ? kLogprobsMissing : "logprobs are off in the config";
  std::vector<Item> items;
  for (std::size_t i = 0; i < wave.size(); ++i) {
    const bool scored = !wave[i].options.empty();
    items.push_back({.index = i,
                     .way = {.ask = scored ? ChatAsk::kLogprobs : ChatAsk::kGenerate},
                     .failed = std::exchange(asking, {})});
  }
  const auto deliver = [&](Item& item, Result<Response> answer) {
    const auto add_what_came_before = [&](auto& to) {
      to.failed = after(std::move(item.failed), std::move(to.failed));
      to.prompt_tokens += item.prompt_tokens;
      to.generated_tokens += item.generated_tokens;
    };
    answer ? add_what_came_before(*answer) : add_what_came_before(answer.error());
    if (!answer && answer.error().fault == Fault::kService && !answer.error().failed.empty()) {
      // Of a failed item its attempts alone are kept.
      answer.error().failed.back().prompt_tokens += item.prompt_tokens;
      answer.error().failed.back().generated_tokens += item.generated_tokens;
    }
    if (answer && answer->named) {
      answer->note = fmt::format("named, {}, not scored: {}{}", how_named(*spoken),
                                 item.unscored.empty() ? general : item.unscored,
                                 answer->note.empty() ? "" : "; " + answer->note);
    }
    on_answer(item.index, std::move(answer));
  };

  // What turns out unscored in one pass is asked for less, or named, in the next; and so is an
  // answer that a thought left no room for.
  std::vector<Item> next;
  std::vector<std::pair<Item, Result<Response>>>
      held;  // until it is known whether the model thinks
  for (; !items.empty(); items = std::exchange(next, {})) {
    HttpBatch batch;
    batch.path = "/chat/completions";
    batch.size = items.size();
    batch.retries = options_.retries;
    batch.body = [&](std::size_t i) {
      Item& item = items[i];
      ChatWay& way = item.way;
      way.listed = listed_;
      if (way.ask == ChatAsk::kLogprobs && way.listed == 0) way.ask = ChatAsk::kNameOption;
      way.thinks = way.thinks || thinks_ == Thinks::kYes;
      auto body = chat_body(options_.model, *spoken, wave[item.index], way);
      item.body_tokens = tokens_in(body.size());
      return body;
    };
    batch.tokens = [&](std::size_t i, const std::string&) {
      const Item& item = items[i];
      const int generated = item.way.ask == ChatAsk::kGenerate ? wave[item.index].max_tokens : 1;
      return static_cast<double>(item.body_tokens + generated);
    };
    batch.read = [&](std::size_t i, int status, std::string_view body) -> HttpReading {
      Item& item = items[i];
      ChatReading read = read_chat(status, body, wave[item.index], *spoken, item.way);
      prompt_tokens_ += read.prompt_tokens;
      reused_tokens_ += read.reused_tokens;
      generated_tokens_ += read.generated_tokens;
      HttpReading reading{Response{}, read.verdict == Verdict::kRetry};
      if (read.prompt_tokens > 0) reading.tokens = read.prompt_tokens + read.generated_tokens;
      if (item.way.ask == ChatAsk::kLogprobs) learn_of_logprobs(read, item.way.listed);
      learn_of_thoughts(read, item.probe);
      item.may_think = read.verdict == Verdict::kMayThink && thinks_ != Thinks::kNo;
      if (read.verdict == Verdict::kDone || read.verdict == Verdict::kRetry ||
          read.verdict == Verdict::kMayThink) {
        reading.answer = std::move(read.answer);
        if (reading.answer && read.prompt_tokens == 0) estimate_tokens(*reading.answer, item);
        if (!reading.answer) {
          Error& error = reading.answer.error();
          if (error.fault == Fault::kService) error.message += advice(status);
          error.prompt_tokens = read.prompt_tokens;
          error.generated_tokens = read.generated_tokens;
        }
      } else {
        item.again = true;
        if (read.verdict == Verdict::kThinks)
          item.way.thinks = true;
        else
          item.unscored = read.answer.error().message;
        item.prompt_tokens += read.prompt_tokens;
        item.generated_tokens += read.generated_tokens;
      }
      return reading;
    };
    client_.run(
        batch,
        [&](std::size_t i, Result<Response> answer) {
          Item& item = items[i];
          if (item.may_think) {
            held.emplace_back(std::move(item), std::move(answer));
          } else if (item.again) {
            next.push_back(asked_anew(std::move(item), *std::move(answer)));
          } else {
            deliver(item, std::move(answer));
          }
        },
        stop);
    settle_held(held, next, deliver);
  }
}

/// An item whose answer was none, to be asked in another way.
/// @param answer  holds what failed before it
HttpModel::Item HttpModel::asked_anew(Item item, Response answer) const {
  // Fewer tokens may be listed than were asked for.
  if (item.way.ask == ChatAsk::kLogprobs && !(listed_ > 0 && listed_ < item.way.listed))
    item.way.ask = ChatAsk::kNameOption;
  item.again = item.may_think = false;
  item.prompt_tokens += answer.prompt_tokens;
  item.generated_tokens += answer.generated_tokens;
  item.failed = after(std::move(item.failed), std::move(answer.failed));
  return item;
}

/// What may be the beginning of a thought that a stop text or the limit of tokens ended: one is
/// asked again to find out; if the model thinks, the others are, or else they are answers.
template <typename Deliver>
void HttpModel::settle_held(std::vector<std::pair<Item, Result<Response>>>& held,
                            std::vector<Item>& next, const Deliver& deliver) const {
  if (held.empty()) return;
  const auto ask_anew = [&](std::pair<Item, Result<Response>>& one) -> Item& {
    Response took;
    const Usage usage = usage_of(one.second);
    took.prompt_tokens = usage.prompt_tokens;
    took.generated_tokens = usage.generated_tokens;
    took.failed = one.second ? one.second->failed : one.second.error().failed;
    next.push_back(asked_anew(std::move(one.first), std::move(took)));
    next.back().way.thinks = true;
    return next.back();
  };
  if (thinks_ == Thinks::kUnknown) {
    ask_anew(held.back()).probe = true;
    held.pop_back();
    return;
  }
  for (auto& one : held) {
    if (thinks_ == Thinks::kYes)
      ask_anew(one);
    else
      deliver(one.first, std::move(one.second));
  }
  held.clear();
}

/// A model that a stop text stopped in a thought is not sent stop texts again; one that had none
/// where it was tried out, is.
void HttpModel::learn_of_thoughts(const ChatReading& reading, bool probe) {
  const bool said = reading.answer || reading.answer.error().fault == Fault::kPrompt;
  if (reading.verdict != Verdict::kThinks && !(probe && said)) return;
  const bool thinks = reading.verdict == Verdict::kThinks || reading.thought;
  if (!thinks) {
    auto unknown = Thinks::kUnknown;
    thinks_.compare_exchange_strong(unknown, Thinks::kNo);
  } else if (thinks_.exchange(Thinks::kYes) != Thinks::kYes) {
    spdlog::warn(
        "{} thinks before it answers: it is sent no stop texts, which would end a thought, and has "
        "{} tokens to name an option",
        options_.base_urls.front(), kThoughtTokens);
  }
}

void HttpModel::estimate_tokens(Response& answer, const Item& item) {
  answer.prompt_tokens = item.body_tokens;
  answer.generated_tokens = tokens_in(answer.text.size());
  answer.note += answer.note.empty() ? "tokens estimated" : "; tokens estimated";
  if (!std::exchange(estimated_, true))
    spdlog::warn("{} does not say how many tokens it takes: estimated, {} bytes each",
                 options_.base_urls.front(), kBytesPerToken);
}

/// A server that never sends log-probabilities is not asked for them for ever. An answer or two
/// without are no proof of one: the questions that they were asked for are named alone. One that
/// refuses so many may list fewer.
void HttpModel::learn_of_logprobs(const ChatReading& reading, int listed) {
  constexpr int kProof = 8;
  const int before = listed_;
  if (reading.verdict == Verdict::kRefusesLogprobs && listed == before)
    listed_ = before > kFewListed ? kFewListed : 0;
  if (reading.verdict == Verdict::kNoLogprobs && !had_logprobs_ && ++without_logprobs_ == kProof)
    listed_ = 0;
  if (before > 0 && listed_ == 0)
    spdlog::warn("{} gives no logprobs: options are named, not scored", options_.base_urls.front());
  if (reading.answer || reading.verdict == Verdict::kUnscored) had_logprobs_ = true;
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

/// What to do about a refusal.
std::string HttpModel::advice(int status) const {
  if (status == 404) {
    return fmt::format("; check the model name '{}' and base_url: {}/models lists the models",
                       options_.model, options_.base_urls.front());
  }
  if (status != 401 && status != 403) return "";
  if (!options_.api_key_env.empty()) {
    return "; check the key in environment variable " + options_.api_key_env;
  }
  if (!options_.api_key_file.empty()) return "; check the key in file " + options_.api_key_file;
  return "; no key was sent: say where it is with api_key_env or api_key_file";
}

}  // namespace theta
