#include "experiments/files.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "core/result.hpp"

namespace theta {

namespace fs = std::filesystem;

std::string absolute_path(const fs::path& path) {
  return fs::absolute(path).lexically_normal().string();
}

std::string read_whole(const fs::path& file) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) throw UserError(file.string() + ": this is a folder");
  std::ifstream in(file, std::ios::binary);
  const auto cannot_read = [&] {
    return UserError(file.string() + (errno == ENOENT
                                          ? ": there is no such file"
                                          : fmt::format(": cannot be read: {}", strerror(errno))));
  };
  if (!in) throw cannot_read();
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) throw cannot_read();
  return text;
}

void write_whole(const fs::path& file, const std::string& content) {
  const auto part = file.string() + ".part";
  std::ofstream out(part, std::ios::binary);
  out << content;
  out.close();
  std::error_code error;
  if (out) fs::rename(part, file, error);
  if (!out || error) throw RunError(file.string() + ": cannot be written");
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw UserError(fmt::format("cannot make {}: {}", folder.string(), error.message()));
}

ScratchFolder::ScratchFolder() {
  std::string path = (fs::temp_directory_path() / "theta-XXXXXX").string();
  if (!mkdtemp(path.data())) throw RunError("cannot make a folder in the temporary directory");
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace theta
