#pragma once

#include <filesystem>
#include <memory>

#include "core/models/embedder.hpp"

namespace theta {

/// An embedder that reads each text once: its vectors are kept in an SQLite file, which other
/// processes may share, and those that are there are not computed again. What was computed is kept
/// every few texts, so that a run that was stopped goes on where it was. Thread-safe.
class KeptEmbedder final : public Embedder {
 public:
  /// @param inner  outlives this
  /// @throws UserError if the file is something else than kept vectors.
  KeptEmbedder(Embedder& inner, const std::filesystem::path& file);
  ~KeptEmbedder() override;

  std::string identity() const override { return inner_.identity(); }
  std::vector<std::vector<float>> embed(std::span<const std::string> texts,
                                        std::stop_token stop) override;

 private:
  struct File;
  Embedder& inner_;
  const std::string model_;  ///< SHA-256 of its identity
  const std::unique_ptr<File> file_;
};

}  // namespace theta
