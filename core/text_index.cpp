#include "core/text_index.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/tfidf.hpp"

namespace theta {
namespace {

class WordIndex final : public TextIndex {
 public:
  explicit WordIndex(std::span<const std::string> texts) : tfidf_(texts) {
    for (const auto& text : texts) vectors_.push_back(tfidf_.vector(text));
  }

  Eigen::MatrixXd cosines(std::span<const std::string> queries) const override {
    Eigen::MatrixXd all(queries.size(), vectors_.size());
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const SparseVector query = tfidf_.vector(queries[q]);
      for (std::size_t t = 0; t < vectors_.size(); ++t)
        all(static_cast<Eigen::Index>(q), static_cast<Eigen::Index>(t)) = dot(query, vectors_[t]);
    }
    return all;
  }

 private:
  Tfidf tfidf_;
  std::vector<SparseVector> vectors_;
};

class EmbeddingIndex final : public TextIndex {
 public:
  EmbeddingIndex(std::span<const std::string> texts, Embed embed)
      : embed_(std::move(embed)), vectors_(rows(texts)) {}

  Eigen::MatrixXd cosines(std::span<const std::string> queries) const override {
    return (rows(queries) * vectors_.transpose()).cast<double>();
  }

 private:
  using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  Rows rows(std::span<const std::string> texts) const {
    const auto embedded = embed_(texts);
    const std::size_t width = embedded.empty() ? 0 : embedded.front().size();
    Rows all(embedded.size(), width);
    for (std::size_t i = 0; i < embedded.size(); ++i)
      all.row(static_cast<Eigen::Index>(i)) = Eigen::Map<const Eigen::RowVectorXf>(
          embedded[i].data(), static_cast<Eigen::Index>(width));
    return all;
  }

  Embed embed_;
  Rows vectors_;  ///< (texts x dimensions)
};

}  // namespace

std::vector<std::vector<std::size_t>> TextIndex::nearest(std::span<const std::string> queries,
                                                         std::size_t k) const {
  const Eigen::MatrixXd all = cosines(queries);
  const auto texts = static_cast<std::size_t>(all.cols());
  std::vector<std::vector<std::size_t>> nearest;
  for (Eigen::Index q = 0; q < all.rows(); ++q) {
    std::vector<std::size_t> order(texts);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(std::min(k, texts));
    std::partial_sort(order.begin(), middle, order.end(), [&](std::size_t a, std::size_t b) {
      const double x = all(q, static_cast<Eigen::Index>(a)),
                   y = all(q, static_cast<Eigen::Index>(b));
      return x != y ? x > y : a < b;
    });
    nearest.emplace_back(order.begin(), middle);
  }
  return nearest;
}

std::shared_ptr<const TextIndex> word_index(std::span<const std::string> texts) {
  return std::make_shared<WordIndex>(texts);
}

std::shared_ptr<const TextIndex> embedding_index(std::span<const std::string> texts, Embed embed) {
  return std::make_shared<EmbeddingIndex>(texts, std::move(embed));
}

}  // namespace theta
