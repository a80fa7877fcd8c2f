#include "core/models/llama/weights.hpp"

#include <fmt/format.h>
#include <llama.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "core/result.hpp"

namespace theta {
namespace {

/// Removes what conversions to `target` left that were killed: TARGET.PID of processes that are
/// gone.
void remove_leftovers(const std::filesystem::path& target) {
  const std::string prefix = target.filename().string() + ".";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(target.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const int process = std::atoi(name.c_str() + prefix.size());
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH)
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace

std::filesystem::path converted_weights(const std::filesystem::path& source,
                                        const std::string& hash, const std::string& type,
                                        const std::filesystem::path& folder, int threads) {
  llama_model_quantize_params params = llama_model_quantize_default_params();
  if (type == "q4_0") {
    params.ftype = LLAMA_FTYPE_MOSTLY_Q4_0;
  } else if (type == "q8_0") {
    params.ftype = LLAMA_FTYPE_MOSTLY_Q8_0;
  } else {
    throw UserError(fmt::format("convert must be q4_0 or q8_0, not '{}'", type));
  }
  params.nthread = threads;
  params.allow_requantize = true;

  const std::filesystem::path target =
      folder / fmt::format("{}-{}-{}.gguf", source.stem().string(), hash.substr(0, 16), type);
  if (std::filesystem::exists(target)) return target;
  spdlog::info("converting {} to {}, once: {}", source.filename().string(), type, target.string());

  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  remove_leftovers(target);
  const std::string scratch = fmt::format("{}.{}", target.string(), getpid());
  const bool made = !failed && llama_model_quantize(source.c_str(), scratch.c_str(), &params) == 0;
  if (made) std::filesystem::rename(scratch, target, failed);
  if (!made || failed) {
    const std::string why = failed ? failed.message() : "the log at level debug says why";
    std::filesystem::remove(scratch, failed);
    throw RunError(
        fmt::format("cannot convert {} to {}: {}", source.string(), target.string(), why));
  }
  return target;
}

}  // namespace theta
