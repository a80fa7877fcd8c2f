#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/config.hpp"
#include "core/models/llama/embedder.hpp"
#include "experiments/runs/run_context.hpp"

namespace theta {

/// A config's `embedder`.
struct EmbedderOptions {
  LlamaEmbedderOptions model;
  std::filesystem::path keep;  ///< where its vectors are kept; empty: in the run's folder

  std::string name() const { return model.path.stem().string(); }
};

/// Reads `embedder: {path, threads, gpu_layers, context, prefix, keep}`, where a config has it.
std::optional<EmbedderOptions> read_embedder(const Config& config);

/// The embedder of a run, loaded when it is first asked. Copies share it; `run` outlives them.
Embed make_embed(const EmbedderOptions& options, const RunContext& run);

}  // namespace theta
