#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/models/http/url.hpp"

namespace theta {

/// A proxy that speaks HTTP, through which servers are reached.
struct HttpProxy {
  std::string host, port;
  std::string variable;       ///< that names it
  std::string authorization;  ///< what Proxy-Authorization holds, a secret; empty: nothing
  std::string shown() const { return host + ":" + port + " (" + variable + ")"; }
};

/// An environment variable; empty: it is not set.
using VariableOf = std::function<std::string(const char* name)>;
/// Of the process.
std::string environment_variable(const char* name);

/// The proxy that the environment names for a server: http_proxy or https_proxy by its scheme, else
/// all_proxy, in small or capital letters, of the form `http://user:password@host:port`. None for a
/// loopback address, nor for what no_proxy lists: host names with the ones below them, addresses,
/// networks (`10.0.0.0/8`), each with a port if only that is meant, or `*`.
/// @throws UserError for a variable that names none, without repeating it: it may hold a password.
std::optional<HttpProxy> proxy_for(const Url& server, const VariableOf& variable);

}  // namespace theta
