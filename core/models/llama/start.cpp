#include "core/models/llama/start.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <array>
#include <mutex>
#include <string_view>

#include "core/result.hpp"

namespace theta {
namespace {

// What llama.cpp warns of (a window larger than the cache) is as we want it, and its errors (an
// interrupted batch) come back as exceptions of our own: all of it is detail.
void log_to_spdlog(ggml_log_level, const char* text, void*) {
  std::string_view line = text;
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty()) spdlog::debug("llama.cpp: {}", line);
}

}  // namespace

void start_llama() {
  static std::once_flag started;
  std::call_once(started, [] {
    llama_log_set(log_to_spdlog, nullptr);
    llama_backend_init();
  });
}

void check_gpu(const std::filesystem::path& path, int gpu_layers) {
  if (gpu_layers != 0 && !llama_supports_gpu_offload())
    throw UserError(fmt::format(
        "{}: gpu_layers must be 0, not {}: llama.cpp was built without a GPU, or finds none",
        path.string(), gpu_layers));
}

llama_model* load_weights(const std::filesystem::path& path, const std::filesystem::path& weights,
                          int gpu_layers, bool vocab_only) {
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = gpu_layers;
  // Else a GPU would compute large batches all the same, and a CPU's answers depended on its host.
  std::array<ggml_backend_dev_t, 1> no_device = {nullptr};
  if (gpu_layers == 0) params.devices = no_device.data();
  // Mapped weights are page cache: a host short of memory drops them and reads them anew each
  // token.
  params.load_mode = LLAMA_LOAD_MODE_NONE;
  params.vocab_only = vocab_only;
  llama_model* model = llama_model_load_from_file(weights.c_str(), params);
  if (!model)
    throw UserError(
        fmt::format("{} is not a model that llama.cpp can load (the log at level debug says why)",
                    path.string()));
  return model;
}

}  // namespace theta
