#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "experiments/forget/traces.hpp"

namespace theta {

/// What the files of some folders, and of the data that their runs read, say of a person.
struct PersonSources {
  KnownPerson person;
  /// Files in the folders that say it, to be removed or cut last: a removal that was interrupted
  /// finds the traces again.
  std::vector<std::filesystem::path> person_files, rows;
  /// Data elsewhere that hold choices of theirs.
  std::vector<std::string> elsewhere;
  /// `RUN: why`: of runs that tested the person and whose data cannot be read.
  std::vector<std::string> unread;
};

/// @param files  all of the folders
/// @param pairs  data named beside them
/// @throws UserError for what is wrong in `pairs`.
PersonSources sources_of(const std::string& user, std::span<const std::filesystem::path> files,
                         std::span<const std::filesystem::path> pairs);

}  // namespace theta
