#include "core/models/http/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>
#include <utility>

#include "core/ascii.hpp"

namespace theta {
namespace {

/// The number that a text begins with, which goes.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

/// Seconds east of Greenwich by what follows a time: nothing, `GMT`, `Z`, `+01:00`, `-0500`.
std::optional<long> offset_in(std::string_view text) {
  if (text.starts_with('.'))
    text.remove_prefix(std::min(text.find_first_not_of("0123456789", 1), text.size()));
  text = ascii::trim(text);
  if (text.empty()) return 0;
  for (const std::string_view name : {"GMT", "UTC", "UT", "Z", "z"})
    if (text == name) return 0;
  const bool east = text.front() == '+';
  if (!east && text.front() != '-') return std::nullopt;
  std::string digits(text.substr(1));
  std::erase(digits, ':');
  if (digits.size() != 4 || !std::ranges::all_of(digits, ascii::is_digit)) return std::nullopt;
  const long seconds = 3600L * std::stol(digits.substr(0, 2)) + 60L * std::stol(digits.substr(2));
  return east ? seconds : -seconds;
}

/// Unix time of a date.
std::optional<double> date_seconds(std::string_view header) {
  const std::string text(header);
  for (const char* form : {"%a, %d %b %Y %H:%M:%S", "%d %b %Y %H:%M:%S", "%a, %d-%b-%y %H:%M:%S",
                           "%a %b %e %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"}) {
    std::tm date{};
    const char* rest = strptime(text.c_str(), form, &date);
    const auto offset = rest == nullptr ? std::nullopt : offset_in(rest);
    if (offset) return static_cast<double>(timegm(&date) - *offset);
  }
  return std::nullopt;
}

struct Unit {
  std::string_view name;
  double seconds;
};

}  // namespace

std::optional<double> duration_seconds(std::string_view text) {
  constexpr std::array<Unit, 5> kUnits = {
      {{"ms", 0.001}, {"h", 3600}, {"m", 60}, {"s", 1}, {"d", 86400}}};
  double sum = 0;
  if (text.empty()) return std::nullopt;
  for (bool first = true; !text.empty(); first = false) {
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    if (first && text.empty()) return number;
    const auto unit =
        std::ranges::find_if(kUnits, [&](const Unit& one) { return take(text, one.name); });
    if (unit == kUnits.end()) return std::nullopt;
    sum += *number * unit->seconds;
  }
  return sum;
}

std::optional<double> retry_after_seconds(std::string_view header, double now_s) {
  constexpr double kTime = 1e9, kTimeInMs = 1e11;
  header = ascii::trim(header);
  if (const auto span = duration_seconds(header)) {
    if (*span < kTime || !ascii::is_digit(header.back())) return span;
    return std::max(0.0, *span / (*span < kTimeInMs ? 1 : 1000) - now_s);
  }
  const auto date = date_seconds(header);
  return date ? std::optional(std::max(0.0, *date - now_s)) : std::nullopt;
}

std::optional<double> told_delay(std::string_view message) {
  constexpr std::array<Unit, 14> kWords = {{{"milliseconds", 0.001},
                                            {"millisecond", 0.001},
                                            {"ms", 0.001},
                                            {"seconds", 1},
                                            {"second", 1},
                                            {"secs", 1},
                                            {"sec", 1},
                                            {"minutes", 60},
                                            {"minute", 60},
                                            {"mins", 60},
                                            {"min", 60},
                                            {"hours", 3600},
                                            {"hour", 3600},
                                            {"s", 1}}};
  const std::string text = ascii::lower(message);
  for (const std::string_view before :
       {"try again in ", "try again after ", "retry in ", "retry after ",
        "retry your request after ", "retrying in ", "wait ", "wait for ", "available in ",
        "resets in ", "reset in "}) {
    for (std::size_t at = 0; (at = text.find(before, at)) != text.npos; ++at) {
      const std::string_view rest = std::string_view(text).substr(at + before.size());
      std::string_view word = rest.substr(0, rest.find_first_of(" ,;)("));
      while (word.ends_with('.')) word.remove_suffix(1);
      const auto span = duration_seconds(word);
      if (!span) continue;
      if (!ascii::is_digit(word.back())) return span;
      const std::string_view unit = ascii::trim_left(rest.substr(word.size()));
      for (const auto& [name, seconds] : kWords)
        if (unit.starts_with(name)) return *span * seconds;
    }
  }
  return std::nullopt;
}

namespace {

/// A limit: what is left of it, and the seconds until it begins anew.
using Left = std::pair<double, double>;

/// The limit that is used up first: the one with the least left, of such the longest.
void take_fewer(std::optional<Left>& first, const Left& one) {
  if (!first || one.first < first->first ||
      (one.first == first->first && one.second > first->second))
    first = one;
}

/// The limits of a RateLimit header: `"minute";r=0;t=20, "day";r=900;t=4000`
/// (draft-ietf-httpapi-ratelimit-headers-10), or before `limit=60, remaining=0, reset=20` (-07).
void take_limits(std::optional<Left>& first, std::string_view header) {
  const auto number = [](std::string_view text, std::string_view name) -> std::optional<double> {
    const std::size_t at = text.find(name);
    if (at == text.npos) return std::nullopt;
    text.remove_prefix(at + name.size());
    return take_number(text);
  };
  if (const auto reset = number(header, "reset="))
    return take_fewer(first, {number(header, "remaining=").value_or(0), *reset});
  for (std::size_t end = 0; !header.empty();
       header.remove_prefix(std::min(end + 1, header.size()))) {
    end = std::min(header.find(','), header.size());
    const std::string_view one = header.substr(0, end);
    if (const auto reset = number(one, ";t="))
      take_fewer(first, {number(one, ";r=").value_or(0), *reset});
  }
}

}  // namespace

std::optional<double> told_wait(const HeaderOf& header, double now_s) {
  for (const std::string_view name : {"retry-after-ms", "x-ms-retry-after-ms"})
    if (const auto ms = duration_seconds(header(name))) return *ms / 1000;
  if (const auto after = retry_after_seconds(header("retry-after"), now_s)) return after;

  // As OpenAI, Groq and vLLM's gateways, as Anthropic, and as the RFC's draft name them.
  constexpr std::array<std::string_view, 13> kLimits = {"x-ratelimit-*-requests",
                                                        "x-ratelimit-*-tokens",
                                                        "x-ratelimit-*-input-tokens",
                                                        "x-ratelimit-*-output-tokens",
                                                        "anthropic-ratelimit-requests-*",
                                                        "anthropic-ratelimit-tokens-*",
                                                        "anthropic-ratelimit-input-tokens-*",
                                                        "anthropic-ratelimit-output-tokens-*",
                                                        "x-ratelimit-*-requests-minute",
                                                        "x-ratelimit-*-tokens-minute",
                                                        "x-ratelimit-*",
                                                        "x-rate-limit-*",
                                                        "ratelimit-*"};
  std::optional<Left> first;
  for (const std::string_view pattern : kLimits) {
    const auto of = [&](std::string_view what) {
      const std::size_t star = pattern.find('*');
      return header(std::string(pattern.substr(0, star)) + std::string(what) +
                    std::string(pattern.substr(star + 1)));
    };
    const auto reset = retry_after_seconds(of("reset"), now_s);
    if (!reset) continue;
    const double left = duration_seconds(of("remaining")).value_or(0);
    const double limit = std::max(1.0, duration_seconds(of("limit")).value_or(1));
    take_fewer(first, {left / limit, *reset});
  }
  take_limits(first, header("ratelimit"));
  return first ? std::optional(first->second) : std::nullopt;
}

}  // namespace theta
