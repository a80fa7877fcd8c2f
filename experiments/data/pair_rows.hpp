#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "experiments/data/rows.hpp"
#include "modules/preference.hpp"

namespace theta {

/// A row's choice and what decides where it goes.
struct Choice {
  PreferencePair pair;  ///< its id is empty where the row has none
  std::string user;
  std::string demographics;  ///< empty where the row has none
  std::string conversation;
  std::optional<bool> is_test;  ///< where the row itself says
  std::optional<bool> flip;     ///< likewise
};

/// Lines for the report, each kind of a column once: of the first row that it is true of.
class Remarks {
 public:
  Remarks(const std::filesystem::path& file, std::vector<std::string>& lines)
      : file_(file), lines_(lines) {}

  void once(const std::string& kind, const std::string& where, const std::string& line) {
    if (said_.insert(kind).second) lines_.push_back(place_in(file_, where) + ": " + line);
  }

 private:
  const std::filesystem::path& file_;
  std::vector<std::string>& lines_;
  std::unordered_set<std::string> said_;
};

/// Every column that a row of pairs may have read: a table's delimiter and header are known by them.
std::vector<std::string> columns_of_pairs();
/// Whether every row has to hold something in a column that is read.
bool is_needed(std::string_view column);

/// Reads one row, see read_pairs().
/// @param by_conversation  it has to say which conversation it is of
/// @return nullopt for a tie.   @throws UserError `where: message`.
std::optional<Choice> read_choice(const std::string& where, const nlohmann::ordered_json& row,
                                  bool by_conversation, Remarks& remarks);

/// The same of a pair that nobody has chosen between yet.
std::vector<std::string> columns_of_open_pairs();
PreferencePair read_open_pair(const std::string& where, const nlohmann::ordered_json& row,
                              Remarks& remarks);

}  // namespace theta
