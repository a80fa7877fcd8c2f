#pragma once

#include "core/config.hpp"

namespace theta {

/// Recognises the configs of promptfoo, Hydra and Weights & Biases by their keys.
/// @throws UserError that names whose config it is and what corresponds to its keys here.
void check_whose_config(const Config& config);

}  // namespace theta
