#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/copro.hpp"
#include "optimizers/fit_options.hpp"
#include "optimizers/gepa.hpp"
#include "optimizers/mipro.hpp"
#include "optimizers/random_search.hpp"
#include "optimizers/shorten.hpp"

namespace theta {

struct PipelineOptions;
using OptimizerOptions =
    std::variant<LabeledFewShotOptions, KnnFewShotOptions, BootstrapOptions, RandomSearchOptions,
                 MiproOptions, CoproOptions, GepaOptions, FitOptionsOptions, PipelineOptions>;
/// Optimisers run one after another: `{name: pipeline, steps: [{name: ..}, ..]}`.
struct PipelineOptions {
  std::vector<OptimizerOptions> steps;
};

/// One of a config's `optimizers`.
struct OptimizerConfig {
  std::string label;  ///< of its row in the report; its name if none is given
  OptimizerOptions options;
  std::int64_t max_evaluations = 0;  ///< see Task
  GateOptions gate = {};
  std::optional<ShortenOptions> shorten = {};  ///< of what the gate let through
};

/// What an optimiser may not do to a program; of a pipeline what none of its steps may.
PromptLimits limits_of(const OptimizerOptions& options);

/// Reads `{name: mipro, label: paired, max_evaluations: 2000, gate: {fresh: .3}, ..}`; see each optimiser's options.
/// Every search draws from `seed`, the config's.
OptimizerConfig read_optimizer(const Config& section, std::uint64_t seed);

/// `personas.search`, the former way to say how Θ is searched for: one mipro of `{num_instructions,
/// num_demo_sets, demos, num_trials, minibatch_size, full_every, instructions, proposal_tokens,
/// tips, show_demos, data_summary, program_summary}`.
OptimizerConfig read_search(const Config& search, std::uint64_t seed);

/// Looks that the program has what an optimiser's section names: steps in `frozen` and
/// `instructions`.   @throws UserError with the position.
void check_names_in(const Config& section, const OptimizerOptions& options, const Module& program);

/// The config's `optimizers`, none if there is no such section.
/// @param program  what they compile: see check_names_in()
/// @param taken  labels that name other rows
/// @throws UserError also for a label that stands twice, or is taken.
std::vector<OptimizerConfig> read_optimizers(const Config& config, std::uint64_t seed,
                                             const Module& program,
                                             std::set<std::string> taken = {});

/// Whether it does nothing without training examples: its demos, or what it reflects on, are of
/// them.
bool needs_training(const OptimizerOptions& options);

std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options);

}  // namespace theta
