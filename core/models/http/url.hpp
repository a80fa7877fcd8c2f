#pragma once

#include <optional>
#include <string>
#include <string_view>

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
///   does not repeat; where it can be told what was meant, with the address to write.
Url parse_url(const std::string& text);

/// Whether a host is this machine.
bool is_loopback(const std::string& host);

std::string percent_decoded(std::string_view text);
/// As a name or a value of a query stands in an address.
std::string percent_encoded(std::string_view text);

/// Where a redirect leads.
struct Redirect {
  bool same_server = false;  ///< by scheme, host and port
  std::string target;        ///< of a request there: path and query
  std::string shown;         ///< the address without its query, which may be a key
};
/// @param target    that was asked for
/// @param location  as the header has it; nullopt where it is none
std::optional<Redirect> redirect_to(const Url& server, std::string_view target,
                                    std::string_view location);

}  // namespace theta
