#pragma once

#include <filesystem>
#include <string>

namespace theta {

/// What a file is by its first bytes, where they tell of a format that Theta reads nowhere: `a
/// Parquet file`, `a zip archive`, `a Git LFS pointer: ..`. Empty: nothing is known against it.
std::string kind_of_file(const std::filesystem::path& file);

/// Looks whether there is a file, and none of such a format.
/// @throws UserError `FILE is a folder`, `FILE is a Parquet file`, `there is no file FILE`.
void check_file(const std::filesystem::path& file);

}  // namespace theta
