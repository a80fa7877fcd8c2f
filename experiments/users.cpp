#include "experiments/users.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "experiments/data_config.hpp"

namespace theta {
namespace {

TasteOptions read_tastes(const Config& config) {
  TasteOptions options;
  if (const auto names = config.find("names")) {
    options.tastes.clear();
    for (const Config& name : names->items()) {
      const std::string text = name.text();
      const auto& tastes = all_tastes();
      if (std::none_of(tastes.begin(), tastes.end(),
                       [&](const Taste& taste) { return taste.name == text; })) {
        std::vector<std::string> known;
        for (const Taste& taste : tastes) known.emplace_back(taste.name);
        name.fail(
            fmt::format("there is no taste `{}`; there are {}", text, fmt::join(known, ", ")));
      }
      options.tastes.push_back(text);
    }
    if (options.tastes.empty()) names->fail("simulated users need at least one taste");
  }
  options.users = read_split_sizes(config, options.users);
  options.context_pairs = read_size(config, "context_pairs", options.context_pairs, 1);
  options.test_pairs = read_size(config, "test_pairs", options.test_pairs, 1);
  options.noise = read_share(config, "noise", options.noise, 0, 0.5);
  options.clear = read_share(config, "clear", options.clear, 0, 4);
  options.neutral = read_share(config, "neutral", options.neutral, 0, 4);
  options.min_words = read_size(config, "min_words", options.min_words, 1);
  options.max_words = read_size(config, "max_words", options.max_words, 1);
  options.pairing_seed = read_size(config, "pairing_seed", options.pairing_seed);
  options.seed = read_size(config, "seed", options.seed);
  return options;
}

PairsOptions read_pairs_options(const Config& config) {
  PairsOptions options;
  options.file = path_of(config.at("file"));
  options.min_pairs = read_size(config, "min_pairs", options.min_pairs, 2);
  options.max_pairs = read_size(config, "max_pairs", options.max_pairs);
  options.context_ratio = read_share(config, "context_ratio", options.context_ratio, 0, 1);
  options.by_conversation = config.boolean("by_conversation", options.by_conversation);
  options.users = read_split_sizes(config, options.users);
  options.seed = read_seed(config);
  if (options.users.total() == 0)
    config.fail("give the numbers of `train`, `validation` and `test` users");
  return options;
}

}  // namespace

UsersOptions read_users_options(const Config& data) {
  const auto tastes = data.find("tastes");
  const auto pairs = data.find("pairs");
  if (tastes.has_value() == pairs.has_value())
    data.fail("give exactly one of `tastes` and `pairs`");
  UsersOptions options =
      tastes ? UsersOptions(read_tastes(*tastes)) : UsersOptions(read_pairs_options(*pairs));
  data.finish();
  return options;
}

Users load_users(const UsersOptions& options) {
  if (const auto* tastes = std::get_if<TasteOptions>(&options)) {
    return simulate_users(load_hutto(hutto_folder()).sentences, *tastes);
  }
  const auto& pairs = std::get<PairsOptions>(options);
  LoadedPairs loaded = read_pairs(pairs);
  spdlog::info(
      "{}: {} rows; left out {} ties, {} pairs of equal texts, {} users with too few pairs",
      pairs.file.string(), loaded.n_rows, loaded.n_ties, loaded.n_equal_texts,
      loaded.n_small_users);
  if (loaded.n_shared_pairs > 0) {
    spdlog::warn("{} pairs of test users were also judged by train or validation users",
                 loaded.n_shared_pairs);
  }
  return std::move(loaded.users);
}

}  // namespace theta
