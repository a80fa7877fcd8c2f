#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "optimizers/search.hpp"

namespace theta {

/// What replaces the untouched program, and what it is decided by.
struct GateOptions {
  /// Share of the validation examples that the search is kept from, in [0, 1). 0: the search's own
  /// belief decides alone.
  double fresh = 0.3;
  double threshold = 0.9;  ///< the winner is saved if it is better with more than this probability
  std::uint64_t seed = 0;  ///< draws the examples: one seed, one part for every optimiser
  /// Ids of training and validation examples that a winner may not score lower on.
  std::vector<std::string> anchors = {};
};

/// What is believed of how much better one program is than another: the difference of their mean
/// scores over all examples there could be, as a mixture of normal distributions. Candidates of one
/// search can differ by next to nothing or by much, and one normal distribution cannot say so.
struct Belief {
  struct Part {
    double weight = 1, mean = 0, sd = 0;
  };
  std::vector<Part> parts;  ///< not empty; the weights sum to 1

  static Belief normal(double mean, double sd) { return {{{1, mean, sd}}}; }

  double mean() const;
  double sd() const;
  double p_better() const;    ///< that the difference is above 0
  Interval interval() const;  ///< 95 %, as much below as above
};

/// What the gate says of a search's winner.
struct Decision {
  double estimate = 0;       ///< the gain over the student that is expected of the winner
  double low = 0, high = 0;  ///< its 95 % interval
  double p_better = 0;       ///< 0 where the search found nothing but the student
  double claimed = 0;        ///< the search's own: the winner's mean score less the student's
  std::size_t n_fresh = 0;   ///< examples that both were scored on and the search never saw
  bool found = false;        ///< there is a winner
  bool saved = false;        ///< it replaces the student
  std::optional<std::string> broken =
      {};  ///< the anchor that it did worse on, and would be saved but for
};

/// Decides.   @param belief  nothing: there is no winner.
Decision decide(const std::optional<Belief>& belief, double claimed, std::size_t n_fresh,
                const GateOptions& options);

/// The examples that a search sees, and those that are kept from it; in their order.
struct HeldBack {
  std::vector<std::size_t> searched, fresh;
};

/// Draws the fresh examples. Examples of one group stay together; one with an empty group stands
/// alone. The search keeps at least one.
/// @param groups  (n) of the examples
HeldBack hold_back(std::span<const std::string> groups, const GateOptions& options);

/// A belief after the scores of both programs on examples that had no part in it.
///
/// The mean of the paired differences is normal about the true one; it moves the parts of the belief
/// and says which of them it speaks for. Its variance comes from the
/// differences, groups as wholes, and from a prior, so that a few equal differences are no
/// certainty.
/// @param winner, student  (n) scores   @param groups  (n)
Belief updated(const Belief& belief, const Scores& winner, const Scores& student,
               std::span<const std::string> groups);

/// What a search's scores tell of every candidate, shrunk for the best of many being picked: an
/// empirical-Bayes model of all of them together.
///
///   d_c = mean_j y(c, j) - y(0, j)   over the examples that candidate c and the student share
///   d_c = g + u_c + e_0 + e_c        g ~ N(0, a^2): what any change brings
///                                    u_c ~ N(0, t^2): what makes candidates differ
///                                    e_0, e_c: sampling, of the student and of the candidate;
///                                    candidates share e_0 as far as they share examples
///
/// The belief in c is that in g + u_c. The sampling variances come from the paired differences,
/// each candidate's own held to those of all; a and t are integrated over priors that expect them
/// to be anything between next to nothing and a few points.
/// Candidates that seem worse than the student tell nothing of how much better one can be, and have
/// no say in a and t. Efron & Morris 1975.
/// @param candidates  each of as many examples as the student's
/// @return one a candidate; the prior where nothing is shared
std::vector<Belief> shrunken(const Scores& student, const std::vector<Scores>& candidates);

/// A candidate whose mean is lower by this many standard deviations is not told apart.
inline constexpr double kTie = 0.25;

/// The highest mean; of those that are not told apart from it, the cheapest.
/// @param beliefs  not empty   @param cost  of a candidate, asked only where there is a choice
std::size_t choose(std::span<const Belief> beliefs, const std::function<double(std::size_t)>& cost);

/// Keeps the scores that a search on combinations asks for.
class KeptScores {
 public:
  /// @param cost  of a candidate, for choose()
  KeptScores(std::size_t examples, std::function<double(const Combination&)> cost)
      : examples_(examples), cost_(std::move(cost)) {}

  /// `evaluate`, listened to. The first evaluation is the student's. Both outlive what is returned.
  EvaluateCandidate keeping(const EvaluateCandidate& evaluate);

  struct Winner {
    Combination combination;
    Belief gain;
    Scores scores;
  };
  /// The best of the candidates other than `student` that were asked on most examples; nothing if
  /// there is none.
  std::optional<Winner> winner(const Combination& student) const;
  /// A candidate that was scored.
  Winner winner_is(const Combination& candidate) const;

  const Scores& student() const { return student_.scores; }

 private:
  struct Kept {
    Scores scores;
    std::set<std::size_t> asked = {};
  };
  /// Those that were scored, but for one.
  std::vector<std::pair<Combination, Kept>> scored_but(const Combination& one) const;

  std::size_t examples_;
  std::function<double(const Combination&)> cost_;
  bool begun_ = false;
  Kept student_;
  std::map<Combination, Kept> candidates_;
};

/// Mean of a - b over the examples that both were scored on; 0 if there are none.
double mean_difference(const Scores& a, const Scores& b);

}  // namespace theta
