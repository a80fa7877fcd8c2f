#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace theta {

/// What a file is by its first bytes, where they tell of a format that Theta reads nowhere: `a
/// Parquet file`, `a zip archive`, `a Git LFS pointer: ..`. Empty: nothing is known against it.
std::string kind_of_file(const std::filesystem::path& file);
/// The same of a file's first bytes, 512 if there are so many.
std::string kind_of_bytes(std::string_view head);

/// Looks whether there is a file, and none of such a format.
/// @param may_be_packed  by gzip, as files of data may be
/// @throws UserError `FILE is a folder`, `FILE is a Parquet file`, `there is no file FILE`.
void check_file(const std::filesystem::path& file, bool may_be_packed = false);

}  // namespace theta
