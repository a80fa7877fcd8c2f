#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "modules/judge.hpp"
#include "modules/preference.hpp"

namespace theta {

/// Which of a person's own pairs the judge is shown as demos.
enum class DemoRule {
  kNone,
  kVerified,  ///< those that the judge gets right without them, with its reasoning where it reasons
  kCorrective  ///< first those that it gets wrong, as the person chose; then the others
};

/// For whom demos are chosen.
struct DemoQuestion {
  const User* user = nullptr;
  std::string persona;  ///< empty: the judge without one
  double contrast = 0;  ///< the weight of the judge without persona
};

struct DemoChoice {
  DemoRule rule = DemoRule::kNone;
  std::vector<Demo> demos;
  /// The rise of the probability of what the person chose that is expected of the demos on other
  /// pairs, shrunk towards 0, and the probability that it is a rise. 0 for kNone.
  double gain = 0, p_better = 0;
  Usage usage = {};
};

/// SynthesizeMe's third step on all of a person's context pairs instead of one split: chooses how
/// demos are taken from them by cross-validation, each rule's demos of the other folds judged on the
/// pairs of one. Rules are compared with no demos pair by pair, and demos are shown only where they
/// are better with a probability of more than .8. Every pair is judged once without demos, in the
/// judge's orders: which is what the rules choose from, and the score of no demos. Two waves for all
/// people: (1 + rules) n judgements a person of n pairs.
/// @param most  demos at most   @param folds  at most one a pair
/// @return one a question, in order: the service's fault where a pair was not judged.
std::vector<Result<DemoChoice>> choose_demos(const Judge& judge,
                                             std::span<const DemoQuestion> questions,
                                             std::size_t most, std::size_t folds, const Call& call);

/// What is believed of a mean difference of probabilities: normal about it, shrunk towards 0. The
/// variance of the differences is held to that of two judges that disagree on a quarter of the
/// pairs, as so few pairs tell little of it.
struct ShrunkGain {
  double gain = 0, p_better = 0.5;
};
ShrunkGain shrunk_gain(std::span<const double> differences);

}  // namespace theta
