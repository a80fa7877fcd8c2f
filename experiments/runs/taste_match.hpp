#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "modules/module.hpp"
#include "modules/preference.hpp"

namespace theta {

/// Which of the users' tastes personas state.
struct StatedTastes {
  std::map<std::string, std::string> of;  ///< by persona the taste; none of one that was not read
  std::size_t tastes = 0;
  std::size_t told = 0;  ///< tastes that their own words are read as
};

/// Has a model tell which of the tastes, by their own words, a persona states: P of each of them,
/// less what it says on average of all tastes' own words, as a small model says one too often. One
/// wave. Tastes are those of simulated users; real ones have none.
StatedTastes stated_tastes(std::span<const std::string> personas, std::span<const User> users,
                           const Call& call);

/// The share of people whose persona would state their taste if personas were dealt to them at
/// random.
/// @param stated, held  (n) by person: the taste that the persona states, and the person's own
double chance_of_match(std::span<const std::string> stated, std::span<const std::string> held);

}  // namespace theta
