#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace theta {

/// Of some numbers: the least, the middle and the greatest.
struct Spread {
  std::size_t least = 0, median = 0, most = 0;
};

/// What a file of choices holds, see read_pairs().
struct PairStats {
  std::size_t rows = 0;
  std::size_t ties = 0;         ///< no winner
  std::size_t equal_texts = 0;  ///< nothing to choose between
  std::size_t choices = 0;      ///< the others
  std::size_t users = 0;
  std::size_t users_with_five = 0;  ///< choices or more, as PersonalRewardBench asks for
  std::size_t described_users = 0;  ///< have `demographics`
  Spread choices_of_user = {};
  Spread context_letters = {}, chosen_letters = {}, rejected_letters = {};  ///< bytes of the texts
  std::size_t no_context = 0;
  std::size_t longer_chosen = 0, shorter_chosen = 0;  ///< by letters; the others are equally long
  std::size_t first_chosen = 0, places_said = 0;      ///< of the rows that say which stood first
  std::size_t repeated = 0;      ///< a user chose between the same texts before
  std::size_t reversed = 0;      ///< of those, otherwise than the first time
  std::size_t shared_pairs = 0;  ///< that several users chose between
  /// Of two users of a shared pair, how often both chose alike; .5 is chance.
  std::optional<double> agreement = {};
  std::vector<std::string> remarks = {};
};

/// Reads a file once; holds none of its texts.
/// @throws UserError `file:line: message`.
PairStats pair_stats(const std::filesystem::path& file);

nlohmann::ordered_json stats_json(const PairStats& stats);

}  // namespace theta
