#pragma once

#include <Eigen/Core>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/models/embedder.hpp"

namespace theta {

/// Texts that are looked up by likeness. Thread-safe if its Embed is.
class TextIndex {
 public:
  virtual ~TextIndex() = default;

  /// (queries x texts), cosines.
  virtual Eigen::MatrixXd cosines(std::span<const std::string> queries) const = 0;
  /// The `k` texts most like each query, most alike first; of equals the first.
  std::vector<std::vector<std::size_t>> nearest(std::span<const std::string> queries,
                                                std::size_t k) const;
};

/// By the words that they share, as Tfidf weights them: no model is asked.
std::shared_ptr<const TextIndex> word_index(std::span<const std::string> texts);
/// By an embedding model, which is asked for the texts here, and for queries when they come.
std::shared_ptr<const TextIndex> embedding_index(std::span<const std::string> texts, Embed embed);

}  // namespace theta
