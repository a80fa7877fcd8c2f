#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "modules/synthesize_me.hpp"

namespace theta {

/// How personas are written, verified and judged by: all that a row of a persona experiment was made
/// with beside Θ, its model and the personas of others. What a config says and a saved prompt repeats.
struct PersonaSettings {
  JudgeOptions judge;
  std::string judge_adapter = "terse";
  bool judge_lists_options = true;
  /// Demos of the judge where it was tuned; empty in a config.
  std::vector<Demo> judge_demos = {};
  /// `verify` is that of the rows of an optimised Θ, and of the searches for it. Without the pool.
  SynthesizeMeOptions module;
  std::uint64_t seed = 0;  ///< of the config; the samples' is derived from it
  bool made_up = false;    ///< a dry run: the judge reads every answer, see make_lenient_adapter()

  Judge make_judge() const;
  /// Takes over what was tuned of a judge that make_judge() made.
  void adopt(const Judge& judge);
  SynthesizeMe make_module(Predict theta, std::vector<std::string> pool,
                           std::shared_ptr<const People> people) const;
};

/// Reads `judge`, `contrasts`, `frozen` and what `theta` says of its samples; the rest of `theta` is a
/// program's.
PersonaSettings read_persona_settings(const Config& personas, std::uint64_t seed);

/// Worked examples as they are written, `[{field: text}, ..]`, and back.
std::vector<Demo> read_demos(const Config& demos);
nlohmann::ordered_json demos_json(std::span<const Demo> demos);

/// The same with every key, but for the seed: read_persona_settings() of it is `settings`.
nlohmann::ordered_json to_json(const PersonaSettings& settings);

}  // namespace theta
