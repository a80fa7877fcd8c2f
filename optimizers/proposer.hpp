#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/module.hpp"
#include "optimizers/optimizer.hpp"
#include "optimizers/writer.hpp"

namespace theta {

/// What the proposer is shown and how it is asked. Each part can be left out for models whose
/// window or grasp is small. Defaults of dspy 3.4.1, propose/grounded_proposer.py.
struct ProposerOptions {
  WriterOptions writer = {};
  bool data_summary = true;     ///< of the training examples, written by the proposer
  bool program_summary = true;  ///< of the program's signatures
  bool demos = true;            ///< up to three bootstrapped demos
  /// The last five proposals: each is then asked when the one before it came.
  bool history = false;
  bool tips = true;  ///< a random hint at the kind of instruction that is wanted
  std::vector<std::string> own_tips = {};  ///< these hints in turn instead of the random ones
  std::size_t summary_batch = 10;          ///< training examples a call
  std::size_t summary_batches = 10;        ///< most calls that look at examples
  bool unique = true;                      ///< an instruction that is there already is asked again
};

/// The demo sets of each predictor: [predictor][set].
using DemoSets = std::vector<std::vector<std::vector<Demo>>>;

struct Proposals {
  /// [predictor][choice]: choice 0 is the predictor's own instruction; no two are equal if
  /// `unique`.
  std::vector<std::vector<std::string>> instructions;
  std::string data_summary;  ///< empty if there is none
  ProposalCounts counts;
};

/// Asks for `wanted[p]` new instructions for predictor p, all that are still missing in one wave;
/// with `history`, one of each predictor.
///
/// A proposal that cannot be parsed, repeats the predictor's own instruction or another proposal,
/// or copies training text is asked again with a fresh sample, at most `attempts` times, and then
/// dropped: there may be fewer than wanted, but none that would waste an evaluation. Proposal k of
/// a predictor is grounded in the demos of set k + 1, so that they differ. Deterministic given
/// `rng` and the answers.
/// @throws RunError if the service failed every proposal, or the data summary.
Proposals propose(const Module& student, const DemoSets& demo_sets, std::span<const Example> train,
                  const std::vector<std::size_t>& wanted, const Call& proposer,
                  const ProposerOptions& options, Rng& rng);

}  // namespace theta
