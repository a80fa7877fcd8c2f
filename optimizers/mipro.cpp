#include "optimizers/mipro.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/rng.hpp"
#include "modules/evaluate.hpp"

namespace theta {
namespace {

/// Bootstrapped demos that ground the proposer where the program is to have none. dspy 3.4.1,
/// teleprompt/mipro_optimizer_v2.py.
constexpr std::size_t kGroundingDemos = 3;

template <typename T>
void add_new(std::vector<T>& choices, T choice) {
  if (std::find(choices.begin(), choices.end(), choice) == choices.end())
    choices.push_back(std::move(choice));
}

/// The choices of every predictor and what a combination of them makes of the student.
/// A combination holds instruction and demo set of each predictor in turn.
struct Choices {
  std::vector<std::vector<std::string>> instructions;
  DemoSets demo_sets;

  std::vector<Variable> space(const Module& student) const {
    std::vector<Variable> variables;
    const auto predictors = student.predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p) {
      variables.push_back({predictors[p]->name + ".instruction", instructions[p].size(), p});
      variables.push_back({predictors[p]->name + ".demos", demo_sets[p].size(), p});
    }
    return variables;
  }

  std::unique_ptr<Module> apply(const Module& student, const Combination& combination) const {
    auto program = student.clone();
    const auto predictors = program->predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p) {
      const auto at = [&](std::size_t v) { return static_cast<std::size_t>(combination[v]); };
      predictors[p]->signature =
          predictors[p]->signature.with_instructions(instructions[p].at(at(2 * p)));
      predictors[p]->demos = demo_sets[p].at(at(2 * p + 1));
    }
    return program;
  }
};

std::size_t count_tokens(const LanguageModel& model, const Module& program) {
  std::size_t sum = 0;
  for (const auto* predictor : program.predictors()) {
    Request request;
    request.messages = {{"system", predictor->signature.instructions}};
    for (const auto& demo : predictor->demos) {
      Message shown{"user", ""};
      for (const auto& [name, value] : demo.fields)
        shown.content += name + ": " + to_text(value) + "\n";
      request.messages.push_back(std::move(shown));
    }
    const auto tokens = model.count_tokens(request);
    if (!tokens)
      throw UserError("max_prompt_tokens needs a task model that counts tokens; this one does not");
    sum += *tokens;
  }
  return sum;
}

void check_frozen(const std::set<std::string>& frozen,
                  const std::vector<const Predictor*>& predictors) {
  std::set<std::string> known{"instruction", "demos"};
  for (const auto* predictor : predictors)
    known.insert({predictor->name + ".instruction", predictor->name + ".demos"});
  for (const auto& part : frozen)
    if (!known.contains(part))
      throw UserError(fmt::format("the program has no `{}` to freeze", part));
}

}  // namespace

Mipro::Mipro(MiproOptions options) : options_(std::move(options)) {
  make_surrogate(options_.surrogate, {});
}

DemoSets Mipro::demo_sets(const Module& student, const Task& task, Rng& rng) const {
  DemoSets sets;
  for (const auto* predictor : student.predictors()) sets.push_back({predictor->demos});
  const auto add = [&](const std::unique_ptr<Module>& program) {
    const auto predictors = program->predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p) add_new(sets[p], predictors[p]->demos);
  };
  BootstrapOptions options = options_.bootstrap;
  options.max_bootstrapped = options_.max_bootstrapped;
  options.max_labeled = options_.max_labeled;
  if (options.max_bootstrapped == 0 && options.max_labeled == 0)
    options.max_bootstrapped = kGroundingDemos;
  const auto bootstrapped = [&](const std::vector<Example>& train) {
    return bootstrap(student, train, task.metric, {task.teacher, task.stop}, options).program;
  };

  // The kinds of DSPy's seeds -3, -2, -1 and 0, 1, ..
  for (std::size_t set = 0; set < options_.num_demo_sets; ++set) {
    if (set == 0) {
      add(without_demos(student));
    } else if (set == 1 && options.max_labeled > 0) {
      add(with_labeled_demos(student, task.train, options.max_labeled));
    } else if (set == 2) {
      add(bootstrapped(task.train));
    } else {
      auto train = task.train;
      rng.shuffle(train);
      const auto most = options.max_bootstrapped;
      if (most > 0)
        options.max_bootstrapped =
            static_cast<std::size_t>(rng.between(1, static_cast<std::int64_t>(most)));
      add(bootstrapped(train));
      options.max_bootstrapped = most;
    }
  }
  return sets;
}

Compiled Mipro::compile(const Module& student, const Task& task) {
  if (task.validation.empty()) throw UserError("optimising needs validation examples");
  const auto predictors = student.predictors();
  check_frozen(options_.frozen, predictors);
  const auto frozen = [&](const Predictor& predictor, const std::string& part) {
    return options_.frozen.contains(part) || options_.frozen.contains(predictor.name + "." + part);
  };

  const bool zero_shot = options_.max_bootstrapped == 0 && options_.max_labeled == 0;
  const auto tries_demos = [&](const Predictor& p) { return !zero_shot && !frozen(p, "demos"); };
  std::vector<std::size_t> wanted;  // new instructions by predictor
  bool sets_are_used = false;
  for (const auto* predictor : predictors) {
    const bool proposes = !frozen(*predictor, "instruction") && options_.num_instructions > 1;
    wanted.push_back(proposes ? options_.num_instructions - 1 : 0);
    sets_are_used |= tries_demos(*predictor) || (proposes && options_.proposer.demos);
  }

  Rng rng(options_.seed);
  Choices choices;
  if (sets_are_used)
    choices.demo_sets = demo_sets(student, task, rng);
  else
    for (const auto* predictor : predictors) choices.demo_sets.push_back({predictor->demos});
  Proposals proposals = propose(student, choices.demo_sets, task.train, wanted,
                                {task.proposer, task.stop}, options_.proposer, rng);
  choices.instructions = std::move(proposals.instructions);
  for (std::size_t p = 0; p < predictors.size(); ++p) {
    if (!frozen(*predictors[p], "instruction"))
      for (const auto& instruction : options_.instructions)
        add_new(choices.instructions[p], instruction);
    if (!tries_demos(*predictors[p])) choices.demo_sets[p].resize(1);
  }

  const auto space = choices.space(student);
  std::size_t free = 0, most = 1;
  for (const auto& variable : space) {
    free += variable.choices > 1;
    most = std::max(most, variable.choices);
  }
  const auto by_rule = static_cast<std::size_t>(
      std::max(2 * static_cast<double>(free) * std::log2(static_cast<double>(most)),
               1.5 * static_cast<double>(most)));

  const auto evaluate_candidate = [&](const Combination& combination,
                                      std::span<const std::size_t> examples) {
    std::vector<Example> batch;
    for (const auto j : examples) batch.push_back(task.validation[j]);
    const auto evaluation =
        evaluate(*choices.apply(student, combination), batch, task.metric, {task.model, task.stop});
    std::vector<Result<double>> scores;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (evaluation.status[i] == Outcome::Status::kFailed)
        scores.emplace_back(evaluation.predictions[i].error());
      else
        scores.emplace_back(evaluation.scores[i]);
    }
    return scores;
  };

  Compiled compiled;
  SearchOptions options{.num_trials = options_.num_trials > 0 ? options_.num_trials : by_rule,
                        .minibatch_size = options_.minibatch_size,
                        .full_every = options_.full_every,
                        .seed = derive_seed(options_.seed, "search"),
                        .stop = task.stop};
  if (options_.max_prompt_tokens > 0)
    options.allowed = [&](const Combination& combination) {
      return count_tokens(task.model, *choices.apply(student, combination)) <=
             options_.max_prompt_tokens;
    };
  options.on_trial = [&](const Trial& trial) {
    compiled.trials.push_back(
        {name(), trial.number, trial.kind,
         describe(*choices.apply(student, trial.combination), trial.combination), trial.score,
         trial.evaluations});
    return task.on_trial && task.on_trial(compiled.trials.back());
  };
  const auto surrogate = make_surrogate(options_.surrogate, space);
  const auto found = search(space, task.validation.size(), evaluate_candidate, *surrogate, options);

  compiled.program = choices.apply(student, found.best);
  compiled.validation_score = found.score;
  compiled.stopped = found.stopped;
  compiled.proposals = proposals.counts;
  return compiled;
}

}  // namespace theta
