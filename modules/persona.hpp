#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "modules/judge.hpp"
#include "modules/predict.hpp"
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
  /// What Θ is shown of a choice holds the reasoning by which the judge, without a persona, came to
  /// it, where it did: SynthesizeMe's first step. kChosen shows none.
  bool reasoning = false;
  std::uint64_t seed = 0;  ///< every user and sample has its own, derived from it
};

/// What Θ is shown of a person.
struct UserHistory {
  std::string user;  ///< id: every user has seeds of their own
  std::string text;
  Usage usage = {};  ///< of the judgements that it shows the reasoning of
};

/// What Θ is shown of these users: with PersonaWriting::reasoning, one wave for all of them, and
/// choices that the judge did not come to stand there without reasoning.
/// @return one a user, in order: the service's fault where a judgement that the history holds was
///   lost.
std::vector<Result<UserHistory>> histories_of(const Judge& judge,
                                              std::span<const User* const> users,
                                              const PersonaWriting& writing, const Call& call);

/// What Θ wrote for a person.
struct WrittenPersonas {
  std::vector<std::string> personas;  ///< distinct, in the order of their samples
  std::vector<Record> outputs;        ///< of each: all that Θ wrote, the persona as it is used
  /// Samples that brought none: not parsed, refused, of more words than allowed (or of none), a
  /// persona that was there already, and lost to an outage.
  std::size_t unparsable = 0, refused = 0, not_fit = 0, repeated = 0, failed = 0;
  std::string why = {};  ///< of the first that brought none and was not `repeated`
  Usage usage = {};
};

/// Personas that Θ writes for people, all samples of all of them in one wave. What is written for
/// one does not depend on the others. A Call's temperature goes before the options'.
/// @return one a history, in order: the service's fault where none is left and a sample was lost to
///   it.
std::vector<Result<WrittenPersonas>> write_personas(const Predict& theta,
                                                    std::span<const UserHistory> histories,
                                                    const PersonaWriting& writing,
                                                    const Call& call);

/// What readers of the very opposite tastes are like, as the model writes it: people who are
/// described alike by a model that loves one description can be told apart by it and its opposite.
/// One wave, greedy.
/// @param format, options  those of Θ, whose wording the personas then have
/// @return distinct ones that are none of `personas`; what cannot be used is left out
std::vector<std::string> write_opposites(std::span<const std::string> personas,
                                         const Format& format, const PredictOptions& options,
                                         std::size_t max_words, const Call& call);

/// How well a persona explains a person.
struct Verification {
  double contrast = 0;  ///< the weight of the judge without persona that explains the person best
  double fit = 0;       ///< mean log P(the chosen text), in nats
  /// (pairs) where the judge reasons: what led it to the person's choice; empty where it was wrong.
  std::vector<std::string> reasoning = {};
};

/// Personas that are tested on a person's own choices. Neither is empty.
struct PersonaTest {
  std::span<const PreferencePair> pairs;
  std::span<const std::string> personas;
};

/// The personas' verification, in their order, and how the judgements came about.
struct Verified {
  std::vector<Verification> each;
  std::size_t judged = 0;       ///< judgements
  std::size_t named = 0;        ///< of them: Judgement::named
  std::size_t no_contrast = 0;  ///< of them: Judgement::no_contrast
  Usage usage = {};
};

/// How well each persona predicts a person's own choices: the mean over the pairs of log P(the
/// chosen text), the judge's margin turned into a probability by the logistic function, with the
/// best of `contrasts`, the first of equals. The self-verification that SynthesizeMe applies to
/// reasoning, applied to personas: of several candidates the one that explains its person best is
/// kept. An empty persona is the judge without one. All tests are one wave.
///
/// Personas are compared on the pairs that were judged under all of them, and by what has the same
/// unit: of a pair that one persona was not scored on (its option was named, or its prompt refused)
/// the plain choices count, +-1, under every persona.
/// @return one a test, in order: the service's fault where no pair was judged under all personas.
std::vector<Result<Verified>> verify_personas(const Judge& judge,
                                              std::span<const PersonaTest> tests,
                                              std::span<const double> contrasts, const Call& call);

}  // namespace theta
