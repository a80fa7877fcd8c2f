#include "core/models/http/server_health.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace theta {
namespace {

using Kind = AttemptOutcome::Kind;

/// The longest that a server may ask for, so that a time stays a number.
constexpr double kLongestAskedS = 1e6;
/// For how long a server gives no answer before anybody is told.
constexpr double kTroubleS = 1;
/// By how much a pace grows with each answer: one that was taken too slow is doubled in 35.
constexpr double kGrowth = 1.02;

Clock::duration seconds(double s) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

double in_seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

bool ServerHealth::answered_within(double s, Time now) const {
  return answered_at_ && now < *answered_at_ + seconds(s);
}

void ServerHealth::take(Time now) {
  ++outstanding_;
  if (!counted_since_) counted_since_ = now;
  if (pace_ > 0) next_turn_ = std::max(next_turn_, now) + seconds(1 / pace_);
}

void ServerHealth::settle(const AttemptOutcome& outcome, Time sent, Time now) {
  --outstanding_;
  const Kind kind = outcome.kind;
  broke_ = kind == Kind::kBroken || kind == Kind::kNoConnection;
  if (kind == Kind::kAnswered) {
    learn_pace(now);
    failures_ = 0;
    out_until_ = {};
    answered_at_ = now;
  } else if (sent >= failed_at_) {  // what failed together counts once
    ++failures_;
    failed_at_ = now;
  }
  const auto asked = seconds(std::min(outcome.retry_after_s.value_or(0), kLongestAskedS));
  // A broken answer may be one request's bad luck; a refused connection or three are not. One that
  // refuses at once has the fewest outstanding, and would be sent whatever comes.
  const bool refused = kind == Kind::kLimited || kind == Kind::kUnwell;
  if (refused || kind == Kind::kNoConnection || (broke_ && failures_ >= 3))
    out_until_ = now + std::max(out_for(), asked);
  if (refused && outcome.retry_after_s) held_until_ = std::max(held_until_, now + asked);
  // The first refusals may be of too many at once, which the limit below is for.
  if (kind == Kind::kLimited && !outcome.retry_after_s && failures_ >= 2) {
    held_until_ = std::max(held_until_, now + out_for());
    blocked_ = true;
  }
  if (outcome.overloaded) {
    limit_.refused(in_seconds(sent.time_since_epoch()), in_seconds(now.time_since_epoch()));
  } else if (!broke_) {
    limit_.answered(in_seconds(sent.time_since_epoch()), in_seconds(now.time_since_epoch()));
  }
}

/// An answer that follows a block tells how many requests the server takes in how much time.
void ServerHealth::learn_pace(Time now) {
  if (std::exchange(blocked_, false)) {
    const double took_s = in_seconds(now - counted_since_.value_or(now));
    if (counted_ > 0 && took_s > 0) pace_ = counted_ / took_s;
    counted_since_ = now;
    counted_ = 0;
  } else if (pace_ > 0) {
    pace_ *= kGrowth;
  }
  ++counted_;
}

void ServerHealth::fall_silent(Time sent, std::string why) {
  if (!silent_since_) silent_since_ = sent;
  why_ = std::move(why);
}

std::optional<ServerHealth::Trouble> ServerHealth::take_trouble(Time now) {
  if (silent_since_) told_since_ = *silent_since_;
  const double for_s = in_seconds(now - told_since_);
  const bool gone = silent_since_ && for_s >= kTroubleS;
  if (gone == told_ || (!gone && silent_since_)) return std::nullopt;
  told_ = gone;
  return Trouble{gone ? why_ : "", for_s};
}

ServerHealth* ServerHealth::best_of(std::span<ServerHealth* const> servers, std::size_t turn,
                                    Time now) {
  const bool none_in =
      std::ranges::all_of(servers, [&](const ServerHealth* one) { return one->is_out(now); });
  ServerHealth* best = nullptr;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    ServerHealth& server = *servers[(turn + i) % servers.size()];
    if (now < server.ready_at()) continue;
    if (!none_in && (!server.has_room() || server.is_out(now))) continue;
    const bool better = best == nullptr || (none_in ? std::pair(server.broke_, server.out_until_) <
                                                          std::pair(best->broke_, best->out_until_)
                                                    : server.outstanding_ < best->outstanding_);
    if (better) best = &server;
  }
  if (best == nullptr || !best->has_room()) return nullptr;
  const auto answers = [](const ServerHealth* one) { return !one->broke_; };
  if (none_in && best->broke_ && std::ranges::any_of(servers, answers)) return nullptr;
  const bool probe = !none_in && best->out_until_ != Time{};
  if (probe) best->out_until_ = now + best->out_for();
  best->take(now);
  return best;
}

/// For how long a server that failed is left alone: twice as long each time in a row.
Clock::duration ServerHealth::out_for() const {
  return seconds(std::min(kLongestWaitS, backoff_s_ * std::ldexp(1.0, std::min(failures_, 30))));
}

}  // namespace theta
