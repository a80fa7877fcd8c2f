#include "experiments/data/data_config.hpp"

#include <fmt/format.h>

#include <limits>

namespace theta {

std::filesystem::path path_of(const Config& text) {
  const std::filesystem::path path = text.text();
  const Position& position = text.position();
  return position.line == 0 ? path : std::filesystem::path(position.file).parent_path() / path;
}

int read_int(const Config& mapping, std::string_view key, int fallback, int least) {
  return static_cast<int>(mapping.integer(key, fallback, least, std::numeric_limits<int>::max()));
}

std::size_t read_size(const Config& mapping, std::string_view key, std::size_t fallback,
                      std::size_t least, std::int64_t most) {
  return static_cast<std::size_t>(mapping.integer(key, static_cast<std::int64_t>(fallback),
                                                  static_cast<std::int64_t>(least), most));
}

SplitSizes read_split_sizes(const Config& mapping, const SplitSizes& fallback) {
  for (const char* name : {"train", "validation", "test"})
    if (const auto size = mapping.find(name); size && size->is_scalar())
      if (size->text().find_first_of(".%") != std::string::npos)
        size->fail(fmt::format("'{}' counts rows, and '{}' is a share: write how many", name,
                               size->written()));
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

double read_temperature(const Config& mapping, double fallback) {
  const double value = mapping.number("temperature", fallback);
  if (value < 0) mapping.at("temperature").fail("'temperature' must be at least 0");
  return value;
}

double read_top_p(const Config& mapping, double fallback) {
  const double value = mapping.number("top_p", fallback);
  if (value <= 0 || value > 1) mapping.at("top_p").fail("'top_p' must be above 0 and at most 1");
  return value;
}

}  // namespace theta
