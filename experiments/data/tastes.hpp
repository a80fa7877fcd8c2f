#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/data/hutto.hpp"
#include "experiments/data/split.hpp"
#include "modules/preference.hpp"

namespace theta {

/// What people heard in a sentence about a product.
enum class Tone { kNegative = -1, kNeutral = 0, kPositive = 1 };

/// What a simulated user likes to read.
struct Taste {
  const char* name;
  const char* persona;  ///< the taste in words: User::true_persona
  /// How much the user likes a sentence of this tone about `product`; of two, the better liked is
  /// chosen.
  int (*liking)(Tone tone, std::string_view product);
};

/// Every taste there is: `praise`, `criticism`, `strong`, `mild` and mixtures by topic.
const std::vector<Taste>& all_tastes();

struct TasteOptions {
  std::vector<std::string> tastes = {"praise", "criticism"};  ///< dealt to a split's users in turn
  SplitSizes users = {8, 4, 12};
  std::size_t context_pairs = 6;  ///< of each user
  std::size_t test_pairs = 6;     ///< of each user
  double noise = 0.05;            ///< probability of a choice against the taste
  double clear = 1.8;             ///< least |valence| of a positive or negative sentence
  double neutral = 0.45;          ///< greatest |valence| of a neutral sentence
  std::size_t min_words = 4;
  std::size_t max_words = 18;
  std::uint64_t pairing_seed = 1;  ///< which sentences make a pair
  std::uint64_t seed = 7;          ///< order, noise and flip of each user's pairs
};

/// Simulated users who choose between two real sentences about the same product. The tone of each
/// sentence is what its human raters heard, the choice is the taste's but for the noise. The kinds
/// of pairs that a taste can decide (positive and negative, positive and neutral, negative and
/// neutral) stand in equal numbers, so that a judge without persona is right half of the time over
/// opposite tastes. No sentence is used twice, for whichever user. The pair's context is empty.
/// @throws UserError naming a taste that there is not, or if the sentences run out.
Users simulate_users(const std::vector<RatedSentence>& sentences, const TasteOptions& options);

}  // namespace theta
