#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace theta::test {

/// A request as the server saw it.
struct Seen {
  std::size_t number = 0;  ///< 0 for the first request to this server
  std::string method;
  std::string path;
  std::string authorization;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< as they came

  /// The header of that name; empty: there is none.
  std::string header(const std::string& name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return "";
  }
};

/// What the server does with a request.
struct Reply {
  enum class Delivery {
    kWhole,       ///< as HTTP has it, with Content-Length
    kChunked,     ///< in chunks of a few bytes
    kUntilClose,  ///< without a length: the connection's end is the body's
    kReset,       ///< nothing: the connection is reset
    kHalf,        ///< half the body, then the connection ends
    kTooLong,     ///< a Content-Length beyond the body, then the connection ends
    kTooShort,    ///< a Content-Length below the body
    kAbsurd,      ///< a Content-Length of an exabyte
    kSilent,      ///< nothing, and the connection stays open
    kStall,       ///< half the body, and the connection stays open
    kDrip,        ///< the head, then a byte of the body every 20 ms
    kDrop,        ///< whole, then the connection ends although it said keep-alive
    kGarbage,     ///< bytes that are not HTTP
  };
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  Delivery delivery = Delivery::kWhole;
  std::chrono::milliseconds delay{0};
};

/// Files of a certificate authority made for a test and of a server certificate that it signed.
/// Removed when it goes.
class Certificate {
 public:
  /// @param host  the name or address that the certificate is for.
  explicit Certificate(const std::string& host);
  ~Certificate();
  std::string authority() const { return folder_ + "/authority.pem"; }
  std::string chain() const { return folder_ + "/server.pem"; }
  std::string key() const { return folder_ + "/server.key"; }

 private:
  std::string folder_;
};

/// A real HTTP/1.1 server on 127.0.0.1 with a thread of its own. The handler is called on that
/// thread, one call at a time.
class LoopbackServer {
 public:
  using Handler = std::function<Reply(const Seen& seen)>;

  /// @param port  0: any free one.   @param certificate  null: plain HTTP.
  explicit LoopbackServer(Handler handler, const Certificate* certificate = nullptr,
                          unsigned short port = 0);
  /// Closes every connection.
  ~LoopbackServer();

  unsigned short port() const;
  std::string url() const;           ///< `http://127.0.0.1:PORT/v1`
  std::size_t connections() const;   ///< accepted so far
  std::size_t requests() const;      ///< read so far
  std::size_t most_at_once() const;  ///< requests being answered at the same time

 private:
  class Host;
  std::unique_ptr<Host> host_;
};

}  // namespace theta::test
