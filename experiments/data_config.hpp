#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "core/config.hpp"
#include "experiments/split.hpp"

namespace theta {

/// A file named in a config: relative to the config's folder; on the command line, to the working
/// folder.
std::filesystem::path path_of(const Config& text);

/// `train`, `validation` and `test` of a mapping; what is missing is as in `fallback`.
/// @throws UserError where the config leaves nothing to test.
SplitSizes read_split_sizes(const Config& mapping, const SplitSizes& fallback);

std::size_t read_size(const Config& mapping, std::string_view key, std::size_t fallback,
                      std::size_t least = 0);

/// `seed` of a mapping, 0 if missing. Data have their own, so that runs with other seeds see the
/// same rows.
std::uint64_t read_seed(const Config& mapping);

/// `key` of a mapping as a number in low..high.
double read_share(const Config& mapping, std::string_view key, double fallback, double low,
                  double high);

}  // namespace theta
