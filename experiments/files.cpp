#include "experiments/files.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "core/result.hpp"

namespace theta {

namespace fs = std::filesystem;

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UserError(file.string() + ": there is no such file");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
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
