#include "experiments/runs/record_scores.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/models/outage.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

}  // namespace

ScoreTable record_scores(const ProgramExperiment& experiment, RunContext& run) {
  const auto chosen = std::ranges::find_if(experiment.optimizers, [](const OptimizerConfig& o) {
    return std::holds_alternative<MiproOptions>(o.options);
  });
  if (chosen == experiment.optimizers.end())
    throw UserError("there is no mipro among the optimizers, whose choices could be recorded");
  const Prepared prepared = prepare(experiment, run);
  const Task task = task_of(prepared, run);
  // A table is of instructions and demo sets.
  auto options = std::get<MiproOptions>(chosen->options);
  options.limits.frozen.emplace_back("format");
  options.glossary = {.written = 0, .read_off = false};
  options.nearest = 0;
  const Choices choices = Mipro(options).choices(*prepared.student, task);

  ScoreTable table;
  table.examples = task.validation.size();
  for (std::size_t p = 0; 2 * p < choices.parts.size(); ++p)
    table.predictors.push_back({choices.texts(p, "instruction"), choices.texts(p, "demos")});
  const auto space = table.space();
  std::size_t requests = table.examples;
  for (const Variable& variable : space) requests *= variable.choices;
  run.models.stage("recording");
  run.progress.stage("recording", static_cast<std::int64_t>(requests));
  Combination at(space.size(), 0);
  for (;;) {
    const auto evaluation = evaluate(*choices.apply(*prepared.student, at), task.validation,
                                     task.metric, {task.model, task.stop});
    if (evaluation.n_failed > 0)
      throw Outage(fmt::format("{} of {} examples of combination {} were not answered",
                               evaluation.n_failed, table.examples, key_of(at)));
    table.scores[at] = evaluation.scores;
    std::size_t v = space.size();
    while (v > 0 && static_cast<std::size_t>(++at[v - 1]) == space[v - 1].choices) at[--v] = 0;
    if (v == 0) return table;
  }
}

}  // namespace theta
