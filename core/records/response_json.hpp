#pragma once

#include <cstdint>
#include <string>

#include "core/models/language_model.hpp"

namespace theta {

/// An answer as it is kept: all of it but token counts and attempts, which have columns of their
/// own. `answer` is a Response or the prompt's fault.
std::string response_json(const Result<Response>& answer);
/// Reads response_json back.   @throws RunError if it is none.
Result<Response> response_of(const std::string& json, std::int64_t prompt_tokens,
                             std::int64_t generated_tokens);

}  // namespace theta
