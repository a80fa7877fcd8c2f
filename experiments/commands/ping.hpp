#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "core/config.hpp"

namespace theta {

/// Puts to each model of a config, or of a sweep, at each of its addresses, what a run of it will
/// ask: the first request of each kind (messages and their roles, a beginning, stop texts, a
/// grammar, sampling, the most tokens, options to score), once and without a retry. The requests
/// are the run's own, on its data, or on made-up rows where those cannot be read. Models in this
/// process generate a token of each. Writes a line for each model and address: what answers and
/// how, or what is wrong.
/// @return how many models, by address, are wrong.
int ping(const Config& config, std::stop_token stop);

}  // namespace theta
