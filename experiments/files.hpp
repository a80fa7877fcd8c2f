#pragma once

#include <filesystem>
#include <string>

namespace theta {

/// A path that means the same whatever the working folder is.
std::string absolute_path(const std::filesystem::path& path);

/// A file's bytes. @throws UserError `FILE: why it cannot be read`.
std::string read_whole(const std::filesystem::path& file);

/// Writes a text, whole or not at all: a reader sees the old file or the new one.
/// @throws RunError naming the file.
void write_whole(const std::filesystem::path& file, const std::string& content);

/// Makes a folder and those it is in. @throws UserError naming it.
void make_folder(const std::filesystem::path& folder);

/// A folder in the temporary directory that is gone when this goes.
class ScratchFolder {
 public:
  /// @throws RunError
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace theta
