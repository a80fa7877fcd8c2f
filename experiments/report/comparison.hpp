#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/records/store.hpp"
#include "experiments/report/paired_outcomes.hpp"
#include "experiments/report/report.hpp"
#include "experiments/report/word_diff.hpp"

namespace theta {

/// Two runs side by side, computed from their records alone: what run B has over run A on the items
/// that both were asked, people's clustered by person.
struct RunComparison {
  struct Side {
    std::string folder, name, config_hash;
    std::uint64_t seed = 0;
    std::vector<std::string> alone = {};  ///< rows that have no counterpart
  };
  /// A key of the configs whose values differ; `-`: it is not there.
  struct Key {
    std::string key, a, b;
  };
  struct Row {
    Report::Row a, b;
    Report::Paired paired;           ///< B less A
    std::vector<TurnedItem> turned;  ///< `score`: of B; `against`: of A
  };
  struct Prompt {
    std::string title;
    std::vector<DiffPiece> diff;  ///< from A to B
  };

  Side a, b;
  std::vector<std::string> remarks;
  std::vector<Key> config;
  std::vector<Row> rows;
  std::vector<Prompt> prompts;  ///< of one title, those that differ
};

/// Which rows to compare.
struct ComparedRows {
  /// A method of A and one of B. Without `b` the same of both; without either all that both have,
  /// under the same model, or a method that each has under one model whatever that is.
  std::string a = {}, b = {};
};

/// @param a, b  folders of runs
/// @throws UserError where the folders hold no two runs, where these read other data or share no
///   item, and for a row that there is not.
RunComparison compare_runs(const std::filesystem::path& a, const std::filesystem::path& b,
                           const ComparedRows& rows = {});

std::string to_json(const RunComparison& comparison);
std::string to_html(const RunComparison& comparison);
std::string to_table(const RunComparison& comparison);

}  // namespace theta
