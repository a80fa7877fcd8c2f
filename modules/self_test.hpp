#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "modules/synthesize_me.hpp"

namespace theta {

/// What a person's persona, with their demos, predicts of pairs of their own that it was not made
/// from, beside the judge that knows nothing of them.
struct SelfTest {
  std::size_t pairs = 0;
  double accuracy = 0;        ///< share of the pairs that the judge gets right with the persona
  double plain_accuracy = 0;  ///< and without
  std::vector<double> scores = {}, plain_scores = {};  ///< (pairs) that the shares are means of
  /// The rise of the probability of what the person chose that the persona is expected to bring,
  /// shrunk towards 0, and the probability that it is a rise.
  double gain = 0, p_better = 0.5;
  Usage usage = {};

  bool helps() const { return gain > 0; }
};

/// Tests the module on each person's context pairs by cross-validation: a persona is written, and
/// demos taken, from the pairs of all folds but one, and judged on that one. A handful of waves for
/// all people and folds.
/// @param folds  at most one a pair
/// @return one a person, in order: the service's fault where a persona or a judgement was lost, the
///   prompt's for a person of a single pair.
std::vector<Result<SelfTest>> self_test(const SynthesizeMe& module,
                                        std::span<const User* const> users, std::size_t folds,
                                        const Call& call);

}  // namespace theta
