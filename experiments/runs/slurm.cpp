#include "experiments/runs/slurm.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "core/result.hpp"
#include "experiments/files.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

constexpr int kCommandNotFound = 127;

/// A word of a shell's line.
std::string quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

/// A path as the value of an option of sbatch, which has its own quotes and patterns.
std::string pattern_of(const fs::path& path) {
  const std::string text = path.string();
  if (text.find_first_of("\"\\\n") != std::string::npos)
    throw UserError(fmt::format(
        "Slurm cannot write into {}: give an --out without quotes and backslashes", text));
  std::string out;
  for (const char c : text) out += c == '%' ? "%%" : std::string(1, c);
  return out;
}

/// `partition=gpu` as the line that gives it.
std::string line_of(const std::string& option) {
  const std::string name = option.substr(0, option.find('='));
  const bool is_name = !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-';
  });
  if (!is_name || name.front() == '-' || option.find('\n') != std::string::npos)
    throw UserError(fmt::format(
        "--sbatch '{}': give an option of sbatch by its long name, as partition=gpu", option));
  return "#SBATCH --" + option + "\n";
}

}  // namespace

std::string slurm_script(const SlurmJob& job, const fs::path& folder, const fs::path& program) {
  std::string script = fmt::format(
      "#!/bin/sh\n"
      "#SBATCH --job-name={}\n"
      "#SBATCH --array=1-{}\n"
      "#SBATCH --output=\"{}/slurm-%A_%a.log\"\n"
      "#SBATCH --open-mode=append\n",
      job.name, job.workers, pattern_of(folder));
  for (const std::string& option : job.options) script += line_of(option);
  // The program in the shell's place: signals are for it.
  return script + fmt::format("exec {} sweep {} --jobs {} --leave\n", quoted(program.string()),
                              quoted(folder.string()), job.jobs);
}

std::string submit_to_slurm(const SlurmJob& job, const fs::path& folder) {
  const fs::path script = folder / "slurm.sh";
  write_whole(script, slurm_script(job, absolute_path(folder), fs::read_symlink("/proc/self/exe")));
  FILE* pipe = ::popen(("sbatch --parsable " + quoted(script.string()) + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw RunError("no process can be started for sbatch");
  std::string said;
  std::array<char, 4096> piece{};
  while (const auto n = std::fread(piece.data(), 1, piece.size(), pipe))
    said.append(piece.data(), n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kCommandNotFound)
    throw UserError("there is no sbatch here: submit from a machine of the cluster");
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (status != 0) throw UserError(fmt::format("sbatch refuses {}: {}", script.string(), said));
  // `17`, or `17;cluster`, behind what sites have sbatch say.
  const std::string last = said.substr(said.rfind('\n') + 1);
  return last.substr(0, last.find(';'));
}

}  // namespace theta
