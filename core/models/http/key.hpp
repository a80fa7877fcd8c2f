#pragma once

#include <string>

#include "core/models/http/options.hpp"

namespace theta {

/// The key that `options` say where to find; empty where they name no place.
/// @throws UserError if it cannot be read, naming the place.
std::string read_key(const HttpOptions& options);

/// What a server sent, with `[key]` in place of the key, as it is, as JSON or a URL
/// spells it, or with its middle masked. A shorter
/// key than 8 characters is left: it is a stand-in such as `none`, and answers hold its letters.
std::string redacted(std::string text, const std::string& key);

}  // namespace theta
