#pragma once

#include <string>

#include "core/models/language_model.hpp"

namespace theta {

/// The canonical JSON of a request: sorted keys, every field but an empty schema, no whitespace.
std::string canonical(const Request& request);
/// Reads canonical() back.   @throws RunError if it is none.
Request request_of(const std::string& text);

}  // namespace theta
