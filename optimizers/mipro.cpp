#include "optimizers/mipro.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/rng.hpp"
#include "modules/evaluate.hpp"
#include "optimizers/demo_rules.hpp"
#include "optimizers/dspy_search.hpp"
#include "optimizers/fit_options.hpp"
#include "optimizers/paired_search.hpp"
#include "optimizers/pareto.hpp"

namespace theta {
namespace {

/// Bootstrapped demos that ground the proposer where the program is to have none. dspy 3.4.1,
/// teleprompt/mipro_optimizer_v2.py.
constexpr std::size_t kGroundingDemos = 3;

/// Examples that a candidate is asked where one is asked after another.
constexpr std::size_t kExamplesInTurn = 5;

template <typename T>
void add_new(std::vector<T>& choices, T choice) {
  if (std::find(choices.begin(), choices.end(), choice) == choices.end())
    choices.push_back(std::move(choice));
}

/// What people wrote for a predictor.
std::vector<std::string> instructions_for(const Predictor& predictor, const MiproOptions& options) {
  std::vector<std::string> all = options.instructions;
  for (const auto& [name, instructions] : options.instructions_of)
    if (is_called(predictor, name)) all.insert(all.end(), instructions.begin(), instructions.end());
  return all;
}

/// How many instructions a model is to write, by predictor. DSPy grounds each in a demo set of its
/// own.
std::vector<std::size_t> wanted_instructions(const Module& student, const MiproOptions& options) {
  const std::size_t most = options.faithful
                               ? std::min(options.num_instructions, options.num_demo_sets)
                               : options.num_instructions;
  std::vector<std::size_t> wanted;
  for (const auto* predictor : student.predictors())
    wanted.push_back(options.limits.freezes(*predictor, "instruction") || most == 0 ? 0 : most - 1);
  return wanted;
}

/// `k` demos that every input picks for itself, and twice as many, of a pool that holds more.
std::vector<NearestDemos> nearest_choices(const Predictor& predictor,
                                          std::span<const Example> train, std::size_t k) {
  std::vector<NearestDemos> choices;
  if (k == 0 || !predictor.format) return choices;
  const auto demos = nearest_demos(train, predictor.signature, k);
  for (const std::size_t n : {k, 2 * k})
    if (demos && demos->pool().size() > n) choices.push_back(demos->with(n));
  return choices;
}

/// AUTO_RUN_SETTINGS of the same file, and what it takes for enough to draw minibatches from.
struct AutoMode {
  const char* name;
  std::size_t candidates, validation;
};
constexpr std::array<AutoMode, 3> kAutoModes{
    {{"light", 6, 100}, {"medium", 12, 300}, {"heavy", 18, 1000}}};
constexpr std::size_t kMostWithoutMinibatches = 50;

/// @throws UserError for another name.
const AutoMode& auto_mode(const std::string& name) {
  for (const auto& mode : kAutoModes)
    if (mode.name == name) return mode;
  throw UserError(fmt::format("there is no auto mode `{}`: choose light, medium or heavy", name));
}

/// The options with what they leave to DSPy's rules.
MiproOptions with_sizes(MiproOptions options, const std::vector<Variable>& space,
                        std::size_t predictors, std::size_t examples) {
  if (!options.auto_mode.empty()) {
    const bool zero_shot = options.max_bootstrapped == 0 && options.max_labeled == 0;
    options.num_trials =
        mipro_trials((zero_shot ? 1 : 2) * predictors, auto_mode(options.auto_mode).candidates);
    if (examples <= kMostWithoutMinibatches) options.minibatch_size = 0;
  } else if (options.num_trials == 0) {
    std::size_t free = 0, most = 1;
    for (const auto& variable : space) {
      free += variable.choices > 1;
      most = std::max(most, variable.choices);
    }
    options.num_trials = mipro_trials(free, most);
  }
  return options;
}

/// The programs that are searched, and their scores on a task. Thread-safe.
class Candidates {
 public:
  /// All outlive this.
  Candidates(const Module& student, const Choices& choices, const Task& task)
      : student_(student), choices_(choices), task_(task) {}

  std::unique_ptr<Module> program(const Combination& combination) const {
    return choices_.apply(student_, combination);
  }
  EvaluateCandidate evaluate() const {
    return [this](const Combination& combination, std::span<const std::size_t> examples) {
      return score(*program(combination), examples);
    };
  }
  /// The first is the student as it came, also where choice 0 takes its demos away.
  EvaluateCandidate evaluate_student_first() const {
    return [this, first = true](const Combination& combination,
                                std::span<const std::size_t> examples) mutable {
      return std::exchange(first, false) ? score(student_, examples)
                                         : score(*program(combination), examples);
    };
  }

 private:
  std::vector<Result<double>> score(const Module& program,
                                    std::span<const std::size_t> examples) const {
    std::vector<Example> batch;
    for (const auto j : examples) batch.push_back(task_.validation[j]);
    return results_of(theta::evaluate(program, batch, task_.metric, {task_.model, task_.stop}));
  }

  const Module& student_;
  const Choices& choices_;
  const Task& task_;
};

/// One search: what it is among, of what, and how.
struct SearchSetup {
  const Task& task;
  const Choices& choices;
  const std::vector<Variable>& space;
  const Candidates& candidates;
  const MiproOptions& options;  ///< sizes and all
  const SearchOptions& search;
  std::int64_t kept = 0;  ///< evaluations that are kept to fit options with after it

  double cost(const Combination& combination) const {
    return static_cast<double>(prompt_tokens(*candidates.program(combination), task.model));
  }
};

PairedSearchResult search_paired(const SearchSetup& setup) {
  const auto& [task, choices, space, candidates, run, search, kept] = setup;
  const std::size_t examples = task.validation.size();
  auto budget = mipro_budget(examples, run.num_trials, run.minibatch_size, run.full_every);
  if (task.max_evaluations > 0) budget = std::min(budget, task.max_evaluations - kept);
  PairedSearchOptions paired{
      .budget = budget,
      .widening = run.widening,
      .stop_below = run.stop_below,
      .cost = [&](const Combination& combination) { return setup.cost(combination); },
      .elsewhere = task.elsewhere ? task.elsewhere->outcomes : std::vector<Observation>{},
      .seed = search.seed,
      .allowed = search.allowed,
      .on_trial = search.on_trial,
      .stop = search.stop};
  if (task.model.unit() == 1 && !task.in_turn)
    return paired_search(space, examples, side_by_side(candidates.evaluate()), paired);
  // Where answers depend on what is computed with them, waves must come in one order, and as
  // several candidates cannot share a computation, few long ones cost least.
  paired.step = kExamplesInTurn;
  paired.in_flight = 1;
  paired.widening = 0;
  return paired_search(space, examples, in_turn(candidates.evaluate()), paired);
}

SearchResult search_kept(const SearchSetup& setup, const EvaluateCandidate& evaluate) {
  const std::size_t examples = setup.task.validation.size();
  if (setup.options.faithful) return dspy_search(setup.space, examples, evaluate, setup.search);
  const auto surrogate = make_surrogate(setup.options.surrogate, setup.space);
  return search(setup.space, examples, evaluate, *surrogate, setup.search);
}

/// The tried candidates that none beats in score and tokens.
std::vector<Tradeoff> front_of(const std::vector<PairedSearchResult::Tried>& tried,
                               const Candidates& candidates, const LanguageModel& model) {
  std::vector<Tradeoff> all;
  std::vector<double> scores, costs;
  for (const auto& [combination, mean, variance] : tried) {
    const auto program = candidates.program(combination);
    const std::size_t tokens = prompt_tokens(*program, model);
    all.push_back({describe(*program, combination), mean, std::sqrt(variance), tokens});
    scores.push_back(mean);
    costs.push_back(static_cast<double>(tokens));
  }
  std::vector<Tradeoff> front;
  for (const auto i : pareto_front(scores, costs)) front.push_back(all[i]);
  return front;
}

/// Ends in the best candidate, or the student.
void compile_paired(const SearchSetup& setup, Compiled& compiled) {
  const PairedSearchResult found = search_paired(setup);
  compiled.front = front_of(found.tried, setup.candidates, setup.task.model);
  compiled.searched = std::make_shared<const Searched>(Searched{setup.choices, found.outcomes});
  compiled.stopped = found.stopped;
  compiled.student_score = found.winner ? found.winner->before : found.score;
  if (!found.winner) return;
  compiled.program = setup.candidates.program(found.winner->combination);
  compiled.gain = found.winner->gain;
  compiled.validation_score = found.winner->score;
}

/// The same of a search by trials.
void compile_kept(const SearchSetup& setup, Compiled& compiled) {
  const bool faithful = setup.options.faithful;
  KeptScores ledger(setup.task.validation.size(),
                    [&](const Combination& combination) { return setup.cost(combination); });
  const auto evaluate =
      faithful ? setup.candidates.evaluate_student_first() : setup.candidates.evaluate();
  const SearchResult found = search_kept(setup, ledger.keeping(evaluate));
  compiled.stopped = found.stopped;
  compiled.student_score = mean(ledger.student());
  // DSPy's own choice, where that is another than the student.
  const bool by_rule = faithful && std::ranges::any_of(found.trials, &Trial::improved);
  const auto best = by_rule ? std::optional(ledger.winner_is(found.best))
                            : ledger.winner(Combination(setup.space.size(), 0));
  if (!best) return;
  compiled.program = setup.candidates.program(best->combination);
  compiled.gain = best->gain;
  compiled.validation_score = mean(best->scores);
}

}  // namespace

Mipro::Mipro(MiproOptions options) : options_(std::move(options)) {
  make_surrogate(options_.surrogate, {});
  if (options_.faithful) {
    if (options_.limits.max_prompt_tokens > 0)
      throw UserError("a faithful mipro has no max_prompt_tokens, as DSPy has none");
    if (options_.space) throw UserError("a faithful mipro tries no formats, as DSPy does not");
    options_.proposer.unique = false;
    options_.proposer.history = false;
    options_.proposer.writer.max_copied = 0;
  }
  if (options_.auto_mode.empty()) return;
  if (!options_.faithful) throw UserError("an auto mode is DSPy's and wants `faithful`");
  const bool zero_shot = options_.max_bootstrapped == 0 && options_.max_labeled == 0;
  const std::size_t n = auto_mode(options_.auto_mode).candidates;
  options_.num_instructions = zero_shot ? n : n / 2;
  options_.num_demo_sets = n;
}

DemoSets Mipro::demo_sets(const Module& student, const Task& task, Rng& rng) const {
  DemoSets sets;
  for (const auto* predictor : student.predictors()) {
    sets.emplace_back();
    if (!options_.faithful) sets.back().push_back(predictor->demos);
  }
  const auto add = [&](const std::unique_ptr<Module>& program) {
    const auto predictors = program->predictors();
    for (std::size_t p = 0; p < predictors.size(); ++p) {
      if (options_.faithful)
        sets[p].push_back(predictors[p]->demos);
      else
        add_new(sets[p], predictors[p]->demos);
    }
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

Choices Mipro::choices(const Module& student, const Task& task) const {
  Rng rng(options_.seed);
  return choices(student, task, rng);
}

Choices Mipro::choices(const Module& student, const Task& task, Rng& rng) const {
  options_.limits.check(student);
  const auto predictors = student.predictors();
  for (const auto& [name, instructions] : options_.instructions_of)
    if (std::ranges::none_of(predictors, [&](const auto* p) { return is_called(*p, name); }))
      throw UserError(fmt::format("the program has no step `{}` to instruct", name));
  const bool zero_shot = options_.max_bootstrapped == 0 && options_.max_labeled == 0;
  const auto tries_demos = [&](const Predictor& p) {
    return !zero_shot && !options_.limits.freezes(p, "demos");
  };
  const auto formats_of = [&](const Predictor& p) {
    const bool fixed = options_.faithful || options_.limits.freezes(p, "format");
    return fixed ? FormatSpace{} : options_.space;
  };
  const std::vector<std::size_t> wanted = wanted_instructions(student, options_);
  bool sets_are_used = false;
  for (std::size_t p = 0; p < predictors.size(); ++p)
    sets_are_used |= tries_demos(*predictors[p]) || (wanted[p] > 0 && options_.proposer.demos);

  DemoSets sets;
  if (sets_are_used)
    sets = demo_sets(student, task, rng);
  else
    for (const auto* predictor : predictors) sets.push_back({predictor->demos});
  Proposals proposals = propose(student, sets, task.train, wanted, {task.proposer, task.stop},
                                options_.proposer, rng);
  std::vector<bool> open;
  for (const auto* predictor : predictors)
    open.push_back(!options_.faithful && !options_.limits.freezes(*predictor, "instruction"));
  Choices glossaries = glossary_parts(student, task.train, open, {task.proposer, task.stop},
                                      options_.proposer.writer, options_.glossary, rng);
  Choices choices{{}, proposals.counts};
  choices.counts += glossaries.counts;
  for (std::size_t p = 0; p < predictors.size(); ++p) {
    auto& instructions = proposals.instructions[p];
    if (!options_.limits.freezes(*predictors[p], "instruction"))
      for (const auto& instruction : instructions_for(*predictors[p], options_))
        add_new(instructions, instruction);
    std::vector<NearestDemos> nearest;
    if (!tries_demos(*predictors[p])) {
      sets[p] = {predictors[p]->demos};
    } else if (!options_.faithful) {
      for (auto& demos : demo_sets_by_rule(task.train, predictors[p]->signature,
                                           options_.max_labeled, options_.max_by_rule, rng))
        add_new(sets[p], std::move(demos));
      nearest = nearest_choices(*predictors[p], task.train, options_.nearest);
    }
    const std::string& own = predictors[p]->signature.instructions;
    for (auto& instruction : instructions)
      instruction = options_.limits.keeping(own, std::move(instruction));
    choices.parts.push_back(instruction_part(p, std::move(instructions)));
    choices.parts.push_back(demos_part(p, std::move(sets[p]), std::move(nearest)));
    auto formats = format_choices(student, p, formats_of(*predictors[p]), task.train);
    if (formats.size() > 1) choices.parts.push_back(format_part(p, std::move(formats)));
    for (auto& part : glossaries.parts)
      if (part.predictor == p) choices.parts.push_back(std::move(part));
  }
  return choices;
}

Compiled Mipro::search(const Module& student, const Task& given) {
  Rng rng(options_.seed);
  Task task = given;
  if (!options_.auto_mode.empty()) {
    const std::size_t all = given.validation.size();
    task.validation.clear();
    for (const auto j : rng.sample(all, std::min(auto_mode(options_.auto_mode).validation, all)))
      task.validation.push_back(given.validation[j]);
  }
  check_task(task);
  const std::size_t examples = task.validation.size();
  const Choices choices = task.elsewhere ? Choices{task.elsewhere->choices.parts, {}}
                                         : this->choices(student, task, rng);
  const auto space = choices.space(student);
  const MiproOptions run = with_sizes(options_, space, student.predictors().size(), examples);

  const Candidates candidates(student, choices, task);
  Compiled compiled;
  SearchOptions options{.num_trials = run.num_trials,
                        .minibatch_size = run.minibatch_size,
                        .full_every = run.full_every,
                        .max_evaluations = task.max_evaluations,
                        .seed = derive_seed(run.seed, "search"),
                        .stop = task.stop};
  options.on_trial = [&](const Trial& trial) {
    const auto program =
        trial.kind == TrialKind::kDefault ? student.clone() : candidates.program(trial.combination);
    compiled.trials.push_back(record_of(name(), trial, describe(*program, trial.combination)));
    if (task.on_trial) task.on_trial(compiled.trials.back());
  };
  if (run.limits.max_prompt_tokens > 0)
    options.allowed = [&](const Combination& combination) {
      return run.limits.admits(*candidates.program(combination), task.model);
    };
  const bool fits = run.fit_options && !run.faithful && fits_options(student, task) &&
                    !run.limits.freezes(*student.predictors().back(), "format");
  std::vector<std::unique_ptr<Module>> others;
  if (fits) others = in_other_formats(student, task, run.space);
  std::erase_if(others, [&](const auto& other) { return !run.limits.admits(*other, task.model); });
  const SearchSetup setup{
      task, choices, space, candidates, run, options, fits ? kept_to_fit(task, others.size()) : 0};
  if (!run.faithful && run.surrogate == "paired")
    compile_paired(setup, compiled);
  else
    compile_kept(setup, compiled);
  if (!compiled.gain) {
    compiled.program = student.clone();
    compiled.validation_score = compiled.student_score;
  }
  compiled.proposals = choices.counts;
  if (fits)
    end_with_fitted_options(
        student, others, task,
        task.max_evaluations > 0 ? task.max_evaluations - compiled.trials.back().evaluations : -1,
        name(), compiled);
  return compiled;
}

}  // namespace theta
