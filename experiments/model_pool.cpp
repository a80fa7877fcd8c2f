#include "experiments/model_pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <set>
#include <vector>

#include "core/recorded_model.hpp"
#include "core/sha256.hpp"

namespace theta {

/// The model that every run asks, in front of the one that computes.
class ModelPool::Shared final : public LanguageModel {
 public:
  Shared(std::unique_ptr<LanguageModel> inner, Store& cache)
      : inner_(std::move(inner)), identity_(inner_->identity()), cache_(cache) {}

  std::string identity() const override { return identity_; }
  std::size_t unit() const override { return inner_->unit(); }
  void check(std::span<const Request> wave) const override { inner_->check(wave); }
  std::optional<std::size_t> count_tokens(const Request& request) const override {
    return inner_->count_tokens(request);
  }
  HostCounters counters() const override { return inner_->counters(); }

  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override {
    if (inner_->unit() == 1)
      complete_each(wave, on_answer, stop);
    else
      complete_whole(wave, on_answer, stop);
  }

 private:
  /// A wave is a unit: its answers are kept under all of its requests.
  void complete_whole(std::span<const Request> wave, const OnAnswer& on_answer,
                      const std::stop_token& stop) {
    std::string unit = identity_;
    for (const Request& request : wave) unit += '\n' + canonical(request);
    unit = sha256(unit);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < wave.size(); ++i)
      keys.push_back(sha256(unit + ' ' + std::to_string(i)));

    const std::lock_guard one_unit(computing_);
    std::vector<Result<Response>> answers;
    for (const auto& key : keys)
      if (auto answer = cache_.find(key)) answers.push_back(*std::move(answer));
    if (answers.size() < wave.size()) {
      answers = ask(*inner_, wave, stop);
      std::vector<Store::Answer> kept;
      for (std::size_t i = 0; i < wave.size(); ++i) {
        if (!answers[i] && answers[i].error().fault == Fault::kService) break;
        kept.push_back({keys[i], canonical(wave[i]), answers[i]});
      }
      if (kept.size() == wave.size()) cache_.commit(identity_, kept);
    }
    for (std::size_t i = 0; i < wave.size(); ++i) on_answer(i, std::move(answers[i]));
  }

  /// Answers stand alone: what the cache has is taken from there, what another run is asking is
  /// waited for, and the rest is asked at once.
  void complete_each(std::span<const Request> wave, const OnAnswer& on_answer,
                     const std::stop_token& stop) {
    std::vector<std::size_t> left;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < wave.size(); ++i) {
      left.push_back(i);
      keys.push_back(sha256(identity_ + '\n' + canonical(wave[i])));
    }
    while (!left.empty()) {
      Claims mine(*this);
      std::vector<std::size_t> others;
      std::vector<Request> requests;
      for (const std::size_t i : left) {
        if (!mine.claim(keys[i])) {
          others.push_back(i);
        } else if (auto answer = known(keys[i])) {
          mine.drop(keys[i]);
          on_answer(i, *std::move(answer));
        } else {
          mine.places.push_back(i);
          requests.push_back(wave[i]);
        }
      }
      if (!requests.empty()) {
        inner_->complete(
            requests,
            [&](std::size_t question, Result<Response> answer) {
              const std::size_t i = mine.places[question];
              if (answer || answer.error().fault == Fault::kPrompt)
                mine.publish(keys[i], canonical(wave[i]), answer);
              on_answer(i, std::move(answer));
            },
            stop);
      }
      mine.settle();
      left = std::move(others);
      std::unique_lock lock(mutex_);
      const auto settled = [&] {
        return std::ranges::none_of(left, [&](std::size_t i) { return flying_.contains(keys[i]); });
      };
      if (!landed_.wait(lock, stop, settled)) throw Interrupted("stopped");
    }
  }

  std::optional<Result<Response>> known(const std::string& key) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto fresh = fresh_.find(key); fresh != fresh_.end()) return fresh->second.response;
    }
    return cache_.find(key);
  }

  /// The requests that one wave has on their way. What is published is known to all at once and
  /// committed when the wave ends, however it ends.
  class Claims {
   public:
    explicit Claims(Shared& shared) : shared_(shared) {}
    ~Claims() {
      try {
        settle();
      } catch (const RunError&) {
        // The cache cannot be written; the run's own record meets the same fault and says it.
      }
    }
    Claims(const Claims&) = delete;
    Claims& operator=(const Claims&) = delete;

    bool claim(const std::string& key) {
      const std::lock_guard lock(shared_.mutex_);
      return shared_.flying_.insert(key).second && claimed_.insert(key).second;
    }
    void drop(const std::string& key) {
      const std::lock_guard lock(shared_.mutex_);
      shared_.flying_.erase(key);
      claimed_.erase(key);
      shared_.landed_.notify_all();
    }
    void publish(const std::string& key, std::string request, const Result<Response>& answer) {
      {
        const std::lock_guard lock(shared_.mutex_);
        shared_.fresh_.emplace(key, Store::Answer{key, std::move(request), answer});
        published_.push_back(key);
      }
      drop(key);
    }
    void settle() {
      std::vector<Store::Answer> answers;
      {
        const std::lock_guard lock(shared_.mutex_);
        for (const auto& key : claimed_) shared_.flying_.erase(key);
        claimed_.clear();
        for (const auto& key : published_) answers.push_back(shared_.fresh_.at(key));
        shared_.landed_.notify_all();
      }
      if (answers.empty()) return;
      shared_.cache_.commit(shared_.identity_, answers);
      const std::lock_guard lock(shared_.mutex_);
      for (const auto& key : published_) shared_.fresh_.erase(key);
      published_.clear();
    }

    std::vector<std::size_t> places;  ///< in the run's wave, of what is asked

   private:
    Shared& shared_;
    std::set<std::string> claimed_;
    std::vector<std::string> published_;
  };

  const std::unique_ptr<LanguageModel> inner_;
  const std::string identity_;
  Store& cache_;
  std::mutex computing_;  // held for a unit
  std::mutex mutex_;      // guards what follows
  std::condition_variable_any landed_;
  std::set<std::string> flying_;                ///< keys of requests on their way
  std::map<std::string, Store::Answer> fresh_;  ///< answered and not yet committed
};

ModelPool::ModelPool(const std::filesystem::path& cache, Make make)
    : cache_(cache), make_(std::move(make)) {}

ModelPool::~ModelPool() = default;

void ModelPool::expect(const ModelTable& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, source] : table.sources) ++entries_[source].needed;
}

void ModelPool::release(const ModelTable& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, source] : table.sources) {
    Entry& entry = entries_.at(source);
    if (--entry.needed > 0) continue;
    drop(entry);
    entries_.erase(source);
  }
}

LanguageModel& ModelPool::get(const ModelTable& table, const std::string& name,
                              Progress& progress) {
  // Held while it loads: another run that needs the model waits for it.
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(table.sources.at(name));
  if (!entry.model) {
    const ModelOptions& options = table.models.at(name);
    entry.name = model_name(options);
    progress.note("loading " + entry.name);
    entry.model = std::make_unique<Shared>(make_(options), cache_);
  }
  return *entry.model;
}

void ModelPool::drop(Entry& entry) {
  if (!entry.model) return;
  record_counters(cache_, entry.name, entry.model->counters());
  entry.model.reset();
}

std::vector<std::pair<std::string, double>> ModelPool::timing() {
  const std::lock_guard lock(mutex_);
  for (auto& [source, entry] : entries_) drop(entry);
  return cache_.timing();
}

}  // namespace theta
