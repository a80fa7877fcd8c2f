#include "optimizers/bootstrap_few_shot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "core/models/outage.hpp"
#include "core/rng.hpp"
#include "optimizers/demo_rules.hpp"
#include "optimizers/training_rows.hpp"

namespace theta {
namespace {

/// Whether a demo can be shown: it has an input and an output.
bool shows_something(const Record& fields, const Signature& signature) {
  const auto has_one = [&](const std::vector<Field>& side) {
    return std::any_of(side.begin(), side.end(),
                       [&](const Field& field) { return fields.find(field.name) != nullptr; });
  };
  return has_one(signature.inputs) && has_one(signature.outputs);
}

std::vector<Demo> labeled_demos(std::span<const Example> train, std::span<const std::size_t> chosen,
                                const Signature& signature) {
  std::vector<Demo> demos;
  for (const auto i : chosen)
    if (Record fields = shown_fields(train[i], signature); shows_something(fields, signature))
      demos.push_back({std::move(fields), false});
  return demos;
}

/// The teacher without the example at hand among its demos; nullptr if it is not there.
std::unique_ptr<Module> leave_out(const Module& teacher, const Example& example) {
  auto program = teacher.clone();
  bool removed = false;
  for (auto* predictor : program->predictors()) {
    const Record fields = shown_fields(example, predictor->signature);
    removed |= std::erase_if(predictor->demos,
                             [&](const Demo& demo) { return demo.fields == fields; }) > 0;
  }
  return removed ? std::move(program) : nullptr;
}

/// One demo a predictor out of a run's trace; empty where the predictor was not called.
std::vector<std::optional<Demo>> demos_of(const std::vector<Step>& trace, std::size_t predictors) {
  std::vector<std::vector<Demo>> calls(predictors);
  for (const auto& step : trace) {
    Demo demo{step.inputs, true};
    for (const auto& [name, value] : step.outputs) demo.fields.set(name, value);
    calls.at(step.predictor).push_back(std::move(demo));
  }
  std::vector<std::optional<Demo>> chosen(predictors);
  for (std::size_t p = 0; p < predictors; ++p) {
    if (calls[p].empty()) continue;
    std::size_t call = calls[p].size() - 1;
    if (call > 0) {
      std::string all;
      for (const auto& demo : calls[p])
        for (const auto& [name, value] : demo.fields) all += name + "\n" + to_text(value) + "\n";
      Rng rng(derive_seed(0, all));
      if (rng.uniform() < 0.5) call = rng.below(call);
    }
    chosen[p] = std::move(calls[p][call]);
  }
  return chosen;
}

/// Runs the teacher on training examples and keeps the successes.
class Teacher {
 public:
  Teacher(std::unique_ptr<Module> program, std::span<const Example> train, const Metric& metric,
          const Call& call, const BootstrapOptions& options)
      : program_(std::move(program)),
        train_(train),
        metric_(metric),
        call_(call),
        options_(options) {}

  /// What came of one example: its trace if it succeeded, and what it cost.
  struct Attempted {
    std::optional<std::vector<Step>> trace;
    std::size_t attempts = 0, failed = 0, unparsable = 0;
    std::string reason;  ///< of the last service failure
  };

  /// Tries examples first .. first + n - 1. Those that are no demo of the teacher share a wave.
  std::vector<Attempted> attempt(std::size_t first, std::size_t n) const {
    std::vector<Attempted> attempted(n);
    std::vector<std::unique_ptr<Module>> own(n);
    std::vector<Record> shared_inputs;
    std::vector<std::size_t> sharing;
    for (std::size_t i = 0; i < n; ++i) {
      own[i] = leave_out(*program_, train_[first + i]);
      if (own[i]) continue;
      sharing.push_back(i);
      shared_inputs.push_back(train_[first + i].fields);
    }
    if (!sharing.empty()) {
      const auto predictions = program_->run(shared_inputs, call_);
      judge(first, sharing, predictions, attempted);
    }
    for (std::size_t round = 0; round < options_.max_rounds; ++round)
      for (std::size_t i = 0; i < n; ++i) {
        if (attempted[i].trace || attempted[i].attempts > round) continue;
        Call call = call_;
        if (round > 0) {
          call.rollout = round;
          call.temperature = 1;
        }
        const auto& program = own[i] ? *own[i] : *program_;
        const auto prediction = program.run({&train_[first + i].fields, 1}, call);
        judge(first, {i}, prediction, attempted);
      }
    return attempted;
  }

 private:
  /// Grades what some attempts made, in one wave.
  /// @param which  they are, of the examples from `first` on
  void judge(std::size_t first, const std::vector<std::size_t>& which,
             const std::vector<Result<Prediction>>& predictions,
             std::vector<Attempted>& attempted) const {
    require(predictions.size() == which.size(), "a program answers every input");
    std::vector<Graded> wave;
    const auto predictors = std::as_const(*program_).predictors();
    for (std::size_t k = 0; k < which.size(); ++k) {
      if (!predictions[k]) continue;
      check_trace(predictors, predictions[k]->trace);
      wave.push_back({train_[first + which[k]], *predictions[k]});
    }
    const auto grades = grade(metric_, wave, call_.stop);
    auto next = grades.begin();
    for (std::size_t k = 0; k < which.size(); ++k) {
      Attempted& into = attempted[which[k]];
      ++into.attempts;
      const Result<Grade> graded = predictions[k] ? *next++ : predictions[k].error();
      if (graded) {
        const double score = graded->score;
        if (options_.threshold > 0 ? score >= options_.threshold : score > 0)
          into.trace = predictions[k]->trace;
        continue;
      }
      // What a metric has no grade for is no fault of the program.
      const bool service = predictions[k] || graded.error().fault == Fault::kService;
      ++(service ? into.failed : into.unparsable);
      if (service) into.reason = graded.error().message;
    }
  }

  std::unique_ptr<Module> program_;
  std::span<const Example> train_;
  const Metric& metric_;
  const Call& call_;
  const BootstrapOptions& options_;
};

/// The student and one other program.
Compiled better_of(const std::string& name, const Module& student, const Task& task,
                   const std::function<std::unique_ptr<Module>()>& other) {
  Contest contest(name, task);
  contest.enter([&] { return student.clone(); });
  contest.enter(other);
  return std::move(contest).result();
}

}  // namespace

std::unique_ptr<Module> without_demos(const Module& student) {
  auto program = student.clone();
  for (auto* predictor : program->predictors()) {
    predictor->demos.clear();
    predictor->nearest.reset();
  }
  return program;
}

std::unique_ptr<Module> with_nearest_demos(const Module& student, std::span<const Example> train,
                                           std::size_t k) {
  auto program = without_demos(student);
  for (auto* predictor : program->predictors())
    predictor->nearest = nearest_demos(train, predictor->signature, k);
  return program;
}

std::unique_ptr<Module> with_labeled_demos(const Module& student, std::span<const Example> train,
                                           std::size_t k, bool sample) {
  auto program = without_demos(student);
  Rng rng(0);
  for (auto* predictor : program->predictors()) {
    std::vector<std::size_t> chosen(std::min(k, train.size()));
    if (sample)
      chosen = rng.sample(train.size(), chosen.size());
    else
      std::iota(chosen.begin(), chosen.end(), 0);
    predictor->demos = labeled_demos(train, chosen, predictor->signature);
  }
  return program;
}

Bootstrapped bootstrap(const Module& student, std::span<const Example> train, const Metric& metric,
                       const Call& call, const BootstrapOptions& options) {
  const Teacher teacher(options.max_labeled > 0
                            ? with_labeled_demos(student, train, options.max_labeled)
                            : student.clone(),
                        train, metric, call, options);
  Bootstrapped result{without_demos(student)};
  const auto predictors = result.program->predictors();
  std::vector<std::size_t> rest;  // examples that became no demo
  std::string reason;
  std::size_t next = 0;
  while (next < train.size() && result.successes < options.max_bootstrapped) {
    const std::size_t missing = options.max_bootstrapped - result.successes;
    const std::size_t n = std::min(options.wave > 0 ? options.wave : missing, train.size() - next);
    for (auto& attempted : teacher.attempt(next, n)) {
      // A wave may run past the last success that is needed; what lies behind it does not count.
      if (result.successes == options.max_bootstrapped) break;
      result.attempts += attempted.attempts;
      result.failed += attempted.failed;
      result.unparsable += attempted.unparsable;
      if (reason.empty()) reason = attempted.reason;
      if (attempted.trace) {
        ++result.successes;
        const auto demos = demos_of(*attempted.trace, predictors.size());
        for (std::size_t p = 0; p < predictors.size(); ++p)
          if (demos[p]) predictors[p]->demos.push_back(*demos[p]);
      } else {
        rest.push_back(next);
      }
      ++next;
    }
  }
  if (result.attempts > 0 && result.failed == result.attempts)
    throw Outage("the teacher answered no training example: " + reason);
  for (; next < train.size(); ++next) rest.push_back(next);

  Rng(0).shuffle(rest);
  Rng rng(0);
  for (auto* predictor : predictors) {
    const std::size_t room =
        options.max_labeled - std::min(options.max_labeled, predictor->demos.size());
    // As in DSPy, each predictor draws from what the one before it drew.
    std::vector<std::size_t> drawn;
    for (const auto i : rng.sample(rest.size(), std::min(room, rest.size())))
      drawn.push_back(rest[i]);
    rest = std::move(drawn);
    auto labeled = labeled_demos(train, rest, predictor->signature);
    std::move(labeled.begin(), labeled.end(), std::back_inserter(predictor->demos));
  }
  return result;
}

Compiled LabeledFewShot::search(const Module& student, const Task& task) {
  return better_of(name(), student, task, [&] {
    return with_labeled_demos(student, task.train, options_.k, options_.sample);
  });
}

Compiled KnnFewShot::search(const Module& student, const Task& task) {
  return better_of(name(), student, task,
                   [&] { return with_nearest_demos(student, task.train, options_.k); });
}

Compiled BootstrapFewShot::search(const Module& student, const Task& task) {
  return better_of(name(), student, task, [&] {
    return bootstrap(student, task.train, task.metric, {task.teacher, task.stop}, options_).program;
  });
}

}  // namespace theta
