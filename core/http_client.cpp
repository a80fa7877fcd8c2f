#include "core/http_client.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "core/http_connection.hpp"
#include "core/http_key.hpp"
#include "core/http_url.hpp"
#include "core/in_flight_limit.hpp"
#include "core/rate_limit.hpp"

namespace theta {
namespace {

namespace net = boost::asio;
namespace ssl = net::ssl;
using boost::system::error_code;
using http_io::Attempt;
using http_io::Awaitable;
using http_io::Connection;
using http_io::Deadline;
using http_io::kAwait;
using http_io::Outgoing;
using http_io::seconds;
using net::ip::tcp;
using Resolver = net::ip::basic_resolver<tcp, http_io::Executor>;
using Timer = net::basic_waitable_timer<Clock, net::wait_traits<Clock>, http_io::Executor>;

/// The longest that a server is left alone, or a request waits for its next attempt, unasked.
constexpr double kLongestWaitS = 30;
/// The longest that a server may ask for, so that a time stays a number.
constexpr double kLongestAskedS = 1e6;
/// For how long a server gives no answer before anybody is told.
constexpr double kTroubleS = 1;
/// Statuses of what stands before a server that is gone.
constexpr int kBadGateway = 502, kGatewayTimeout = 504;
/// The least time between two wakes of a caller while answers come: a switch of threads for every
/// answer costs as much as the answer.
constexpr std::chrono::milliseconds kRest{2};

/// Adds attempts that failed, and what they took, to what came of them.
template <typename T>
void add_failed(T& to, std::vector<FailedAttempt> failed) {
  for (const auto& attempt : failed) {
    to.prompt_tokens += attempt.prompt_tokens;
    to.generated_tokens += attempt.generated_tokens;
  }
  to.failed = std::move(failed);
}

double since_epoch(Clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

/// The thread that runs the connections, and all that only it touches unless said otherwise.
class HttpClient::Engine {
 public:
  Engine(const HttpOptions& options, OnTrouble on_trouble)
      : options_(options),
        on_trouble_(std::move(on_trouble)),
        key_(read_key(options)),
        requests_(options.requests_per_minute),
        tokens_(options.tokens_per_minute) {
    require(!options.base_urls.empty(), "a client has a server");
    for (const auto& url : options.base_urls) {
      servers_.push_back(std::make_unique<Server>(io_, url, options.in_flight));
      Server& server = *servers_.back();
      server.head = fmt::format("Host: {}\r\nUser-Agent: theta\r\nAccept: application/json\r\n",
                                server.url.authority);
      if (!key_.empty()) server.head += "Authorization: Bearer " + key_ + "\r\n";
    }
    if (std::ranges::any_of(servers_, [](const auto& server) { return server->url.tls; })) {
      trust(options.ca_file);
    }
    for (int i = 0; i < options.in_flight; ++i) lanes_.push_back(std::make_unique<Lane>(io_));
    thread_ = std::jthread([this] { io_.run(); });
  }

  ~Engine() {
    net::post(io_, [this] {
      for (auto& lane : lanes_) lane->abort();
      for (auto& server : servers_) {
        server->resolver.cancel();
        server->kept.clear();
      }
      watch_timer_.cancel();
    });
    work_.reset();
  }

  void run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer, std::stop_token stop);
  std::int64_t attempts() const { return attempts_; }

 private:
  /// One caller's batch. `ready`, `waiting` and `finished` are shared with the caller under
  /// `mutex`.
  struct Wave {
    explicit Wave(const HttpBatch& b) : batch(b) {}
    bool has_next() const { return !stopped && next < batch.size; }

    const HttpBatch& batch;
    std::size_t next = 0;
    std::size_t running = 0;
    bool stopped = false;
    std::exception_ptr failure;

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::pair<std::size_t, Result<Response>>> ready;
    bool waiting = false;  ///< the caller, for an answer
    bool finished = false;
  };

  struct Lane;
  struct Server {
    Server(net::io_context& io, const std::string& text, int in_flight)
        : address(text), url(parse_url(text)), resolver(io), limit(in_flight) {}

    const std::string address;
    const Url url;
    std::string head;  ///< of every request
    Resolver resolver;
    std::vector<tcp::endpoint> endpoints;  ///< empty: to be looked up
    error_code lookup_error;
    std::vector<Lane*> looking;  ///< lanes that wait for the lookup under way
    bool lookup = false;         ///< is under way
    std::vector<std::unique_ptr<Connection>> kept;
    InFlightLimit limit;
    int outstanding = 0;
    int failures = 0;     ///< in a row
    bool silent = false;  ///< the last attempt brought no answer, not even a refusal
    Clock::time_point failed_at{};
    Clock::time_point out_until{};                  ///< taken out until then
    std::optional<Clock::time_point> silent_since;  ///< the first of the attempts that failed since
    std::string why;                                ///< the last of them failed
    bool told = false;                              ///< on_trouble_ knows that it is gone
    Clock::time_point told_since{};                 ///< silent_since, also once it is back
  };

  /// A coroutine that sees one request after the other through.
  struct Lane {
    explicit Lane(net::io_context& io) : timer(io) {}

    /// Ends whatever operation is under way with an error.
    void abort() {
      timer.cancel();
      if (connection) connection->close();
    }

    Timer timer;
    std::unique_ptr<Connection> connection;  ///< while it is used
    bool busy = false;                       ///< has a coroutine
    Wave* wave = nullptr;                    ///< whose request is under way
    Server* place = nullptr;                 ///< that it waited for and was given
    Deadline deadline;                       ///< of the operation under way
  };

  void trust(const std::string& ca_file);
  void start(std::shared_ptr<Wave> wave);
  void cancel(Wave& wave);
  void leave(Wave& wave);
  std::shared_ptr<Wave> next_wave();
  Awaitable<void> work(Lane& lane);
  Awaitable<void> watch();
  Awaitable<Result<Response>> converse(Lane& lane, const HttpBatch& batch, std::size_t index);
  Awaitable<Server*> admit(Lane& lane, double cost, Clock::time_point give_up);
  Awaitable<void> sleep_until(Lane& lane, Clock::time_point time);
  Server* take_place();
  bool all_out() const;
  void leave_place(Server& server);
  Clock::duration out_for(const Server& server) const;
  void settle(Server& server, const Attempt* got, Clock::time_point sent);
  void hear(Server& server);
  void tell();
  bool waits_for_servers(Clock::time_point since) const;
  Awaitable<void> attempt(Lane& lane, Server& server, const Outgoing& request,
                          Clock::time_point give_up, Attempt& out,
                          std::vector<FailedAttempt>& stale);
  Awaitable<void> look_up(Lane& lane, Server& server);
  Awaitable<void> connect(Lane& lane, Server& server, Clock::time_point give_up, Attempt& out);

  const HttpOptions options_;
  const OnTrouble on_trouble_;
  const std::string key_;
  std::atomic<std::int64_t> attempts_ = 0;

  net::io_context io_{1};
  net::executor_work_guard<net::io_context::executor_type> work_{io_.get_executor()};
  ssl::context tls_{ssl::context::tls_client};
  std::vector<std::unique_ptr<Server>> servers_;
  std::optional<Clock::time_point> heard_;  ///< when a server last answered
  std::size_t turn_ = 0;                    ///< which server is asked first among equals
  RateLimit requests_;
  RateLimit tokens_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<Lane*> waiting_;                ///< for a server to have room
  std::deque<std::shared_ptr<Wave>> waves_;  ///< with requests to send, in the order they came
  Timer watch_timer_{io_};
  bool watching_ = false;
  std::minstd_rand jitter_{std::random_device{}()};  ///< of waits alone: no result depends on it
  std::jthread thread_;                              ///< last: it uses all of the above
};

void HttpClient::Engine::trust(const std::string& ca_file) {
  error_code error;
  SSL_CTX_set_min_proto_version(tls_.native_handle(), TLS1_2_VERSION);
  tls_.set_verify_mode(ssl::verify_peer);
  if (ca_file.empty()) {
    tls_.set_default_verify_paths(error);
  } else {
    tls_.load_verify_file(ca_file, error);
  }
  if (error) {
    throw UserError(
        fmt::format("ca_file '{}' holds no authorities in PEM form: {}", ca_file, error.message()));
  }
}

void HttpClient::Engine::run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer,
                             std::stop_token stop) {
  const auto interrupted = [&] {
    return Interrupted(
        fmt::format("interrupted while waiting for {}", fmt::join(options_.base_urls, ", ")));
  };
  if (batch.size == 0) return;
  if (stop.stop_requested()) throw interrupted();
  const auto wave = std::make_shared<Wave>(batch);
  const auto post_cancel = [this, wave] { net::post(io_, [this, wave] { cancel(*wave); }); };
  net::post(io_, [this, wave] { start(wave); });
  const std::stop_callback on_stop(stop, post_cancel);

  std::size_t answered = 0;
  std::exception_ptr failure;
  std::vector<std::pair<std::size_t, Result<Response>>> ready;
  Clock::time_point handed_over{};
  for (bool finished = false; !finished; handed_over = Clock::now()) {
    {
      std::unique_lock lock(wave->mutex);
      const auto rested = handed_over + kRest;
      wave->changed.wait_until(lock, rested, [&] { return wave->finished; });
      wave->waiting = true;
      wave->changed.wait(lock, [&] { return wave->finished || !wave->ready.empty(); });
      wave->waiting = false;
      ready.swap(wave->ready);
      finished = wave->finished;
    }
    for (auto& [index, answer] : ready) {
      if (failure) break;
      try {
        on_answer(index, std::move(answer));
        ++answered;
      } catch (...) {
        // The lanes still use the batch: they are called back before it may go.
        failure = std::current_exception();
        post_cancel();
      }
    }
    ready.clear();
  }
  if (!failure) failure = wave->failure;
  if (failure) std::rethrow_exception(failure);
  if (answered < batch.size) throw interrupted();
}

void HttpClient::Engine::start(std::shared_ptr<Wave> wave) {
  if (wave->stopped) return;
  waves_.push_back(wave);
  std::vector<Lane*> idle;
  for (auto& lane : lanes_) {
    if (!lane->busy) idle.push_back(lane.get());
  }
  idle.resize(std::min(idle.size(), wave->batch.size));
  for (Lane* lane : idle) {
    lane->busy = true;
    net::co_spawn(io_, work(*lane), net::detached);
  }
  if (!watching_) {
    watching_ = true;
    net::co_spawn(io_, watch(), net::detached);
  }
}

void HttpClient::Engine::cancel(Wave& wave) {
  wave.stopped = true;
  std::erase_if(waves_, [&](const auto& other) { return other.get() == &wave; });
  for (auto& lane : lanes_) {
    if (lane->wave == &wave) lane->abort();
  }
  leave(wave);
}

/// Tells the caller if nothing is left to come.
void HttpClient::Engine::leave(Wave& wave) {
  if (wave.running > 0 || wave.has_next()) return;
  const std::lock_guard lock(wave.mutex);
  wave.finished = true;
  wave.changed.notify_one();
}

std::shared_ptr<HttpClient::Engine::Wave> HttpClient::Engine::next_wave() {
  if (waves_.empty()) return nullptr;
  auto wave = std::move(waves_.front());
  waves_.pop_front();
  return wave;
}

Awaitable<void> HttpClient::Engine::work(Lane& lane) {
  while (const auto wave = next_wave()) {
    const std::size_t index = wave->next++;
    if (wave->has_next()) waves_.push_front(wave);
    ++wave->running;
    lane.wave = wave.get();
    try {
      auto answer = co_await converse(lane, wave->batch, index);
      if (!wave->stopped) {
        const std::lock_guard lock(wave->mutex);
        wave->ready.emplace_back(index, std::move(answer));
        if (std::exchange(wave->waiting, false)) wave->changed.notify_one();
      }
    } catch (...) {
      wave->failure = std::current_exception();
      cancel(*wave);
    }
    lane.wave = nullptr;
    --wave->running;
    leave(*wave);
  }
  lane.busy = false;
}

/// Ends operations whose deadline has passed. One timer for all is cheaper than one an operation,
/// and no timeout needs to be sharp.
Awaitable<void> HttpClient::Engine::watch() {
  const double shortest =
      std::min({options_.connect_timeout_s, options_.read_timeout_s, options_.total_timeout_s});
  const auto period = seconds(std::clamp(shortest / 10, 0.005, 0.25));
  const auto busy = [](const auto& lane) { return lane->busy; };
  while (std::any_of(lanes_.begin(), lanes_.end(), busy)) {
    watch_timer_.expires_after(period);
    error_code ending;
    co_await watch_timer_.async_wait(net::redirect_error(kAwait, ending));
    if (ending) co_return;
    tell();
    const auto now = Clock::now();
    for (auto& lane : lanes_) {
      if (lane->wave == nullptr) continue;
      lane->deadline.passed |= now >= lane->deadline.at;
      if (lane->deadline.passed || lane->wave->stopped) lane->abort();
    }
  }
  watching_ = false;
}

Awaitable<Result<Response>> HttpClient::Engine::converse(Lane& lane, const HttpBatch& batch,
                                                         std::size_t index) {
  const std::string body = batch.body(index);
  const double cost = batch.tokens ? batch.tokens(index, body) : 0;
  auto give_up = Clock::time_point::max();  // the time starts once the first attempt may be made
  std::vector<FailedAttempt> failed;
  int counted = 0;  // attempts that are no waiting for a server
  Clock::time_point last_failed{};

  for (int tried = 1;; ++tried) {
    Server* const server = co_await admit(lane, cost, give_up);
    if (server == nullptr) {
      Error late{
          Fault::kService,
          fmt::format("no turn within total_timeout_s = {:g}; the last attempt: {}",
                      options_.total_timeout_s, failed.empty() ? "none" : failed.back().message)};
      add_failed(late, std::move(failed));
      co_return late;
    }
    const auto sent = Clock::now();
    if (tried == 1) give_up = sent + seconds(options_.total_timeout_s);
    std::string head = fmt::format("{} {}{} HTTP/1.1\r\n{}", batch.method, server->url.path,
                                   batch.path, server->head);
    if (!body.empty()) {
      fmt::format_to(std::back_inserter(head),
                     "Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    }
    head += "\r\n";
    const Outgoing message{net::buffer(head), net::buffer(body)};

    ++attempts_;
    Attempt got;
    co_await attempt(lane, *server, message, give_up, got, failed);
    const bool stopped = lane.wave->stopped;
    settle(*server, stopped ? nullptr : &got, sent);
    if (stopped) co_return Error{};
    const bool broken = !got.outcome.empty();
    const bool away = broken ? got.outcome == http_io::kNoConnection
                             : got.status >= kBadGateway && got.status <= kGatewayTimeout;
    const bool silent = broken || got.status >= 500;
    if (!silent) hear(*server);
    HttpReading reading{Error{}, got.passing};
    if (got.outcome.empty()) {
      reading = batch.read(index, got.status, redacted(std::move(got.body), key_));
      if (reading.tokens) tokens_.give_back(cost - static_cast<double>(*reading.tokens));
      if (reading.answer || reading.answer.error().fault != Fault::kService) {
        reading.answer ? add_failed(*reading.answer, std::move(failed))
                       : add_failed(reading.answer.error(), std::move(failed));
        co_return std::move(reading.answer);
      }
      got.outcome = got.status < 200 || got.status > 299 ? fmt::format("status {}", got.status)
                                                         : "unreadable answer";
    } else {
      reading.answer = Error{Fault::kService, got.failure};
    }

    Error error = reading.answer.error();
    if (silent) {
      if (!server->silent_since) server->silent_since = sent;
      server->why = error.message;
    }
    // An answer to anyone since the last attempt tells that the servers are not gone for all.
    if (!away || batch.retries == 0 || tried == 1 || !waits_for_servers(last_failed)) ++counted;
    last_failed = Clock::now();
    error.message = fmt::format("{}: {}", server->address, error.message);
    const double jitter = std::uniform_real_distribution(0.0, 1.0)(jitter_);
    double wait_s = jitter * std::min(kLongestWaitS, options_.backoff_s *
                                                         std::ldexp(1.0, std::min(tried - 1, 30)));
    // Another server need not wait for what this one asks for.
    if (all_out()) wait_s = std::max(wait_s, got.retry_after_s.value_or(0));
    const double left_s = std::chrono::duration<double>(give_up - Clock::now()).count();
    failed.push_back({static_cast<int>(failed.size()) + 1, got.outcome, error.message, wait_s,
                      error.prompt_tokens, error.generated_tokens});
    if (!reading.retry || counted > batch.retries || wait_s >= left_s || lane.wave->stopped) {
      failed.back().wait_s = 0;
      if (tried > 1) error.message += fmt::format("; {} attempts", tried);
      if (reading.retry && counted <= batch.retries) {
        error.message += fmt::format("; no time for another before total_timeout_s = {:g}",
                                     options_.total_timeout_s);
      }
      error.prompt_tokens = error.generated_tokens = 0;  // its own are the last attempt's
      add_failed(error, std::move(failed));
      co_return error;
    }
    lane.deadline = {};
    co_await sleep_until(lane, Clock::now() + seconds(wait_s));
    if (lane.wave->stopped) co_return error;
  }
}

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

/// Takes a place at the server with the fewest requests outstanding; null if none has room. One
/// that was taken out is tried with a single request when its time has come. Only where all are out
/// one stands in for all: one that answers, if only to refuse, before one that does not; of those
/// the first to be back.
HttpClient::Engine::Server* HttpClient::Engine::take_place() {
  const auto now = Clock::now();
  const bool none_in = all_out();
  const auto full = [](const Server& s) { return s.outstanding >= s.limit.limit(); };
  Server* best = nullptr;
  ++turn_;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Server& server = *servers_[(turn_ + i) % servers_.size()];
    if (!none_in && (full(server) || now < server.out_until)) continue;
    const bool better = best == nullptr || (none_in ? std::pair(server.silent, server.out_until) <
                                                          std::pair(best->silent, best->out_until)
                                                    : server.outstanding < best->outstanding);
    if (better) best = &server;
  }
  if (best == nullptr || full(*best)) return nullptr;
  const bool probe = !none_in && best->out_until != Clock::time_point{};
  if (probe) best->out_until = now + out_for(*best);
  ++best->outstanding;
  return best;
}

bool HttpClient::Engine::all_out() const {
  return std::ranges::all_of(
      servers_, [now = Clock::now()](const auto& server) { return now < server->out_until; });
}

/// Gives a place back, and what room there is then to those who wait for it, first come, first
/// served: a lane whose request is settled would else take its own place again and again.
void HttpClient::Engine::leave_place(Server& server) {
  --server.outstanding;
  while (!waiting_.empty()) {
    Server* const place = take_place();
    if (place == nullptr) return;
    Lane& first = *waiting_.front();
    waiting_.pop_front();
    first.place = place;
    first.timer.cancel();
  }
}

/// For how long a server that failed is left alone: twice as long each time in a row.
Clock::duration HttpClient::Engine::out_for(const Server& server) const {
  return seconds(
      std::min(kLongestWaitS, options_.backoff_s * std::ldexp(1.0, std::min(server.failures, 30))));
}

/// Learns from an attempt (null: we broke it off ourselves), and leaves the place that it took.
void HttpClient::Engine::settle(Server& server, const Attempt* got, Clock::time_point sent) {
  const auto now = Clock::now();
  if (got != nullptr) {
    const bool broken = !got->outcome.empty();
    server.silent = broken;
    const bool refused = !broken && (got->status == 429 || got->status >= 500);
    if (broken || refused) {
      if (sent >= server.failed_at) {  // what failed together counts once
        ++server.failures;
        server.failed_at = now;
      }
    } else {
      server.failures = 0;
      server.out_until = {};
    }
    // A broken answer may be one request's bad luck; a refused connection or three are not. One
    // that refuses at once has the fewest outstanding, and would be sent whatever comes.
    if (refused || (broken && (server.failures >= 3 || got->outcome == http_io::kNoConnection))) {
      const double asked_s = std::min(got->retry_after_s.value_or(0), kLongestAskedS);
      server.out_until = now + std::max(out_for(server), seconds(asked_s));
    }
    if (got->status == 429 || got->status == 503) {
      server.limit.refused(since_epoch(sent), since_epoch(now));
    } else if (!broken) {
      server.limit.answered(since_epoch(sent), since_epoch(now));
    }
  }
  leave_place(server);
}

/// A server is there.
void HttpClient::Engine::hear(Server& server) {
  heard_ = Clock::now();
  server.silent_since.reset();
  tell();
}

/// Tells of servers that have given no answer for long enough to matter, and of those that do again.
void HttpClient::Engine::tell() {
  if (!on_trouble_) return;
  const auto now = Clock::now();
  for (auto& server : servers_) {
    if (server->silent_since) server->told_since = *server->silent_since;
    const double for_s = std::chrono::duration<double>(now - server->told_since).count();
    const bool gone = server->silent_since && for_s >= kTroubleS;
    if (gone == server->told || (!gone && server->silent_since)) continue;
    server->told = gone;
    on_trouble_(server->address, gone ? server->why : "", for_s);
  }
}

/// Whether servers that answered once are all gone, with no answer after `since`, but not for so
/// long that they are given up.
bool HttpClient::Engine::waits_for_servers(Clock::time_point since) const {
  if (!heard_ || *heard_ >= since) return false;
  const auto gone = [](const auto& server) { return server->silent_since.has_value(); };
  return std::ranges::all_of(servers_, gone) &&
         Clock::now() < *heard_ + seconds(options_.total_timeout_s);
}

/// Tries to get an answer of `server`. What a kept connection that was closed while it was idle
/// lost is sent again at once, on a new one, and added to `stale`.
Awaitable<void> HttpClient::Engine::attempt(Lane& lane, Server& server, const Outgoing& request,
                                            Clock::time_point give_up, Attempt& out,
                                            std::vector<FailedAttempt>& stale) {
  bool reused = !server.kept.empty();
  if (reused) {
    lane.connection = std::move(server.kept.back());
    server.kept.pop_back();
  }
  for (;; reused = false) {
    if (!reused) {
      lane.connection = std::make_unique<Connection>(io_, options_);
      co_await connect(lane, server, give_up, out);
    }
    bool answered = false;
    if (lane.connection->is_open()) {
      answered = co_await lane.connection->exchange(request, lane.deadline, give_up, out);
      if (out.outcome.empty() && lane.connection->is_open()) {
        server.kept.push_back(std::move(lane.connection));
      }
    }
    lane.connection.reset();
    if (!reused || out.outcome.empty() || answered || lane.deadline.passed || lane.wave->stopped)
      co_return;
    stale.push_back({static_cast<int>(stale.size()) + 1, "stale connection",
                     fmt::format("{}: {}", server.address, out.failure), 0});
    out = {};
  }
}

/// Looks for the server's addresses, for all lanes that ask at once, or until this one's deadline:
/// the system's lookup cannot be broken off, and goes on for those who come later.
Awaitable<void> HttpClient::Engine::look_up(Lane& lane, Server& server) {
  if (!std::exchange(server.lookup, true)) {
    server.resolver.async_resolve(server.url.host, server.url.port,
                                  [&server](error_code error, const auto& found) {
                                    server.lookup = false;
                                    server.lookup_error = error;
                                    server.endpoints.assign(found.begin(), found.end());
                                    for (Lane* const waiting : server.looking)
                                      waiting->timer.cancel();
                                  });
  }
  server.looking.push_back(&lane);
  co_await sleep_until(lane, lane.deadline.at);
  std::erase(server.looking, &lane);
  lane.deadline.passed |= Clock::now() >= lane.deadline.at;
}

/// Opens the lane's connection, or says in `out` why not.
Awaitable<void> HttpClient::Engine::connect(Lane& lane, Server& server, Clock::time_point give_up,
                                            Attempt& out) {
  lane.deadline = {std::min(give_up, Clock::now() + seconds(options_.connect_timeout_s))};
  if (server.endpoints.empty()) co_await look_up(lane, server);
  if (server.endpoints.empty()) {
    co_return lane.connection->not_open(
        fmt::format("cannot find the address of {}", server.url.host), server.lookup_error,
        lane.deadline, out);
  }
  co_await lane.connection->open(server.url, server.endpoints, tls_, lane.deadline, out);
  if (!lane.connection->is_open()) server.endpoints.clear();
}

HttpClient::HttpClient(const HttpOptions& options, OnTrouble on_trouble)
    : engine_(std::make_unique<Engine>(options, std::move(on_trouble))) {}

HttpClient::~HttpClient() = default;

void HttpClient::run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer,
                     std::stop_token stop) {
  engine_->run(batch, on_answer, std::move(stop));
}

std::int64_t HttpClient::attempts() const { return engine_->attempts(); }

}  // namespace theta
