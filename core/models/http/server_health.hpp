#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "core/clock.hpp"
#include "core/models/http/in_flight_limit.hpp"

namespace theta {

/// The longest that a server is left alone, or a request waits for its next attempt, unasked.
inline constexpr double kLongestWaitS = 30;

/// What became of one attempt, as a server's health sees it.
struct AttemptOutcome {
  enum class Kind {
    kAnswered,      ///< with whatever status that is the request's own affair
    kLimited,       ///< 429: later
    kUnwell,        ///< 5xx
    kBroken,        ///< no answer came
    kNoConnection,  ///< it could not even be sent
  };
  Kind kind = Kind::kAnswered;
  bool overloaded = false;                   ///< kLimited, or a 503
  std::optional<double> retry_after_s = {};  ///< when the server says to come back
};

/// How one of a model's servers does and when it may be asked again, by what became of the requests
/// sent to it. Knows no socket: every time is passed in, of one clock that never goes back.
///
/// A server that refuses connections, answers 429 or 5xx, or breaks off three times in a row is
/// taken out for backoff_s * 2^n after n failures (kLongestWaitS at most, or its Retry-After), and
/// then tried with one request. How many requests it has at once adapts (InFlightLimit).
///
/// One that says when to come back is not asked before. One that keeps refusing without a word is
/// asked by one request after the other, at growing distances, until one is answered; what it had
/// answered until then, over the time that it took, is the pace that it is asked at from then on, a
/// little faster with every answer.
class ServerHealth {
 public:
  using Time = Clock::time_point;

  ServerHealth(int in_flight, double backoff_s) : backoff_s_(backoff_s), limit_(in_flight) {}

  int outstanding() const { return outstanding_; }
  bool has_room() const { return outstanding_ < (blocked_ ? 1 : limit_.limit()); }
  bool is_out(Time now) const { return now < out_until_; }
  Time back_at() const { return out_until_; }
  /// From when on it may be asked, whatever the other servers do.
  Time ready_at() const { return std::max(held_until_, next_turn_); }
  /// The pace that it turned out to keep, in requests a second; 0: none.
  double pace() const { return pace_; }
  /// Whether it answered a request in the last `seconds`.
  bool answered_within(double seconds, Time now) const;

  /// A request is on its way to it.
  void take(Time now);
  /// It was given up before it came to anything.
  void leave() { --outstanding_; }
  /// What became of a request sent at `sent`.
  void settle(const AttemptOutcome& outcome, Time sent, Time now);

  /// It gave no answer that tells anything, since `sent`.
  void fall_silent(Time sent, std::string why);
  void hear() { silent_since_.reset(); }
  bool is_silent() const { return silent_since_.has_value(); }

  /// That it has given no answer for so long and why, or with an empty reason that it answers again.
  struct Trouble {
    std::string why;
    double seconds = 0;
  };
  /// What there is to tell since the last call.
  std::optional<Trouble> take_trouble(Time now);

  /// The server that a request is best sent to: with the fewest outstanding; null if none has room.
  /// One that was taken out is tried with a single request when its time has come. Only where all
  /// are out one stands in for all: one that answers, if only to refuse, and one that does not only
  /// where none answers; of those the first to be back.
  /// @param turn  which is looked at first
  static ServerHealth* best_of(std::span<ServerHealth* const> servers, std::size_t turn, Time now);

 private:
  Clock::duration out_for() const;
  void learn_pace(Time now);

  const double backoff_s_;
  InFlightLimit limit_;
  int outstanding_ = 0;
  int failures_ = 0;    ///< in a row
  bool broke_ = false;  ///< the last attempt brought no answer, not even a refusal
  Time failed_at_{};
  Time out_until_{};                 ///< taken out until then
  Time held_until_{};                ///< it said, or showed, that it takes nothing before
  std::optional<Time> answered_at_;  ///< the last time
  // What a pace is learnt from.
  bool blocked_ = false;  ///< it refuses whatever comes, and says no time
  std::optional<Time> counted_since_;
  double counted_ = 0;  ///< requests answered since then
  double pace_ = 0;
  Time next_turn_{};
  // What is told of it.
  std::optional<Time> silent_since_;  ///< the first of the attempts that failed since
  std::string why_;                   ///< the last of them failed
  bool told_ = false;                 ///< that it is gone
  Time told_since_{};                 ///< silent_since_, also once it is back
};

}  // namespace theta
