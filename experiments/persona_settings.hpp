#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "optimizers/theta_search.hpp"

namespace theta {

/// How personas are written, verified and judged by: all that a row of a persona experiment was made
/// with beside Θ, its model and the personas of others. What a config says and a saved prompt repeats.
struct PersonaSettings {
  JudgeOptions judge;
  std::string judge_adapter = "terse";
  bool judge_lists_options = true;
  PersonaWriting writing;
  std::size_t max_copied = 40;             ///< bytes, see PersonaFinder
  std::vector<double> contrasts = {0, 1};  ///< verification chooses one for each user
  std::uint64_t seed = 0;                  ///< of the config; the samples' is derived from it

  Judge make_judge() const;
};

/// Reads `judge`, `contrasts` and what `theta` says of its samples; the rest of `theta` is a
/// program's.
PersonaSettings read_persona_settings(const Config& personas, std::uint64_t seed);

/// The same with every key, but for the seed: read_persona_settings() of it is `settings`.
nlohmann::ordered_json to_json(const PersonaSettings& settings);

}  // namespace theta
