#pragma once

#include <Eigen/Core>
#include <span>
#include <string>

namespace theta {

/// How alike texts are, for Variable::similarity: what is left of the cosines of their words and
/// pairs of words as Tfidf weights them, once the level that all share and the part that is each
/// text's own are taken away. Both are in every surrogate already, so that texts that say nothing
/// (all equal, all as different from one another, numbered) come out as an empty matrix.
/// @return (n x n), positive semidefinite; empty if it says nothing.
Eigen::MatrixXd text_similarity(std::span<const std::string> texts);

}  // namespace theta
