#include "core/models/http/engine.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>

#include "core/ascii.hpp"
#include "core/models/http/key.hpp"

namespace theta {

namespace net = boost::asio;
namespace ssl = net::ssl;
using boost::system::error_code;
using http_io::Awaitable;
using http_io::kAwait;
using http_io::seconds;

namespace {

/// The least time between two wakes of a caller while answers come: a switch of threads for every
/// answer costs as much as the answer.
constexpr std::chrono::milliseconds kRest{2};

/// What the config names that no message may repeat.
std::vector<std::string> secrets_of(const HttpOptions& options, const std::string& key) {
  std::vector<std::string> secrets;
  const auto add = [&](const Written& value) {
    secrets.insert(secrets.end(), value.secrets.begin(), value.secrets.end());
  };
  if (!key.empty()) secrets.push_back(key);
  for (const auto& [name, value] : options.headers) add(value);
  for (const auto& [name, value] : options.query) add(value);
  for (const FieldForm& field : options.parameters)
    if (field.json) add(*field.json);
  for (std::size_t i = secrets.size(); i-- > 0;)  // as a server shows its own address
    if (const auto encoded = percent_encoded(secrets[i]); encoded != secrets[i])
      secrets.push_back(encoded);
  return secrets;
}

/// The headers of every request to a server: the usual ones, but for those that the config gives.
std::string head_for(const Url& url, const HttpOptions& options, const std::string& key) {
  std::string head = "Host: " + url.authority + "\r\n";
  const auto add = [&](const std::string& name, const std::string& value) {
    const auto is_same = [&](const auto& own) {
      return ascii::lower(own.first) == ascii::lower(name);
    };
    if (std::ranges::none_of(options.headers, is_same)) head += name + ": " + value + "\r\n";
  };
  add("User-Agent", "theta");
  add("Accept", "application/json");
  if (!key.empty()) add("Authorization", "Bearer " + key);
  for (const auto& [name, value] : options.headers) head += name + ": " + value.sent + "\r\n";
  return head;
}

}  // namespace

HttpClient::Engine::Engine(const HttpOptions& options, OnTrouble on_trouble)
    : options_(options),
      on_trouble_(std::move(on_trouble)),
      key_(read_key(options)),
      secrets_(secrets_of(options, key_)),
      requests_(options.requests_per_minute),
      tokens_(options.tokens_per_minute) {
  require(!options.base_urls.empty(), "a client has a server");
  for (const auto& url : options.base_urls) add_server(url);
  if (std::ranges::any_of(servers_, [](const auto& server) { return server->url.tls; })) {
    trust(options.ca_file);
  }
  for (int i = 0; i < options.in_flight; ++i) lanes_.push_back(std::make_unique<Lane>(io_));
  thread_ = std::jthread([this] { io_.run(); });
}

HttpClient::Engine::~Engine() {
  net::post(io_, [this] {
    for (auto& lane : lanes_) lane->abort();
    for (auto& server : servers_) {
      server->resolver.cancel();
      server->kept.clear();
    }
    watch_timer_.cancel();
    wake_timer_.cancel();
  });
  work_.reset();
}

void HttpClient::Engine::add_server(const std::string& address) {
  servers_.push_back(std::make_unique<Server>(io_, address, options_));
  Server& server = *servers_.back();
  healths_.push_back(&server.health);
  server.head = head_for(server.url, options_, key_);
  // A proxy is asked for the whole address; behind TLS it sees nothing of the request.
  const bool by_proxy = server.proxy && !server.url.tls;
  server.before = (by_proxy ? "http://" + server.url.authority : "") + server.url.path;
  if (server.proxy && !server.proxy->authorization.empty()) {
    secrets_.push_back(server.proxy->authorization);
    if (by_proxy) server.head += "Proxy-Authorization: " + server.proxy->authorization + "\r\n";
  }
  for (const auto& [name, value] : options_.query)
    server.query += fmt::format("{}{}={}", server.query.empty() ? "?" : "&", percent_encoded(name),
                                percent_encoded(value.sent));
}

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

/// Tells of servers that have given no answer for long enough to matter, and of those that do again.
void HttpClient::Engine::tell() {
  if (!on_trouble_) return;
  for (auto& server : servers_)
    if (const auto trouble = server->health.take_trouble(Clock::now()))
      on_trouble_(server->address, trouble->why, trouble->seconds);
}

}  // namespace theta
