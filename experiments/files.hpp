#pragma once

#include <filesystem>
#include <string>

namespace theta {

/// A path that means the same whatever the working folder is.
std::string absolute_path(const std::filesystem::path& path);

/// A file's bytes. @throws UserError `FILE: why it cannot be read`.
std::string read_whole(const std::filesystem::path& file);

/// Writes a text, whole or not at all: a reader sees the old file or the new one. Both are the
/// owner's alone.
/// @throws RunError naming the file.
void write_whole(const std::filesystem::path& file, const std::string& content);

/// Makes a folder and those it is in, the owner's alone. @throws UserError naming it.
void make_folder(const std::filesystem::path& folder);

/// A folder that is gone when this goes. What a process that was killed has left is removed when the
/// next one is made in the same parent.
class ScratchFolder {
 public:
  /// @param parent  there already; empty: the user's own folder in the temporary directory
  /// @throws RunError
  explicit ScratchFolder(const std::filesystem::path& parent = {});
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int lock_ = -1;  ///< a descriptor of the folder, locked: it is in use
};

}  // namespace theta
