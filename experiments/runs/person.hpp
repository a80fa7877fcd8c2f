#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/statistics.hpp"
#include "experiments/runs/persona_settings.hpp"
#include "modules/preference.hpp"
#include "modules/self_test.hpp"

namespace theta {

/// A number that was measured, and its 95 % interval.
struct Measured {
  double value = 0;
  Interval interval = {};
};

/// What a persona predicts of pairs of its person's that it was not made from, beside the judge that
/// knows nothing of the person.
struct PersonTest {
  std::size_t pairs = 0;
  Measured accuracy, plain_accuracy;
  Measured difference;    ///< of the two
  double gain = 0;        ///< SelfTest::gain
  double p_better = 0.5;  ///< SelfTest::p_better
};

/// One person: what they chose, the persona that was made of it, and what that is worth. Together
/// with Θ, its model and its settings, which stand in one file with it, all that is needed to predict
/// the person. `metadata.theta.personas.person` of a saved prompt.
struct Person {
  std::string id;
  std::vector<PreferencePair> pairs;  ///< that the person chose between
  std::string persona;                ///< empty: none was found
  double contrast = 0;                ///< FoundPersona::contrast
  std::vector<Demo> demos;            ///< of the pairs, that the judge is shown
  PersonTest test;
  /// The person is predicted better with the persona and the demos than without, see
  /// SelfTest::helps(). Else the judge without them answers.
  bool use = false;

  bool knows_anything() const { return !persona.empty() || !demos.empty(); }
};

nlohmann::ordered_json to_json(const Person& person);
Person read_person(const Config& person);

/// Makes the persona of a user's context pairs, takes demos from them, and tests both by
/// cross-validation. Every pair is judged in both orders.
/// @param settings  PersonaSettings::judge asks both orders
/// @param pool   personas of others that the person may get where the settings verify
/// @param demos  of the person's pairs, at most; chosen by choose_demos()
/// @return the service's fault where it took what is needed; the prompt's for a single pair.
Result<Person> fit_person(const PersonaSettings& settings, const std::vector<std::string>& pool,
                          const Predict& theta, const User& user, std::size_t demos,
                          const Call& call);

/// Which of two texts a person is predicted to choose.
struct PredictedChoice {
  double first = 0.5;  ///< P(the first of the two), the mean of both orders by log-odds
  double shown_first = 0.5, shown_second = 0.5;  ///< the same of each order alone
  /// The judge names its choice and has no probabilities: in place of them stands how often what it
  /// named was right when it was tested, (right + 1) / (pairs + 2); .5 where the orders disagree.
  bool named = false;
};

/// @param settings  as for fit_person()
/// @param with_persona  with the person's persona and demos; else the judge that knows nothing
/// @param pairs  PreferencePair::chosen is the first of the two texts
/// @return one a pair, in order; the service's or the prompt's fault where there is no answer.
std::vector<Result<PredictedChoice>> predict_choices(const PersonaSettings& settings,
                                                     const Person& person, bool with_persona,
                                                     std::span<const PreferencePair> pairs,
                                                     const Call& call);

/// A pair that a person may be asked to choose between next.
struct NextPair {
  std::size_t pair = 0;  ///< place among the candidates
  double gradient = 0;   ///< knowledge_gradients(): what its answer adds to the accuracy expected
  double first = 0.5;    ///< P(the first text is chosen), by the belief
};
struct NextPairs {
  std::vector<NextPair> ranked;       ///< the most telling first; of equals the first
  std::vector<std::string> personas;  ///< that the answers tell apart
};

/// Which pair to ask a person next: the one whose answer is expected to raise most the accuracy of
/// the best persona on the other candidates. The personas are distinct samples of Θ's and the
/// person's own; the belief in each is what the person chose so far under it, from equal weights.
/// Two waves behind the one that writes: every persona judges the person's pairs, and the candidates.
/// @param settings  as for fit_person()
/// @param samples  of Θ
/// @return the service's fault where an answer is missing; the prompt's where fewer than two personas
///   were written, which tell nothing apart.
Result<NextPairs> next_pairs(const PersonaSettings& settings, const Predict& theta,
                             const Person& person, std::span<const PreferencePair> candidates,
                             int samples, const Call& call);

/// The candidates that the person has not chosen between yet, in either order.
std::vector<PreferencePair> open_for(const Person& person,
                                     std::span<const PreferencePair> candidates);

/// The system prompt of a model that writes for this person: the persona, and the pairs that the
/// demos are of.
std::string generation_prompt(const Person& person, const Judge& judge);

}  // namespace theta
