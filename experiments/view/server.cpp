// clang-format off
#include <utility>  // Boost.Asio 1.74 uses it and does not include it
// clang-format on
#include "experiments/view/server.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>

#include "core/result.hpp"
#include "experiments/view/random_hex.hpp"

namespace theta::view {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;

/// A browser that says nothing for as long is gone.
constexpr std::chrono::seconds kSilence{60};

/// Whether two texts are alike, in a time that does not tell where they differ.
bool is_same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned differing = 0;
  for (std::size_t i = 0; i < a.size(); ++i) differing |= static_cast<unsigned>(a[i] ^ b[i]);
  return differing == 0;
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

/// A part of a query, as a form writes it.
std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

}  // namespace

std::string PageRequest::operator[](const std::string& key) const {
  const auto found = query.find(key);
  return found == query.end() ? "" : found->second;
}

bool read_target(std::string_view target, std::string_view token, PageRequest& out) {
  if (!target.starts_with('/') || target.size() < token.size() + 2) return false;
  if (!is_same(target.substr(1, token.size()), token) || target[token.size() + 1] != '/')
    return false;
  target.remove_prefix(token.size() + 2);
  const std::size_t mark = target.find('?');
  out.page = target.substr(0, mark);
  if (mark == std::string_view::npos) return true;
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto key = decoded(pair.substr(0, equals));
    auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!key || !value) return false;
    out.query[*std::move(key)] = *std::move(value);
  }
  return true;
}

bool is_own_host(std::string_view host, std::uint16_t port) {
  return host == fmt::format("127.0.0.1:{}", port) || host == fmt::format("localhost:{}", port);
}

class Server::Host {
 public:
  Host(std::uint16_t port, Handler handler) : handler_(std::move(handler)), acceptor_(io_) {
    error_code error;
    const tcp::endpoint here(net::ip::address_v4::loopback(), port);
    acceptor_.open(here.protocol());
    acceptor_.set_option(net::socket_base::reuse_address(true));
    acceptor_.bind(here, error);
    if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
    if (error)
      throw UserError(
          fmt::format("port {} cannot be served on ({}): give another --port, or none "
                      "for any that is free",
                      port, error.message()));
    port_ = acceptor_.local_endpoint().port();
    url_ = fmt::format("http://127.0.0.1:{}/{}/", port_, token_);
  }

  const std::string& url() const { return url_; }

  void run(const std::stop_token& stop) {
    net::co_spawn(io_, accept(), net::detached);
    const std::stop_callback end(stop, [this] { io_.stop(); });
    io_.run();
  }

 private:
  using Request = http::request<http::empty_body>;
  using Response = http::response<http::string_body>;

  net::awaitable<void> accept() {
    for (;;) {
      error_code error;
      tcp::socket socket =
          co_await acceptor_.async_accept(net::redirect_error(net::use_awaitable, error));
      if (!error) net::co_spawn(io_, serve(std::move(socket)), net::detached);
    }
  }

  net::awaitable<void> serve(tcp::socket socket) {
    boost::beast::tcp_stream stream(std::move(socket));
    boost::beast::flat_buffer buffer;
    error_code error;
    for (bool open = true; open;) {
      http::request_parser<http::empty_body> parser;
      stream.expires_after(kSilence);
      co_await http::async_read(stream, buffer, parser,
                                net::redirect_error(net::use_awaitable, error));
      if (error) break;
      open = parser.get().keep_alive();
      const Response response = answer(parser.get());
      stream.expires_after(kSilence);
      co_await http::async_write(stream, response, net::redirect_error(net::use_awaitable, error));
      if (error) break;
    }
    stream.socket().shutdown(tcp::socket::shutdown_both, error);
  }

  Response answer(const Request& request) const {
    const PageReply reply = reply_to(request);
    Response response{static_cast<http::status>(reply.status), request.version()};
    response.set(http::field::content_type, "text/html; charset=utf-8");
    response.set(http::field::cache_control, "no-store");
    response.set("Content-Security-Policy",
                 reply.policy.empty() ? "default-src 'none'" : reply.policy);
    response.set("X-Content-Type-Options", "nosniff");
    response.set("X-Frame-Options", "DENY");
    response.set("Referrer-Policy", "no-referrer");  // the token is in the address
    response.set("Cross-Origin-Resource-Policy", "same-origin");
    response.keep_alive(request.keep_alive());
    response.body() = reply.html;
    response.prepare_payload();
    if (request.method() == http::verb::head) response.body().clear();
    return response;
  }

  PageReply reply_to(const Request& request) const try {
    const auto text = [](const auto& view) { return std::string_view(view.data(), view.size()); };
    if (!is_own_host(text(request[http::field::host]), port_)) return {403, "", ""};
    PageRequest asked;
    if (!read_target(text(request.target()), token_, asked)) return {403, "", ""};
    if (request.method() != http::verb::get && request.method() != http::verb::head)
      return {405, "", ""};
    return handler_(asked);
  } catch (const std::exception& e) {
    spdlog::error("view: {}", e.what());
    return {500, "", ""};
  }

  const Handler handler_;
  const std::string token_ = random_hex();
  net::io_context io_{1};
  tcp::acceptor acceptor_;
  std::uint16_t port_ = 0;
  std::string url_;
};

Server::Server(std::uint16_t port, Handler handler)
    : host_(std::make_unique<Host>(port, std::move(handler))) {}
Server::~Server() = default;
const std::string& Server::url() const { return host_->url(); }
void Server::run(const std::stop_token& stop) { host_->run(stop); }

}  // namespace theta::view
