#include "core/records/recorded_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/records/request_json.hpp"
#include "core/sha256.hpp"

namespace theta {
namespace {

/// A request that the store had no answer to, and the places of the wave that ask it.
struct Question {
  std::string key;
  std::string request;  ///< canonical, until it is kept
  std::vector<std::size_t> places;
};

/// The answer to the question of that index.
struct Arrival {
  std::size_t question;
  Result<Response> answer;
};
using Settle = std::function<void(std::vector<Arrival>)>;

/// A service's fault is asked again.
bool kept(const Arrival& arrival) {
  return arrival.answer || arrival.answer.error().fault != Fault::kService;
}

/// The least time between two commits of one wave: many answers are much cheaper to write together.
constexpr std::chrono::milliseconds kSlice{20};

/// Asks everything at once. A second thread settles, so that the model's threads never wait for the
/// disk: what has arrived by the end of a slice is the next group.
void ask_at_once(LanguageModel& model, std::span<const Request> requests, const Settle& settle,
                 std::stop_token stop) {
  std::stop_source own_stop;
  const std::stop_callback forward(stop, [&] { own_stop.request_stop(); });
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Arrival> arrived;
  bool complete = false;
  std::exception_ptr settling_failed;
  std::exception_ptr asking_failed;

  std::thread settler([&] {
    for (std::chrono::steady_clock::time_point settled;;
         settled = std::chrono::steady_clock::now()) {
      std::vector<Arrival> group;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return complete || !arrived.empty(); });
        changed.wait_until(lock, settled + kSlice, [&] { return complete; });
        if (arrived.empty()) return;
        group.swap(arrived);
      }
      try {
        settle(std::move(group));
      } catch (...) {
        settling_failed = std::current_exception();
        own_stop.request_stop();
        return;
      }
    }
  });
  try {
    model.complete(
        requests,
        [&](std::size_t question, Result<Response> answer) {
          const std::lock_guard lock(mutex);
          arrived.push_back({question, std::move(answer)});
          if (arrived.size() == 1) changed.notify_one();
        },
        own_stop.get_token());
  } catch (...) {
    asking_failed = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex);
    complete = true;
    changed.notify_one();
  }
  settler.join();
  if (settling_failed) std::rethrow_exception(settling_failed);
  if (asking_failed) std::rethrow_exception(asking_failed);
}

}  // namespace

/// One wave on its way through the cache and the model to the store.
class RecordedModel::Wave {
 public:
  Wave(RecordedModel& owner, std::span<const Request> requests, const OnAnswer& on_answer,
       std::stop_token stop)
      : owner_(owner), wave_(requests), on_answer_(on_answer), stop_(std::move(stop)) {
    std::unordered_map<std::string_view, std::size_t> asked;  // key to index of questions_
    questions_.reserve(requests.size());                      // the views stay
    const std::string scope = scope_of_keys();
    for (std::size_t place = 0; place < wave_.size(); ++place) {
      auto request = canonical(wave_[place]);
      auto key = sha256({scope, request});
      if (const auto found = asked.find(key); found != asked.end()) {
        questions_[found->second].places.push_back(place);
      } else {
        questions_.push_back({std::move(key), std::move(request), {place}});
        asked.emplace(questions_.back().key, questions_.size() - 1);
      }
    }
  }

  /// Every question on its own, all at once.
  void ask_alone() {
    std::vector<std::size_t> open(questions_.size());
    std::iota(open.begin(), open.end(), std::size_t{0});
    while (!open.empty()) {
      AnswerCache::Leads leads(owner_.cache_);
      std::vector<Arrival> known;
      std::vector<std::size_t> ours;
      std::vector<std::pair<std::size_t, AnswerCache::FlightPtr>> others;
      for (const auto question : open) {
        const auto& key = questions_[question].key;
        // Claimed before it is looked up: what another wave commits meanwhile is found or waited
        // for.
        auto claim = leads.claim(key);
        if (claim.other) {
          others.emplace_back(question, std::move(claim.other));
        } else if (deliver_kept(questions_[question])) {
          if (!claim.known) leads.give_up(key);
        } else if (claim.known) {
          known.push_back({question, std::move(claim.known->front())});
        } else if (auto answer = earlier(questions_[question])) {
          leads.publish(identity_, {{key, {&*answer, 1}, {questions_[question].request}}});
          deliver(questions_[question], *std::move(answer), Source::kStore);
        } else {
          refuse_in_replay(question);
          ours.push_back(question);
        }
      }
      settle_cached(std::exchange(known, {}));
      if (!ours.empty()) ask_at_once(ours, leads);
      open.clear();
      for (auto& [question, flight] : others) {
        if (auto answers = wait_for(flight)) {
          known.push_back({question, std::move(answers->front())});
        } else {
          open.push_back(question);
        }
      }
      settle_cached(std::move(known));
    }
  }

  /// One unit after the other; an unfinished one leaves nothing behind.
  void ask_in_units() {
    std::erase_if(questions_, [&](const Question& question) {
      if (deliver_kept(question)) return true;
      auto answer = earlier(question);
      if (answer) deliver(question, *std::move(answer), Source::kStore);
      return answer.has_value();
    });
    if (questions_.empty()) return;
    std::vector<Request> requests;
    for (const auto& question : questions_) requests.push_back(wave_[question.places[0]]);
    const std::span<const Request> all = requests;
    for (std::size_t begin = 0; begin < all.size(); begin += owner_.unit()) {
      const auto unit = all.subspan(begin, std::min(owner_.unit(), all.size() - begin));
      std::vector<Arrival> group;
      auto [answers, paid] = answers_of(begin, unit);
      for (auto& answer : answers) group.push_back({begin + group.size(), std::move(answer)});
      // Kept in part, the rest would be asked again in other company.
      if (owner_.key_ == Key::kRequest || std::ranges::all_of(group, kept)) commit(group, paid);
      deliver(std::move(group), paid ? Source::kModel : Source::kCache);
    }
  }

 private:
  /// What a key says beside the request.
  std::string scope_of_keys() const {
    std::string scope = identity_ + '\n';
    if (owner_.key_ == Key::kRequest || owner_.unit() == 1) return scope;
    for (const auto& request : wave_) scope += canonical(request) + '\n';
    return sha256(scope) + '\n';
  }

  void deliver(const Question& question, Result<Response> answer, Source source) {
    for (const auto place : question.places) {
      owner_.count(answer, source);
      on_answer_(place, place == question.places.back() ? std::move(answer) : answer);
    }
  }

  /// What another run was answered.
  std::optional<Result<Response>> earlier(const Question& question) const {
    return owner_.earlier_ ? owner_.earlier_->find(question.key) : std::nullopt;
  }

  /// Whether the store had the answer.
  bool deliver_kept(const Question& question) {
    auto answer = owner_.store_.find(question.key);
    if (!answer) return false;
    deliver(question, *std::move(answer), Source::kStore);
    return true;
  }

  void deliver(std::vector<Arrival> group, Source source) {
    for (auto& [question, answer] : group) deliver(questions_[question], std::move(answer), source);
  }

  void commit(const std::vector<Arrival>& group, bool paid) {
    std::vector<Store::Answer> unit;
    for (const auto& [question, answer] : group) {
      if (!answer && answer.error().failed.empty() && answer.error().fault == Fault::kService) {
        continue;
      }
      const auto& [key, request, places] = questions_[question];
      unit.push_back({key, request, answer});
    }
    if (!unit.empty()) owner_.store_.commit(identity_, unit, paid);
  }

  void settle_cached(std::vector<Arrival> group) {
    owner_.count_cached(group.size());
    if (group.empty()) return;
    commit(group, false);
    deliver(std::move(group), Source::kCache);
  }

  void ask_at_once(const std::vector<std::size_t>& ours, AnswerCache::Leads& leads) {
    std::vector<Request> some;  // stays empty where the whole wave is asked
    if (ours.size() != wave_.size()) {
      for (const auto question : ours) some.push_back(wave_[questions_[question].places[0]]);
    }
    theta::ask_at_once(
        owner_.inner_, some.empty() ? wave_ : std::span<const Request>(some),
        [&](std::vector<Arrival> group) {
          std::vector<AnswerCache::Entry> entries;
          for (auto& [index, answer] : group) {
            index = ours[index];
            entries.push_back({questions_[index].key, {&answer, 1}, {questions_[index].request}});
          }
          commit(group, true);  // before the key is free to be claimed again
          leads.publish(identity_, entries);
          for (const Arrival& arrival : group) questions_[arrival.question].request = {};
          deliver(std::move(group), Source::kModel);
        },
        stop_);
  }

  struct UnitAnswers {
    std::vector<Result<Response>> answers;
    bool paid;
  };
  /// Of one unit, whose answers depend on all of it: they are cached as one.
  UnitAnswers answers_of(std::size_t begin, std::span<const Request> unit) {
    std::string composition = identity_ + "\nunit";
    for (std::size_t i = 0; i < unit.size(); ++i) composition += '\n' + questions_[begin + i].key;
    const auto key = sha256(composition);
    for (;;) {
      AnswerCache::Leads leads(owner_.cache_);
      auto claim = leads.claim(key);
      const bool wait = claim.other != nullptr;
      if (auto answers = wait ? wait_for(claim.other) : std::move(claim.known)) {
        owner_.count_cached(unit.size());
        return {*std::move(answers), false};
      }
      if (wait) continue;
      refuse_in_replay(begin);
      auto answers = ask(owner_.inner_, unit, stop_);
      std::vector<std::string_view> requests;
      for (std::size_t i = 0; i < unit.size(); ++i)
        requests.push_back(questions_[begin + i].request);
      leads.publish(identity_, {{key, answers, std::move(requests)}});
      return {std::move(answers), true};
    }
  }

  /// What the other's call brings; nullopt where it gave up or met a service's fault, which may not
  /// be ours. Its failed attempts are in its own record.
  std::optional<AnswerCache::Answers> wait_for(const AnswerCache::FlightPtr& flight) {
    auto answers = owner_.cache_.wait(flight, stop_);
    if (!answers) return std::nullopt;
    for (auto& answer : *answers) {
      if (!answer && answer.error().fault == Fault::kService) return std::nullopt;
      if (answer) answer->failed.clear();
    }
    return answers;
  }

  void refuse_in_replay(std::size_t question) const {
    if (owner_.cache_.mode() != CacheMode::kReplay) return;
    constexpr std::size_t kShown = 60;
    const Request& request = wave_[questions_[question].places[0]];
    const auto& text = request.messages.empty() ? "" : request.messages.back().content;
    throw UserError(fmt::format(
        "{} holds no answer to request {} of {}, which ends with {}: run once with mode: record",
        owner_.cache_.file().string(), questions_[question].key.substr(0, 12), identity_,
        nlohmann::json(text.substr(text.size() - std::min(kShown, text.size())))
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  }

  RecordedModel& owner_;
  const std::span<const Request> wave_;
  const OnAnswer& on_answer_;
  const std::stop_token stop_;
  const std::string identity_ = owner_.identity();
  std::vector<Question> questions_;
};

RecordedModel::RecordedModel(LanguageModel& inner, Store& store, Progress* progress,
                             AnswerCache* cache, Key key)
    : ModelInFront(inner),
      store_(store),
      progress_(progress),
      key_(key),
      cache_(cache ? *cache : own_cache_) {}

void RecordedModel::complete(std::span<const Request> requests, const OnAnswer& on_answer,
                             std::stop_token stop) {
  if (key_ == Key::kNone) {
    const auto counted = [&](std::size_t place, Result<Response> answer) {
      count(answer, Source::kModel);
      on_answer(place, std::move(answer));
    };
    return inner_.complete(requests, counted, std::move(stop));
  }
  if (unit() == 1) return Wave(*this, requests, on_answer, std::move(stop)).ask_alone();
  const std::lock_guard one_wave(wave_mutex_);
  Wave(*this, requests, on_answer, std::move(stop)).ask_in_units();
}

void RecordedModel::count_cached(std::size_t requests) {
  const std::lock_guard lock(mutex_);
  cache_hits_ += static_cast<std::int64_t>(requests);
}

void RecordedModel::count(const Result<Response>& answer, Source source) {
  {
    const std::lock_guard lock(mutex_);
    asked_ += usage_of(answer);
    hits_ += source == Source::kStore;
    if (!answer && answer.error().fault == Fault::kService) {
      if (lost_.requests++ == 0) lost_.why = answer.error().message;
      return;
    }
  }
  if (progress_ != nullptr) progress_->advance(1, source != Source::kModel);
}

Usage RecordedModel::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

RecordedModel::Lost RecordedModel::take_lost() {
  const std::lock_guard lock(mutex_);
  return std::exchange(lost_, {});
}

std::int64_t RecordedModel::store_hits() const {
  const std::lock_guard lock(mutex_);
  return hits_;
}

std::int64_t RecordedModel::cache_hits() const {
  const std::lock_guard lock(mutex_);
  return cache_hits_;
}

}  // namespace theta
