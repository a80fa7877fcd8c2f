#include "experiments/data/users.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/data/data_config.hpp"
#include "experiments/data/pair_rows.hpp"
#include "experiments/data/rows.hpp"

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

/// All but the file and its users.
PairsOptions read_pairs_reading(const Config& config) {
  PairsOptions options;
  if (const auto columns = config.find("columns")) {
    const auto known = columns_of_pairs();
    for (const auto& [name, column] : columns->entries()) {
      if (std::ranges::find(known, name) == known.end())
        column.fail(fmt::format("a row of pairs has no `{}`; it has {}", name, name_list(known)));
      options.columns.emplace_back(name, dotted_path(column.text()));
    }
  }
  options.user = config.text("user", "");
  options.min_pairs = read_size(config, "min_pairs", options.min_pairs, 2);
  options.max_pairs = read_size(config, "max_pairs", options.max_pairs);
  options.context_ratio = read_share(config, "context_ratio", options.context_ratio, 0, 1);
  options.context_pairs = read_size(config, "context_pairs", options.context_pairs);
  options.by_conversation = config.boolean("by_conversation", options.by_conversation);
  options.seed = read_seed(config);
  return options;
}

PairsOptions read_pairs_options(const Config& config) {
  PairsOptions options = read_pairs_reading(config);
  options.file = path_of(config.at("file"));
  const auto test = config.find("test");
  if (test && test->is_scalar() && test->text() == "all") {
    options.users.train = read_size(config, "train", 0);
    options.users.validation = read_size(config, "validation", 0);
    return options;
  }
  options.users = read_split_sizes(config, options.users);
  if (options.users.test == 0)
    config.fail("give the numbers of `train`, `validation` and `test` users");
  return options;
}

UsersOptions read_either(const Config& data, PairsOptions (*read_pairs)(const Config&)) {
  const auto tastes = data.find("tastes");
  const auto pairs = data.find("pairs");
  if (tastes.has_value() == pairs.has_value())
    data.fail("give exactly one of `tastes` and `pairs`");
  UsersOptions options =
      tastes ? UsersOptions(read_tastes(*tastes)) : UsersOptions(read_pairs(*pairs));
  data.finish();
  return options;
}

Users make_up(const SplitSizes& sizes) {
  Users users;
  std::size_t n = 0;
  for (const auto& [split, size] : {std::pair{&users.train, sizes.train},
                                    {&users.validation, sizes.validation},
                                    {&users.test, sizes.test}})
    for (std::size_t i = 0; i < size; ++i) {
      User& user = split->emplace_back();
      user.id = fmt::format("user {}", ++n);
      for (const std::size_t pair : {1, 2, 3, 4, 5, 6}) {
        const std::string id = fmt::format("{}.{}", n, pair);
        (pair > 4 ? user.test : user.context)
            .push_back({.id = id,
                        .context = "Question " + id,
                        .chosen = "One answer to question " + id,
                        .rejected = "Another answer to question " + id,
                        .flip = pair % 2 == 0});
      }
    }
  return users;
}

}  // namespace

UsersOptions read_users_options(const Config& data) {
  return read_either(data, read_pairs_options);
}

UsersOptions read_people(const Config& people) { return read_either(people, read_pairs_reading); }

nlohmann::ordered_json people_json(const UsersOptions& options) {
  if (const auto* pairs = std::get_if<PairsOptions>(&options)) {
    nlohmann::ordered_json json = {{"min_pairs", pairs->min_pairs},
                                   {"max_pairs", pairs->max_pairs},
                                   {"context_ratio", pairs->context_ratio},
                                   {"context_pairs", pairs->context_pairs},
                                   {"by_conversation", pairs->by_conversation},
                                   {"seed", pairs->seed}};
    for (const auto& [name, column] : pairs->columns) json["columns"][name] = column;
    if (!pairs->user.empty()) json["user"] = pairs->user;
    return {{"pairs", std::move(json)}};
  }
  if (std::holds_alternative<MadeUpUsers>(options)) return nlohmann::ordered_json::object();
  const auto& tastes = std::get<TasteOptions>(options);
  return {{"tastes",
           {{"names", tastes.tastes},
            {"train", tastes.users.train},
            {"validation", tastes.users.validation},
            {"test", tastes.users.test},
            {"context_pairs", tastes.context_pairs},
            {"test_pairs", tastes.test_pairs},
            {"noise", tastes.noise},
            {"clear", tastes.clear},
            {"neutral", tastes.neutral},
            {"min_words", tastes.min_words},
            {"max_words", tastes.max_words},
            {"pairing_seed", tastes.pairing_seed},
            {"seed", tastes.seed}}}};
}

Users load_users(const UsersOptions& options) {
  if (const auto* made_up = std::get_if<MadeUpUsers>(&options)) return make_up(made_up->sizes);
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
    loaded.users.remarks.push_back(
        fmt::format("{} pairs of test users were also judged by train or validation users",
                    loaded.n_shared_pairs));
  }
  return std::move(loaded.users);
}

}  // namespace theta
