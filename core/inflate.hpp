#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace theta {

/// What was compressed by gzip or deflate (RFC 1952, 1950, or 1951 as some servers send it).
/// @param most  bytes; more is an error, as is what is damaged or breaks off
Result<std::string> inflated(std::string_view compressed, std::size_t most);

}  // namespace theta
