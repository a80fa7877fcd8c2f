#include "core/private_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/result.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnFile = 0600;
constexpr mode_t kOwnFolder = 0700;

/// A descriptor that is closed when this goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

void make_private_folder(const fs::path& folder) {
  fs::path made;
  for (const fs::path& part : folder) {
    made /= part;
    if (made.empty() || ::mkdir(made.c_str(), kOwnFolder) == 0) continue;
    std::error_code error(errno, std::generic_category());
    std::error_code ignored;
    if (!fs::is_directory(made, ignored))
      throw UserError(fmt::format("cannot make {}: {}", folder.string(), error.message()));
  }
}

int open_private_file(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kOwnFile);
  if (fd < 0)
    throw RunError(file.string() +
                   (errno == ELOOP
                        ? std::string(": this is a link, which is not followed: take it away")
                        : fmt::format(": cannot be opened: {}", std::strerror(errno))));
  return fd;
}

void write_private_file(const fs::path& file, const std::string& content) {
  const std::string part = file.string() + ".part";
  ::unlink(part.c_str());  // also a link, whose target stays
  bool written = false;
  {
    const Descriptor out(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnFile));
    written = out.get() >= 0 && write_all(out.get(), content);
  }
  if (!written || ::rename(part.c_str(), file.c_str()) != 0)
    throw RunError(file.string() + ": cannot be written: " + std::strerror(errno));
}

std::string read_bounded(const fs::path& file, std::size_t most) {
  const auto fail = [&](int error) {
    throw UserError(file.string() + ": cannot be read: " + std::strerror(error));
  };
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.get() < 0) fail(errno);
  std::string text;
  std::array<char, 1 << 16> piece;
  for (;;) {
    const ssize_t n = ::read(in.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno);
    if (n == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(n));
    if (text.size() > most)
      throw UserError(fmt::format("{}: it has more than {} MiB, and is not what it should be",
                                  file.string(), most >> 20));
  }
}

}  // namespace theta
