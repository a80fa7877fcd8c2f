#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/config.hpp"

namespace theta {

/// The most runs of a sweep.
inline constexpr std::size_t kMostRuns = 10'000;

/// A value that a sweep puts into its config.
struct Change {
  std::string path;  ///< `optimizers.0.surrogate`
  Config value;
  Position where;  ///< of the axis
};

/// A value of an axis for people.
struct AxisValue {
  std::string axis;   ///< `surrogate`: as much of the path as tells it from the other axes
  std::string value;  ///< what may be a secret as it is written
};

/// A value of every axis that counts.
struct Setting {
  std::vector<Change> changes = {};
  std::vector<AxisValue> values = {};  ///< of all axes but the seeds
  std::string label = {};              ///< the same: `films, surrogate=tpe`
  std::size_t group = 0;               ///< settings that differ in their seed alone are one group
};

/// A config with a setting put in.   @throws UserError where a path leads nowhere.
Config with_changes(const Config& base, const std::vector<Change>& changes);

/// Expands a `sweep:` section, see read_sweep(). The last axis counts fastest.
/// @param base  the config without the section
/// @throws UserError with the position of the first thing that is wrong with the section.
std::vector<Setting> read_settings(const Config& base, const Config& section);

}  // namespace theta
