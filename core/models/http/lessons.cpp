#include "core/models/http/lessons.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/models/http/repair.hpp"
#include "core/models/http/sent_json.hpp"

namespace theta {
namespace {

using Json = nlohmann::json;
using Verdict = ChatReading::Verdict;

/// The form of a config with what was learnt on top.
std::shared_ptr<const RequestForm> joined(const RequestForm& own, const RequestForm& learnt) {
  RequestForm both = own;
  both.system_role = own.system_role && learnt.system_role;
  both.begun_answers = own.begun_answers && learnt.begun_answers;
  for (const FieldForm& field : learnt.fields) {
    FieldForm& to = both.at(field.name);
    to.dropped = to.dropped || field.dropped;
    if (!field.sent_as.empty()) to.sent_as = field.sent_as;
    if (field.least) to.least = field.least;
    if (field.most) to.most = field.most;
  }
  if (both == RequestForm{}) return nullptr;
  return std::make_shared<const RequestForm>(std::move(both));
}

}  // namespace

Lessons::Lessons(std::string model, RequestForm own, int listed, LessonsKept kept)
    : model_(std::move(model)), own_(std::move(own)), kept_(std::move(kept)), listed_(listed) {
  if (!kept_.known.empty()) {
    learnt_ = form_of(kept_.known);
    const Json known = Json::parse(kept_.known);
    listed_ = std::min(listed_, known.value("listed", listed_));
    if (known.contains("thinks")) thinks_ = known["thinks"] ? Thinks::kYes : Thinks::kNo;
    for (const Json& line : known.value("lines", Json::array()))
      lines_.push_back(line.get<std::string>());
  }
  form_ = joined(own_, learnt_);
}

std::shared_ptr<const RequestForm> Lessons::form() const {
  const std::lock_guard lock(mutex_);
  return form_;
}

int Lessons::listed() const {
  const std::lock_guard lock(mutex_);
  return listed_;
}

Lessons::Thinks Lessons::thinks() const {
  const std::lock_guard lock(mutex_);
  return thinks_;
}

std::vector<std::string> Lessons::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}

bool Lessons::learn_of_form(const ServerError& error, const std::string& body,
                            const RequestForm* form) {
  static const RequestForm kUsual;
  const RequestForm& sent = form == nullptr ? kUsual : *form;
  const Json json = Json::parse(body);
  const std::lock_guard lock(mutex_);
  const RequestForm& now = form_ ? *form_ : kUsual;
  const auto repair = repair_for(error, json, sent);
  if (!repair) return false;
  RequestForm mended = now;
  apply(*repair, mended);
  if (mended == now) return now != sent;  // another request has taught it meanwhile
  constexpr int kMost = 12;               // servers whose refusals contradict each other end here
  if (++repairs_ > kMost) return false;
  add_form([&](RequestForm& learnt) { apply(*repair, learnt); });
  say(fmt::format("{}: {} from here on, as it refused it: {}", model_, repair->text(),
                  excerpt(error.message)));
  return true;
}

void Lessons::learn_of_thoughts(const ChatReading& reading, bool tried_out) {
  const bool said = reading.answer || reading.answer.error().fault == Fault::kPrompt;
  if (reading.verdict != Verdict::kThinks && !(tried_out && said)) return;
  const bool thinks = reading.verdict == Verdict::kThinks || reading.thought;
  const std::lock_guard lock(mutex_);
  const Thinks before = thinks_;
  if (thinks)
    thinks_ = Thinks::kYes;
  else if (thinks_ == Thinks::kUnknown)
    thinks_ = Thinks::kNo;
  if (thinks_ == before) return;
  if (thinks)
    spdlog::warn(
        "{} thinks before it answers: it is sent no stop texts, which would end a thought, and has "
        "{} tokens to name an option",
        model_, kThoughtTokens);
  keep();
}

void Lessons::learn_of_logprobs(const ChatReading& reading, int listed) {
  constexpr int kProof = 8;
  const std::lock_guard lock(mutex_);
  const int before = listed_;
  if (reading.verdict == Verdict::kRefusesLogprobs && listed == before) {
    const auto most = reading.refusal ? most_in(reading.refusal->message) : std::nullopt;
    const bool told = most && *most >= 1 && *most < before;
    listed_ = told ? static_cast<int>(*most) : before > kFewListed ? kFewListed : 0;
  }
  if (reading.verdict == Verdict::kNoLogprobs && !had_logprobs_ && ++without_logprobs_ == kProof)
    listed_ = 0;
  if (reading.answer || reading.verdict == Verdict::kUnscored) had_logprobs_ = true;
  if (before > 0 && listed_ == 0)
    say(fmt::format("{} gives no logprobs: options are named, not scored", model_));
  if (before != listed_) keep();
}

bool Lessons::is_open(Doubt doubt) const {
  const std::lock_guard lock(mutex_);
  if (doubt == Doubt::kBegunAnswer) return !begun_settled_;
  return doubt == Doubt::kLogprobs && !logprobs_settled_;
}

void Lessons::settle(Doubt doubt, bool confirmed) {
  const std::lock_guard lock(mutex_);
  (doubt == Doubt::kBegunAnswer ? begun_settled_ : logprobs_settled_) = true;
  if (!confirmed) return;
  if (doubt == Doubt::kBegunAnswer) {
    add_form([](RequestForm& learnt) { learnt.begun_answers = false; });
    say(
        fmt::format("{}: answers are asked for in words from here on, as it refuses those that are "
                    "begun for it",
                    model_));
  } else if (listed_ > 0) {
    listed_ = 0;
    say(fmt::format("{} gives no logprobs: options are named, not scored", model_));
  }
  keep();
}

void Lessons::learn_of_cuts(const Request& request, std::int64_t prompt_tokens) {
  const std::lock_guard lock(mutex_);
  if (const auto tokens = cuts_.add(request, prompt_tokens))
    say(
        fmt::format("{} counts {} tokens for prompts that are longer: it seems to cut them to its "
                    "window, which is set where it is started (num_ctx, --ctx-size)",
                    model_, *tokens));
}

void Lessons::add_form(const std::function<void(RequestForm&)>& change) {
  change(learnt_);
  form_ = joined(own_, learnt_);
}

void Lessons::say(std::string line) {
  if (std::ranges::find(lines_, line) == lines_.end()) {  // else an earlier start has said it
    spdlog::warn("{}", line);
    lines_.push_back(std::move(line));
  }
  keep();
}

void Lessons::keep() const {
  if (!kept_.keep) return;
  Json json = Json::parse(form_json(learnt_));
  json["listed"] = listed_;
  if (thinks_ != Thinks::kUnknown) json["thinks"] = thinks_ == Thinks::kYes;
  json["lines"] = lines_;
  kept_.keep(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace theta
