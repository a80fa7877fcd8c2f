#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace theta {

// Notation (Frazier, Powell & Dayanik 2008, "A knowledge-gradient policy for sequential information
// collection", SIAM J. Control Optim. 47(5), section 3)
//
//   w    (K)      belief: P(persona k is the one by which the person chooses), sums to 1
//   p    (K x M)  P(first text of pair m | persona k)
//   q_m = sum_k w_k p_km                P(first of pair m)
//   r_km = q_m if p_km > 1/2, 1 - q_m if p_km < 1/2, else 1/2
//                                       P(persona k's choice in pair m is the person's)

/// What an answer to each pair is worth to whoever predicts the others by the best persona:
///
///     V_c(w) = max_k  1 / (M - 1)  sum_{m != c} r_km(w)
///     KG_c   = E_y[ V_c(w | y) ] - V_c(w),    w_k | first ~ w_k p_kc,  w_k | second ~ w_k (1 - p_kc)
///
/// V_c is the expected accuracy of the best persona on the other pairs; the expectation is over both
/// answers, with P(first) = q_c. It is 0 where no answer would change which persona is the best, and
/// never negative: r is linear in w, so that V is convex.
/// @param w  (K)   @param p  (K) of (M), in [0, 1]
/// @return (M); all 0 for a single pair.   @throws std::invalid_argument for sizes that differ.
std::vector<double> knowledge_gradients(std::span<const double> w,
                                        std::span<const std::vector<double>> p);

/// The belief after choices: w_k ~ exp(log_likelihood_k), from equal weights.
/// @param log_likelihoods  (K) of all that the person chose, in nats
std::vector<double> belief(std::span<const double> log_likelihoods);

}  // namespace theta
