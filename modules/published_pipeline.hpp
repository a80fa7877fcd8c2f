#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "modules/judge.hpp"
#include "modules/persona.hpp"

namespace theta {

/// The published package's parameters and defaults (synthesizeme 0.0.11).
struct PublishedOptions {
  /// Of the user's pairs, in the order given; the rest choose between demo sets.
  double train_share = 0.7;
  int max_bootstrapped = -1;  ///< most verified judgements in a demo set; -1: all
  int max_labeled = 4;  ///< a set is filled up to this with pairs that have no verified judgement
  int candidates = 10;  ///< shuffled demo sets beside the fixed ones
  double stop_at_score = 0.8;  ///< the first set that reaches it is taken
  HistoryStyle style = HistoryStyle::kPublished;
};

/// A demo set for one user and what it scored.
struct DemoSet {
  int seed = 0;  ///< -3: none, -2: labelled only, -1: in order, 0..: shuffled by Rng(seed)
  std::vector<PastJudgement> judgements;
  double score = 0;  ///< share of the user's held-out pairs that the judge gets right with it
};

/// A judge made for one person: SynthesizeMe's result.
struct PersonalJudge {
  std::string persona;
  std::vector<Demo> demos;
  std::vector<DemoSet> reasoning_sets;  ///< stage 1's candidates, as scored
  std::vector<DemoSet> demo_sets;       ///< stage 3's
};

/// The demo sets that bootstrap few-shot with random search tries, in seed order. `verified[i]` is
/// the judgement of training pair i where it was right, else null; each pair has one, as the
/// published program asks at temperature 0. Shuffles and sizes are CPython's, so that the sets are
/// the published ones.
/// @param with_empty  begin with the set of no demos (stage 3)
std::vector<DemoSet> candidate_demo_sets(std::span<const PreferencePair> train,
                                         std::span<const PastJudgement* const> verified,
                                         const PublishedOptions& options, bool with_empty);

/// SynthesizeMe, section 3 of arXiv 2506.05598: (1) judge the user's pairs, keep the reasoning that
/// led to the right answer, choose the set of judgements that helps most on held-out pairs; (2) let
/// Θ write a persona from it; (3) choose demos for the judge with that persona the same way. Each
/// training pair is judged once a stage and all sets are scored in one wave: the same sets and
/// scores as the published loop with fewer calls. Labelled pairs are shown to the judge, which the
/// package means to do but does not (its field names differ).
/// @param tracer       judges and reasons   @param synthesizer  runs Θ
/// @throws UserError if the user has fewer than two pairs; RunError where a pair was not judged or
///   no persona written.
PersonalJudge synthesize_me(const Judge& judge, const Module& theta, const User& user,
                            const PublishedOptions& options, const Call& tracer,
                            const Call& synthesizer);

}  // namespace theta
