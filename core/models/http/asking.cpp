#include "core/models/http/asking.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "core/models/http/repair.hpp"
#include "core/models/http/url.hpp"

namespace theta {

namespace {

using Doubt = Lessons::Doubt;
using Thinks = Lessons::Thinks;
using Verdict = ChatReading::Verdict;

/// How a server is held to the options that it cannot score.
std::string_view how_named(Dialect dialect, const ChatWay& way) {
  if (!enforces(dialect, way)) return "asked in words";
  return dialect == Dialect::kLlamaServer ? "by a grammar" : "by guided choice";
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

/// A request of the wave, put to the server in one of the ways to ask.
struct HttpModel::Asking::Item {
  std::size_t index;
  ChatWay way;
  std::string unscored = {};     ///< why an option is named, where its own answer said so
  bool again = false;            ///< found out by the answer: another question is to be put
  bool may_think = false;        ///< found out by the answer, which then is kept back
  bool probe = false;            ///< its answer tells whether the model thinks
  Doubt doubt = Doubt::kNone;    ///< found out by the refusal, which then is kept back
  Doubt tries = Doubt::kNone;    ///< its answer tells whether that was it
  std::string refused = {};      ///< with what, before it tried
  int mended = 0;                ///< refusals of its form
  std::int64_t body_tokens = 0;  ///< an estimate
  std::int64_t prompt_tokens = 0, generated_tokens = 0;  ///< of the answers that were none
  std::vector<FailedAttempt> failed = {};                ///< before this question was put
};

HttpModel::Asking::Asking(HttpModel& model, Dialect dialect, std::span<const Request> wave,
                          const OnAnswer& on_answer)
    : model_(model), dialect_(dialect), wave_(wave), on_answer_(on_answer) {}

HttpModel::Asking::~Asking() = default;

void HttpModel::Asking::run(std::vector<FailedAttempt> failed, std::stop_token stop) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < wave_.size(); ++i) {
    const bool scored = !wave_[i].options.empty();
    items.push_back({.index = i,
                     .way = {.ask = scored ? ChatAsk::kLogprobs : ChatAsk::kGenerate},
                     .failed = std::exchange(failed, {})});
  }
  for (; !items.empty(); items = std::exchange(next_, {})) {
    HttpBatch batch;
    batch.path = "/chat/completions";
    batch.size = items.size();
    batch.retries = model_.options_.retries;
    batch.body = [&](std::size_t i) { return body(items[i]); };
    batch.tokens = [&](std::size_t i, const std::string&) { return cost(items[i]); };
    batch.read = [&](std::size_t i, int status, std::string_view answer) {
      return read(items[i], status, answer);
    };
    model_.client_.run(
        batch,
        [&](std::size_t i, Result<Response> answer) {
          receive(std::move(items[i]), std::move(answer));
        },
        stop);
    settle_thoughts();
    settle_doubts();
  }
}

std::string HttpModel::Asking::body(Item& item) const {
  ChatWay& way = item.way;
  way.listed = model_.lessons_.listed();
  if (way.ask == ChatAsk::kLogprobs && way.listed == 0) way.ask = ChatAsk::kNameOption;
  way.thinks = way.thinks || model_.lessons_.thinks() == Thinks::kYes;
  way.form = model_.lessons_.form();
  if (item.tries == Doubt::kBegunAnswer) {
    RequestForm plain = way.form ? *way.form : RequestForm{};
    plain.begun_answers = false;
    way.form = std::make_shared<const RequestForm>(std::move(plain));
  }
  auto text = chat_body(model_.options_.model, dialect_, wave_[item.index], way);
  item.body_tokens = tokens_in(text.size());
  return text;
}

double HttpModel::Asking::cost(const Item& item) const {
  const bool generates = item.way.ask == ChatAsk::kGenerate;
  const int generated = generates ? wave_[item.index].max_tokens : 1;
  return static_cast<double>(item.body_tokens + generated);
}

HttpReading HttpModel::Asking::read(Item& item, int status, std::string_view body) {
  const Request& request = wave_[item.index];
  Lessons& lessons = model_.lessons_;
  ChatReading read = read_chat(status, body, request, dialect_, item.way);
  model_.prompt_tokens_ += read.prompt_tokens;
  model_.reused_tokens_ += read.reused_tokens;
  model_.generated_tokens_ += read.generated_tokens;
  if (item.way.ask == ChatAsk::kLogprobs) lessons.learn_of_logprobs(read, item.way.listed);
  lessons.learn_of_thoughts(read, item.probe);
  if (read.prompt_tokens > 0) lessons.learn_of_cuts(request, read.prompt_tokens);
  if (is_put_anew(item, read)) {
    item.again = true;
    item.prompt_tokens += read.prompt_tokens;
    item.generated_tokens += read.generated_tokens;
    HttpReading reading{Response{}};
    if (read.prompt_tokens > 0) reading.tokens = read.prompt_tokens + read.generated_tokens;
    return reading;
  }
  return stands(item, status, std::move(read));
}

/// An answer, or an error, that is delivered or kept back.
HttpReading HttpModel::Asking::stands(Item& item, int status, ChatReading read) {
  const bool answered = read.answer || read.answer.error().fault != Fault::kService;
  if (item.tries != Doubt::kNone && read.verdict != Verdict::kRetry)
    model_.lessons_.settle(item.tries, answered);
  item.may_think = read.verdict == Verdict::kMayThink && model_.lessons_.thinks() != Thinks::kNo;
  HttpReading reading{Response{}, read.verdict == Verdict::kRetry};
  if (read.prompt_tokens > 0) reading.tokens = read.prompt_tokens + read.generated_tokens;
  if (read.refusal) {
    reading.status = read.refusal->status;
    reading.retry_after_s = read.refusal->retry_after_s;
  }
  reading.answer = std::move(read.answer);
  if (reading.answer) {
    if (read.prompt_tokens == 0) estimate_tokens(*reading.answer, item);
    return reading;
  }
  Error& error = reading.answer.error();
  if (error.fault == Fault::kService) {
    error.message += advice(read.refusal ? read.refusal->status : status, item);
    if (item.tries != Doubt::kNone && !reading.retry)
      error.message = item.refused;
    else if (item.doubt != Doubt::kNone)
      item.refused = error.message;
  }
  error.prompt_tokens = read.prompt_tokens;
  error.generated_tokens = read.generated_tokens;
  return reading;
}

/// Whether an answer is none and says how to ask in its place.
bool HttpModel::Asking::is_put_anew(Item& item, const ChatReading& read) {
  switch (read.verdict) {
    case Verdict::kMayThink:
      return false;
    case Verdict::kThinks:
      item.way.thinks = true;
      return true;
    case Verdict::kUnscored:
    case Verdict::kNoLogprobs:
    case Verdict::kRefusesLogprobs:
      item.unscored = read.answer.error().message;
      return true;
    case Verdict::kRetry:  // a chat template that fails is a 500
    case Verdict::kDone:
      break;
  }
  if (!read.refusal || read.answer || read.answer.error().fault != Fault::kService) return false;
  constexpr int kMostMended = 8;
  const std::string sent = chat_body(model_.options_.model, dialect_, wave_[item.index], item.way);
  if (item.mended < kMostMended &&
      model_.lessons_.learn_of_form(*read.refusal, sent, item.way.form.get())) {
    ++item.mended;
    return true;
  }
  if (read.verdict == Verdict::kRetry || !may_refuse_form(read.refusal->status)) return false;
  const bool begun = dialect_ != Dialect::kOpenAi && item.way.begins_answers() &&
                     !wave_[item.index].answer_prefix.empty();
  if (begun && model_.lessons_.is_open(Doubt::kBegunAnswer))
    item.doubt = Doubt::kBegunAnswer;
  else if (item.way.ask == ChatAsk::kLogprobs && model_.lessons_.is_open(Doubt::kLogprobs))
    item.doubt = Doubt::kLogprobs;
  return false;
}

void HttpModel::Asking::estimate_tokens(Response& answer, const Item& item) {
  answer.prompt_tokens = item.body_tokens;
  answer.generated_tokens = tokens_in(answer.text.size());
  answer.note += answer.note.empty() ? "tokens estimated" : "; tokens estimated";
  if (!std::exchange(model_.estimated_, true))
    spdlog::warn("{} does not say how many tokens it takes: estimated, {} bytes each",
                 model_.options_.base_urls.front(), kBytesPerToken);
}

/// What to do about a refusal.
std::string HttpModel::Asking::advice(int status, const Item& item) const {
  const HttpOptions& options = model_.options_;
  const std::string& url = options.base_urls.front();
  if (status == 404) {
    const Url parsed = parse_url(url);
    const std::string host = url.substr(0, url.size() - parsed.path.size());
    const std::string path =
        parsed.path.find("/v") == parsed.path.npos ? fmt::format(" (most want {}/v1)", host) : "";
    return fmt::format("; check the model name '{}' and base_url{}: {}/models lists the models",
                       options.model, path, url);
  }
  if (may_refuse_form(status) && item.way.form && !options.parameters.empty())
    return "; check 'parameters' of the model";
  if (status != 401 && status != 403) return "";
  if (!options.api_key_env.empty())
    return "; check the key in environment variable " + options.api_key_env;
  if (!options.api_key_file.empty()) return "; check the key in file " + options.api_key_file;
  for (const auto& [name, value] : options.headers)
    if (!value.secrets.empty())
      return fmt::format("; check the key in header {}: {}", name, value.shown);
  return "; no key was sent: say where it is with api_key_env or api_key_file";
}

void HttpModel::Asking::receive(Item item, Result<Response> answer) {
  if (item.doubt != Doubt::kNone) {
    doubted_.emplace_back(std::move(item), std::move(answer));
  } else if (item.may_think) {
    may_think_.emplace_back(std::move(item), std::move(answer));
  } else if (item.again) {
    next_.push_back(asked_anew(std::move(item), *std::move(answer)));
  } else {
    deliver(item, std::move(answer));
  }
}

/// An item whose answer was none, to be asked in another way.
/// @param answer  holds what failed before it
HttpModel::Asking::Item HttpModel::Asking::asked_anew(Item item, Response answer) const {
  // Fewer tokens may be listed than were asked for; a request whose form is mended is put as it was.
  const int listed = model_.lessons_.listed();
  const bool as_it_was = item.unscored.empty() || (listed > 0 && listed < item.way.listed);
  if (as_it_was)
    item.unscored.clear();
  else if (item.way.ask == ChatAsk::kLogprobs)
    item.way.ask = ChatAsk::kNameOption;
  item.again = item.may_think = false;
  item.prompt_tokens += answer.prompt_tokens;
  item.generated_tokens += answer.generated_tokens;
  item.failed = after(std::move(item.failed), std::move(answer.failed));
  return item;
}

HttpModel::Asking::Item& HttpModel::Asking::ask_anew(std::pair<Item, Result<Response>>& one) {
  Response took;
  const Usage usage = usage_of(one.second);
  took.prompt_tokens = usage.prompt_tokens;
  took.generated_tokens = usage.generated_tokens;
  took.failed = one.second ? one.second->failed : one.second.error().failed;
  next_.push_back(asked_anew(std::move(one.first), std::move(took)));
  return next_.back();
}

/// What may be the beginning of a thought that a stop text or the limit of tokens ended: one is
/// asked again to find out; if the model thinks, the others are, or else they are answers.
void HttpModel::Asking::settle_thoughts() {
  if (may_think_.empty()) return;
  const Thinks thinks = model_.lessons_.thinks();
  if (thinks == Thinks::kUnknown) {
    Item& probe = ask_anew(may_think_.back());
    probe.way.thinks = probe.probe = true;
    may_think_.pop_back();
    return;
  }
  for (auto& one : may_think_) {
    if (thinks == Thinks::kYes)
      ask_anew(one).way.thinks = true;
    else
      deliver(one.first, std::move(one.second));
  }
  may_think_.clear();
}

/// What was refused without a word about its form: one is asked in the plain way to find out whether
/// that is what was meant. If it is answered, the others are asked so too, or else they are refused.
void HttpModel::Asking::settle_doubts() {
  const Lessons& lessons = model_.lessons_;
  const auto put_in = [&](Item& item, Doubt doubt) {
    item.doubt = Doubt::kNone;
    if (doubt == Doubt::kLogprobs) {
      item.way.ask = ChatAsk::kNameOption;
      item.unscored = kLogprobsMissing;
    }
  };
  for (const Doubt doubt : {Doubt::kBegunAnswer, Doubt::kLogprobs}) {
    const auto is = [&](const auto& one) { return one.first.doubt == doubt; };
    const auto first = std::ranges::find_if(doubted_, is);
    if (first == doubted_.end() || !lessons.is_open(doubt)) continue;
    Item& item = ask_anew(*first);
    put_in(item, doubt);
    item.tries = doubt;
    doubted_.erase(first);
    return;
  }
  const bool plain = lessons.form() && !lessons.form()->begun_answers;
  for (auto& one : std::exchange(doubted_, {})) {
    const Doubt doubt = one.first.doubt;
    const bool confirmed = doubt == Doubt::kBegunAnswer ? plain : lessons.listed() == 0;
    if (confirmed)
      put_in(ask_anew(one), doubt);
    else
      deliver(one.first, std::move(one.second));
  }
}

void HttpModel::Asking::deliver(Item& item, Result<Response> answer) {
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
    const std::string general =
        model_.options_.logprobs ? kLogprobsMissing : "logprobs are off in the config";
    answer->note = fmt::format("named, {}, not scored: {}{}", how_named(dialect_, item.way),
                               item.unscored.empty() ? general : item.unscored,
                               answer->note.empty() ? "" : "; " + answer->note);
  }
  on_answer_(item.index, std::move(answer));
}

}  // namespace theta
