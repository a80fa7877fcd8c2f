#pragma once

#include <Eigen/Core>
#include <span>
#include <string>
#include <vector>

namespace theta {

// Features of a pair of texts: those of the first less those of the second, so that the exchange of
// both negates them.

/// How a text is written, beside what it says: its length in words on a log scale; lines that are
/// items of a list, headers, bold marks and blocks of code, each on a log scale; whether it asks
/// back; words in the first person and hedges, as shares of its words.
inline constexpr Eigen::Index kStyles = 8;
Eigen::VectorXd style_of(const std::string& text);

/// Vectors of words and pairs of words, without any model: as Tfidf weights them by `known` texts,
/// folded into 256 directions by random signs (Achlioptas 2003).
std::vector<std::vector<float>> word_vectors(std::span<const std::string> known,
                                             std::span<const std::string> texts);

/// The scales and directions of pairs, learnt from training pairs alone: embeddings in their first
/// principal directions (about 0, so that a pair's exchange stays its negative) with a mean square
/// length of 1; behind them the styles, each with a root mean square of 1 over that of their number.
class PairFeatures {
 public:
  /// @param embeddings  (n x e) differences of training pairs
  /// @param styles      (n x kStyles) likewise
  /// @param directions  most that embeddings are turned into; 0: all that the pairs span
  /// @throws std::invalid_argument where there are no pairs, or sizes differ
  PairFeatures(const Eigen::MatrixXd& embeddings, const Eigen::MatrixXd& styles,
               Eigen::Index directions);

  /// (m x d) of pairs as above.
  Eigen::MatrixXd features(const Eigen::MatrixXd& embeddings, const Eigen::MatrixXd& styles) const;
  /// Features that are of embeddings: the first of the d. PreferenceData::first_block.
  Eigen::Index of_embeddings() const { return directions_.cols(); }

 private:
  Eigen::MatrixXd directions_;  ///< (e x of_embeddings())
  Eigen::VectorXd scales_;      ///< (kStyles)
};

}  // namespace theta
