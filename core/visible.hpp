#pragma once

#include <string>
#include <string_view>

namespace theta {

/// A text for a terminal, which would execute its control characters: shown as `\x1b`, but for
/// line ends and tabs; so are bytes that are no UTF-8.
std::string visible(std::string_view text);

}  // namespace theta
