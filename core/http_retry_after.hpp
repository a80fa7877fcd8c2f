#pragma once

#include <optional>
#include <string_view>

namespace theta {

/// Seconds to wait by a Retry-After header: a number, or an HTTP date relative to `now_s` (Unix
/// time). RFC 9110, 10.2.3. nullopt for anything else.
std::optional<double> retry_after_seconds(std::string_view header, double now_s);

}  // namespace theta
