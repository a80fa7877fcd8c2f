#include "core/recorded_model.hpp"

#include <condition_variable>
#include <exception>
#include <nlohmann/json.hpp>
#include <thread>
#include <unordered_map>

#include "core/json_text.hpp"
#include "core/sha256.hpp"

namespace theta {
namespace {

/// A request that the store had no answer to, and the places of the wave that ask it.
struct Question {
  std::string key;
  std::vector<std::size_t> places;
};

/// The answer to the question of that index.
struct Arrival {
  std::size_t question;
  Result<Response> answer;
};
using Settle = std::function<void(std::vector<Arrival>)>;

/// Computes and settles one unit after the other; an unfinished one leaves nothing behind.
void ask_in_units(LanguageModel& model, std::span<const Request> requests, const Settle& settle,
                  std::stop_token stop) {
  model.check(requests);
  for (std::size_t begin = 0; begin < requests.size(); begin += model.unit()) {
    const auto unit = requests.subspan(begin, std::min(model.unit(), requests.size() - begin));
    std::vector<Arrival> group;
    for (auto& answer : ask(model, unit, stop)) {
      group.push_back({begin + group.size(), std::move(answer)});
    }
    settle(std::move(group));
  }
}

/// Asks everything at once. A second thread settles, so that the model's threads never wait for the
/// disk: whatever has arrived by the end of one commit is the next group.
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
    for (;;) {
      std::vector<Arrival> group;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return complete || !arrived.empty(); });
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
          changed.notify_one();
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

RecordedModel::RecordedModel(LanguageModel& inner, Store& store, Progress* progress)
    : inner_(inner), store_(store), progress_(progress) {}

void RecordedModel::complete(std::span<const Request> wave, const OnAnswer& on_answer,
                             std::stop_token stop) {
  const bool alone = inner_.unit() == 1;
  std::unique_lock one_wave(wave_mutex_, std::defer_lock);
  if (!alone) one_wave.lock();
  const auto identity = inner_.identity();

  const auto deliver = [&](std::size_t place, const Result<Response>& answer, bool hit) {
    {
      const std::lock_guard lock(mutex_);
      asked_ += {1, answer ? answer->prompt_tokens : 0, answer ? answer->generated_tokens : 0};
      hits_ += hit;
    }
    if (progress_ != nullptr) progress_->advance();
    on_answer(place, answer);
  };

  std::vector<Question> questions;
  std::unordered_map<std::string, std::size_t> asked;  // key to index of questions
  for (std::size_t place = 0; place < wave.size(); ++place) {
    const auto key = sha256(identity + '\n' + canonical(wave[place]));
    if (const auto found = asked.find(key); found != asked.end()) {
      questions[found->second].places.push_back(place);
    } else if (const auto answer = store_.find(key)) {
      deliver(place, *answer, true);
    } else {
      asked.emplace(key, questions.size());
      questions.push_back({key, {place}});
    }
  }
  if (questions.empty()) return;

  std::vector<Request> rest;  // stays empty where the whole wave is asked
  if (questions.size() != wave.size()) {
    for (const auto& question : questions) rest.push_back(wave[question.places[0]]);
  }
  const std::span<const Request> requests = rest.empty() ? wave : rest;

  const auto settle = [&](const std::vector<Arrival>& group) {
    std::vector<Store::Answer> unit;
    for (const auto& [question, answer] : group) {
      if (!answer && answer.error().fault == Fault::kService) continue;
      unit.push_back({questions[question].key, canonical(requests[question]), answer});
    }
    if (!unit.empty()) store_.commit(identity, unit);
    for (const auto& [question, answer] : group) {
      for (const auto place : questions[question].places) deliver(place, answer, false);
    }
  };
  if (alone) {
    ask_at_once(inner_, requests, settle, stop);
  } else {
    ask_in_units(inner_, requests, settle, stop);
  }
}

Usage RecordedModel::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

std::int64_t RecordedModel::store_hits() const {
  const std::lock_guard lock(mutex_);
  return hits_;
}

std::string canonical(const Request& request) {
  nlohmann::json json = {{"answer_prefix", json_text(request.answer_prefix)},
                         {"grammar", json_text(request.grammar)},
                         {"max_tokens", request.max_tokens},
                         {"messages", nlohmann::json::array()},
                         {"options", nlohmann::json::array()},
                         {"seed", request.seed},
                         {"stop", nlohmann::json::array()},
                         {"temperature", request.temperature},
                         {"top_p", request.top_p}};
  for (const auto& message : request.messages) {
    json["messages"].push_back(
        {{"content", json_text(message.content)}, {"role", json_text(message.role)}});
  }
  for (const auto& option : request.options) json["options"].push_back(json_text(option));
  for (const auto& text : request.stop) json["stop"].push_back(json_text(text));
  return json.dump();
}

}  // namespace theta
