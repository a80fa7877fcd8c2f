#pragma once

#include <string>

namespace theta::view {

/// 128 bits that nobody else can guess, in hex digits.   @throws RunError where there are none.
std::string random_hex();

}  // namespace theta::view
