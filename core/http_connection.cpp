#include "core/http_connection.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/beast/http.hpp>
#include <ctime>
#include <utility>

#include "core/http_retry_after.hpp"

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

Awaitable<void> Connection::open(const Url& url, std::vector<tcp::endpoint> endpoints,
                                 ssl::context& tls, const Deadline& deadline, Attempt& out) {
  error_code error;
  const auto fail = [&](std::string_view what) { not_open(what, error, deadline, out); };
  co_await net::async_connect(socket_, endpoints, net::redirect_error(kAwait, error));
  if (error) co_return fail("cannot connect");
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);

  if (url.tls) {
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
    if (error) {
      const long verdict = SSL_get_verify_result(session);
      if (verdict == X509_V_OK) co_return fail("TLS handshake failed");
      out.passing = false;
      out.outcome = kNoConnection;
      out.failure = fmt::format(
          "its certificate is refused: {}; name the authority that signed it in ca_file if it is "
          "your own",
          X509_verify_cert_error_string(verdict));
      co_return;
    }
  }
  open_ = true;
}

void Connection::close() {
  error_code ignored;
  socket_.close(ignored);
}

Awaitable<bool> Connection::exchange(const Outgoing& request, Deadline& deadline,
                                     Clock::time_point give_up, Attempt& out) {
  const auto silence = seconds(options_.read_timeout_s);
  deadline = {std::min(give_up, Clock::now() + silence)};
  error_code error;
  const auto fail = [&](std::string outcome, std::string failure) {
    out.outcome = std::move(outcome);
    out.failure = std::move(failure);
  };
  const auto fail_with_error = [&](std::string_view what) {
    if (!deadline.passed) return fail("broken", fmt::format("{}: {}", what, error.message()));
    fail("timeout", Clock::now() < give_up
                        ? fmt::format("silent for {:g} s", options_.read_timeout_s)
                        : fmt::format("no answer within {:g} s", options_.total_timeout_s));
  };
  open_ = false;

  if (tls_) {
    co_await net::async_write(*tls_, request, net::redirect_error(kAwait, error));
  } else {
    co_await net::async_write(socket_, request, net::redirect_error(kAwait, error));
  }
  if (error) {
    fail_with_error("cannot send");
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
          fail_with_error(any ? "the answer broke off" : "no answer");
          co_return any;
        }
        break;
      }
      deadline.at = std::min(give_up, Clock::now() + silence);
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
  open_ = parser->keep_alive() && buffer_.size() == 0;
  co_return true;
}

}  // namespace theta::http_io
