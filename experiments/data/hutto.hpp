#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/example.hpp"
#include "experiments/data/split.hpp"

namespace theta {

/// A sentence and what some 20 people thought of it. Hutto & Gilbert 2014, ICWSM.
struct RatedSentence {
  std::string source;    ///< `tweets`, `movies`, `products` or `editorials`
  std::string id;        ///< `products/1_12`: review 1, sentence 12; unique over the sources
  std::string document;  ///< what it is about: `DVD player`, `editorial 12`; empty for tweets and
                         ///< movies, whose ids only count
  double valence = 0;    ///< mean rating, -4..4, as the archive states it
  std::vector<int> ratings;  ///< one a rater, -4..4; their mean is the valence but for 199 tweets
                             ///< that were rated a second time
  std::string text;          ///< UTF-8, entities decoded, white space single
};

struct HuttoArchive {
  std::vector<RatedSentence> sentences;  ///< in the archive's order, sources as listed above
  std::vector<std::string> malformed;    ///< `file:line: why` of every line left out
};

/// Reads the extracted archive hutto_ICWSM_2014 of vaderSentiment 3.3.2.
/// @throws UserError naming a file that is missing.
HuttoArchive load_hutto(const std::filesystem::path& folder);

/// Words between white space.
std::size_t count_words(const RatedSentence& sentence);

/// Where scripts/setup puts the archive: data/hutto_ICWSM_2014 in ${THETA_CACHE:-~/.cache/theta}.
std::filesystem::path hutto_folder();

struct SentimentOptions {
  double threshold = 1.5;            ///< least |valence| of a clearly rated sentence
  double agreement = 0.9;            ///< least share of ratings on the valence's side of 0
  std::size_t max_words = 25;        ///< longer sentences are left out
  SplitSizes sizes = {40, 60, 100};  ///< sentences; even, as half of each is positive
  std::uint64_t seed = 0;
};

/// Clearly rated sentences of all sources as examples with the fields `sentence` and `sentiment`
/// (`positive` or `negative`), half of each split positive, in random order. Of equal texts the
/// first counts.   @throws UserError if a size is odd or there are too few sentences.
Dataset sentiment_task(const std::vector<RatedSentence>& sentences,
                       const SentimentOptions& options);

}  // namespace theta
