#include "optimizers/text_kernel.hpp"

#include <Eigen/Eigenvalues>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "core/result.hpp"
#include "core/rng.hpp"

namespace theta {
namespace {

constexpr std::uint64_t kFeatures = 1 << 16;
constexpr double kLittle = 0.01;  ///< of the variance of a choice: says nothing

using Features = std::map<std::uint64_t, double>;

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> found(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte))
      found.back() += static_cast<char>(byte < 0x80 ? std::tolower(byte) : byte);
    else if (!found.back().empty())
      found.emplace_back();
  }
  if (found.back().empty()) found.pop_back();
  return found;
}

Features count(const std::string& text) {
  Features features;
  std::string before;
  for (const auto& word : words(text)) {
    ++features[derive_seed(0, word) % kFeatures];
    if (!before.empty()) ++features[derive_seed(0, before + ' ' + word) % kFeatures];
    before = word;
  }
  return features;
}

/// (n x n) cosines of TF-IDF vectors, ones on the diagonal.
Eigen::MatrixXd cosines(std::span<const std::string> texts) {
  std::vector<Features> all;
  std::map<std::uint64_t, double> documents;
  for (const auto& text : texts) {
    all.push_back(count(text));
    for (const auto& [feature, n] : all.back()) ++documents[feature];
  }
  const auto n = static_cast<double>(texts.size());
  for (auto& features : all) {
    double squares = 0;
    for (auto& [feature, weight] : features) {
      weight = (1 + std::log(weight)) * (1 + std::log((1 + n) / (1 + documents[feature])));
      squares += weight * weight;
    }
    for (auto& [feature, weight] : features) weight /= std::sqrt(squares);
  }
  const auto size = static_cast<Eigen::Index>(texts.size());
  Eigen::MatrixXd cosine = Eigen::MatrixXd::Identity(size, size);
  for (Eigen::Index a = 0; a < size; ++a)
    for (Eigen::Index b = 0; b < a; ++b) {
      double sum = 0;
      const auto& other = all[static_cast<std::size_t>(b)];
      for (const auto& [feature, weight] : all[static_cast<std::size_t>(a)])
        if (const auto found = other.find(feature); found != other.end())
          sum += weight * found->second;
      cosine(a, b) = cosine(b, a) = sum;
    }
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
