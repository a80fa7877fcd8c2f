#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace theta {

/// Runs hold what people wrote: their files are the owner's alone (0600), their folders too (0700),
/// and none is made through a link that somebody else has put in its place.

/// Makes a folder and those it is in, each the owner's alone if it is new.
/// @throws UserError naming it.
void make_private_folder(const std::filesystem::path& folder);

/// A descriptor of a file to read and write, which is made if it is not there.
/// @throws RunError naming it, for a link too.
int open_private_file(const std::filesystem::path& file);

/// Writes a text into a new file beside another, FILE.part, in place of whatever stands there, and
/// renames it: a reader sees the old file or the new one.   @throws RunError naming the file.
void write_private_file(const std::filesystem::path& file, const std::string& content);

/// A whole file, or a pipe to its end.
/// @param most  bytes: more is not what it should be, whatever it is (/dev/zero has no end)
/// @throws UserError `FILE: why it cannot be read`.
std::string read_bounded(const std::filesystem::path& file, std::size_t most);

}  // namespace theta
