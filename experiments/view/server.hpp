#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

namespace theta::view {

/// What a browser asks for.
struct PageRequest {
  std::string page;                          ///< behind the token: `items`; empty: the first
  std::map<std::string, std::string> query;  ///< decoded; of a key that comes twice the last

  /// The value of a key; empty: there is none.
  std::string operator[](const std::string& key) const;
};

struct PageReply {
  int status = 200;
  std::string html;
  std::string policy;  ///< Content-Security-Policy
};

/// Answers one request. What it throws is an answer of status 500 without a body.
using Handler = std::function<PageReply(const PageRequest&)>;

/// Reads the target of a request that begins with `/TOKEN/`.
/// @return whether it does, and what stands behind is well-formed.
bool read_target(std::string_view target, std::string_view token, PageRequest& out);
/// Whether a Host header names this machine's own server: a page of somebody else whose name was
/// made to lead here does not.
bool is_own_host(std::string_view host, std::uint16_t port);

/// A server for the browsers of this machine: on 127.0.0.1 alone, for requests that carry its
/// token, which nobody else can guess. It reads requests without a body and answers one at a time.
class Server {
 public:
  /// @param port  0: any that is free
  /// @throws UserError if the port is taken.
  Server(std::uint16_t port, Handler handler);
  ~Server();

  /// `http://127.0.0.1:PORT/TOKEN/`
  const std::string& url() const;
  /// Serves until `stop` is requested.
  void run(const std::stop_token& stop);

 private:
  class Host;
  std::unique_ptr<Host> host_;
};

}  // namespace theta::view
