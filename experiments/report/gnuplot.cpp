#include "experiments/report/gnuplot.hpp"

#include <fmt/core.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <iterator>

#include "core/result.hpp"
#include "experiments/data/rows.hpp"

namespace theta {
namespace {

/// A script in memory, which a process started meanwhile can open: no file, whose path may hold
/// anything, and none that stays behind.
class ScriptFile {
 public:
  explicit ScriptFile(const std::string& content) : file_(::memfd_create("theta-plot", 0)) {
    if (file_ < 0 || ::write(file_, content.data(), content.size()) != std::ssize(content))
      throw RunError("there is no memory for a plot");
  }
  ~ScriptFile() { ::close(file_); }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;
  std::string path() const { return fmt::format("/proc/self/fd/{}", file_); }

 private:
  int file_;
};

constexpr int kCommandNotFound = 127;

}  // namespace

std::optional<std::string> gnuplot_svg(const std::string& script, int width, int height) {
  const ScriptFile file(
      fmt::format("set terminal svg size {},{} noenhanced font 'sans-serif,13' background 'white'\n"
                  "set colorsequence podo\n{}",
                  width, height, script));
  FILE* pipe = ::popen(("gnuplot " + file.path() + " 2>/dev/null").c_str(), "r");
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
  constexpr std::size_t kLongest = 60;
  std::string quoted = "'";
  for (const char c : shortened(text, kLongest)) {
    if (c == '\'') quoted += '\'';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + "'";
}

}  // namespace theta
