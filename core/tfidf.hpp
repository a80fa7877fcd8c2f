#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace theta {

/// Runs of letters, digits and bytes beyond ASCII, in lower case.
std::vector<std::string> plain_words(std::string_view text);

/// A sparse vector of weights by feature.
using SparseVector = std::map<std::uint32_t, double>;
double dot(const SparseVector& a, const SparseVector& b);

/// TF-IDF vectors of words and pairs of neighbouring words, as learnt from some texts. Salton &
/// Buckley 1988, with features hashed into 2^16 (Weinberger et al. 2009). Says which texts are alike
/// without any model.
class Tfidf {
 public:
  static constexpr std::uint32_t kFeatures = 1 << 16;

  explicit Tfidf(std::span<const std::string> texts);

  /// Of unit length, so that dot() is the cosine; empty for a text without words.
  SparseVector vector(std::string_view text) const;

 private:
  double texts_ = 0;
  std::map<std::uint32_t, double> documents_;  ///< texts that hold the feature
};

}  // namespace theta
