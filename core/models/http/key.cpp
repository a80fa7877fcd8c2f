#include "core/models/http/key.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>

#include "core/result.hpp"
#include "core/utf8.hpp"

namespace theta {
namespace {

struct Spelled {
  char character;
  std::size_t length;
};

/// A printable character as a JSON string spells it at `at`, or as a string inside a string does,
/// with more backslashes; a backslash, where what it escapes is another.
Spelled spelled(std::string_view text, std::size_t at) {
  if (text[at] != '\\') return {text[at], 1};
  const std::size_t slashes = std::min(text.find_first_not_of('\\', at), text.size()) - at;
  const std::string_view rest = text.substr(at + slashes);
  if (rest.starts_with('/') || rest.starts_with('"')) return {rest.front(), slashes + 1};
  if (rest.starts_with('u') && rest.size() >= 5) {
    unsigned code = 0;
    const char* end = rest.data() + 5;
    const auto [read, error] = std::from_chars(rest.data() + 1, end, code, 16);
    if (error == std::errc() && read == end && code > ' ' && code < 127) {
      return {static_cast<char>(code), slashes + 5};
    }
  }
  return {'\\', slashes};
}

}  // namespace

std::string read_key(const HttpOptions& options) {
  std::string key;
  std::string where;
  if (!options.api_key_env.empty()) {
    where = "environment variable " + options.api_key_env;
    const char* value = std::getenv(options.api_key_env.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) throw UserError(where + " (api_key_env) is not set");
    key = value;
  } else if (!options.api_key_file.empty()) {
    where = "file " + options.api_key_file;
    std::ifstream file(options.api_key_file);
    if (!file) throw UserError(where + " (api_key_file) cannot be read");
    std::getline(file, key);
    if (key.ends_with('\r')) key.pop_back();
  } else {
    return key;
  }
  if (key.empty() || !std::ranges::all_of(key, is_visible)) {
    throw UserError(where + " holds no key: one line of printable characters without spaces");
  }
  return key;
}

std::string redacted(std::string text, const std::string& key) {
  constexpr std::size_t kShortest = 8;
  constexpr std::string_view kStandIn = "[key]";
  if (key.size() < kShortest) return text;
  for (std::size_t at = 0; (at = text.find(key, at)) != text.npos; at += kStandIn.size()) {
    text.replace(at, key.size(), kStandIn);
  }

  // Looking for other spellings is slow, and what else JSON escapes mostly stands in no key.
  bool escaped = false;
  for (std::size_t at = 0; !escaped && (at = text.find('\\', at)) != text.npos;) {
    const Spelled letter = spelled(text, at);
    escaped = key.find(letter.character) != key.npos;
    at += letter.length;
  }
  if (!escaped) return text;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    std::size_t matched = 0;
    while (matched < key.size() && end < text.size()) {
      const Spelled letter = spelled(text, end);
      if (letter.character != key[matched]) break;
      ++matched;
      end += letter.length;
    }
    if (matched == key.size()) {
      out += kStandIn;
      at = end;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace theta
