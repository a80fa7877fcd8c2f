#pragma once

#include <Eigen/Core>

namespace theta {

/// E[max_i (mean_i + slope_i Z)] - max_i mean_i for a standard normal Z: what is gained by learning
/// Z before choosing. Exact, O(m log m). Frazier, Powell & Dayanik 2009 (INFORMS J. Comput. 21(4)),
/// Algorithm 1 and Eq. 14.
/// @param mean, slope  (m), m > 0
/// @return >= 0
double knowledge_gradient(const Eigen::VectorXd& mean, const Eigen::VectorXd& slope);

}  // namespace theta
