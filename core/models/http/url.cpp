#include "core/models/http/url.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include "core/ascii.hpp"
#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

/// What follows base_url in a request, and is no part of it.
constexpr std::array<std::string_view, 5> kEndpoints = {"/chat/completions", "/completions",
                                                        "/responses", "/embeddings", "/messages"};

/// The names in a query, whose values may be keys.
std::string names_in(std::string_view query) {
  std::string names;
  while (!query.empty()) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(one.size() + 1, query.size()));
    const bool named = one.find('=') != one.npos;
    names += fmt::format("{}{}: ..", names.empty() ? "" : ", ",
                         named ? one.substr(0, one.find('=')) : "name");
  }
  return names;
}

[[noreturn]] void fail_malformed(const std::string& text) {
  // What follows a question mark is as likely as not a key.
  const auto shown = text.substr(0, text.find('?'));
  throw UserError(
      fmt::format("base_url '{}{}' is not of the form http://host:port/path or https://host/path",
                  shown, shown == text ? "" : "?.."));
}

/// Says what to write in place of an address that is nearly one.
void explain(const std::string& text) {
  const auto write = [&](const std::string& why, const std::string& instead) {
    const auto shown = text.substr(0, text.find('?'));
    throw UserError(fmt::format("base_url '{}' {}: write {}", shown, why, instead));
  };
  const std::size_t question = text.find('?');
  if (question != text.npos) {
    const std::string before = text.substr(0, question),
                      names = names_in(text.substr(question + 1));
    throw UserError(
        fmt::format("base_url '{0}?..' holds a query: write {0} and put it under 'query: {{{1}}}'",
                    before, names));
  }
  const std::string trimmed(ascii::trim(text));
  if (trimmed != text) return write("has spaces around it", trimmed);
  const std::size_t scheme = text.find("://");
  const std::string small = ascii::lower(text.substr(0, scheme));
  if (scheme == text.npos) {
    const std::size_t word = text.starts_with("https") ? 5 : text.starts_with("http") ? 4 : 0;
    const std::size_t begin = text.find_first_not_of(":/", word);
    const bool typo = word > 0 && begin != text.npos && begin > word;
    const std::string rest = typo ? text.substr(begin) : text;
    const bool is_host =
        !rest.empty() && (ascii::is_letter(rest[0]) || ascii::is_digit(rest[0]) || rest[0] == '[');
    if (!is_host || !std::ranges::all_of(rest, is_visible)) return;
    const std::string host = rest.substr(0, rest.find_first_of(":/"));
    const bool local = is_loopback(host) || rest.find(':') != rest.npos || typo;
    const bool tls = typo ? text.starts_with("https") : !local;
    return write("names no scheme", (tls ? "https://" : "http://") + rest);
  }
  if (small != text.substr(0, scheme) && (small == "http" || small == "https"))
    return write("has its scheme in capitals", small + text.substr(scheme));
  if (small == "ws" || small == "wss" || small == "tcp")
    return write("is not spoken to by HTTP",
                 (small == "wss" ? "https" : "http") + text.substr(scheme));
}

}  // namespace

Url parse_url(const std::string& text) {
  if (text.find('@') != text.npos) {
    throw UserError(
        "base_url holds a user or a key; put the key where api_key_env or api_key_file "
        "name it");
  }
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    explain(text);
    fail_malformed(text);
  }
  if (!std::ranges::all_of(rest, is_visible) || rest.find_first_of("?#") != rest.npos) {
    explain(text);
    fail_malformed(text);
  }

  const auto slash = std::min(rest.find('/'), rest.size());
  url.authority = rest.substr(0, slash);
  url.path = rest.substr(slash);
  while (url.path.ends_with('/')) url.path.pop_back();

  // The colon before a port is the last one, and behind the bracket of an IPv6 address.
  const auto colon = url.authority.rfind(':');
  const bool port =
      colon != url.authority.npos && url.authority.find(']', colon) == url.authority.npos;
  url.host = url.authority.substr(0, port ? colon : url.authority.size());
  url.port = port ? url.authority.substr(colon + 1) : url.tls ? "443" : "80";
  if (url.host.starts_with('[') && url.host.ends_with(']')) {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  unsigned number = 0;
  const char* end = url.port.data() + url.port.size();
  const auto [at, error] = std::from_chars(url.port.data(), end, number);
  if (url.host.empty() || error != std::errc() || at != end || number == 0 || number > 65535) {
    fail_malformed(text);
  }
  for (const std::string_view endpoint : kEndpoints)
    if (url.path.ends_with(endpoint)) {
      throw UserError(fmt::format("base_url '{}' goes on to an endpoint: write {}", text,
                                  text.substr(0, text.rfind(endpoint))));
    }
  return url;
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned code = 0;
    const char* const end = text.data() + std::min(at + 3, text.size());
    const auto [read, error] = std::from_chars(text.data() + at + 1, end, code, 16);
    if (text[at] == '%' && at + 2 < text.size() && error == std::errc() && read == end) {
      out += static_cast<char>(code);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = ascii::is_letter(c) || ascii::is_digit(c) ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::optional<Redirect> redirect_to(const Url& server, std::string_view target,
                                    std::string_view location) {
  location = ascii::trim(location);
  location = location.substr(0, location.find('#'));
  if (location.empty() || !std::ranges::all_of(location, is_visible)) return std::nullopt;
  std::string whole;
  const std::string scheme = server.tls ? "https:" : "http:";
  const std::string origin = scheme + "//" + server.authority;
  if (location.find("://") != location.npos && location.find("://") < location.find('?')) {
    whole = location;
  } else if (location.starts_with("//")) {
    whole = scheme + std::string(location);
  } else if (location.starts_with('/')) {
    whole = origin + std::string(location);
  } else {
    const std::string_view path = target.substr(0, target.find('?'));
    whole = origin + std::string(path.substr(0, path.rfind('/') + 1)) + std::string(location);
  }
  Redirect out;
  out.shown = whole.substr(0, whole.find('?'));
  const std::size_t host = whole.find("://") + 3;
  const std::size_t path = std::min(whole.find_first_of("/?", host), whole.size());
  out.target = whole.substr(path);
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  try {
    const Url url = parse_url(ascii::lower(whole.substr(0, path)));
    out.same_server =
        url.tls == server.tls && url.host == ascii::lower(server.host) && url.port == server.port;
  } catch (const UserError&) {
    const std::size_t user = out.shown.find('@');
    if (user != out.shown.npos) out.shown = "an address with a user in it";
  }
  return out;
}

}  // namespace theta
