#include "optimizers/text_kernel.hpp"

#include <Eigen/Eigenvalues>
#include <vector>

#include "core/result.hpp"
#include "core/tfidf.hpp"

namespace theta {
namespace {

constexpr double kLittle = 0.01;  ///< of the variance of a choice: says nothing

/// (n x n) cosines of TF-IDF vectors, ones on the diagonal.
Eigen::MatrixXd cosines(std::span<const std::string> texts) {
  const Tfidf tfidf(texts);
  std::vector<SparseVector> all;
  for (const auto& text : texts) all.push_back(tfidf.vector(text));
  const auto size = static_cast<Eigen::Index>(texts.size());
  Eigen::MatrixXd cosine = Eigen::MatrixXd::Identity(size, size);
  for (Eigen::Index a = 0; a < size; ++a)
    for (Eigen::Index b = 0; b < a; ++b)
      cosine(a, b) = cosine(b, a) =
          dot(all[static_cast<std::size_t>(a)], all[static_cast<std::size_t>(b)]);
  return cosine;
}

}  // namespace

Eigen::MatrixXd text_similarity(std::span<const std::string> texts) {
  const auto n = static_cast<Eigen::Index>(texts.size());
  if (n < 3) return {};  // two choices differ in one way only
  const Eigen::MatrixXd centring =
      Eigen::MatrixXd::Identity(n, n) - Eigen::MatrixXd::Constant(n, n, 1 / static_cast<double>(n));
  // The level is the eigenvector of 1s with eigenvalue 0, the first; the smallest of the others is
  // what every text has to itself.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(centring * cosines(texts) * centring);
  require(solver.info() == Eigen::Success, "a similarity has eigenvalues");
  Eigen::VectorXd shared = (solver.eigenvalues().array() - solver.eigenvalues()(1)).cwiseMax(0);
  shared(0) = 0;
  if (shared.sum() < kLittle * static_cast<double>(n)) return {};
  return solver.eigenvectors() * shared.asDiagonal() * solver.eigenvectors().transpose();
}

}  // namespace theta
