#include "experiments/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/private_file.hpp"
#include "core/result.hpp"

namespace theta {

namespace fs = std::filesystem;

std::string absolute_path(const fs::path& path) {
  return fs::absolute(path).lexically_normal().string();
}

std::string read_whole(const fs::path& file) {
  constexpr std::size_t kMost = 256UL << 20;
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) throw UserError(file.string() + ": this is a folder");
  if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT)
    throw UserError(file.string() + ": there is no such file");
  return read_bounded(file, kMost);
}

void write_whole(const fs::path& file, const std::string& content) {
  write_private_file(file, content);
}

void make_folder(const fs::path& folder) { make_private_folder(folder); }

namespace {

constexpr const char* kScratch = ".scratch-";

/// Opens a folder and locks it, which the system undoes when the process ends, however it ends.
/// @return -1 if it cannot be opened, or another process has it locked
int lock_folder(const fs::path& folder, bool wait) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || ::flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0) return fd;
  ::close(fd);
  return -1;
}

/// Removes what processes that were killed have left.
void remove_abandoned(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(kScratch)) continue;
    const int fd = lock_folder(entry.path(), false);
    if (fd < 0) continue;
    fs::remove_all(entry.path(), ignored);
    ::close(fd);
  }
}

/// The user's own folder in the temporary directory, or in the working folder where there is none.
fs::path temporary_parent() {
  std::error_code error;
  fs::path temporary = fs::temp_directory_path(error);
  if (error) temporary = fs::is_directory("/tmp", error) ? fs::path("/tmp") : fs::current_path();
  const fs::path own = temporary / ("theta-of-" + std::to_string(::getuid()));
  if (::mkdir(own.c_str(), 0700) == 0) return own;
  struct stat found {};
  const bool mine =
      ::lstat(own.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == ::getuid();
  return mine ? own : temporary;
}

}  // namespace

ScratchFolder::ScratchFolder(const fs::path& parent) {
  const fs::path where = parent.empty() ? temporary_parent() : parent;
  // While this is held no other process takes the new folder for an abandoned one.
  const int making = lock_folder(where, true);
  remove_abandoned(where);
  std::string path = (where / (std::string(kScratch) + "XXXXXX")).string();
  const bool made = mkdtemp(path.data()) != nullptr;
  const int error = errno;
  if (made) lock_ = lock_folder(path, false);
  if (making >= 0) ::close(making);
  if (!made)
    throw RunError(fmt::format("cannot make a folder in {}: {}", where.string(), strerror(error)));
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace theta
