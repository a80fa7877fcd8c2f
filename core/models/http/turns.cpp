#include <algorithm>
#include <chrono>

#include "core/models/http/engine.hpp"

namespace theta {

namespace net = boost::asio;
using boost::system::error_code;
using http_io::Awaitable;
using http_io::kAwait;
using http_io::seconds;

namespace {

double since_epoch(Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

/// Waits until the limits let a request of that cost through.
/// @return the server to send it to, with a place taken there; null if the wave was stopped, or the
///   wait would not end before `give_up`.
Awaitable<HttpClient::Engine::Server*> HttpClient::Engine::admit(Lane& lane, double cost,
                                                                 Clock::time_point give_up) {
  lane.deadline = {};
  const auto now = Clock::now();
  const double now_s = since_epoch(now);
  const double wait_s = std::max(requests_.take(1, now_s), tokens_.take(cost, now_s));
  const auto turn = now + seconds(wait_s);
  if (turn < give_up) {
    if (wait_s > 0) co_await sleep_until(lane, turn);
    Server* server = waiting_.empty() ? take_place() : nullptr;
    if (server == nullptr && !lane.wave->stopped) {
      waiting_.push_back(&lane);
      wake_when_ready();
      co_await sleep_until(lane, give_up);
      std::erase(waiting_, &lane);
      server = std::exchange(lane.place, nullptr);
    }
    if (server != nullptr && !lane.wave->stopped) co_return server;
    if (server != nullptr) leave_place(*server);
  }
  requests_.give_back(1);
  tokens_.give_back(cost);
  co_return nullptr;
}

Awaitable<void> HttpClient::Engine::sleep_until(Lane& lane, Clock::time_point time) {
  lane.timer.expires_at(time);
  error_code cut_short;
  co_await lane.timer.async_wait(net::redirect_error(kAwait, cut_short));
}

HttpClient::Engine::Server* HttpClient::Engine::take_place() {
  const ServerHealth* const best = ServerHealth::best_of(healths_, ++turn_, Clock::now());
  const auto is_best = [&](const auto& server) { return &server->health == best; };
  const auto found = std::ranges::find_if(servers_, is_best);
  return found == servers_.end() ? nullptr : found->get();
}

/// Gives back a place that came to nothing.
void HttpClient::Engine::leave_place(Server& server) {
  server.health.leave();
  serve_waiting();
}

/// Gives what room there is to those who wait for it, first come, first served: a lane whose request
/// is settled would else take its own place again and again.
void HttpClient::Engine::serve_waiting() {
  while (!waiting_.empty()) {
    Server* const place = take_place();
    if (place == nullptr) return wake_when_ready();
    Lane& first = *waiting_.front();
    waiting_.pop_front();
    first.place = place;
    first.timer.cancel();
  }
}

/// Sees to it that who waits is served once a server is ready again that now is not.
void HttpClient::Engine::wake_when_ready() {
  const auto now = Clock::now();
  auto next = Clock::time_point::max();
  for (const ServerHealth* health : healths_)
    if (health->ready_at() > now) next = std::min(next, health->ready_at());
  for (const ServerHealth* health : healths_)
    if (health->back_at() > now) next = std::min(next, health->back_at());
  if (next == Clock::time_point::max()) return;
  wake_timer_.expires_at(next);
  wake_timer_.async_wait([this](error_code cut_short) {
    if (!cut_short) serve_waiting();
  });
}

bool HttpClient::Engine::all_out() const {
  return std::ranges::all_of(
      healths_, [now = Clock::now()](const ServerHealth* health) { return health->is_out(now); });
}

/// Learns from an attempt, and leaves the place that it took.
AttemptOutcome HttpClient::Engine::settle(Server& server, const http_io::Attempt& got,
                                          const HttpReading& reading, Clock::time_point sent) {
  using Kind = AttemptOutcome::Kind;
  constexpr int kTooMany = 429, kUnavailable = 503, kServerFault = 500;
  const int status = reading.status > 0 ? reading.status : got.status;
  const bool passing = !reading.answer && reading.retry;
  AttemptOutcome outcome;
  if (got.broken()) {
    outcome.kind = got.outcome == http_io::kNoConnection ? Kind::kNoConnection : Kind::kBroken;
  } else if (passing && status == kTooMany) {
    outcome.kind = Kind::kLimited;
  } else if (passing && status >= kServerFault) {
    outcome.kind = Kind::kUnwell;
  }
  outcome.overloaded =
      outcome.kind == Kind::kLimited || (outcome.kind == Kind::kUnwell && status == kUnavailable);
  outcome.retry_after_s = got.retry_after_s ? got.retry_after_s : reading.retry_after_s;
  server.health.settle(outcome, sent, Clock::now());
  serve_waiting();
  return outcome;
}

/// A server is there.
void HttpClient::Engine::hear(Server& server) {
  heard_ = Clock::now();
  server.health.hear();
  tell();
}

/// Whether servers that answered once are all gone, with no answer after `since`, but not for so
/// long that they are given up.
bool HttpClient::Engine::waits_for_servers(Clock::time_point since) const {
  if (!heard_ || *heard_ >= since) return false;
  return std::ranges::all_of(healths_, &ServerHealth::is_silent) &&
         Clock::now() < *heard_ + seconds(options_.total_timeout_s);
}

}  // namespace theta
