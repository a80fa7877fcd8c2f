#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "experiments/data/users.hpp"
#include "experiments/optimizer_config.hpp"
#include "experiments/program.hpp"
#include "experiments/runs/persona_settings.hpp"
#include "experiments/runs/rewards.hpp"
#include "experiments/runs/run_context.hpp"
#include "modules/published_pipeline.hpp"

namespace theta {

/// Whose Θ a row is made with.
enum class ThetaOf {
  kSeed,
  kOptimised,  ///< that this model's searches found
  kMoved       ///< that other models' searches found, as it is
};

/// A row that a config names.
struct NamedRow {
  std::string name;
  std::vector<ThetaOf> thetas = {ThetaOf::kSeed};
};

/// One of the config's `optimizers`, and the models whose Θ it compiles.
struct ThetaOptimizer {
  OptimizerConfig config;
  std::vector<std::string> models;  ///< roles; empty: every model

  bool is_of(const std::string& model) const;
};

/// A persona experiment as a config describes it: SynthesizeMe on users, Θ optimised with the
/// teacher and distilled to the student.
struct PersonaExperiment {
  UsersOptions users;
  PersonaSettings settings;
  StepOptions theta;                      ///< the seed Θ
  std::filesystem::path theta_file = {};  ///< a state whose instructions and demos it has
  std::string theta_predictor = {};       ///< of that state; empty: the only one
  std::size_t pool = 6;  ///< personas found for training users that every user's candidates include
  bool opposites = false;           ///< write_opposites() of these may be among them
  std::size_t demos = 3;            ///< of the user's own pairs, in rows with demos
  bool choose_demos = false;        ///< by choose_demos(); else they are the first
  PublishedOptions published = {};  ///< of the row `SynthesizeMe as published`
  /// Rows that are made beside those of the searches, in their order.
  std::vector<NamedRow> rows;
  std::vector<ThetaOptimizer> optimizers;
  std::vector<std::string> students;  ///< roles
  RewardOptions rewards;              ///< rows beside the teacher's
  bool transfer_all = false;  ///< every model's Θ is tried in every model; else the teacher's
};

/// The seed Θ, with what its file gives it.   @throws UserError for a file that is no such state.
std::unique_ptr<Predict> make_theta(const PersonaExperiment& experiment);

/// Reads the `data:`, `personas:` and `optimizers:` sections. Opens no data.
PersonaExperiment read_persona_experiment(const Config& config);

/// Runs it for the teacher and the students. Rows: those that the config names and, of each
/// optimiser, optimised Θ; for a student teacher's Θ and re-optimised Θ in its place. Where a model
/// has several optimisers their labels stand behind it.
///
/// A search's examples are pairs of validation users that Θ is not shown, a user's as one group;
/// its training examples are one of each training user with the persona that the teacher found for
/// them with the seed Θ, which may become demos of Θ. Only the gate lets a search's Θ replace the
/// seed. Leaves the Θ of the highest expected gain in `prompt.json` and `prompt.student.json`, with
/// all that its row was made with. What stands for a missing persona, a score or a contrast is a
/// remark of the report's.
void run_persona_experiment(const PersonaExperiment& experiment, RunContext& run);

}  // namespace theta
