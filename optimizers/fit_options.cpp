#include "optimizers/fit_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "optimizers/prompt_limits.hpp"
#include "optimizers/training_rows.hpp"

namespace theta {
namespace {

/// Fewer rows say nothing of as many weights.
constexpr std::size_t kFewestRows = 10;

const Field& answer_of(const Module& program) {
  return program.predictors().back()->signature.outputs.back();
}

/// The index of an example's label among the options; nothing where it is none of them.
std::optional<std::size_t> label_of(const Example& example, const Field& answer) {
  const Value* label = example.fields.find(answer.name);
  const std::vector<std::string> options = answer.type.options();
  for (std::size_t k = 0; label != nullptr && k < options.size(); ++k)
    if (const auto option = answer.type.cast(options[k]); option && *option == *label) return k;
  return std::nullopt;
}

/// The program as it answers by itself.
std::unique_ptr<Module> unfitted(const Module& program) {
  auto bare = program.clone();
  Format& format = *bare->predictors().back()->format;
  format.calibration = Calibration::kNone;
  format.calibrated_on.clear();
  format.option_map.reset();
  return bare;
}

/// The training examples that no demo of the program shows: of those it knows the answer.
std::vector<Example> unseen(const Module& program, std::span<const Example> train,
                            std::size_t most) {
  std::vector<Example> rows;
  const auto is_shown = [&](const Example& example) {
    return std::ranges::any_of(program.predictors(), [&](const Predictor* predictor) {
      const Record fields = shown_fields(example, predictor->signature);
      return std::ranges::any_of(predictor->demos, [&](const Demo& demo) {
        return std::ranges::all_of(predictor->signature.inputs, [&](const Field& input) {
          const Value *shown = demo.fields.find(input.name), *own = fields.find(input.name);
          return shown != nullptr && own != nullptr && *shown == *own;
        });
      });
    });
  };
  for (const Example& example : train)
    if (rows.size() < most && !is_shown(example)) rows.push_back(example);
  return rows;
}

/// The rows of an evaluation that teach a map, and where they stand in it.
struct Lesson {
  LabelledOptions rows;
  std::vector<std::size_t> places;
};

Lesson lesson_of(const Evaluation& evaluation, std::span<const Example> examples,
                 const Field& answer) {
  const std::size_t options = answer.type.options().size();
  Lesson lesson;
  std::vector<const std::vector<double>*> logprobs;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const auto& prediction = evaluation.predictions[i];
    const auto label = label_of(examples[i], answer);
    if (!prediction || prediction->named || !label || prediction->option_logprobs.size() != options)
      continue;
    logprobs.push_back(&prediction->option_logprobs);
    lesson.rows.labels.push_back(*label);
    lesson.places.push_back(i);
  }
  lesson.rows.logprobs.resize(static_cast<Eigen::Index>(logprobs.size()),
                              static_cast<Eigen::Index>(options));
  for (std::size_t i = 0; i < logprobs.size(); ++i) {
    const Eigen::Map<const Eigen::RowVectorXd> row(logprobs[i]->data(),
                                                   static_cast<Eigen::Index>(options));
    const double highest = row.maxCoeff();
    lesson.rows.logprobs.row(static_cast<Eigen::Index>(i)) =
        row.array() - highest - std::log((row.array() - highest).exp().sum());
  }
  return lesson;
}

/// The scores of the first examples where what stands at `places` is answered as `logs` say.
Scores graded(const Evaluation& evaluation, std::span<const Example> examples, std::size_t first,
              const Field& answer, const Lesson& lesson, const Eigen::MatrixXd& logs,
              const Task& task) {
  Scores scores = scores_of(evaluation);
  scores.resize(first);
  std::vector<Prediction> answers;
  std::vector<std::size_t> of;
  for (std::size_t k = 0; k < lesson.places.size() && lesson.places[k] < first; ++k) {
    Eigen::Index best = 0;
    logs.row(static_cast<Eigen::Index>(k)).maxCoeff(&best);
    answers.push_back(*evaluation.predictions[lesson.places[k]]);
    const std::string option = answer.type.options()[static_cast<std::size_t>(best)];
    answers.back().fields.set(answer.name, *answer.type.cast(option));
    of.push_back(lesson.places[k]);
  }
  std::vector<Graded> wave;
  for (std::size_t k = 0; k < of.size(); ++k) wave.push_back({examples[of[k]], answers[k]});
  const auto grades = grade(task.metric, wave, task.stop);
  for (std::size_t k = 0; k < of.size(); ++k)
    scores[of[k]] = grades[k] ? std::optional(grades[k]->score) : std::nullopt;
  return scores;
}

}  // namespace

bool fits_options(const Module& program, const Task& task) {
  const auto predictors = program.predictors();
  if (predictors.empty() || !predictors.back()->format ||
      predictors.back()->format->answering != Answering::kScore)
    return false;
  const Field& answer = answer_of(program);
  return std::ranges::all_of(task.validation,
                             [&](const Example& one) { return label_of(one, answer).has_value(); });
}

std::optional<FittedOptions> fit_options(const Module& program, const Task& task,
                                         std::size_t most) {
  require(fits_options(program, task), "options are fitted where they are scored and labelled");
  FittedOptions fitted{unfitted(program), {}, 0};
  const Field answer = answer_of(program);
  std::vector<Example> rows = task.validation;
  const std::vector<Example> train = unseen(program, task.train, most);
  rows.insert(rows.end(), train.begin(), train.end());
  fitted.evaluations = static_cast<std::int64_t>(train.size());
  const Evaluation evaluation =
      evaluate(*fitted.program, rows, task.metric, {task.model, task.stop});
  const Lesson lesson = lesson_of(evaluation, rows, answer);
  if (lesson.places.size() < kFewestRows || evaluation.n_failed > 0) return std::nullopt;
  fitted.scores = graded(evaluation, rows, task.validation.size(), answer, lesson,
                         cross_fitted(lesson.rows), task);
  fitted.program->predictors().back()->format->option_map = fit_option_map(lesson.rows);
  return fitted;
}

namespace {

/// Other formats that are fitted at most.
constexpr std::size_t kMostFormats = 3;
/// A map that fewer training rows taught, beside those of validation, tells little of a format.
constexpr std::int64_t kFewestTaught = 20;

bool same_prompts(const Module& a, const Module& b) {
  return std::ranges::equal(a.predictors(), b.predictors(),
                            [](const Predictor* x, const Predictor* y) { return *x == *y; });
}

struct Finalist {
  std::unique_ptr<Module> program;
  Scores scores;  ///< of the validation examples
};

/// What a budget has room for.
struct Room {
  std::size_t others = 0;  ///< programs that validation is new to
  std::size_t train = 0;   ///< training examples that each program is asked
};

/// @param own  programs that were evaluated on validation   @param left  < 0: no limit
Room room_for(std::size_t own, std::size_t others, const Task& task, std::int64_t left) {
  const auto train = static_cast<std::int64_t>(task.train.size());
  if (left < 0) return {others, task.train.size()};
  const auto validation = static_cast<std::int64_t>(task.validation.size());
  const auto each = [&](std::size_t n) {
    const std::int64_t rest = left - static_cast<std::int64_t>(n) * validation;
    return rest / static_cast<std::int64_t>(own + n);
  };
  while (others > 0 && each(others) < std::min(train, kFewestTaught)) --others;
  return {others, static_cast<std::size_t>(std::clamp<std::int64_t>(each(others), 0, train))};
}

/// A search's winner, if it has one, as it is; then the student, the winner and others, fitted.
std::vector<Finalist> finalists_of(const Module& student,
                                   std::span<const std::unique_ptr<Module>> others,
                                   const Compiled& compiled, const Task& task, std::int64_t left,
                                   std::int64_t& spent) {
  std::vector<Finalist> finalists;
  std::vector<const Module*> to_fit{&student};
  if (compiled.gain) {
    to_fit.push_back(compiled.program.get());
    finalists.push_back(
        {compiled.program->clone(), scores_of(evaluate(*compiled.program, task.validation,
                                                       task.metric, {task.model, task.stop}))});
  }
  const std::size_t own = to_fit.size();
  const auto bare = unfitted(*to_fit.back());
  for (const auto& other : others)
    if (!same_prompts(*other, *bare)) to_fit.push_back(other.get());
  const Room room = room_for(own, to_fit.size() - own, task, left);
  for (std::size_t i = 0; i < own + room.others; ++i) {
    auto fitted = fit_options(*to_fit[i], task, room.train);
    if (!fitted) continue;
    spent += fitted->evaluations;
    if (i >= own) spent += static_cast<std::int64_t>(task.validation.size());
    finalists.push_back({std::move(fitted->program), std::move(fitted->scores)});
  }
  return finalists;
}

}  // namespace

std::vector<std::unique_ptr<Module>> in_other_formats(const Module& student, const Task& task,
                                                      const std::optional<FormatSpace>& given) {
  FormatSpace space = given.value_or(FormatSpace::usual());
  space.calibrations.clear();
  space.seen_answers.clear();
  const auto bare = unfitted(student);
  const std::size_t last = bare->predictors().size() - 1;
  std::vector<std::pair<std::size_t, std::unique_ptr<Module>>> all;
  for (const FormatChoice& choice : format_choices(*bare, last, space, {})) {
    auto other = bare->clone();
    set_format(*other->predictors()[last], choice);
    if (choice.format.answering == Answering::kScore && !same_prompts(*other, *bare))
      all.emplace_back(prompt_tokens(*other, task.model), std::move(other));
  }
  std::ranges::stable_sort(all, {}, [](const auto& one) { return one.first; });
  std::vector<std::unique_ptr<Module>> others;
  for (auto& [tokens, other] : all)
    if (others.size() < kMostFormats) others.push_back(std::move(other));
  return others;
}

std::int64_t kept_to_fit(const Task& task, std::size_t others) {
  const auto validation = static_cast<std::int64_t>(task.validation.size());
  const auto train = static_cast<std::int64_t>(task.train.size());
  const auto n = static_cast<std::int64_t>(others);
  // The search keeps as much, or twice as much, of what there is beyond two full evaluations.
  const std::int64_t part = (task.max_evaluations - 2 * validation) / (others > 0 ? 2 : 3);
  return std::clamp<std::int64_t>(part, 0, 2 * train + n * (validation + train));
}

void end_with_fitted_options(const Module& student, std::span<const std::unique_ptr<Module>> others,
                             const Task& task, std::int64_t left, const std::string& search,
                             Compiled& compiled) try {
  if (compiled.stopped || !fits_options(student, task)) return;
  std::int64_t spent = 0;
  std::vector<Finalist> finalists = finalists_of(student, others, compiled, task, left, spent);
  if (finalists.size() == compiled.gain.has_value()) return;  // none could be fitted
  const Scores before =
      scores_of(evaluate(student, task.validation, task.metric, {task.model, task.stop}));
  std::vector<Scores> all;
  for (const Finalist& finalist : finalists) all.push_back(finalist.scores);
  const std::vector<Belief> beliefs = shrunken(before, all);
  const std::size_t chosen = choose(beliefs, [&](std::size_t i) {
    return static_cast<double>(prompt_tokens(*finalists[i].program, task.model));
  });
  Finalist& best = finalists[chosen];
  if (!best.program->predictors().back()->format->option_map) return;
  compiled.gain = beliefs[chosen];
  compiled.program = std::move(best.program);
  compiled.student_score = mean(before);
  compiled.validation_score = mean(best.scores);
  const TrialRecord& last = compiled.trials.back();
  const Trial trial{.number = last.number + 1,
                    .kind = TrialKind::kFull,
                    .score = compiled.validation_score,
                    .evaluations = last.evaluations + spent,
                    .improved = true,
                    .best = measured(best.scores)};
  compiled.trials.push_back(record_of(search, trial, describe(*compiled.program)));
  if (task.on_trial) task.on_trial(compiled.trials.back());
} catch (const Interrupted&) {
  compiled.stopped = true;
}

Compiled FitOptions::search(const Module& student, const Task& task) {
  check_task(task);
  if (!fits_options(student, task))
    throw UserError(
        "fit_options learns from the scores of options: it wants `answering: score`, "
        "and rows that say which option is right");
  Compiled compiled;
  const Evaluation evaluation =
      evaluate(student, task.validation, task.metric, {task.model, task.stop});
  const Scores scores = scores_of(evaluation);
  compiled.program = student.clone();
  compiled.student_score = compiled.validation_score = evaluation.mean();
  const auto asked = static_cast<std::int64_t>(task.validation.size());
  const Trial trial{.number = 1,
                    .kind = TrialKind::kDefault,
                    .score = evaluation.mean(),
                    .evaluations = asked,
                    .best = measured(scores)};
  compiled.trials.push_back(record_of(name(), trial, describe(student)));
  if (task.on_trial) task.on_trial(compiled.trials.back());
  end_with_fitted_options(student, {}, task,
                          task.max_evaluations > 0 ? task.max_evaluations - asked : -1, name(),
                          compiled);
  return compiled;
}

}  // namespace theta
