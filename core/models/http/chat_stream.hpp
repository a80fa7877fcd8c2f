#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace theta {

/// Whether an answer is a stream of events, which a server sends that does not mind `stream: false`.
bool is_stream(std::string_view body);

/// The chat completion, or the error, that a stream of events amounts to, as JSON; nullopt where it
/// broke off before the answer ended.
std::optional<std::string> joined_stream(std::string_view body);

}  // namespace theta
