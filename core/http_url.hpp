#pragma once

#include <string>

namespace theta {

/// Where a server is.
struct Url {
  bool tls = false;
  std::string host;  ///< without the brackets of an IPv6 address
  std::string port;
  std::string authority;  ///< as in the Host header
  std::string path;       ///< without a slash at its end
};

/// Reads `http://host:port/path` or `https://host/path`.
/// @throws UserError if `text` is not an address of a server, or holds a user or a key, which it
///   does not repeat.
Url parse_url(const std::string& text);

}  // namespace theta
