#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/models/language_model.hpp"
#include "core/progress.hpp"
#include "core/records/answer_cache.hpp"
#include "core/records/store.hpp"

namespace theta {

/// A model whose every answer is kept in the run's store and never asked for twice.
///
/// A wave is answered from the store where it can be; identical requests of a wave are asked once;
/// what remains is cut, in its order, into units of the inner model's unit() and each is committed
/// in one transaction. What a unit holds depends only on the waves before it, never on time or
/// threads, so a killed run continues to the identical answers; waves asked at the same time are
/// taken one after the other. Where unit() is 1, answers stand alone: the inner model gets all that
/// remains at once, waves run side by side, and whatever arrived while one group was committed is
/// the next. Every answer is committed before it is delivered. A service's fault is delivered and
/// counted, but not kept, and is no progress: asking again tries again; a prompt's fault is an
/// answer. When a wave is interrupted,
/// what is committed stays. Attempts that brought no answer are kept beside the answers.
///
/// Before anything is asked, the cache that runs share is, by request where answers stand alone,
/// else by unit; what it has is committed like an answer of the model's. What another wave is
/// asking is waited for, and asked again if that failed by the service's fault.
class RecordedModel final : public ModelInFront {
 public:
  /// What finds an answer in the store where answers depend on the unit they are computed in.
  enum class Key {
    kRequest,  ///< the request alone: one run asks in the same units again
    kWave,     ///< the request in its wave: several runs ask, each in units of its own
    kNone      ///< nothing: answers that are made up are counted, and none is kept
  };

  /// The references outlive this. `progress` may be null, and `cache` where no other run is to
  /// share answers.
  RecordedModel(LanguageModel& inner, Store& store, Progress* progress,
                AnswerCache* cache = nullptr, Key key = Key::kRequest);

  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override;

  /// Also knows what another run was answered to the same requests, whatever it asked beside them.
  /// `earlier` outlives this.
  void know(const Store& earlier) { earlier_ = &earlier; }

  /// Everything asked of this model so far, answered from the store or not. A program that asks the
  /// same twice is counted twice: this is what the program needs, not what the host did.
  Usage asked() const;
  /// Requests that a service's fault left without an answer.
  struct Lost {
    std::int64_t requests = 0;
    std::string why = {};  ///< of the first
  };
  /// Since the last call.
  Lost take_lost();
  /// Requests that the store had the answer to.
  std::int64_t store_hits() const;
  /// Requests that the cache had the answer to, or another run asked at the same time.
  std::int64_t cache_hits() const;

 private:
  class Wave;
  enum class Source { kModel, kStore, kCache };  ///< of an answer
  void count(const Result<Response>& answer, Source source);
  void count_cached(std::size_t requests);

  Store& store_;
  Progress* progress_;
  const Store* earlier_ = nullptr;
  const Key key_;
  AnswerCache own_cache_;  // one that is off, for want of another
  AnswerCache& cache_;
  std::mutex wave_mutex_;     // held during a wave of a model whose unit() is not 1
  mutable std::mutex mutex_;  // guards what follows
  Usage asked_;
  Lost lost_;
  std::int64_t hits_ = 0;
  std::int64_t cache_hits_ = 0;
};

}  // namespace theta
