#pragma once

#include <Eigen/Core>
#include <span>
#include <string>

namespace theta {

/// How alike texts are, for Variable::similarity: what is left of the cosines of their words and
/// pairs of words, weighted by TF-IDF, once the level that all share and the part that is each
/// text's own are taken away. Both are in every surrogate already, so that texts that say nothing
/// (all equal, all as different from one another, numbered) come out as an empty matrix.
///
/// Words are runs of letters, digits and bytes beyond ASCII, in lower case. Salton & Buckley 1988,
/// with features hashed into 2^16 (Weinberger et al. 2009).
/// @return (n x n), positive semidefinite; empty if it says nothing.
Eigen::MatrixXd text_similarity(std::span<const std::string> texts);

}  // namespace theta
