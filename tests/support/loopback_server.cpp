#include "tests/support/loopback_server.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace theta::test {
namespace {

namespace net = boost::asio;
namespace ssl = net::ssl;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;
using Delivery = Reply::Delivery;

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

template <typename T>
T* needed(T* made) {
  if (made == nullptr) throw std::runtime_error("OpenSSL cannot make the test's certificate");
  return made;
}

/// A certificate for `name`, signed by `issuer`, or by itself where that is null.
Owned<X509> certify(const std::string& name, EVP_PKEY* key, const char* extension_value,
                    int extension, X509* issuer, EVP_PKEY* issuer_key) {
  Owned<X509> made(needed(X509_new()), X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), issuer == nullptr ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
  X509_set_pubkey(made.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* parent = issuer == nullptr ? made.get() : issuer;
  X509_set_issuer_name(made.get(), X509_get_subject_name(parent));
  X509V3_CTX context;
  X509V3_set_ctx(&context, parent, made.get(), nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> added(
      needed(X509V3_EXT_conf_nid(nullptr, &context, extension, extension_value)),
      X509_EXTENSION_free);
  X509_add_ext(made.get(), added.get(), -1);
  X509_sign(made.get(), issuer_key, EVP_sha256());
  return made;
}

template <typename Write>
void write_pem(const std::string& path, const Write& write) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                             std::fclose);
  if (!file || write(file.get()) != 1) throw std::runtime_error("cannot write " + path);
}

/// The bytes of a reply, its head announcing `length` bytes of body.
std::string head(const Reply& reply, std::size_t length) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " Status\r\n";
  for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
  if (reply.delivery == Delivery::kChunked) {
    text += "Transfer-Encoding: chunked\r\n";
  } else if (reply.delivery == Delivery::kUntilClose) {
    text += "Connection: close\r\n";
  } else {
    text += "Content-Length: " + std::to_string(length) + "\r\n";
  }
  return text + "\r\n";
}

std::string bytes(const Reply& reply) {
  const std::string& body = reply.body;
  switch (reply.delivery) {
    case Delivery::kChunked: {
      std::string text = head(reply, 0);
      for (std::size_t at = 0; at < body.size(); at += 7) {
        const std::string chunk = body.substr(at, 7);
        text += std::to_string(chunk.size()) + "\r\n" + chunk + "\r\n";
      }
      return text + "0\r\n\r\n";
    }
    case Delivery::kHalf:
    case Delivery::kStall:
      return head(reply, body.size()) + body.substr(0, body.size() / 2);
    case Delivery::kDrip:
      return head(reply, body.size());
    case Delivery::kTooLong:
      return head(reply, body.size() + 10) + body;
    case Delivery::kTooShort:
      return head(reply, body.size() - 5) + body;
    case Delivery::kAbsurd:
      return head(reply, 1'000'000'000'000'000'000) + body;
    case Delivery::kGarbage:
      return "\x16\x03\x01 this is not HTTP\r\n\r\n";
    case Delivery::kReset:
    case Delivery::kSilent:
      return "";
    case Delivery::kWhole:
    case Delivery::kUntilClose:
    case Delivery::kDrop:
      break;
  }
  return head(reply, body.size()) + body;
}

}  // namespace

Certificate::Certificate(const std::string& host) {
  static std::atomic<int> made = 0;
  folder_ = (std::filesystem::temp_directory_path() /
             ("theta-tls-" + std::to_string(getpid()) + "-" + std::to_string(made++)))
                .string();
  std::filesystem::create_directory(folder_);
  const Owned<EVP_PKEY> authority_key(needed(EVP_EC_gen("P-256")), EVP_PKEY_free);
  const Owned<EVP_PKEY> server_key(needed(EVP_EC_gen("P-256")), EVP_PKEY_free);
  const auto authority = certify("theta test authority", authority_key.get(), "critical,CA:TRUE",
                                 NID_basic_constraints, nullptr, authority_key.get());
  const bool address = host.find_first_not_of("0123456789.") == std::string::npos;
  const auto server = certify(host, server_key.get(), ((address ? "IP:" : "DNS:") + host).c_str(),
                              NID_subject_alt_name, authority.get(), authority_key.get());
  write_pem(this->authority(), [&](std::FILE* f) { return PEM_write_X509(f, authority.get()); });
  write_pem(chain(), [&](std::FILE* f) { return PEM_write_X509(f, server.get()); });
  write_pem(key(), [&](std::FILE* f) {
    return PEM_write_PrivateKey(f, server_key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Certificate::~Certificate() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

class LoopbackServer::Host {
 public:
  Host(Handler handler, const Certificate* certificate, unsigned short port)
      : handler_(std::move(handler)),
        acceptor_(io_, tcp::endpoint(net::ip::address_v4::loopback(), port)) {
    if (certificate != nullptr) {
      tls_.emplace(ssl::context::tls_server);
      tls_->use_certificate_chain_file(certificate->chain());
      tls_->use_private_key_file(certificate->key(), ssl::context::pem);
    }
    port_ = acceptor_.local_endpoint().port();
    net::co_spawn(io_, accept(), net::detached);
    thread_ = std::thread([this] { io_.run(); });
  }

  ~Host() {
    io_.stop();
    thread_.join();
  }

  const Handler handler_;
  std::atomic<std::size_t> connections_ = 0, requests_ = 0, most_at_once_ = 0;
  unsigned short port_ = 0;
  bool secure() const { return tls_.has_value(); }

 private:
  net::awaitable<void> accept() {
    for (;;) {
      tcp::socket socket = co_await acceptor_.async_accept(net::use_awaitable);
      ++connections_;
      socket.set_option(tcp::no_delay(true));
      if (tls_) {
        net::co_spawn(io_, serve_tls(std::move(socket)), net::detached);
      } else {
        net::co_spawn(io_, serve_plain(std::move(socket)), net::detached);
      }
    }
  }

  net::awaitable<void> serve_plain(tcp::socket socket) { co_await serve(socket, socket); }

  net::awaitable<void> serve_tls(tcp::socket socket) {
    ssl::stream<tcp::socket&> stream(socket, *tls_);
    error_code error;
    co_await stream.async_handshake(ssl::stream_base::server,
                                    net::redirect_error(net::use_awaitable, error));
    if (!error) co_await serve(stream, socket);
  }

  template <typename Stream>
  net::awaitable<void> drip(Stream& stream, const std::string& body) {
    net::steady_timer timer(io_);
    error_code gone;
    for (std::size_t at = 0; at < body.size() && !gone; ++at) {
      timer.expires_after(std::chrono::milliseconds(20));
      co_await timer.async_wait(net::use_awaitable);
      co_await net::async_write(stream, net::buffer(&body[at], 1),
                                net::redirect_error(net::use_awaitable, gone));
    }
  }

  template <typename Stream>
  net::awaitable<void> serve(Stream& stream, tcp::socket& socket) {
    boost::beast::flat_buffer buffer;
    error_code error;
    for (;;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(std::size_t{64} << 20);
      co_await http::async_read(stream, buffer, parser,
                                net::redirect_error(net::use_awaitable, error));
      if (error) co_return;
      const auto& request = parser.get();
      Seen seen{requests_++, std::string(request.method_string()), std::string(request.target()),
                std::string(request[http::field::authorization]), request.body()};
      for (const auto& field : request)
        seen.headers.emplace_back(field.name_string(), field.value());
      const Reply reply = handler_(seen);
      ++at_once_;
      most_at_once_ = std::max<std::size_t>(most_at_once_, at_once_);
      if (reply.delay.count() > 0) {
        net::steady_timer timer(io_, reply.delay);
        co_await timer.async_wait(net::use_awaitable);
      }
      --at_once_;

      const std::string out = bytes(reply);
      co_await net::async_write(stream, net::buffer(out),
                                net::redirect_error(net::use_awaitable, error));
      if (error) co_return;
      if (reply.delivery == Delivery::kDrip) co_await drip(stream, reply.body);
      switch (reply.delivery) {
        case Delivery::kReset:
          socket.set_option(net::socket_base::linger(true, 0));
          socket.close();
          co_return;
        case Delivery::kUntilClose:
        case Delivery::kHalf:
        case Delivery::kTooLong:
        case Delivery::kAbsurd:
        case Delivery::kDrop:
        case Delivery::kGarbage:
          co_return;
        default:
          break;
      }
    }
  }

  net::io_context io_{1};
  std::optional<ssl::context> tls_;
  tcp::acceptor acceptor_;
  std::size_t at_once_ = 0;
  std::thread thread_;
};

LoopbackServer::LoopbackServer(Handler handler, const Certificate* certificate, unsigned short port)
    : host_(std::make_unique<Host>(std::move(handler), certificate, port)) {}

LoopbackServer::~LoopbackServer() = default;

unsigned short LoopbackServer::port() const { return host_->port_; }
std::string LoopbackServer::url() const {
  return (host_->secure() ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) +
         "/v1";
}
std::size_t LoopbackServer::connections() const { return host_->connections_; }
std::size_t LoopbackServer::requests() const { return host_->requests_; }
std::size_t LoopbackServer::most_at_once() const { return host_->most_at_once_; }

}  // namespace theta::test
