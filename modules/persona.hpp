#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "modules/judge.hpp"
#include "modules/module.hpp"
#include "modules/preference.hpp"

namespace theta {

/// Θ's signature in SynthesizeMe (arXiv 2506.05598, section 3.2): what a person chose in, who they
/// are out. The persona prompt Θ is a Predict on it, or on any signature whose first input is the
/// history and whose last output the persona.
Signature persona_signature();

/// How a person's choices are printed for Θ.
enum class HistoryStyle {
  kPublished,  ///< SynthesizeMe's blocks, with the reasoning of verified judgements
  kBrief,      ///< two lines a choice, for small models and short texts
  /// The chosen texts alone, a line each: the smallest models describe better than they compare.
  kChosen
};

/// One choice as Θ sees it.
struct PastJudgement {
  const PreferencePair* pair = nullptr;
  bool chosen_first = true;
  std::string reasoning;  ///< empty: none was verified
};

/// The text of the field `past_judgements`.
std::string format_history(std::span<const PastJudgement> judgements, HistoryStyle style);
/// The same for a user's own pairs, without reasoning.
std::string format_history(std::span<const PreferencePair> pairs, HistoryStyle style);

struct PersonaWriting {
  int samples = 1;            ///< candidates a user; 1 is greedy
  double temperature = 1.0;   ///< of the samples
  std::size_t max_words = 0;  ///< > 0: only the first clause counts, and longer ones are left out
  HistoryStyle style = HistoryStyle::kBrief;
  std::uint64_t seed = 0;  ///< every user and sample has its own, derived from it
};

/// Personas that Θ writes for a user, distinct, in the order of their samples. Answers that could
/// not be parsed are left out.
/// @throws RunError if the service failed for all of them.
std::vector<std::string> write_personas(const Module& theta, const User& user,
                                        const PersonaWriting& writing, const Call& call);

/// How well a persona explains a person.
struct Verification {
  double contrast = 0;  ///< the weight of the judge without persona that explains the person best
  double fit = 0;       ///< mean log P(the chosen text), in nats; -inf where every question failed
};

/// How well each persona predicts a person's own choices: the mean over `pairs` of log P(the chosen
/// text), the judge's margin turned into a probability by the logistic function, with the best of
/// `contrasts`. The self-verification that SynthesizeMe applies to reasoning, applied to personas:
/// of several candidates the one that explains its person best is kept. An empty persona is the
/// judge without one.
/// @return one a persona.
std::vector<Verification> verify_personas(const Judge& judge, std::span<const PreferencePair> pairs,
                                          std::span<const std::string> personas,
                                          std::span<const double> contrasts, const Call& call);

}  // namespace theta
