#include "core/http_url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {

Url parse_url(const std::string& text) {
  if (text.find('@') != text.npos) {
    throw UserError(
        "base_url holds a user or a key; put the key where api_key_env or api_key_file "
        "name it");
  }
  const auto malformed = [&] {
    // What follows a question mark is as likely as not a key.
    const auto shown = text.substr(0, text.find('?'));
    return UserError(
        fmt::format("base_url '{}{}' is not of the form http://host:port/path or https://host/path",
                    shown, shown == text ? "" : "?.."));
  };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    throw malformed();
  }
  if (!std::ranges::all_of(rest, is_visible) || rest.find_first_of("?#") != rest.npos)
    throw malformed();

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
    throw malformed();
  }
  return url;
}

}  // namespace theta
