#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "optimizers/surrogate.hpp"

namespace theta {

/// What every combination of recorded choices scores on every example: a search can be run against
/// it in place of a model, as NAS-Bench does for architectures. As JSON:
///
///     {"predictors": [{"instructions": ["..."], "demos": ["..."]}], "examples": 100,
///      "scores": {"0,3": [1, 0, ...], ...}}
///
/// where a key lists the instruction and demo index of each predictor in turn.
struct ScoreTable {
  struct Predictor {
    std::vector<std::string> instructions, demos;  ///< as texts; neither is empty
  };
  std::string name;  ///< for messages: the file and where its scores begin
  std::vector<Predictor> predictors;
  std::size_t examples = 0;
  std::map<Combination, std::vector<double>> scores;  ///< (examples) each, in [0, 1]

  std::vector<Variable> space() const;
  /// The scores of a combination.   @throws UserError if there are none.
  const std::vector<double>& row(const Combination& combination) const;
};

/// `0,3`
std::string key_of(const Combination& combination);

/// Combinations may be missing.   @throws UserError `file:line:column: message`.
ScoreTable read_score_table(const std::filesystem::path& file);
/// @throws RunError if it cannot be written.
void write_score_table(const ScoreTable& table, const std::filesystem::path& file);

}  // namespace theta
