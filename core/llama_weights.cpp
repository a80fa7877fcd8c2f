#include "core/llama_weights.hpp"

#include <fmt/format.h>
#include <llama.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "core/result.hpp"

namespace theta {

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
  const std::string scratch = fmt::format("{}.{}", target.string(), getpid());
  const bool made = !failed && llama_model_quantize(source.c_str(), scratch.c_str(), &params) == 0;
  if (made) std::filesystem::rename(scratch, target, failed);
  if (!made || failed) {
    std::filesystem::remove(scratch, failed);
    throw RunError(fmt::format("cannot convert {} to {} (the log at level debug says why)",
                               source.string(), target.string()));
  }
  return target;
}

}  // namespace theta
