#include "optimizers/optimizer.hpp"

#include <fmt/format.h>

#include "modules/program_state.hpp"
#include "optimizers/fit_options.hpp"
#include "optimizers/prompt_limits.hpp"

namespace theta {
namespace {

/// Asks the student and the winner for the fresh examples.
class Gate {
 public:
  Gate(std::string search, const Task& task, std::span<const Example> fresh, Compiled& compiled)
      : search_(std::move(search)), task_(task), fresh_(fresh), compiled_(compiled) {}

  /// @return the scores; nothing where it was stopped.
  std::optional<Scores> ask(const Module& program) {
    std::optional<Evaluation> evaluation;
    try {
      evaluation = evaluate(program, fresh_, task_.metric, {task_.model, task_.stop});
    } catch (const Interrupted&) {
      compiled_.stopped = true;
      return std::nullopt;
    }
    const double score = evaluation->mean();
    Scores scores = scores_of(*evaluation);
    const auto& last = compiled_.trials.back();
    const Trial trial{.number = last.number + 1,
                      .kind = TrialKind::kGate,
                      .score = score,
                      .evaluations = last.evaluations + static_cast<std::int64_t>(fresh_.size()),
                      .best = measured(scores)};
    compiled_.trials.push_back(record_of(search_, trial, describe(program)));
    if (task_.on_trial) task_.on_trial(compiled_.trials.back());
    return scores;
  }

 private:
  const std::string search_;
  const Task& task_;
  std::span<const Example> fresh_;
  Compiled& compiled_;
};

std::vector<std::string> groups_of(std::span<const Example> examples) {
  std::vector<std::string> groups;
  for (const auto& example : examples) groups.push_back(example.group);
  return groups;
}

std::vector<Example> some_of(std::span<const Example> examples,
                             std::span<const std::size_t> which) {
  std::vector<Example> some;
  for (const auto j : which) some.push_back(examples[j]);
  return some;
}

/// @throws UserError if no example has such an id
std::vector<Example> anchors_of(const Task& task) {
  std::vector<Example> anchors;
  for (const std::string& id : task.gate.anchors) {
    const auto find = [&](const std::vector<Example>& rows) {
      const auto found = std::ranges::find(rows, id, &Example::id);
      if (found != rows.end()) anchors.push_back(*found);
      return found != rows.end();
    };
    if (!find(task.validation) && !find(task.train))
      throw UserError(
          fmt::format("no row of training or validation is called `{}`, an anchor", id));
  }
  return anchors;
}

/// What was learnt of options without the examples that judged it is learnt with them; stopped, it
/// stands as it is.
void refit(Compiled& compiled, const Task& task) try {
  const auto predictors = compiled.program->predictors();
  if (predictors.empty() || !predictors.back()->format || !predictors.back()->format->option_map ||
      compiled.stopped)
    return;
  if (auto fitted = fit_options(*compiled.program, task, task.train.size()))
    compiled.program = std::move(fitted->program);
} catch (const Interrupted&) {
  compiled.stopped = true;
}

}  // namespace

std::optional<std::string> worse_anchor(const Module& before, const Module& after,
                                        const Task& task) {
  const std::vector<Example> anchors = anchors_of(task);
  if (anchors.empty()) return std::nullopt;
  const auto scores = [&](const Module& program) {
    return scores_of(evaluate(program, anchors, task.metric, {task.model, task.stop}));
  };
  const Scores own = scores(before), other = scores(after);
  for (std::size_t j = 0; j < anchors.size(); ++j)
    if (own[j] && other[j] && *other[j] < *own[j]) return anchors[j].id;
  return std::nullopt;
}

Compiled Optimizer::compile(const Module& student, const Task& task) {
  check_names(student);
  const HeldBack held = check_gated(task.validation, task.gate, task.max_evaluations);
  const auto fresh = some_of(task.validation, held.fresh);
  Task own = task;
  own.validation = some_of(task.validation, held.searched);
  const std::size_t judged = fresh.size() + anchors_of(task).size();
  if (task.max_evaluations > 0) own.max_evaluations -= 2 * static_cast<std::int64_t>(judged);
  Compiled compiled = search(student, own);

  std::size_t n_fresh = 0;
  std::optional<Belief> belief = compiled.gain;
  if (belief && belief->mean() >= 0 && !fresh.empty() && !compiled.stopped) {
    Gate gate(compiled.trials.back().search, task, fresh, compiled);
    const auto before = gate.ask(student);
    const auto after = before ? gate.ask(*compiled.program) : std::nullopt;
    if (after) {
      belief = updated(*belief, *after, *before, groups_of(fresh));
      for (std::size_t j = 0; j < fresh.size(); ++j) n_fresh += (*after)[j] && (*before)[j];
    }
  }
  if (belief) compiled.winner = describe(*compiled.program);
  compiled.gate =
      decide(belief, compiled.validation_score - compiled.student_score, n_fresh, task.gate);
  if (compiled.gate.saved && !compiled.stopped) try {
      compiled.gate.broken = worse_anchor(student, *compiled.program, task);
      compiled.gate.saved = !compiled.gate.broken;
    } catch (const Interrupted&) {
      compiled.stopped = true;
    }
  if (!compiled.gate.saved) {
    compiled.program = student.clone();
    compiled.validation_score = compiled.student_score;
  } else {
    refit(compiled, task);
  }
  return compiled;
}

Candidate describe(const Module& program, const Combination& combination) {
  Candidate candidate{.combination = combination};
  for (const auto* predictor : program.predictors())
    candidate.parts.push_back({predictor->name, predictor->signature.instructions,
                               predictor->demos.size(),
                               predictor->format ? form_text(*predictor) : "",
                               predictor->nearest ? predictor->nearest->k() : 0});
  return candidate;
}

TrialRecord record_of(std::string search, const Trial& trial, Candidate candidate) {
  return {.search = std::move(search),
          .number = trial.number,
          .kind = trial.kind,
          .candidate = std::move(candidate),
          .score = trial.score,
          .evaluations = trial.evaluations,
          .improved = trial.improved,
          .best = trial.best.score,
          .low = trial.best.interval.low,
          .high = trial.best.interval.high};
}

Scores scores_of(const Evaluation& evaluation) {
  Scores scores;
  for (const auto& result : results_of(evaluation))
    scores.push_back(result ? std::optional(*result) : std::nullopt);
  return scores;
}

std::vector<Result<double>> results_of(const Evaluation& evaluation) {
  std::vector<Result<double>> results;
  for (std::size_t j = 0; j < evaluation.scores.size(); ++j) {
    if (evaluation.status[j] == Outcome::Status::kFailed)
      results.emplace_back(evaluation.predictions[j].error());
    else
      results.emplace_back(evaluation.scores[j]);
  }
  return results;
}

void check_budget(std::size_t validation_examples, std::int64_t max_evaluations) {
  if (validation_examples == 0) throw UserError("optimising needs validation examples");
  const auto least = static_cast<std::int64_t>(validation_examples);
  if (max_evaluations > 0 && max_evaluations < least)
    throw UserError(
        fmt::format("max_evaluations is {}, and the program alone is evaluated on {} examples",
                    max_evaluations, least));
}

HeldBack check_gated(std::span<const Example> validation, const GateOptions& gate,
                     std::int64_t max_evaluations) {
  HeldBack held = hold_back(groups_of(validation), gate);
  const auto fresh = static_cast<std::int64_t>(held.fresh.size());
  const auto searched = static_cast<std::int64_t>(held.searched.size());
  if (fresh > 0 && max_evaluations > 0 && max_evaluations < searched + 2 * fresh)
    throw UserError(fmt::format(
        "max_evaluations is {}, and the program alone is evaluated on {} examples, and it and a "
        "winner on the {} that the gate keeps",
        max_evaluations, searched, fresh));
  check_budget(held.searched.size(), max_evaluations);
  return held;
}

Contest::Contest(std::string name, const Task& task)
    : name_(std::move(name)), task_(task), log_(task.max_evaluations, task.stop) {
  check_task(task);
}

std::optional<Scores> Contest::enter(const std::function<std::unique_ptr<Module>()>& build) {
  over_ = over_ || !affords(task_.validation.size());
  if (over_) return std::nullopt;
  std::optional<Scores> scores;
  step([&] {
    log_.check();
    auto program = build();
    const auto evaluation = run(*program, task_.validation);
    if (!evaluation) return;
    scores = scores_of(*evaluation);
    const bool first = programs_.empty();
    const bool improved = !first && better(*scores, best());
    if (improved) best_ = programs_.size();
    programs_.push_back(std::move(program));
    scores_.push_back(*scores);
    record(first ? TrialKind::kDefault : TrialKind::kFull, *programs_.back(), evaluation->mean(),
           improved);
  });
  return scores;
}

bool Contest::step(const std::function<void()>& work) {
  over_ = !log_.run(work) || over_;
  return !over_;
}

std::optional<Evaluation> Contest::sample(const Module& program,
                                          std::span<const Example> examples) {
  std::optional<Evaluation> evaluation;
  step([&] {
    evaluation = run(program, examples);
    if (evaluation) record(TrialKind::kMinibatch, program, evaluation->mean());
  });
  return evaluation;
}

std::optional<Evaluation> Contest::run(const Module& program, std::span<const Example> examples) {
  auto evaluation = evaluate(program, examples, task_.metric, {task_.model, task_.stop});
  log_.spend(examples.size());
  if (!outages_.answered(results_of(evaluation))) return std::nullopt;
  return evaluation;
}

void Contest::record(TrialKind kind, const Module& program, double score, bool improved) {
  log_.add({.kind = kind, .score = score, .improved = improved, .best = measured(best())},
           [&](const Trial& trial) {
             trials_.push_back(record_of(name_, trial, describe(program)));
             if (task_.on_trial) task_.on_trial(trials_.back());
           });
}

Compiled Contest::result(const ProposalCounts& proposals) && {
  require(!programs_.empty(), "a contest has had an entry");
  const std::vector<Scores> others(scores_.begin() + 1, scores_.end());
  std::size_t winner = 0;
  std::optional<Belief> gain;
  if (!others.empty()) {
    const auto beliefs = shrunken(scores_[0], others);
    const auto cost = [&](std::size_t c) {
      return static_cast<double>(prompt_tokens(*programs_[c + 1], task_.model));
    };
    winner = choose(beliefs, cost) + 1;
    gain = beliefs[winner - 1];
  }
  return {.program = std::move(programs_[winner]),
          .validation_score = mean(scores_[winner]),
          .student_score = mean(scores_[0]),
          .gain = gain,
          .trials = std::move(trials_),
          .stopped = log_.stopped(),
          .proposals = proposals};
}

}  // namespace theta
