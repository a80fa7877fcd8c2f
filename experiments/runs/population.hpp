#pragma once

#include <string>
#include <vector>

#include "core/records/store.hpp"
#include "modules/preference.hpp"

namespace theta {

/// How well what most people choose predicts each test user's choices: of a pair of texts that
/// others were asked about too, in any split, what most of them chose; .5 where they are divided or
/// nobody was.
/// @return one a test pair and order; none where no test pair was anybody else's too.
std::vector<Outcome> population_outcomes(const Users& users, const std::string& method,
                                         const std::string& model);

}  // namespace theta
