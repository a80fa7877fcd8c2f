#pragma once

#include <cstdint>
#include <memory>
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
  /// Call for call what the package asks: labelled pairs are part of a history and shown to no
  /// judge, as their fields have other names than the judge's, and sides are drawn anew.
  bool faithful = false;
  /// faithful: the pairs' own PreferencePair::flip are kept, as for rows that have the column.
  bool keeps_sides = false;
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
  std::vector<Demo> reasoning_demos;  ///< stage 1's: those of the judge without a persona
  /// The user's, that demo sets point to.
  std::shared_ptr<const std::vector<PreferencePair>> pairs;
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

/// Whether the chosen text is shown first, of `n` pairs in turn: the package's
/// Random(42).choice([True, False]), for rows without a column `flip`.
std::vector<bool> published_sides(std::size_t n);

/// SynthesizeMe, section 3 of arXiv 2506.05598: (1) judge the user's pairs, keep the reasoning that
/// led to the right answer, choose the set of judgements that helps most on held-out pairs; (2) let
/// Θ write a persona from it; (3) choose demos for the judge with that persona the same way. Each
/// training pair is judged once a stage, all sets of all users are scored in one wave, and sets that
/// show the judge the same once: the same sets and scores as the published loop with fewer calls.
/// Five waves, however many users there are.
///
/// Labelled pairs are shown to the judge, which the package means to do but does not (its field
/// names differ), unless PublishedOptions::faithful.
/// @param tracer       judges and reasons   @param synthesizer  runs Θ
/// @return one a user, in order: the service's fault where a pair was not judged or no persona
///   written; the prompt's where Θ's answer cannot be used, and for fewer than two pairs.
std::vector<Result<PersonalJudge>> synthesize_me(const Judge& judge, const Module& theta,
                                                 std::span<const User* const> users,
                                                 const PublishedOptions& options,
                                                 const Call& tracer, const Call& synthesizer);

}  // namespace theta
