#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiments/runs/persona_experiment.hpp"
#include "experiments/runs/persona_row.hpp"
#include "experiments/runs/search_record.hpp"

namespace theta {

/// The names of the rows of a persona experiment: those that a config can name, and those of the
/// searches.
namespace persona_rows {
inline constexpr const char* kRandom = "random";
/// What most of the others chose who were asked the same; .5 where nobody was, or they are divided.
inline constexpr const char* kPopulation = "population";
inline constexpr const char* kDefault = "default judge";
inline constexpr const char* kDemographics = "demographics";
inline constexpr const char* kHistory = "raw history";
inline constexpr const char* kDemosOnly = "demos only";
inline constexpr const char* kTrue = "true persona";
inline constexpr const char* kPersonas = "personas";
inline constexpr const char* kVerified = "verified personas";
inline constexpr const char* kDemos = "personas + demos";
inline constexpr const char* kAbstaining = "abstaining";
inline constexpr const char* kReference = "SynthesizeMe as published";
/// Parts of it: its persona alone, and the demos that it chooses before there is one.
inline constexpr const char* kPublishedPersonas = "published personas";
inline constexpr const char* kPublishedDemos = "published demos";
inline constexpr const char* kOptimised = "optimised Θ";
inline constexpr const char* kReoptimised = "re-optimised Θ";
}  // namespace persona_rows

/// What compiles a model's Θ, in the config's order.
std::vector<const OptimizerConfig*> optimizers_of(const PersonaExperiment& experiment,
                                                  const std::string& model);

/// The rows of each of a model's optimisers are told apart by its label where there are several.
std::string labelled(const std::string& name, const std::vector<const OptimizerConfig*>& optimizers,
                     std::size_t i);

/// `teacher's Θ`: the row of another model's Θ as it is.
std::string moved_row(const std::string& model);

/// A training user, and the persona that was found for them.
struct LearntUser {
  const User* user;
  FoundPersona found;
};

/// Everything that a persona experiment does with one model, teacher or student.
class PersonaRun {
 public:
  /// The references outlive this.
  PersonaRun(const PersonaExperiment& experiment, const Users& users, std::string role,
             SearchRecord& record, RunContext& run);

  /// Finds personas for the training users with the seed Θ. Of all that it wrote for them, and of
  /// their opposites where these are wanted, the few that explain all of them best become the pool,
  /// which is among every user's candidates, and each training user gets the one of the pool that
  /// explains them best.
  /// @throws Outage if one took all of them.
  void learn_training_users();
  /// The pool of another model's.
  void take_pool(const PersonaRun& other) { pool_ = other.pool_; }
  /// For Task::train: a pair of each training user that a persona was found for.
  std::vector<Example> training_examples() const;
  /// For Task::validation: the pairs of validation users that Θ is not shown.
  std::vector<Example> validation_examples() const;
  /// Compiles Θ by every optimiser of this model.
  void optimise(const std::vector<Example>& train);

  /// The rows that the config names, those of the Θ of `others` as they are, and those of the Θ
  /// that this model's searches found.
  void add_rows(std::span<const PersonaRun* const> others);
  /// Judges every test pair under every row, and keeps the rows.
  void judge_test_users();

 private:
  /// A Θ, and what the names of its rows end with.
  struct Theta {
    std::string name;  ///< empty: the seed
    const SynthesizeMe* tuned = nullptr;
  };

  bool is_student() const { return role_ != "teacher"; }
  std::string optimised_row(std::size_t i) const;
  void stage(const std::string& name, bool measures = false) {
    run_.stage(role_ + ": " + name, measures);
  }
  Usage asked() const;
  /// SynthesizeMe with the seed Θ, or one that was tuned.
  SynthesizeMe module(bool verify, const SynthesizeMe* tuned = nullptr) const;
  SynthesizeMe module(const SynthesizeMeOptions& options, const SynthesizeMe* tuned) const;
  void learn(const std::vector<Result<FoundPersona>>& found);
  /// What may become the pool.
  std::vector<std::string> candidates(std::span<const Result<FoundPersona>> found) const;
  /// Keeps what came of the personas so far.
  void tell_counts();
  /// Leaves the best Θ where a run leaves its prompt, with what its row is made with.
  void save() const;

  std::vector<Theta> thetas_of(ThetaOf whose, std::span<const PersonaRun* const> others) const;
  PersonaRow& add_row(const std::string& name, const Judge* judge = nullptr);
  void add_named(const std::string& name, const Theta& theta);
  /// A row of personas that this model writes with a Θ.
  void add_personas(const std::string& name, const SynthesizeMe& theta);
  /// One of personas that are known, as far as they are.
  void add_known(const std::string& name, std::string User::*persona);
  /// One of demos alone.
  void add_demos_alone(const std::string& name, std::size_t most, bool chosen);
  /// One of verified personas with demos.
  void add_demos(const std::string& name, const Theta& theta);
  /// One of SynthesizeMe as published, or a part of it.
  void add_published(const std::string& row, const std::string& name, const Theta& theta);
  void put_random_row();
  void put_population_row();
  /// Keeps whose persona is what, and which taste it states.
  void put_personas();

  const PersonaExperiment& experiment_;
  const Users& users_;
  const std::shared_ptr<const People> people_;
  const std::string role_;
  const std::vector<const OptimizerConfig*> optimizers_;  ///< of this model's Θ
  SearchRecord& record_;
  RunContext& run_;
  RecordedModel& writer_;   ///< the model as it runs Θ
  RecordedModel& judging_;  ///< and as it judges
  const Call call_;
  mutable PersonaTally tally_;      ///< of all that the modules were asked for
  std::vector<LearntUser> learnt_;  ///< those with a persona, the best explained first
  std::vector<std::string> pool_;
  std::vector<SynthesizeMe> optimised_;  ///< by optimiser; the seed where none was saved
  std::vector<Decision> gates_;          ///< likewise
  /// What the published program made for the test users, by Theta::name, and at what cost.
  std::map<std::string, std::pair<std::vector<Result<PersonalJudge>>, Usage>> published_;
  std::vector<PersonaRow> rows_;
};

}  // namespace theta
