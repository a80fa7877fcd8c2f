#pragma once

#include <functional>
#include <optional>
#include <string_view>

namespace theta {

/// Seconds of a span of time as servers write it: `2`, `1.5s`, `250ms`, `6m0s`, `1h2m3.5s`.
std::optional<double> duration_seconds(std::string_view text);

/// Seconds to wait by a Retry-After header: a number (from 1e9 on it is a time, from 1e11 on one in
/// milliseconds), a span of time, or a date relative to `now_s` (all Unix time): each of the three
/// forms of RFC 9110, 5.6.7, with or without the day's name, with any offset, and RFC 3339's.
/// nullopt for anything else.
std::optional<double> retry_after_seconds(std::string_view header, double now_s);

/// What a message says in words: `Please try again in 1.5s`, `retry after 20 seconds`.
std::optional<double> told_delay(std::string_view message);

/// A header of an answer by its name in lower case; empty: there is none.
using HeaderOf = std::function<std::string_view(std::string_view name)>;

/// Seconds after which a server says that it takes requests again: by Retry-After and its kin in
/// milliseconds, else by when the limit that is used up begins anew (x-ratelimit-reset-* and its
/// kin). Where none is at 0, by the one that has the least of its limit left.
std::optional<double> told_wait(const HeaderOf& header, double now_s);

}  // namespace theta
