#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "modules/judge.hpp"
#include "modules/persona.hpp"
#include "modules/predict.hpp"
#include "optimizers/proposer.hpp"
#include "optimizers/search.hpp"

namespace theta {

/// A persona that was found for a user, and how well it explains that user's own choices.
struct FoundPersona {
  const User* user = nullptr;
  std::string persona =
      {};               ///< empty: the judge explains this user better without any that was tried
  double contrast = 1;  ///< the weight of the judge without persona that goes with it
  double fit = 0;       ///< on the user's context, nats a pair
  std::string history = {};                 ///< what Θ was shown
  std::vector<std::string> reasoning = {};  ///< Verification::reasoning of the persona
  std::string unwritten = {};  ///< why none of Θ's samples could be used; empty: there was one
};

/// What came of the personas that Θ was asked for, and of what they were judged by.
struct PersonaCounts {
  std::int64_t asked = 0;       ///< samples
  std::int64_t failed = 0;      ///< lost to an outage
  std::int64_t unparsable = 0;  ///< no answer that could be read
  std::int64_t refused = 0;
  std::int64_t not_fit = 0;       ///< of more words than allowed, or none
  std::int64_t repeated = 0;      ///< written for the same user before
  std::int64_t written = 0;       ///< the others
  std::int64_t copied = 0;        ///< held text of the user's own pairs and were dropped
  std::int64_t kept_copies = 0;   ///< the same, but the others quoted more
  std::int64_t longest_copy = 0;  ///< bytes of the pairs that one of those held
  std::int64_t judged = 0;        ///< judgements that verified personas or scored Θ
  std::int64_t named = 0;         ///< of them: Judgement::named
  std::int64_t no_contrast = 0;   ///< of them: Judgement::no_contrast
};

/// How personas are made with Θ for one user and which of them is kept.
struct PersonaFinder {
  const Judge& judge;
  PersonaWriting writing;
  std::vector<double> contrasts = {0, 1};
  std::size_t max_copied = 40;      ///< bytes; see WriterOptions
  PersonaCounts* counts = nullptr;  ///< what find() adds up, where it is wanted

  /// Writes candidates with Θ, adds `others` and the judge without a persona, and returns what
  /// explains the user's context pairs best; the first of equals. A candidate that quotes these
  /// pairs is dropped; where all do, the one that quotes least stays.
  /// @param synthesizer  runs Θ   @param judging  runs the judge
  /// @return the service's fault where it left no persona of Θ's or no pair to verify one on.
  Result<FoundPersona> find(const Module& theta, const User& user,
                            std::span<const std::string> others, const Call& synthesizer,
                            const Call& judging) const;

  /// The one persona that Θ writes greedily, unverified and with the whole contrast; none where
  /// none could be used.   @return the service's fault.
  Result<FoundPersona> write_one(const Module& theta, const User& user, const Call& synthesizer,
                                 const Call& judging) const;
};

/// What a search for a better Θ chooses from. Index 0 is the seed.
struct ThetaChoices {
  std::vector<std::string> instructions;
  std::vector<std::vector<Demo>> demo_sets;
  ProposalCounts counts = {};  ///< what came of the instructions that were proposed
};

struct ThetaSearchOptions {
  std::size_t num_instructions = 4;  ///< proposed and written ones together with the seed's
  std::vector<std::string> instructions = {};  ///< written by people, tried beside the proposals
  std::size_t num_demo_sets = 3;               ///< the empty set among them
  std::size_t demos = 2;                       ///< example users a demo set shows
  std::size_t num_trials = 6;
  std::size_t minibatch_size = 4;  ///< users
  std::size_t full_every = 3;
  std::uint64_t seed = 0;
  ProposerOptions proposer = {};
};

/// The choices for Θ: instructions that the proposer writes, grounded in the users' histories and
/// the personas found for them; and demo sets of training users whose found personas explain them
/// best.
ThetaChoices propose_theta(const Predict& theta, std::span<const FoundPersona> found,
                           const Call& proposer, const ThetaSearchOptions& options);

/// Θ with one of its choices.
std::unique_ptr<Module> choose_theta(const Predict& theta, const ThetaChoices& choices,
                                     const Combination& combination);

/// Searches the choices for the Θ whose verified personas let the judge predict held-out choices of
/// `users` best; a user is an example, and its score the mean probability that the judge gives to
/// its held-out choices, which is less noisy than the share that it gets right. A user of whom an
/// outage left a judgement out has no score. MIPROv2 on
/// SynthesizeMe's Θ (arXiv 2506.05598, section 3.3). Run once with the teacher; run again with the
/// student over the same choices, it distils Θ.
SearchResult search_theta(const Predict& theta, const ThetaChoices& choices,
                          std::span<const User> users, const PersonaFinder& finder,
                          const ThetaSearchOptions& options,
                          const std::function<bool(const Trial&)>& on_trial,
                          const Call& synthesizer, const Call& judging);

}  // namespace theta
