#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/example.hpp"
#include "modules/judge.hpp"
#include "modules/metric.hpp"
#include "modules/persona.hpp"
#include "modules/predict.hpp"

namespace theta {

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

  /// For a report: what, and how many.
  std::vector<std::pair<std::string, std::int64_t>> list() const;
  PersonaCounts& operator+=(const PersonaCounts& other);
};

/// Adds up what several modules count, also at the same time. Thread-safe.
class PersonaTally {
 public:
  void add(const PersonaCounts& counts);
  PersonaCounts counts() const;

 private:
  mutable std::mutex mutex_;  // guards what follows
  PersonaCounts counts_;
};

/// The persona that a person got.
struct FoundPersona {
  /// Empty: the judge explains this person better without any that was tried, or Θ wrote none.
  std::string persona = {};
  double contrast = 1;       ///< the weight of the judge without persona that goes with it
  double fit = 0;            ///< on the person's context, nats a pair, where it was verified
  std::string history = {};  ///< what Θ was shown
  std::vector<std::string> reasoning = {};  ///< Verification::reasoning of the persona
  std::vector<Demo> demos = {};             ///< that the judge is shown of the person's own pairs
  bool abstained = false;      ///< a persona was found, and is not used as it does not help
  std::string unwritten = {};  ///< why none of Θ's samples could be used; empty: there was one
  std::vector<std::string> samples = {};  ///< the personas of Θ's that could be used
  Record outputs = {};  ///< all that Θ wrote; empty where the persona is none of this person's
  Usage usage = {};     ///< of all that was asked for it
};

/// Personas that were found, by all that they hang on: so that a search that meets a person again
/// under the same Θ does not ask again. Shared by the copies of a module. Thread-safe.
class PersonaMemo {
 public:
  /// What a persona hangs on beside the person: the prompts, the models and how Θ is sampled.
  struct Key {
    Predictor theta, judge;
    std::string models;
    double temperature = -1;
    std::uint64_t rollout = 0;
    bool operator==(const Key&) const = default;
  };
  std::optional<FoundPersona> find(const Key& key, const std::string& user) const;
  void put(const Key& key, const std::string& user, const FoundPersona& found);

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::pair<Key, std::map<std::string, FoundPersona>>> known_;
};

/// The people that a module may be asked about, by id.
using People = std::map<std::string, User, std::less<>>;
/// @throws UserError if two have one id.
std::shared_ptr<const People> people_by_id(std::span<const User> users);

struct SynthesizeMeOptions {
  PersonaWriting writing = {};
  /// Of the samples, the personas of `pool` and none at all, the one that explains the person's own
  /// choices best is kept, with the best of `contrasts`. Else Θ writes one persona greedily, which
  /// is used as it comes, with the whole contrast.
  bool verify = true;
  std::vector<double> contrasts = {0, 1};
  std::vector<std::string> pool = {};  ///< personas of others that every person may get
  std::size_t max_copied = 40;         ///< bytes that a persona may quote of the person's own pairs
  /// Pairs of the person's own that the judge is shown as demos, at most.
  std::size_t demos = 0;
  bool choose_demos = false;  ///< by choose_demos(); else they are the first
  /// A persona, with its demos, is used only where self_test() says that it helps this person.
  bool abstain = false;
  std::size_t folds = 3;    ///< of both, which cross-validate
  bool tune_theta = true;   ///< Θ is one of predictors()
  bool tune_judge = false;  ///< the judge is
};

/// SynthesizeMe (arXiv 2506.05598): predicts which of two texts a person prefers, from a persona
/// that Θ writes out of what the person chose before.
///
///     inputs      user, the id of one of the people; and the judge's own: [context,] first, second
///     prediction  the persona; the choice, by the judge's output; `probability` of that choice
///
/// An answer to a whole batch takes a handful of waves over all its people and pairs: one where
/// histories show reasoning, one that writes the personas, one that verifies them, two where demos
/// are chosen, as many again where it may abstain, and one that judges. A person of several inputs gets one persona. It is the same in every batch.
///
/// The predictors are `theta` and `judge`, those of them that are to be tuned. A trace holds Θ's
/// step where it wrote the persona that was kept, and the judge's in the order that was asked.
class SynthesizeMe final : public Module {
 public:
  /// @param judge  asks the model that set_judge_model() gives, else that of the Call
  /// @throws UserError if neither predictor is to be tuned, or a field of Θ's has the name of one
  ///   of the judge's.
  SynthesizeMe(Predict theta, Judge judge, SynthesizeMeOptions options,
               std::shared_ptr<const People> people);

  /// From here on the judge asks `model`, which outlives this.
  void set_judge_model(LanguageModel& model) { judge_model_ = &model; }
  /// Told from here on what comes of personas and judgements; outlives this.
  void set_tally(PersonaTally& tally) { tally_ = &tally; }

  /// @throws UserError for a user whom it does not know.
  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override;
  std::vector<Predictor*> predictors() override;
  std::unique_ptr<Module> clone() const override { return std::make_unique<SynthesizeMe>(*this); }

  /// The personas of these people. Where a model's answers hang on what is computed with them, a
  /// person's is asked for once a prompt, whoever asks again.
  /// @return one a person, in order: the service's fault where it left no persona of Θ's, or no
  ///   pair to verify one on.
  std::vector<Result<FoundPersona>> personas(std::span<const User* const> users,
                                             const Call& call) const;
  /// Takes the personas, at most so many, that explain these people's own choices best when each
  /// person has the one of them, or none at all, that explains theirs best (prototypes()), and gives
  /// it to them in place of what was found: so that people of one kind have one wording. One wave.
  /// @return those that were taken; none, and nothing is given, where `most` is 0.
  std::vector<std::string> share(std::span<const std::string> personas, std::size_t most,
                                 std::span<const User* const> users,
                                 std::span<Result<FoundPersona>> found, const Call& call) const;
  /// Takes demos from the own pairs of these people for the personas that were found for them, as
  /// the options say; also for people without one.
  void add_demos(std::span<const User* const> users, std::span<Result<FoundPersona>> found,
                 const Call& call) const;

  /// One pair of a person as an example, in the order of PreferencePair::flip: the inputs, the
  /// choice and, where a persona is known, it and what Θ is shown: so that whoever searches has
  /// people to show Θ as demos.
  Example example(const User& user, const PreferencePair& pair,
                  const FoundPersona* found = nullptr) const;

  /// A call of the judge.
  Call judging(const Call& call) const;
  /// Θ alone, as a program of its own.
  Predict theta() const;
  const Judge& judge() const { return judge_; }
  const SynthesizeMeOptions& options() const { return options_; }
  /// The output that holds the choice.
  const Field& answer() const { return judge_.options().signature.outputs[0]; }

 private:
  /// The people of a batch, each once, and whose every input is.
  struct Asked {
    std::vector<const User*> users;
    std::vector<std::size_t> owner;  ///< (n) in `users`
  };
  /// What may become a person's persona.
  struct Candidates {
    std::vector<std::string> personas;
    std::vector<Record> outputs;  ///< of those that Θ wrote for this person, which come first
  };

  std::vector<Result<FoundPersona>> ask_for_personas(std::span<const User* const> users,
                                                     const Call& call) const;
  void tell(const PersonaCounts& counts) const;
  /// Takes personas away from those whom they do not help.
  void abstain(std::span<const User* const> users, std::span<Result<FoundPersona>> found,
               const Call& call) const;
  Asked people_of(std::span<const Record> inputs) const;
  Candidates candidates_of(const User& user, const WrittenPersonas& written,
                           PersonaCounts& counts) const;
  /// Which of the candidates each person gets: one wave.
  std::vector<Result<FoundPersona>> kept(std::span<const User* const> users,
                                         const std::vector<Result<WrittenPersonas>>& written,
                                         const Call& call) const;
  Prediction prediction(const FoundPersona& found, const Question& question,
                        const Judgement& judgement) const;

  Predict theta_;
  Judge judge_;
  SynthesizeMeOptions options_;
  std::shared_ptr<const People> people_;
  LanguageModel* judge_model_ = nullptr;
  PersonaTally* tally_ = nullptr;
  std::shared_ptr<PersonaMemo> memo_ = std::make_shared<PersonaMemo>();
};

/// 1 where the judge chooses what the person chose, 0 where it does not, .5 where both texts are
/// alike to it.
/// @param answer  SynthesizeMe::answer()
Metric make_agreement(Field answer);

/// The module with the predictors of another that has the same ones.
SynthesizeMe with_predictors(SynthesizeMe module, const Module& tuned);

}  // namespace theta
