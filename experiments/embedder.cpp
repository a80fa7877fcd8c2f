#include "experiments/embedder.hpp"

#include <memory>

#include "core/records/kept_embedder.hpp"
#include "experiments/data/data_config.hpp"

namespace theta {
namespace {

/// A model, and the file of its vectors.
struct Loaded {
  Loaded(const LlamaEmbedderOptions& options, const std::filesystem::path& file)
      : model(options), kept(model, file) {}

  LlamaEmbedder model;
  KeptEmbedder kept;
};

}  // namespace

std::optional<EmbedderOptions> read_embedder(const Config& config) {
  const auto embedder = config.find("embedder");
  if (!embedder) return std::nullopt;
  EmbedderOptions read;
  LlamaEmbedderOptions& model = read.model;
  model.path = path_of(embedder->at("path"));
  model.threads = read_int(*embedder, "threads", model.threads, 1);
  model.gpu_layers = read_int(*embedder, "gpu_layers", model.gpu_layers, -1);
  model.context = read_size(*embedder, "context", model.context, 1);
  model.prefix = embedder->text("prefix", "");
  if (const auto keep = embedder->find("keep")) read.keep = path_of(*keep);
  return read;
}

Embed make_embed(const EmbedderOptions& options, const RunContext& run) {
  const auto file = options.keep.empty() ? run.folder / "vectors.db" : options.keep;
  return [options = options.model, file, stop = run.stop,
          loaded = std::shared_ptr<Loaded>()](std::span<const std::string> texts) mutable {
    if (!loaded) loaded = std::make_shared<Loaded>(options, file);
    return loaded->kept.embed(texts, stop);
  };
}

}  // namespace theta
