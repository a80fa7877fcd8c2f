#include "core/http_client.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <exception>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace theta {
namespace {

namespace net = boost::asio;
namespace ssl = net::ssl;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;
using Clock = std::chrono::steady_clock;

Clock::duration seconds(double s) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

struct Url {
  bool tls = false;
  std::string host;  ///< without the brackets of an IPv6 address
  std::string port;
  std::string authority;  ///< as in the Host header
  std::string path;       ///< without a slash at its end
};

Url parse_url(const std::string& text) {
  if (text.find('@') != text.npos) {
    throw UserError(
        "base_url holds a user or a key; put the key where api_key_env or api_key_file "
        "name it");
  }
  const auto malformed = [&] {
    return UserError(fmt::format(
        "base_url '{}' is not of the form http://host:port/path or https://host/path", text));
  };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    throw malformed();
  }
  const bool printable =
      std::all_of(rest.begin(), rest.end(), [](char c) { return c > ' ' && c < 127; });
  if (!printable || rest.find_first_of("?#") != rest.npos) throw malformed();

  const auto slash = std::min(rest.find('/'), rest.size());
  url.authority = rest.substr(0, slash);
  url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();

  // The colon before a port is the last one, and behind the bracket of an IPv6 address.
  const auto colon = url.authority.rfind(':');
  const bool port =
      colon != url.authority.npos && url.authority.find(']', colon) == url.authority.npos;
  url.host = url.authority.substr(0, port ? colon : url.authority.size());
  url.port = port ? url.authority.substr(colon + 1) : url.tls ? "443" : "80";
  if (url.host.starts_with('[') && url.host.ends_with(']')) {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  unsigned number = 0;
  const char* end = url.port.data() + url.port.size();
  const auto [at, error] = std::from_chars(url.port.data(), end, number);
  if (url.host.empty() || error != std::errc() || at != end || number == 0 || number > 65535) {
    throw malformed();
  }
  return url;
}

std::string read_key(const HttpOptions& options) {
  std::string key;
  std::string where;
  if (!options.api_key_env.empty()) {
    where = "environment variable " + options.api_key_env;
    const char* value = std::getenv(options.api_key_env.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) throw UserError(where + " (api_key_env) is not set");
    key = value;
  } else if (!options.api_key_file.empty()) {
    where = "file " + options.api_key_file;
    std::ifstream file(options.api_key_file);
    if (!file) throw UserError(where + " (api_key_file) cannot be read");
    std::getline(file, key);
    if (key.ends_with('\r')) key.pop_back();
  } else {
    return key;
  }
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; });
  if (key.empty() || !printable) {
    throw UserError(where + " holds no key: one line of printable characters without spaces");
  }
  return key;
}

/// One attempt to get an answer: a complete one, or why there is none.
struct Attempt {
  std::string failure;  ///< empty: `status` and `body` are the server's
  bool passing = true;  ///< the failure may pass
  int status = 0;
  std::string body;
  std::optional<double> retry_after_s;
};

}  // namespace

/// The thread that runs the connections, and all that only it touches unless said otherwise.
class HttpClient::Engine {
 public:
  explicit Engine(const HttpOptions& options)
      : options_(options), url_(parse_url(options.base_url)), key_(read_key(options)) {
    if (url_.tls) trust(options.ca_file);
    fixed_head_ = fmt::format("Host: {}\r\nUser-Agent: theta\r\nAccept: application/json\r\n",
                              url_.authority);
    if (!key_.empty()) fixed_head_ += "Authorization: Bearer " + key_ + "\r\n";
    for (int i = 0; i < options.in_flight; ++i) lanes_.push_back(std::make_unique<Lane>(io_));
    thread_ = std::jthread([this] { io_.run(); });
  }

  ~Engine() {
    net::post(io_, [this] {
      for (auto& lane : lanes_) lane->close();
      watch_timer_.cancel();
    });
    work_.reset();
  }

  void run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer, std::stop_token stop);
  std::int64_t attempts() const { return attempts_; }

 private:
  /// One caller's batch. `ready` and `finished` are shared with the caller under `mutex`.
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
    bool finished = false;
  };

  /// One connection and the coroutine that uses it.
  struct Lane {
    explicit Lane(net::io_context& io) : socket(io), resolver(io), timer(io) {}

    /// Ends whatever operation is under way with an error.
    void abort() {
      resolver.cancel();
      timer.cancel();
      error_code ignored;
      socket.close(ignored);
    }
    void close() {
      abort();
      tls.reset();
      buffer.clear();
      open = false;
    }

    tcp::socket socket;
    std::optional<ssl::stream<tcp::socket&>> tls;
    tcp::resolver resolver;
    net::steady_timer timer;
    boost::beast::flat_buffer buffer;
    bool open = false;     ///< connected, and the last answer was read to its end
    bool busy = false;     ///< has a coroutine
    Wave* wave = nullptr;  ///< whose request is under way
    Clock::time_point deadline = Clock::time_point::max();  ///< of the operation under way
    bool late = false;                                      ///< the deadline passed
  };

  void trust(const std::string& ca_file);
  void start(std::shared_ptr<Wave> wave);
  void cancel(Wave& wave);
  void leave(Wave& wave);
  std::shared_ptr<Wave> next_wave();
  net::awaitable<void> work(Lane& lane);
  net::awaitable<void> watch();
  net::awaitable<Result<Response>> converse(Lane& lane, const HttpBatch& batch, std::size_t index);
  net::awaitable<void> attempt(Lane& lane, const std::string& request, Clock::time_point give_up,
                               Attempt& out);
  net::awaitable<void> connect(Lane& lane, Clock::time_point give_up, Attempt& out);
  net::awaitable<bool> exchange(Lane& lane, const std::string& request, Clock::time_point give_up,
                                Attempt& out);
  std::string redact(std::string text) const;
  Result<Response> redact(Result<Response> answer) const;

  const HttpOptions options_;
  const Url url_;
  const std::string key_;
  std::string fixed_head_;
  std::atomic<std::int64_t> attempts_ = 0;

  net::io_context io_{1};
  net::executor_work_guard<net::io_context::executor_type> work_{io_.get_executor()};
  ssl::context tls_{ssl::context::tls_client};
  std::vector<tcp::endpoint> addresses_;  ///< of the server; empty: to be looked up
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<std::shared_ptr<Wave>> waves_;  ///< with requests to send; taken in turn
  net::steady_timer watch_timer_{io_};
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
    return Interrupted("interrupted while waiting for " + options_.base_url);
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
  for (bool finished = false; !finished;) {
    {
      std::unique_lock lock(wave->mutex);
      wave->changed.wait(lock, [&] { return wave->finished || !wave->ready.empty(); });
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
  // Lanes that are connected come first.
  std::vector<Lane*> idle;
  for (const bool open : {true, false}) {
    for (auto& lane : lanes_) {
      if (!lane->busy && lane->open == open) idle.push_back(lane.get());
    }
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

net::awaitable<void> HttpClient::Engine::work(Lane& lane) {
  while (const auto wave = next_wave()) {
    const std::size_t index = wave->next++;
    if (wave->has_next()) waves_.push_back(wave);
    ++wave->running;
    lane.wave = wave.get();
    try {
      auto answer = co_await converse(lane, wave->batch, index);
      if (!wave->stopped) {
        const std::lock_guard lock(wave->mutex);
        wave->ready.emplace_back(index, redact(std::move(answer)));
        if (wave->ready.size() == 1) wave->changed.notify_one();
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
net::awaitable<void> HttpClient::Engine::watch() {
  const double shortest =
      std::min({options_.connect_timeout_s, options_.read_timeout_s, options_.total_timeout_s});
  const auto period = seconds(std::clamp(shortest / 10, 0.005, 0.25));
  const auto busy = [](const auto& lane) { return lane->busy; };
  while (std::any_of(lanes_.begin(), lanes_.end(), busy)) {
    watch_timer_.expires_after(period);
    error_code ending;
    co_await watch_timer_.async_wait(net::redirect_error(net::use_awaitable, ending));
    if (ending) co_return;
    const auto now = Clock::now();
    for (auto& lane : lanes_) {
      if (lane->wave == nullptr) continue;
      lane->late = lane->late || now >= lane->deadline;
      if (lane->late || lane->wave->stopped) lane->abort();
    }
  }
  watching_ = false;
}

net::awaitable<Result<Response>> HttpClient::Engine::converse(Lane& lane, const HttpBatch& batch,
                                                              std::size_t index) {
  const auto give_up = Clock::now() + seconds(options_.total_timeout_s);
  const std::string body = batch.body(index);
  std::string request =
      fmt::format("{} {}{} HTTP/1.1\r\n{}", batch.method, url_.path, batch.path, fixed_head_);
  if (!body.empty()) {
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  request += "\r\n" + body;

  for (int tried = 1;; ++tried) {
    ++attempts_;
    Attempt got;
    co_await attempt(lane, request, give_up, got);
    HttpReading reading{Error{}, got.passing};
    if (got.failure.empty()) {
      reading = batch.read(index, got.status, redact(std::move(got.body)));
      if (reading.answer) co_return std::move(reading.answer);
    } else {
      reading.answer = Error{Fault::kService, got.failure};
    }
    Error error = reading.answer.error();
    if (error.fault == Fault::kPrompt) co_return error;

    const double jitter = std::uniform_real_distribution(0.0, 1.0)(jitter_);
    const double wait_s =
        std::max(options_.backoff_s * std::ldexp(jitter, tried - 1), got.retry_after_s.value_or(0));
    const double left_s = std::chrono::duration<double>(give_up - Clock::now()).count();
    if (!reading.retry || tried > batch.retries || wait_s >= left_s || lane.wave->stopped) {
      error.message = fmt::format("{}: {}", options_.base_url, error.message);
      if (tried > 1) error.message += fmt::format("; {} attempts", tried);
      if (reading.retry && tried <= batch.retries) {
        error.message += fmt::format("; no time for another before total_timeout_s = {:g}",
                                     options_.total_timeout_s);
      }
      co_return error;
    }
    lane.deadline = Clock::time_point::max();
    lane.late = false;
    lane.timer.expires_after(seconds(wait_s));
    error_code cut_short;
    co_await lane.timer.async_wait(net::redirect_error(net::use_awaitable, cut_short));
    if (lane.wave->stopped) co_return error;
  }
}

net::awaitable<void> HttpClient::Engine::attempt(Lane& lane, const std::string& request,
                                                 Clock::time_point give_up, Attempt& out) {
  for (;;) {
    const bool reused = lane.open;
    if (!reused) {
      co_await connect(lane, give_up, out);
      if (!lane.open) co_return;
    }
    out.failure.clear();
    const bool answered = co_await exchange(lane, request, give_up, out);
    if (out.failure.empty()) co_return;
    lane.close();
    // A kept connection that gives nothing at all was closed by the server while it was idle.
    if (!reused || answered || lane.late || lane.wave->stopped) co_return;
  }
}

/// Leaves the lane open, or says in `out` why not.
net::awaitable<void> HttpClient::Engine::connect(Lane& lane, Clock::time_point give_up,
                                                 Attempt& out) {
  lane.close();
  lane.late = false;
  lane.deadline = std::min(give_up, Clock::now() + seconds(options_.connect_timeout_s));
  error_code error;
  const auto fail = [&](std::string_view what) {
    out.failure = lane.late ? fmt::format("no connection within {:g} s", options_.connect_timeout_s)
                            : fmt::format("{}: {}", what, error.message());
    addresses_.clear();
    lane.close();
  };

  if (addresses_.empty()) {
    const auto found = co_await lane.resolver.async_resolve(
        url_.host, url_.port, net::redirect_error(net::use_awaitable, error));
    if (error) co_return fail(fmt::format("cannot find the address of {}", url_.host));
    addresses_.assign(found.begin(), found.end());
  }
  const auto addresses = addresses_;
  co_await net::async_connect(lane.socket, addresses,
                              net::redirect_error(net::use_awaitable, error));
  if (error) co_return fail("cannot connect");
  error_code ignored;
  lane.socket.set_option(tcp::no_delay(true), ignored);

  if (url_.tls) {
    lane.tls.emplace(lane.socket, tls_);
    SSL* session = lane.tls->native_handle();
    net::ip::make_address(url_.host, error);
    if (error) {
      SSL_set_tlsext_host_name(session, url_.host.c_str());
      SSL_set1_host(session, url_.host.c_str());
    } else {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), url_.host.c_str());
    }
    co_await lane.tls->async_handshake(ssl::stream_base::client,
                                       net::redirect_error(net::use_awaitable, error));
    if (error) {
      const long verdict = SSL_get_verify_result(session);
      if (verdict == X509_V_OK) co_return fail("TLS handshake failed");
      out.passing = false;
      out.failure = fmt::format(
          "its certificate is refused: {}; name the authority that signed it in ca_file if it is "
          "your own",
          X509_verify_cert_error_string(verdict));
      co_return lane.close();
    }
  }
  lane.open = true;
}

/// Sends the request and reads the answer into `out`. @return whether any of it came.
net::awaitable<bool> HttpClient::Engine::exchange(Lane& lane, const std::string& request,
                                                  Clock::time_point give_up, Attempt& out) {
  const auto silence = seconds(options_.read_timeout_s);
  lane.late = false;
  lane.deadline = std::min(give_up, Clock::now() + silence);
  error_code error;
  const auto why = [&](std::string_view what) {
    if (!lane.late) return fmt::format("{}: {}", what, error.message());
    return Clock::now() < give_up
               ? fmt::format("silent for {:g} s", options_.read_timeout_s)
               : fmt::format("no answer within {:g} s", options_.total_timeout_s);
  };

  if (lane.tls) {
    co_await net::async_write(*lane.tls, net::buffer(request),
                              net::redirect_error(net::use_awaitable, error));
  } else {
    co_await net::async_write(lane.socket, net::buffer(request),
                              net::redirect_error(net::use_awaitable, error));
  }
  if (error) {
    out.failure = why("cannot send");
    co_return false;
  }

  bool any = false;
  std::optional<http::response_parser<http::string_body>> parser;
  do {  // 1xx answers precede the final one
    // Not eager: an eager parser of Boost 1.74 allocates a body before it minds the limit.
    parser.emplace();
    parser->header_limit(64 * 1024);
    parser->body_limit(options_.max_response_bytes);
    while (!parser->is_done()) {
      if (lane.buffer.size() > 0) {
        const std::size_t used = parser->put(lane.buffer.data(), error);
        lane.buffer.consume(used);
        if (!error && used > 0) continue;
        if (error == http::error::body_limit) {
          out.failure = fmt::format("an answer larger than max_response_bytes = {}",
                                    options_.max_response_bytes);
          co_return true;
        }
        if (error && error != http::error::need_more) {
          out.failure = fmt::format("not HTTP: {}", error.message());
          co_return true;
        }
      }

      std::size_t n = 0;
      const auto space = lane.buffer.prepare(8192);
      if (lane.tls) {
        n = co_await lane.tls->async_read_some(space,
                                               net::redirect_error(net::use_awaitable, error));
      } else {
        n = co_await lane.socket.async_read_some(space,
                                                 net::redirect_error(net::use_awaitable, error));
      }
      lane.buffer.commit(n);
      any = any || n > 0;
      if (error) {
        // A body may end with the connection if nothing announced its length.
        const bool end = error == net::error::eof || error == ssl::error::stream_truncated;
        error_code incomplete;
        if (end && any) parser->put_eof(incomplete);
        if (!end || !any || incomplete) {
          out.failure = why(any ? "the answer broke off" : "no answer");
          co_return any;
        }
        break;
      }
      lane.deadline = std::min(give_up, Clock::now() + silence);
    }
  } while (parser->get().result_int() < 200);

  auto& message = parser->get();
  out.status = static_cast<int>(message.result_int());
  out.body = std::move(message.body());
  if (const auto after = message.find(http::field::retry_after); after != message.end()) {
    const auto value = after->value();
    out.retry_after_s =
        retry_after_seconds({value.data(), value.size()}, static_cast<double>(std::time(nullptr)));
  }
  // Bytes behind the answer would be taken for the next one.
  if (!parser->keep_alive() || lane.buffer.size() > 0) lane.close();
  co_return true;
}

std::string HttpClient::Engine::redact(std::string text) const {
  constexpr std::string_view kStandIn = "[key]";
  if (key_.empty()) return text;
  for (std::size_t at = 0; (at = text.find(key_, at)) != text.npos; at += kStandIn.size()) {
    text.replace(at, key_.size(), kStandIn);
  }
  return text;
}

/// The body that was read held no key as it was sent; JSON can spell one in other ways.
Result<Response> HttpClient::Engine::redact(Result<Response> answer) const {
  if (key_.empty()) return answer;
  if (!answer) return Error{answer.error().fault, redact(answer.error().message)};
  answer->text = redact(std::move(answer->text));
  return answer;
}

HttpClient::HttpClient(const HttpOptions& options) : engine_(std::make_unique<Engine>(options)) {}

HttpClient::~HttpClient() = default;

void HttpClient::run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer,
                     std::stop_token stop) {
  engine_->run(batch, on_answer, std::move(stop));
}

std::int64_t HttpClient::attempts() const { return engine_->attempts(); }

std::optional<double> retry_after_seconds(std::string_view header, double now_s) {
  double number = 0;
  const char* end = header.data() + header.size();
  const auto [at, error] = std::from_chars(header.data(), end, number);
  if (error == std::errc() && at == end) {
    return std::isfinite(number) && number >= 0 ? std::optional(number) : std::nullopt;
  }
  std::tm date{};
  const std::string text(header);
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  return std::max(0.0, static_cast<double>(timegm(&date)) - now_s);
}

}  // namespace theta
