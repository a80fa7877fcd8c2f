#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string_view>

#include "core/config.hpp"
#include "experiments/data/split.hpp"

namespace theta {

/// A file named in a config, of data or of a model: relative to the config's folder; on the command
/// line, to the working folder.
std::filesystem::path path_of(const Config& text);

/// `train`, `validation` and `test` of a mapping; what is missing is as in `fallback`.
/// @throws UserError where the config leaves nothing to test.
SplitSizes read_split_sizes(const Config& mapping, const SplitSizes& fallback);

/// `key` of a mapping where an int holds it: what none can hold is an error.
int read_int(const Config& mapping, std::string_view key, int fallback, int least = 0);

std::size_t read_size(const Config& mapping, std::string_view key, std::size_t fallback,
                      std::size_t least = 0,
                      std::int64_t most = std::numeric_limits<std::int64_t>::max());

/// `seed` of a mapping, 0 if missing. Data have their own, so that runs with other seeds see the
/// same rows.
std::uint64_t read_seed(const Config& mapping);

/// `key` of a mapping as a number in low..high.
double read_share(const Config& mapping, std::string_view key, double fallback, double low,
                  double high);

/// `temperature` of a mapping, at least 0.
double read_temperature(const Config& mapping, double fallback);
/// `top_p` of a mapping, above 0 and at most 1.
double read_top_p(const Config& mapping, double fallback);

}  // namespace theta
