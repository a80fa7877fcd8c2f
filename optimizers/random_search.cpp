#include "optimizers/random_search.hpp"

#include <algorithm>

#include "core/rng.hpp"

namespace theta {

namespace {

/// Gives every step one of the student's formats in a space.
void draw_formats(Module& program, const Module& student, const FormatSpace& space,
                  std::span<const Example> train, std::uint64_t seed) {
  Rng rng(derive_seed(seed, "formats"));
  const auto predictors = program.predictors();
  for (std::size_t p = 0; p < predictors.size(); ++p) {
    const auto choices = format_choices(student, p, space, train);
    const auto& drawn = choices[rng.below(choices.size())];
    if (predictors[p]->format) set_format(*predictors[p], drawn);
  }
}

}  // namespace

Compiled RandomSearch::search(const Module& student, const Task& task) {
  Contest contest(name(), task);
  const auto done = [&](const std::function<std::unique_ptr<Module>()>& build) {
    contest.enter(build);
    return contest.over();
  };
  const auto bootstrapped = [&](const std::vector<Example>& train,
                                const BootstrapOptions& options) {
    return bootstrap(student, train, task.metric, {task.teacher, task.stop}, options).program;
  };
  const auto predictors = student.predictors();
  const bool has_demos = std::any_of(predictors.begin(), predictors.end(),
                                     [](const Predictor* p) { return !p->demos.empty(); });

  // DSPy counts them from -3: no demos, labelled, bootstrapped in order; then shuffles.
  bool ended = done([&] { return student.clone(); });
  if (!ended && has_demos) ended = done([&] { return without_demos(student); });
  if (!ended && options_.bootstrap.max_labeled > 0)
    ended = done(
        [&] { return with_labeled_demos(student, task.train, options_.bootstrap.max_labeled); });
  if (!ended) ended = done([&] { return bootstrapped(task.train, options_.bootstrap); });
  for (int i = 0; i < options_.num_candidates && !ended; ++i) {
    const std::uint64_t seed = options_.seed + static_cast<std::uint64_t>(i);
    ended = done([&] {
      auto train = task.train;
      Rng(seed).shuffle(train);
      auto options = options_.bootstrap;
      if (options.max_bootstrapped > 0)
        options.max_bootstrapped = static_cast<std::size_t>(
            Rng(seed).between(1, static_cast<std::int64_t>(options.max_bootstrapped)));
      auto program = bootstrapped(train, options);
      if (options_.space) draw_formats(*program, student, *options_.space, task.train, seed);
      return program;
    });
  }
  return std::move(contest).result();
}

}  // namespace theta
