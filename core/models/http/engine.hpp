#pragma once

// clang-format off
#include "core/models/http/connection.hpp"  // first: it mends an include of Boost.Asio 1.74
// clang-format on
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/models/http/client.hpp"
#include "core/models/http/proxy.hpp"
#include "core/models/http/server_health.hpp"
#include "core/models/http/url.hpp"
#include "core/models/rate_limit.hpp"

namespace theta {

/// The thread that runs the connections, and all that only it touches unless said otherwise. Its
/// members are in three files: engine.cpp has the callers' batches and the thread, turns.cpp
/// says when a request may go to which server, converse.cpp sees one through to its answer.
class HttpClient::Engine {
 public:
  Engine(const HttpOptions& options, OnTrouble on_trouble);
  ~Engine();

  void run(const HttpBatch& batch, const LanguageModel::OnAnswer& on_answer, std::stop_token stop);
  std::int64_t attempts() const { return attempts_; }

 private:
  template <typename T>
  using Awaitable = http_io::Awaitable<T>;
  using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, http_io::Executor>;
  using Timer =
      boost::asio::basic_waitable_timer<Clock, boost::asio::wait_traits<Clock>, http_io::Executor>;

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
    Server(boost::asio::io_context& io, const std::string& text, const HttpOptions& options)
        : address(text),
          url(parse_url(text)),
          proxy(proxy_for(url, environment_variable)),
          resolver(io),
          health(options.in_flight, options.backoff_s) {}

    const std::string address;
    const Url url;
    const std::optional<HttpProxy> proxy;
    std::string before;  ///< of a request's target: what stands before the batch's path
    std::string query;   ///< behind it, with its question mark
    std::string head;    ///< of every request
    std::map<std::string, std::string> moved;  ///< targets that it said have moved for good
    Resolver resolver;
    std::vector<boost::asio::ip::tcp::endpoint> endpoints;  ///< empty: to be looked up
    boost::system::error_code lookup_error;
    std::vector<Lane*> looking;  ///< lanes that wait for the lookup under way
    bool lookup = false;         ///< is under way
    std::vector<std::unique_ptr<http_io::Connection>> kept;
    ServerHealth health;
  };

  /// A coroutine that sees one request after the other through.
  struct Lane {
    explicit Lane(boost::asio::io_context& io) : timer(io) {}

    /// Ends whatever operation is under way with an error.
    void abort() {
      timer.cancel();
      if (connection) connection->close();
    }

    Timer timer;
    std::unique_ptr<http_io::Connection> connection;  ///< while it is used
    bool busy = false;                                ///< has a coroutine
    Wave* wave = nullptr;                             ///< whose request is under way
    Server* place = nullptr;                          ///< that it waited for and was given
    http_io::Deadline deadline;                       ///< of the operation under way
  };

  /// A request on its way to its answer.
  struct Conversation {
    const HttpBatch& batch;
    const std::size_t index;
    const std::string body;
    const double cost;  ///< of tokens_per_minute, until the answer knows better
    Clock::time_point give_up = Clock::time_point::max();
    int tried = 0;
    int counted = 0;  ///< attempts that are no waiting for a server
    Clock::time_point last_failed{};
    std::vector<FailedAttempt> failed = {};
  };

  // engine.cpp
  void add_server(const std::string& address);
  void trust(const std::string& ca_file);
  void start(std::shared_ptr<Wave> wave);
  void cancel(Wave& wave);
  void leave(Wave& wave);
  std::shared_ptr<Wave> next_wave();
  Awaitable<void> work(Lane& lane);
  Awaitable<void> watch();
  void tell();

  // turns.cpp
  Awaitable<Server*> admit(Lane& lane, double cost, Clock::time_point give_up);
  Awaitable<void> sleep_until(Lane& lane, Clock::time_point time);
  Server* take_place();
  void leave_place(Server& server);
  void serve_waiting();
  void wake_when_ready();
  bool all_out() const;
  AttemptOutcome settle(Server& server, const http_io::Attempt& got, const HttpReading& reading,
                        Clock::time_point sent);
  void hear(Server& server);
  bool waits_for_servers(Clock::time_point since) const;

  // converse.cpp
  Awaitable<Result<Response>> converse(Lane& lane, const HttpBatch& batch, std::size_t index);
  Awaitable<void> ask(Lane& lane, Server& server, Conversation& talk, http_io::Attempt& out);
  Awaitable<void> attempt(Lane& lane, Server& server, const http_io::Outgoing& request,
                          Conversation& talk, http_io::Attempt& out);
  Awaitable<void> look_up(Lane& lane, Server& server);
  Awaitable<void> connect(Lane& lane, Server& server, Clock::time_point give_up,
                          http_io::Attempt& out);
  bool follow(Server& server, const HttpBatch& batch, std::string& target, http_io::Attempt& got);
  HttpReading read(Server& server, Conversation& talk, http_io::Attempt& got);
  std::optional<double> wait_after(const Server& server, Conversation& talk,
                                   const http_io::Attempt& got, const AttemptOutcome& outcome,
                                   Error& error, bool retry);
  std::string without_secrets(std::string text) const;

  const HttpOptions options_;
  const OnTrouble on_trouble_;
  std::string key_;
  std::vector<std::string> secrets_;  ///< that no message repeats, the key among them
  std::atomic<std::int64_t> attempts_ = 0;

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<http_io::Executor> work_{io_.get_executor()};
  boost::asio::ssl::context tls_{boost::asio::ssl::context::tls_client};
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<ServerHealth*> healths_;      ///< of servers_, in their order
  std::optional<Clock::time_point> heard_;  ///< when a server last answered
  std::size_t turn_ = 0;                    ///< which server is asked first among equals
  RateLimit requests_;
  RateLimit tokens_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::deque<Lane*> waiting_;                ///< for a server to have room
  std::deque<std::shared_ptr<Wave>> waves_;  ///< with requests to send, in the order they came
  Timer watch_timer_{io_}, wake_timer_{io_};
  bool watching_ = false;
  std::minstd_rand jitter_{std::random_device{}()};  ///< of waits alone: no result depends on it
  std::jthread thread_;                              ///< last: it uses all of the above
};

}  // namespace theta
