#include "experiments/data_config.hpp"

#include <fmt/format.h>

namespace theta {

std::filesystem::path path_of(const Config& text) {
  const std::filesystem::path path = text.text();
  const Position& position = text.position();
  return position.line == 0 ? path : std::filesystem::path(position.file).parent_path() / path;
}

std::size_t read_size(const Config& mapping, std::string_view key, std::size_t fallback,
                      std::size_t least) {
  return static_cast<std::size_t>(
      mapping.integer(key, static_cast<std::int64_t>(fallback), static_cast<std::int64_t>(least)));
}

SplitSizes read_split_sizes(const Config& mapping, const SplitSizes& fallback) {
  const SplitSizes sizes{read_size(mapping, "train", fallback.train),
                         read_size(mapping, "validation", fallback.validation),
                         read_size(mapping, "test", fallback.test)};
  if (const auto test = mapping.find("test"); test && sizes.test == 0)
    test->fail("'test' must be at least 1, or nothing is left to test");
  return sizes;
}

std::uint64_t read_seed(const Config& mapping) {
  return static_cast<std::uint64_t>(mapping.integer("seed", 0));
}

double read_share(const Config& mapping, std::string_view key, double fallback, double low,
                  double high) {
  const double value = mapping.number(key, fallback);
  if (value < low || value > high) {
    mapping.at(key).fail(fmt::format("`{}` must be in {}..{}", key, low, high));
  }
  return value;
}

}  // namespace theta
