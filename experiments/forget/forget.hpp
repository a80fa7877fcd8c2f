#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiments/forget/scrub.hpp"

namespace theta {

/// What came of forgetting a person.
struct Forgotten {
  std::vector<std::pair<std::string, Removed>> removed = {};  ///< by file
  /// `FILE: what`: traces that the search found afterwards.
  std::vector<std::string> left = {};
  std::vector<std::string> notes = {};  ///< what is no trace, or cannot be told, a line each
  std::size_t files = 0, bytes = 0;     ///< that were searched
  std::size_t texts = 0, personas = 0;  ///< that were sought
};

/// Removes every trace of a person from folders: rows of runs' records and of caches, entries of saved
/// prompts, lines of JSON lines, the person's own file. Reports are computed anew. Then it searches
/// all files for what it knows of the person. What is left is none of these: a text within an
/// instruction, a file of another kind.
///
/// What the traces are known by is removed last, so that the same call goes on where one before it
/// was interrupted.
/// @param pairs  data that hold the person's choices, beside those in the folders and those that the
///   runs' configs name
/// @throws UserError for a folder that is not there, and one in use.
Forgotten forget_person(const std::string& user, std::span<const std::filesystem::path> folders,
                        std::span<const std::filesystem::path> pairs);

}  // namespace theta
