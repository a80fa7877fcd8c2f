#pragma once

// clang-format off
#include <utility>  // Boost.Asio 1.74 uses it and does not include it
// clang-format on
#include <array>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/models/http/options.hpp"
#include "core/models/http/proxy.hpp"
#include "core/models/http/url.hpp"

/// What HttpClient sends requests with.
namespace theta::http_io {

namespace net = boost::asio;
namespace ssl = net::ssl;
using net::ip::tcp;

// All by the type of their executor: a call through any_executor costs more than what it calls.
using Executor = net::io_context::executor_type;
using Socket = net::basic_stream_socket<tcp, Executor>;
template <typename T>
using Awaitable = net::awaitable<T, Executor>;
inline constexpr net::use_awaitable_t<Executor> kAwait;

inline Clock::duration seconds(double s) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

/// When the operation under way is to end. Whoever minds the time closes what it waits for.
struct Deadline {
  Clock::time_point at = Clock::time_point::max();
  bool passed = false;
};

/// One attempt to get an answer: a complete one, or why there is none.
struct Attempt {
  std::string outcome;  ///< as FailedAttempt has it; empty: `status` and `body` are the server's
  std::string failure;
  bool passing = true;  ///< the failure may pass
  int status = 0;
  std::string body;
  std::optional<double> retry_after_s;  ///< by its headers
  std::string location;                 ///< that it redirects to
  std::string elsewhere;                ///< why it is not followed there

  bool broken() const { return !outcome.empty(); }
};

/// The outcome of an attempt that did not come to send anything.
inline constexpr const char* kNoConnection = "no connection";

using Outgoing = std::array<net::const_buffer, 2>;  ///< a request's head and body

/// A connection to a server, for one exchange after the other. Not thread-safe.
class Connection {
 public:
  Connection(net::io_context& io, const HttpOptions& options) : options_(options), socket_(io) {}

  /// Opens it by `deadline`, or says in `out` why not.
  /// @param proxy      that it leads through; TLS goes on behind it
  /// @param endpoints  of the server, or of the proxy
  Awaitable<void> open(const Url& url, const std::optional<HttpProxy>& proxy,
                       std::vector<tcp::endpoint> endpoints, ssl::context& tls,
                       const Deadline& deadline, Attempt& out);
  /// Says in `out` why it is not open: the deadline, or else the error of `what`.
  void not_open(std::string_view what, const boost::system::error_code& error,
                const Deadline& deadline, Attempt& out) const;
  /// Sends a request and reads the answer into `out`, by `give_up` and with no silence that is
  /// longer than a read may take: moves `deadline` with what comes.   @return whether any came.
  Awaitable<bool> exchange(const Outgoing& request, Deadline& deadline, Clock::time_point give_up,
                           Attempt& out);
  /// Ends whatever is under way with an error.
  void close();
  /// Whether it is connected, and the last answer was read to its end.
  bool is_open() const { return open_; }

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  Awaitable<void> tunnel(const Url& url, const HttpProxy& proxy, const Deadline& deadline,
                         Attempt& out);
  Awaitable<void> shake_hands(const Url& url, ssl::context& tls, const Deadline& deadline,
                              Attempt& out);
  Awaitable<bool> receive(std::optional<Parser>& parser, Deadline& deadline,
                          Clock::time_point give_up, Attempt& out);
  void broke_off(std::string_view what, const boost::system::error_code& error,
                 const Deadline& deadline, Clock::time_point give_up, Attempt& out) const;
  void take(Parser& parser, Attempt& out) const;

  const HttpOptions& options_;
  Socket socket_;
  std::optional<ssl::stream<Socket&>> tls_;
  boost::beast::flat_buffer buffer_;
  bool open_ = false;
};

}  // namespace theta::http_io
