#include "modules/reward/features.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <stdexcept>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "core/tfidf.hpp"
#include "modules/text.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr std::size_t kWordDirections = 256;
constexpr double kRankless = 1e-10;  ///< of the largest eigenvalue: rounding

const std::set<std::string> kFirstPerson = {"i", "me", "my", "mine", "we", "us", "our", "ours"};
const std::set<std::string> kHedges = {"maybe",    "perhaps", "might",     "could",   "possibly",
                                       "probably", "likely",  "seems",     "seem",    "generally",
                                       "usually",  "often",   "sometimes", "however", "may"};

bool is_item(std::string_view line) {
  if (line.starts_with("- ") || line.starts_with("* ") || line.starts_with("\u2022")) return true;
  const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  return digits > 0 && digits < line.size() && (line[digits] == '.' || line[digits] == ')');
}

std::size_t times(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size()))
    ++count;
  return count;
}

double log_count(std::size_t count) { return std::log1p(static_cast<double>(count)); }

}  // namespace

VectorXd style_of(const std::string& text) {
  const auto words = plain_words(text);
  std::size_t items = 0, headers = 0, first_person = 0, hedges = 0;
  for (const std::string_view whole : split_lines(text)) {
    const std::string_view line = strip(whole);
    items += is_item(line);
    headers += line.starts_with("#");
  }
  for (const std::string& word : words) {
    first_person += kFirstPerson.contains(word);
    hedges += kHedges.contains(word);
  }
  const auto share = [&](std::size_t count) {
    return words.empty() ? 0 : static_cast<double>(count) / static_cast<double>(words.size());
  };
  return VectorXd{{log_count(words.size()), log_count(items), log_count(headers),
                   log_count(times(text, "**") / 2), log_count(times(text, "```") / 2),
                   strip(text).ends_with("?") ? 1. : 0., share(first_person), share(hedges)}};
}

std::vector<std::vector<float>> word_vectors(std::span<const std::string> known,
                                             std::span<const std::string> texts) {
  const Tfidf tfidf(known);
  std::vector<std::vector<float>> out;
  const float one = 1 / std::sqrt(static_cast<float>(kWordDirections));
  for (const std::string& text : texts) {
    std::vector<float> vector(kWordDirections);
    for (const auto& [feature, weight] : tfidf.vector(text)) {
      std::uint64_t signs = 0;
      for (std::size_t i = 0; i < kWordDirections; ++i, signs >>= 1) {
        if (i % 64 == 0) signs = derive_seed(derive_seed(0, "word directions"), feature * 64 + i);
        vector[i] += static_cast<float>(weight) * (signs & 1 ? one : -one);
      }
    }
    out.push_back(std::move(vector));
  }
  return out;
}

PairFeatures::PairFeatures(const MatrixXd& embeddings, const MatrixXd& styles, Index directions) {
  const Index n = embeddings.rows();
  if (n == 0 || styles.rows() != n || styles.cols() != kStyles)
    throw std::invalid_argument("features are learnt from training pairs: vectors and styles each");
  const Eigen::SelfAdjointEigenSolver<MatrixXd> spectrum(embeddings.transpose() * embeddings);
  require(spectrum.info() == Eigen::Success, "a symmetric matrix has its directions");
  const VectorXd& values = spectrum.eigenvalues();  // ascending
  const double least = kRankless * std::max(values.tail(1)(0), 0.0);
  Index rank = (values.array() > least).count();
  if (directions > 0) rank = std::min(rank, directions);
  directions_ = spectrum.eigenvectors().rightCols(rank).rowwise().reverse();
  const double square = values.tail(rank).sum() / static_cast<double>(n);
  if (square > 0) directions_ /= std::sqrt(square);

  const VectorXd root = (styles.colwise().squaredNorm() / static_cast<double>(n)).cwiseSqrt();
  const auto used = static_cast<double>((root.array() > 0).count());
  scales_ = root.unaryExpr([&](double x) { return x > 0 ? 1 / (x * std::sqrt(used)) : 0; });
}

MatrixXd PairFeatures::features(const MatrixXd& embeddings, const MatrixXd& styles) const {
  MatrixXd out(embeddings.rows(), directions_.cols() + kStyles);
  out << embeddings * directions_, styles * scales_.asDiagonal();
  return out;
}

}  // namespace theta
