#include "experiments/runs/headroom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/models/outage.hpp"
#include "core/rng.hpp"
#include "experiments/report/paired_outcomes.hpp"
#include "optimizers/evaluate_wave.hpp"
#include "optimizers/fit_options.hpp"
#include "optimizers/paired_search.hpp"
#include "optimizers/probes.hpp"

namespace theta {
namespace {

constexpr std::int64_t kUsualSearch = 600;  ///< evaluations where no optimiser says how many
constexpr std::int64_t kLeastSpent = 60;
constexpr std::int64_t kShare = 10;  ///< of a search's evaluations, one in so many

/// The search that a forecast is about.
struct Search {
  std::string name = "a search";
  OptimizerOptions options = MiproOptions{};
  std::int64_t evaluations = kUsualSearch;
  GateOptions gate = {};
  bool assumed = true;  ///< the config does not say how many
};

/// The largest of an experiment.
Search largest_search(const ProgramExperiment& experiment, std::size_t rows) {
  std::optional<Search> largest;
  for (const OptimizerConfig& config : experiment.optimizers) {
    const auto said = evaluations_of(config, rows);
    const std::int64_t own = said.value_or(kUsualSearch);
    if (!largest || own > largest->evaluations)
      largest = Search{config.label, config.options, own, config.gate, !said};
  }
  return largest.value_or(Search{});
}

/// Programs and what they answered, the student first.
struct Asked {
  std::vector<Probe> programs;
  std::vector<Example> rows;
  std::vector<Evaluation> evaluations;
  bool fits = false;  ///< the search may end with options fitted
};

/// Evaluates all in one wave where the model takes one.
void ask(const ProbePlan& plan, const Task& task, Asked& asked) {
  asked.evaluations.resize(plan.probes + 1);
  std::vector<Suggestion> wave;
  for (std::size_t c = 0; c <= plan.probes; ++c) {
    Suggestion& suggestion = wave.emplace_back();
    suggestion.combination = {static_cast<int>(c)};
    for (std::size_t j = 0; j < (c == 0 ? plan.student : plan.each); ++j)
      suggestion.examples.push_back(j);
  }
  const EvaluateCandidate one = [&](const Combination& which, std::span<const std::size_t> rows) {
    const auto c = static_cast<std::size_t>(which[0]);
    const std::span<const Example> examples(asked.rows.data(), rows.size());
    asked.evaluations[c] =
        evaluate(*asked.programs[c].program, examples, task.metric, {task.model, task.stop});
    return results_of(asked.evaluations[c]);
  };
  (task.model.unit() == 1 && !task.in_turn ? side_by_side(one) : in_turn(one))(wave);
}

/// As cluster_of() outcomes.
std::vector<std::string> clusters_of(std::span<const Example> rows) {
  std::vector<std::string> clusters;
  for (const Example& row : rows) clusters.push_back(row.group.empty() ? row.id : row.group);
  return clusters;
}

Headroom::Accuracy accuracy_of(std::string name, const Scores& scores,
                               std::span<const std::string> clusters) {
  std::vector<double> values;
  std::vector<std::string> of;
  for (std::size_t j = 0; j < scores.size(); ++j)
    if (scores[j]) values.push_back(*scores[j]), of.push_back(clusters[j]);
  if (values.empty()) return {std::move(name), 0, 0, {0, 1}};
  return {std::move(name), values.size(), mean(values), score_interval(values, of)};
}

std::string answer_of(const Evaluation& evaluation, std::size_t row, const std::string& field) {
  const auto& prediction = evaluation.predictions[row];
  if (!prediction) return "\n";  // no answer is like no other's
  const Value* value = prediction->fields.find(field);
  return value != nullptr ? prediction->fields.text(field) : "\n";
}

/// A candidate beside the student on the rows that both have a score for.
Headroom::Compared compared(const std::string& name, const Scores& scores, const Scores& student,
                            std::span<const std::string> clusters) {
  Headroom::Compared one{accuracy_of(name, scores, clusters)};
  std::vector<double> differences;
  std::vector<std::string> of;
  for (std::size_t j = 0; j < scores.size(); ++j)
    if (scores[j] && student[j])
      differences.push_back(*scores[j] - *student[j]), of.push_back(clusters[j]);
  one.difference = mean_difference(scores, student);
  one.differs =
      differences.empty() ? Interval{-1, 1} : paired_difference(differences, of).interval();
  return one;
}

double agreement_of(const Evaluation& one, const Evaluation& other, std::size_t rows,
                    const std::string& field) {
  double same = 0;
  for (std::size_t j = 0; j < rows; ++j)
    same += answer_of(one, j, field) == answer_of(other, j, field);
  return rows > 0 ? same / static_cast<double>(rows) : 0;
}

std::vector<Headroom::Share> shares_of(const Evaluation& evaluation, std::span<const Example> rows,
                                       const Field& answer) {
  std::vector<Headroom::Share> shares;
  const auto n = static_cast<double>(rows.size() - evaluation.n_failed);
  if (n == 0) return shares;
  for (const auto& [option, chosen, right] : count_options(answer, rows, evaluation))
    shares.push_back({option, static_cast<double>(chosen) / n, static_cast<double>(right) / n});
  return shares;
}

/// The validation rows that are asked: a seeded order of those that the search may see, so that more
/// evaluations ask the same and more.
std::vector<Example> rows_to_ask(const std::vector<Example>& validation, const GateOptions& gate,
                                 std::uint64_t seed) {
  const auto searched = check_gated(validation, gate, 0).searched;
  Rng rng(derive_seed(seed, "headroom rows"));
  std::vector<Example> rows;
  for (const auto i : rng.sample(searched.size(), searched.size()))
    rows.push_back(validation[searched[i]]);
  return rows;
}

/// What the probes' scores say, and the fitted student's.
void compare(const Asked& asked, const Task& task, Headroom& headroom, RunContext& run) {
  const auto clusters = clusters_of(asked.rows);
  const Evaluation& first = asked.evaluations[0];
  const std::size_t rows = first.scores.size();
  const Scores student = scores_of(first);
  const Field& answer =
      std::as_const(*asked.programs[0].program).predictors().back()->signature.outputs.back();
  headroom.student = accuracy_of("the program as it is", student, clusters);
  headroom.options = shares_of(first, std::span(asked.rows).first(rows), answer);
  std::vector<Scores> candidates;
  for (std::size_t c = 0; c < asked.evaluations.size(); ++c) {
    const Evaluation& evaluation = asked.evaluations[c];
    headroom.answers += evaluation.scores.size();
    headroom.unparsable += evaluation.n_unparsable;
    headroom.refused += evaluation.n_refused;
    headroom.failed += evaluation.n_failed;
    if (c == 0) continue;
    Scores& scores = candidates.emplace_back(scores_of(evaluation));
    scores.resize(rows);
    Headroom::Compared probe = compared(asked.programs[c].name, scores, student, clusters);
    probe.agreement = agreement_of(evaluation, first, evaluation.scores.size(), answer.name);
    headroom.probes.push_back(std::move(probe));
  }
  Task shown = task;
  shown.validation.assign(asked.rows.begin(),
                          asked.rows.begin() + static_cast<std::ptrdiff_t>(rows));
  // A dry run would count again what the record has the answer to.
  if (!run.models.made_up() && first.n_failed == 0 &&
      fits_options(*asked.programs[0].program, shown))
    if (const auto fitted = fit_options(*asked.programs[0].program, shown, 0)) {
      if (asked.fits) candidates.push_back(fitted->scores);
      headroom.fitted = compared("options fitted", fitted->scores, student, clusters);
    }
  headroom.forecast = forecast_gain(student, candidates, headroom.plan);
}

}  // namespace

std::optional<std::int64_t> evaluations_of(const OptimizerConfig& config, std::size_t rows) {
  if (config.max_evaluations > 0) return config.max_evaluations;
  const auto* mipro = std::get_if<MiproOptions>(&config.options);
  if (mipro == nullptr) return std::nullopt;
  const std::size_t choices = std::max(mipro->num_instructions, mipro->num_demo_sets);
  const std::size_t trials = mipro->num_trials > 0 ? mipro->num_trials : mipro_trials(2, choices);
  return mipro_budget(rows, trials, mipro->minibatch_size, mipro->full_every);
}

Headroom find_headroom(const ProgramExperiment& experiment, std::int64_t evaluations,
                       RunContext& run) {
  run.stage("preparing");
  const Prepared prepared = prepare(experiment, run);
  for (const std::string& line : prepared.data.remarks) run.remark(line);
  const std::string role = experiment.roles().front();
  const Task task = task_of(prepared, run, role);
  const std::size_t rows = task.validation.size();
  if (rows == 0) throw UserError("headroom asks rows of validation, and there are none");
  const Search search = largest_search(experiment, rows);
  if (evaluations == 0) evaluations = std::max(kLeastSpent, search.evaluations / kShare);

  Asked asked;
  asked.rows = rows_to_ask(task.validation, search.gate, run.seed);
  const PromptLimits limits = limits_of(search.options);
  asked.fits = !limits.freezes(*std::as_const(*prepared.student).predictors().back(), "format");
  asked.programs = cheap_probes(*prepared.student, task, limits, run.seed);
  const ProbePlan plan =
      plan_probes(static_cast<std::size_t>(evaluations), asked.programs.size(), asked.rows.size());
  asked.programs.resize(plan.probes);
  asked.programs.insert(asked.programs.begin(), Probe{"", prepared.student->clone()});
  run.progress.plan({{"probing", static_cast<std::int64_t>(
                                     plan.evaluations() * prepared.student->predictors().size())}});
  run.stage("probing");
  ask(plan, task, asked);

  Headroom headroom;
  headroom.search = search.name;
  headroom.assumed = search.assumed;
  headroom.spent = static_cast<std::int64_t>(plan.evaluations());
  headroom.plan = {.evaluations = std::max<std::int64_t>(0, search.evaluations - headroom.spent),
                   .rows = rows,
                   .gate = search.gate,
                   .seed = run.seed};
  const Evaluation& first = asked.evaluations[0];
  if (first.n_failed == first.scores.size()) (void)first.mean();  // says why nothing was answered
  compare(asked, task, headroom, run);
  for (const auto& outcomes :
       cross_validated(experiment.baselines, prepared.data, experiment.program.data_signature(),
                       prepared.metric, run)) {
    Scores scores;
    std::vector<std::string> clusters;
    for (const Outcome& one : outcomes) {
      scores.push_back(one.status == Outcome::Status::kFailed ? std::nullopt
                                                              : std::optional(one.score));
      clusters.push_back(cluster_of(one));
    }
    headroom.classifiers.push_back(accuracy_of(outcomes.front().method, scores, clusters));
  }
  return headroom;
}

}  // namespace theta
