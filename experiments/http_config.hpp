#pragma once

#include "core/config.hpp"
#include "core/models/http/options.hpp"

namespace theta {

/// A model on servers: `{base_url: http://host:port/v1, model: NAME, ...}`.
HttpOptions read_http(const Config& model);

}  // namespace theta
