#include "core/models/http/proxy.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/ascii.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

/// The first of some variables that is set.
std::pair<std::string, std::string> first_set(const std::vector<std::string>& names,
                                              const VariableOf& variable) {
  for (const std::string& name : names)
    if (std::string value = variable(name.c_str()); !value.empty()) return {name, std::move(value)};
  return {};
}

std::string base64(std::string_view text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

/// The bytes of an IPv4 or IPv6 address; empty: it is none.
std::string address_bytes(const std::string& host) {
  std::array<char, 16> bytes{};
  if (inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) return {bytes.data(), 4};
  if (inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return {bytes.data(), 16};
  return {};
}

/// Whether an address is in a network: `10.0.0.0/8`.
bool is_in_network(const std::string& host, std::string_view network) {
  const std::size_t slash = network.find('/');
  if (slash == network.npos) return false;
  const std::string base = address_bytes(std::string(network.substr(0, slash)));
  const std::string address = address_bytes(host);
  std::size_t bits = 0;
  const std::string_view digits = network.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || base.empty() || base.size() != address.size() ||
      bits > 8 * base.size())
    return false;
  for (std::size_t bit = 0; bit < bits; ++bit) {
    const int mask = 128 >> (bit % 8);
    if ((base[bit / 8] & mask) != (address[bit / 8] & mask)) return false;
  }
  return true;
}

/// Whether an entry of no_proxy stands for a server.
bool stands_for(std::string_view entry, const Url& server) {
  const std::string host = ascii::lower(server.host);
  if (entry == "*" || is_in_network(host, entry)) return true;
  std::string name = ascii::lower(entry);
  const std::size_t colon = name.rfind(':');
  const bool six = name.find(':') != colon && !name.starts_with('[');  // IPv6 without a port
  if (colon != name.npos && !six && !name.ends_with(']')) {
    if (name.substr(colon + 1) != server.port) return false;
    name.resize(colon);
  }
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  if (name.starts_with("*.")) name.erase(0, 1);
  if (!address_bytes(name).empty()) return address_bytes(name) == address_bytes(host);
  if (name.starts_with('.')) name.erase(0, 1);
  return !name.empty() && (host == name || host.ends_with("." + name));
}

bool is_excepted(const Url& server, std::string_view list) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", "), list.size());
    const std::string_view entry = list.substr(0, end);
    if (!entry.empty() && stands_for(entry, server)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

std::optional<HttpProxy> proxy_for(const Url& server, const VariableOf& variable) {
  if (is_loopback(server.host)) return std::nullopt;
  const auto [name, value] =
      server.tls ? first_set({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}, variable)
                 : first_set({"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}, variable);
  if (value.empty() || is_excepted(server, first_set({"no_proxy", "NO_PROXY"}, variable).second))
    return std::nullopt;
  HttpProxy proxy;
  proxy.variable = name;
  std::string rest = value;
  if (const std::size_t scheme = rest.find("://"); scheme != rest.npos) {
    if (ascii::lower(rest.substr(0, scheme)) != "http")
      throw UserError(fmt::format(
          "environment variable {} names a proxy that is spoken to by {}: only http://host:port is "
          "known",
          name, rest.substr(0, scheme)));
    rest.erase(0, scheme + 3);
  }
  rest.resize(std::min(rest.find('/'), rest.size()));
  if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
    proxy.authorization = "Basic " + base64(percent_decoded(rest.substr(0, at)));
    rest.erase(0, at + 1);
  }
  try {
    const Url address = parse_url("http://" + rest);
    proxy.host = address.host;
    proxy.port = address.port;
  } catch (const UserError&) {
    throw UserError("environment variable " + name + " is not of the form http://host:port");
  }
  return proxy;
}

}  // namespace theta
