#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "core/models/http/engine.hpp"
#include "core/models/http/key.hpp"

namespace theta {

namespace net = boost::asio;
using boost::system::error_code;
using http_io::Attempt;
using http_io::Awaitable;
using http_io::Connection;
using http_io::kAwait;
using http_io::Outgoing;
using http_io::seconds;

namespace {

/// Statuses of what stands before a server that is gone.
constexpr int kBadGateway = 502, kGatewayTimeout = 504;

/// Adds attempts that failed, and what they took, to what came of them.
template <typename T>
void add_failed(T& to, std::vector<FailedAttempt> failed) {
  for (const auto& attempt : failed) {
    to.prompt_tokens += attempt.prompt_tokens;
    to.generated_tokens += attempt.generated_tokens;
  }
  to.failed = std::move(failed);
}

/// Whether nobody was there to answer.
bool is_away(const Attempt& got) {
  return got.broken() ? got.outcome == http_io::kNoConnection
                      : got.status >= kBadGateway && got.status <= kGatewayTimeout;
}

}  // namespace

Awaitable<Result<Response>> HttpClient::Engine::converse(Lane& lane, const HttpBatch& batch,
                                                         std::size_t index) {
  std::string body = batch.body(index);
  const double cost = batch.tokens ? batch.tokens(index, body) : 0;
  Conversation talk{batch, index, std::move(body), cost};
  for (;;) {
    Server* const server = co_await admit(lane, cost, talk.give_up);
    if (server == nullptr) {
      Error late{Fault::kService,
                 fmt::format("no turn within total_timeout_s = {:g}; the last attempt: {}",
                             options_.total_timeout_s,
                             talk.failed.empty() ? "none" : talk.failed.back().message)};
      add_failed(late, std::move(talk.failed));
      co_return late;
    }
    const auto sent = Clock::now();
    // The time starts once the first attempt may be made.
    if (++talk.tried == 1) talk.give_up = sent + seconds(options_.total_timeout_s);
    Attempt got;
    co_await ask(lane, *server, talk, got);
    if (lane.wave->stopped) {
      leave_place(*server);
      co_return Error{};
    }
    HttpReading reading = read(*server, talk, got);
    const AttemptOutcome outcome = settle(*server, got, reading, sent);
    if (reading.answer || reading.answer.error().fault != Fault::kService) {
      reading.answer ? add_failed(*reading.answer, std::move(talk.failed))
                     : add_failed(reading.answer.error(), std::move(talk.failed));
      co_return std::move(reading.answer);
    }
    Error error = std::move(reading.answer.error());
    if (got.broken() || got.status >= 500) server->health.fall_silent(sent, error.message);
    const auto wait_s = wait_after(*server, talk, got, outcome, error, reading.retry);
    if (!wait_s || lane.wave->stopped) co_return error;
    lane.deadline = {};
    co_await sleep_until(lane, Clock::now() + seconds(*wait_s));
    if (lane.wave->stopped) co_return error;
  }
}

/// Reads what came of an attempt; of a broken one an error.
HttpReading HttpClient::Engine::read(Server& server, Conversation& talk, Attempt& got) {
  if (got.broken()) return {Error{Fault::kService, got.failure}, got.passing};
  if (got.status < 500) hear(server);
  if (!got.elsewhere.empty())
    return {Error{Fault::kService,
                  without_secrets(fmt::format("status {}: it {}", got.status, got.elsewhere))}};
  HttpReading reading =
      talk.batch.read(talk.index, got.status, without_secrets(std::move(got.body)));
  if (reading.tokens) tokens_.give_back(talk.cost - static_cast<double>(*reading.tokens));
  return reading;
}

/// How long to wait before the next attempt of what failed; none: this was the last, and `error` is
/// what is delivered.
std::optional<double> HttpClient::Engine::wait_after(const Server& server, Conversation& talk,
                                                     const Attempt& got,
                                                     const AttemptOutcome& outcome, Error& error,
                                                     bool retry) {
  const HttpBatch& batch = talk.batch;
  // An answer to anyone since the last attempt tells that the servers are not gone for all.
  const bool waits = is_away(got) && talk.tried > 1 && waits_for_servers(talk.last_failed);
  // One that takes requests, but not so many, is waited for as well.
  const bool limited = outcome.kind == AttemptOutcome::Kind::kLimited &&
                       server.health.answered_within(options_.total_timeout_s, Clock::now());
  if (batch.retries == 0 || !(waits || limited)) ++talk.counted;
  talk.last_failed = Clock::now();
  error.message = fmt::format("{}: {}", server.address, error.message);
  const int doublings = std::clamp((limited ? talk.counted : talk.tried) - 1, 0, 30);
  const double jitter = std::uniform_real_distribution(0.0, 1.0)(jitter_);
  double wait_s = jitter * std::min(kLongestWaitS, options_.backoff_s * std::ldexp(1.0, doublings));
  // Another server need not wait for what this one asks for.
  if (all_out()) wait_s = std::max(wait_s, outcome.retry_after_s.value_or(0));
  const double left_s = std::chrono::duration<double>(talk.give_up - Clock::now()).count();
  const std::string how = got.broken() ? got.outcome
                          : got.status < 200 || got.status > 299
                              ? fmt::format("status {}", got.status)
                              : "unreadable answer";
  talk.failed.push_back({static_cast<int>(talk.failed.size()) + 1, how, error.message, wait_s,
                         error.prompt_tokens, error.generated_tokens});
  const bool spent = talk.counted > batch.retries;
  if (retry && !spent && wait_s < left_s) return wait_s;
  talk.failed.back().wait_s = 0;
  if (talk.tried > 1) error.message += fmt::format("; {} attempts", talk.tried);
  if (retry && !spent)
    error.message += fmt::format("; no time for another before total_timeout_s = {:g}",
                                 options_.total_timeout_s);
  error.prompt_tokens = error.generated_tokens = 0;  // its own are the last attempt's
  add_failed(error, std::move(talk.failed));
  return std::nullopt;
}

/// Puts a request to a server, and again where it is redirected on it.
Awaitable<void> HttpClient::Engine::ask(Lane& lane, Server& server, Conversation& talk,
                                        Attempt& out) {
  constexpr int kMostRedirects = 5;
  std::string target = server.before + talk.batch.path + server.query;
  if (const auto moved = server.moved.find(target); moved != server.moved.end())
    target = moved->second;
  for (int redirects = 0;; ++redirects) {
    std::string head = fmt::format("{} {} HTTP/1.1\r\n{}", talk.batch.method, target, server.head);
    if (!talk.body.empty()) {
      fmt::format_to(std::back_inserter(head),
                     "Content-Type: application/json\r\nContent-Length: {}\r\n", talk.body.size());
    }
    head += "\r\n";
    const Outgoing message{net::buffer(head), net::buffer(talk.body)};
    ++attempts_;
    co_await attempt(lane, server, message, talk, out);
    if (lane.wave->stopped || redirects == kMostRedirects) co_return;
    if (!follow(server, talk.batch, target, out)) co_return;
    out = {};
  }
}

/// Whether an answer says that the request is to be put elsewhere on this server, which changes
/// `target`. Where it is elsewhere altogether, `got` says so.
bool HttpClient::Engine::follow(Server& server, const HttpBatch& batch, std::string& target,
                                Attempt& got) {
  constexpr std::array kFollowed = {301, 302, 307, 308}, kForGood = {301, 301, 308, 308};
  const bool redirected = !got.broken() && got.status >= 300 && got.status < 400;
  if (!redirected || got.location.empty()) return false;
  const std::size_t path = server.proxy && !server.url.tls
                               ? std::string_view("http://").size() + server.url.authority.size()
                               : 0;
  const auto redirect =
      redirect_to(server.url, std::string_view(target).substr(path), got.location);
  if (!redirect) return false;
  const bool followed = std::ranges::find(kFollowed, got.status) != kFollowed.end();
  if (redirect->same_server && followed) {
    const std::string moved = target.substr(0, path) + redirect->target;
    if (moved == target) {
      got.elsewhere = "redirects to itself";
      return false;
    }
    if (std::ranges::find(kForGood, got.status) != kForGood.end())
      server.moved[server.before + batch.path + server.query] = moved;
    target = moved;
    return true;
  }
  std::string base = redirect->shown;
  if (base.ends_with(batch.path)) base.resize(base.size() - batch.path.size());
  got.elsewhere = fmt::format(
      "redirects to {}, where no key of {} is sent: write base_url: {} if that is the server",
      redirect->shown, server.url.authority, base);
  return false;
}

/// Tries to get an answer of `server`. What a kept connection that was closed while it was idle
/// lost is sent again at once, on a new one, and added to what failed.
Awaitable<void> HttpClient::Engine::attempt(Lane& lane, Server& server, const Outgoing& request,
                                            Conversation& talk, Attempt& out) {
  bool reused = !server.kept.empty();
  if (reused) {
    lane.connection = std::move(server.kept.back());
    server.kept.pop_back();
  }
  for (;; reused = false) {
    if (!reused) {
      lane.connection = std::make_unique<Connection>(io_, options_);
      co_await connect(lane, server, talk.give_up, out);
    }
    bool answered = false;
    if (lane.connection->is_open()) {
      answered = co_await lane.connection->exchange(request, lane.deadline, talk.give_up, out);
      if (!out.broken() && lane.connection->is_open()) {
        server.kept.push_back(std::move(lane.connection));
      }
    }
    lane.connection.reset();
    if (!reused || !out.broken() || answered || lane.deadline.passed || lane.wave->stopped)
      co_return;
    talk.failed.push_back({static_cast<int>(talk.failed.size()) + 1, "stale connection",
                           fmt::format("{}: {}", server.address, out.failure), 0});
    out = {};
  }
}

/// Looks for the server's addresses, for all lanes that ask at once, or until this one's deadline:
/// the system's lookup cannot be broken off, and goes on for those who come later.
Awaitable<void> HttpClient::Engine::look_up(Lane& lane, Server& server) {
  if (!std::exchange(server.lookup, true)) {
    const std::string& host = server.proxy ? server.proxy->host : server.url.host;
    const std::string& port = server.proxy ? server.proxy->port : server.url.port;
    server.resolver.async_resolve(host, port, [&server](error_code error, const auto& found) {
      server.lookup = false;
      server.lookup_error = error;
      server.endpoints.assign(found.begin(), found.end());
      for (Lane* const waiting : server.looking) waiting->timer.cancel();
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
  const auto add_proxy = [&] {
    if (out.broken() && server.proxy &&
        out.failure.find(server.proxy->variable) == std::string::npos)
      out.failure += ", through the proxy " + server.proxy->shown();
  };
  // Whoever is refused first forgets the addresses, which others that looked along have yet to try.
  bool found = !server.endpoints.empty();
  while (!found && !lane.deadline.passed && !lane.wave->stopped) {
    co_await look_up(lane, server);
    found = !server.endpoints.empty();
    if (server.lookup_error) break;
  }
  if (!found) {
    const std::string& host = server.proxy ? server.proxy->host : server.url.host;
    lane.connection->not_open("cannot find the address of " + host, server.lookup_error,
                              lane.deadline, out);
    co_return add_proxy();
  }
  co_await lane.connection->open(server.url, server.proxy, server.endpoints, tls_, lane.deadline,
                                 out);
  add_proxy();
  if (!lane.connection->is_open()) server.endpoints.clear();
}

std::string HttpClient::Engine::without_secrets(std::string text) const {
  for (const std::string& secret : secrets_) text = redacted(std::move(text), secret);
  return text;
}

}  // namespace theta
