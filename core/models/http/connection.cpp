#include "core/models/http/connection.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/beast/http.hpp>
#include <ctime>
#include <utility>

#include "core/ascii.hpp"
#include "core/inflate.hpp"
#include "core/models/http/retry_after.hpp"
#include "core/visible.hpp"

namespace theta::http_io {

namespace http = boost::beast::http;
using boost::system::error_code;

void Connection::not_open(std::string_view what, const error_code& error, const Deadline& deadline,
                          Attempt& out) const {
  out.outcome = kNoConnection;
  out.failure = deadline.passed
                    ? fmt::format("no connection within {:g} s", options_.connect_timeout_s)
                    : fmt::format("{}: {}", what, error.message());
}

Awaitable<void> Connection::open(const Url& url, const std::optional<HttpProxy>& proxy,
                                 std::vector<tcp::endpoint> endpoints, ssl::context& tls,
                                 const Deadline& deadline, Attempt& out) {
  error_code error;
  co_await net::async_connect(socket_, endpoints, net::redirect_error(kAwait, error));
  if (error) co_return not_open("cannot connect", error, deadline, out);
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (url.tls && proxy) co_await tunnel(url, *proxy, deadline, out);
  if (url.tls && !out.broken()) co_await shake_hands(url, tls, deadline, out);
  open_ = !out.broken();
}

/// Has a proxy open a way to the server (RFC 9110, 9.3.6).
Awaitable<void> Connection::tunnel(const Url& url, const HttpProxy& proxy, const Deadline& deadline,
                                   Attempt& out) {
  constexpr std::size_t kMostHead = 16 * 1024;
  const std::string to = url.host.find(':') == url.host.npos ? url.host : "[" + url.host + "]";
  std::string head = fmt::format("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}:{1}\r\n", to, url.port);
  if (!proxy.authorization.empty()) head += "Proxy-Authorization: " + proxy.authorization + "\r\n";
  head += "\r\n";
  error_code error;
  co_await net::async_write(socket_, net::buffer(head), net::redirect_error(kAwait, error));
  if (error) co_return not_open("cannot send", error, deadline, out);
  std::string answer;
  co_await net::async_read_until(socket_, net::dynamic_buffer(answer, kMostHead), "\r\n\r\n",
                                 net::redirect_error(kAwait, error));
  if (error) co_return not_open("no answer", error, deadline, out);
  const std::string status = answer.substr(0, answer.find_first_of("\r\n"));
  if (status.starts_with("HTTP/1.") && status.find(" 2") == status.find(' ')) co_return;
  constexpr std::size_t kShown = 100;
  out.outcome = kNoConnection;
  out.failure = fmt::format("the proxy {} opens no way to {}:{}: {}{}", proxy.shown(), to, url.port,
                            visible(status.substr(0, kShown)),
                            status.find(" 407") != status.npos
                                ? "; put its user and password into " + proxy.variable
                                : "");
}

Awaitable<void> Connection::shake_hands(const Url& url, ssl::context& tls, const Deadline& deadline,
                                        Attempt& out) {
  error_code error;
  tls_.emplace(socket_, tls);
  SSL* session = tls_->native_handle();
  net::ip::make_address(url.host, error);
  if (error) {
    SSL_set_tlsext_host_name(session, url.host.c_str());
    SSL_set1_host(session, url.host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), url.host.c_str());
  }
  co_await tls_->async_handshake(ssl::stream_base::client, net::redirect_error(kAwait, error));
  if (!error) co_return;
  const long verdict = SSL_get_verify_result(session);
  if (verdict == X509_V_OK) {
    not_open("TLS handshake failed", error, deadline, out);
    const bool no_tls =
        error == ssl::error::stream_truncated || error == net::error::eof ||
        ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_WRONG_VERSION_NUMBER;
    if (no_tls && !deadline.passed)
      out.failure += "; the server may speak plain HTTP: write http:// in base_url";
    co_return;
  }
  out.passing = false;
  out.outcome = kNoConnection;
  out.failure = fmt::format(
      "its certificate is refused: {}; name the authority that signed it in ca_file if it is "
      "your own",
      X509_verify_cert_error_string(verdict));
}

void Connection::close() {
  error_code ignored;
  socket_.close(ignored);
}

void Connection::broke_off(std::string_view what, const error_code& error, const Deadline& deadline,
                           Clock::time_point give_up, Attempt& out) const {
  out.outcome = deadline.passed ? "timeout" : "broken";
  out.failure = !deadline.passed ? fmt::format("{}: {}", what, error.message())
                : Clock::now() < give_up
                    ? fmt::format("silent for {:g} s", options_.read_timeout_s)
                    : fmt::format("no answer within {:g} s", options_.total_timeout_s);
}

Awaitable<bool> Connection::exchange(const Outgoing& request, Deadline& deadline,
                                     Clock::time_point give_up, Attempt& out) {
  deadline = {std::min(give_up, Clock::now() + seconds(options_.read_timeout_s))};
  open_ = false;
  error_code error;
  if (tls_) {
    co_await net::async_write(*tls_, request, net::redirect_error(kAwait, error));
  } else {
    co_await net::async_write(socket_, request, net::redirect_error(kAwait, error));
  }
  if (error) {
    broke_off("cannot send", error, deadline, give_up, out);
    co_return false;
  }
  std::optional<Parser> parser;
  const bool any = co_await receive(parser, deadline, give_up, out);
  if (out.broken()) co_return any;
  take(*parser, out);
  // Bytes behind the answer would be taken for the next one.
  open_ = parser->keep_alive() && buffer_.size() == 0;
  co_return true;
}

/// Reads an answer to its end.   @return whether any of it came.
Awaitable<bool> Connection::receive(std::optional<Parser>& parser, Deadline& deadline,
                                    Clock::time_point give_up, Attempt& out) {
  const auto fail = [&](std::string outcome, std::string failure) {
    out.outcome = std::move(outcome);
    out.failure = std::move(failure);
  };
  error_code error;
  bool any = false;
  do {  // 1xx answers precede the final one
    // Not eager: an eager parser of Boost 1.74 allocates a body before it minds the limit.
    parser.emplace();
    parser->header_limit(64 * 1024);
    parser->body_limit(options_.max_response_bytes);
    while (!parser->is_done()) {
      if (buffer_.size() > 0) {
        const std::size_t used = parser->put(buffer_.data(), error);
        buffer_.consume(used);
        if (!error && used > 0) continue;
        if (error == http::error::body_limit) {
          fail("too large", fmt::format("an answer larger than max_response_bytes = {}",
                                        options_.max_response_bytes));
          co_return true;
        }
        if (error && error != http::error::need_more) {
          fail("not HTTP", fmt::format("not HTTP: {}", error.message()));
          co_return true;
        }
      }

      std::size_t n = 0;
      const auto space = buffer_.prepare(4096);
      if (tls_) {
        n = co_await tls_->async_read_some(space, net::redirect_error(kAwait, error));
      } else {
        n = co_await socket_.async_read_some(space, net::redirect_error(kAwait, error));
      }
      buffer_.commit(n);
      any = any || n > 0;
      if (error) {
        // A body may end with the connection if nothing announced its length.
        const bool end = error == net::error::eof || error == ssl::error::stream_truncated;
        error_code incomplete;
        const bool began = parser->got_some();  // this answer, not only a 1xx before it
        if (end && began) parser->put_eof(incomplete);
        if (!end || !began || incomplete) {
          broke_off(any ? "the answer broke off" : "no answer", error, deadline, give_up, out);
          co_return any;
        }
        break;
      }
      deadline.at = std::min(give_up, Clock::now() + seconds(options_.read_timeout_s));
    }
  } while (parser->get().result_int() < 200);
  co_return true;
}

/// Takes an answer from its parser.
void Connection::take(Parser& parser, Attempt& out) const {
  auto& message = parser.get();
  const auto header = [&](std::string_view name) -> std::string_view {
    const auto found = message.find(boost::beast::string_view(name.data(), name.size()));
    if (found == message.end()) return {};
    return {found->value().data(), found->value().size()};
  };
  out.status = static_cast<int>(message.result_int());
  out.body = std::move(message.body());
  if (out.status < 200 || out.status > 299) {
    out.retry_after_s = told_wait(header, static_cast<double>(std::time(nullptr)));
    out.location = header("location");
  }
  const auto coding = message.find(http::field::content_encoding);
  if (coding == message.end()) return;
  const std::string name = ascii::lower(ascii::trim(header("content-encoding")));
  if (name.empty() || name == "identity") return;
  const bool known = name == "gzip" || name == "x-gzip" || name == "deflate";
  auto text = known ? inflated(out.body, options_.max_response_bytes)
                    : Error{Fault::kService, "it was not asked for"};
  if (text) {
    out.body = *std::move(text);
    return;
  }
  out.passing = known;
  out.outcome = "unreadable answer";
  out.failure = fmt::format("an answer compressed by {} cannot be read: {}", visible(name),
                            text.error().message);
}

}  // namespace theta::http_io
