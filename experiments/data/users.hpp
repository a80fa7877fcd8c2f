#pragma once

#include <nlohmann/json_fwd.hpp>
#include <variant>

#include "core/config.hpp"
#include "experiments/data/preference_pairs.hpp"
#include "experiments/data/tastes.hpp"
#include "modules/preference.hpp"

namespace theta {

/// Where a persona experiment's users come from: simulated or real.
/// Or made up, for a look at what an experiment asks where its data are not at hand.
struct MadeUpUsers {
  SplitSizes sizes = {4, 4, 4};
};
using UsersOptions = std::variant<TasteOptions, PairsOptions, MadeUpUsers>;

/// Reads the `data:` section of a persona experiment, strictly, and opens no file. One of
///
///     tastes: {names: [praise, criticism], train: 8, validation: 4, test: 12, context_pairs: 6,
///              test_pairs: 6, noise: 0.05, clear: 1.8, neutral: 0.45, min_words: 4,
///              max_words: 18, pairing_seed: 1, seed: 7}
///
///     pairs: {file: pairs.jsonl, columns: {context: prompt}, user: ann, min_pairs: 4, max_pairs: 0, context_ratio: 0.7,
///             by_conversation: false, train: 20, validation: 10, test: 20, seed: 0}
///
/// @throws UserError with the position of what is wrong.
UsersOptions read_users_options(const Config& data);

/// How people are read from a file, or made up: what of it a saved prompt repeats. Names no file.
nlohmann::ordered_json people_json(const UsersOptions& options);
/// Back. Pairs are of a file that is yet to be named, and all of their users are to be tested.
/// @throws UserError with the position of what is wrong.
UsersOptions read_people(const Config& people);

/// Simulates or reads the users; what a file's rows were left out for is logged with its number.
/// @throws UserError
Users load_users(const UsersOptions& options);

}  // namespace theta
