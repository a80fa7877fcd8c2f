#include "experiments/gnuplot.hpp"

#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/result.hpp"

namespace theta {
namespace {

/// A file that exists as long as this.
class ScriptFile {
 public:
  explicit ScriptFile(const std::string& content) {
    path_ = (std::filesystem::temp_directory_path() / "theta-plot-XXXXXX").string();
    const int file = ::mkstemp(path_.data());
    if (file < 0) throw RunError(path_ + ": cannot be created");
    ::close(file);
    std::ofstream(path_) << content;
  }
  ~ScriptFile() { std::remove(path_.c_str()); }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr int kCommandNotFound = 127;

}  // namespace

std::optional<std::string> gnuplot_svg(const std::string& script, int width, int height) {
  const ScriptFile file(
      fmt::format("set terminal svg size {},{} noenhanced font 'sans-serif,13' background 'white'\n"
                  "set colorsequence podo\n{}",
                  width, height, script));
  // The shell sees the path alone, which mkstemp made of safe characters in the temporary folder.
  FILE* pipe = ::popen(("gnuplot '" + file.path() + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) throw RunError("no process can be started for gnuplot");
  std::string svg;
  std::array<char, 4096> piece{};
  while (const auto n = std::fread(piece.data(), 1, piece.size(), pipe))
    svg.append(piece.data(), n);
  const int status = ::pclose(pipe);
  const auto begin = svg.find("<svg");
  if (status != 0 || begin == std::string::npos) {
    const bool missing = WIFEXITED(status) && WEXITSTATUS(status) == kCommandNotFound;
    spdlog::warn("the report has no plots: gnuplot {}", missing ? "is not installed" : "failed");
    return std::nullopt;
  }
  return svg.substr(begin);  // without the XML declaration, which HTML does not allow here
}

std::string gnuplot_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "'";
}

}  // namespace theta
