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

/// The printable character that `digits` of hexadecimal are the code of, else 0.
char character_of(std::string_view digits) {
  unsigned code = 0;
  const char* end = digits.data() + digits.size();
  const auto [read, error] = std::from_chars(digits.data(), end, code, 16);
  return error == std::errc() && read == end && code > ' ' && code < 127 ? static_cast<char>(code)
                                                                         : '\0';
}

/// A printable character as a URL spells it at `at`, or a JSON string, or a string inside a string,
/// with more backslashes; a backslash, where what it escapes is another.
Spelled spelled(std::string_view text, std::size_t at) {
  if (text[at] == '%' && text.size() - at > 2) {
    if (const char c = character_of(text.substr(at + 1, 2))) return {c, 3};
  }
  if (text[at] != '\\') return {text[at], 1};
  const std::size_t slashes = std::min(text.find_first_not_of('\\', at), text.size()) - at;
  const std::string_view rest = text.substr(at + slashes);
  if (rest.starts_with('/') || rest.starts_with('"')) return {rest.front(), slashes + 1};
  if (rest.starts_with('u') && rest.size() >= 5) {
    if (const char c = character_of(rest.substr(1, 4))) return {c, slashes + 5};
  }
  return {'\\', slashes};
}

constexpr std::string_view kStandIn = "[key]";

/// Puts the stand-in where a text shows the key's beginning, its end or both around stars, dots or
/// another mask.
std::string without_masked(std::string text, std::string_view key) {
  constexpr std::string_view kMask =
      "*.#xX\xE2\x80\xA2\xA6";  // the last four: of a bullet, an ellipsis
  constexpr std::size_t kShortestMask = 3, kFewestShown = 4;
  for (std::size_t at = 0; (at = text.find_first_of(kMask, at)) != text.npos;) {
    const std::size_t end = std::min(text.find_first_not_of(kMask, at), text.size());
    const bool masks = end - at >= kShortestMask;
    std::size_t before = masks ? std::min(at, key.size()) : 0;
    while (before > 0 && text.compare(at - before, before, key, 0, before) != 0) --before;
    std::size_t after = masks ? std::min(text.size() - end, key.size()) : 0;
    while (after > 0 && text.compare(end, after, key, key.size() - after) != 0) --after;
    if (before + after < kFewestShown) {
      at = end;
      continue;
    }
    text.replace(at - before, before + (end - at) + after, kStandIn);
    at = at - before + kStandIn.size();
  }
  return text;
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
  if (key.size() < kShortest) return text;
  for (std::size_t at = 0; (at = text.find(key, at)) != text.npos; at += kStandIn.size()) {
    text.replace(at, key.size(), kStandIn);
  }
  text = without_masked(std::move(text), key);

  // Looking for other spellings is slow, and what else is escaped mostly stands in no key.
  bool escaped = false;
  for (std::size_t at = 0; !escaped && (at = text.find_first_of("\\%", at)) != text.npos;) {
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
