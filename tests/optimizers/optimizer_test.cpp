#include "optimizers/optimizer.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <ostream>
#include <set>
#include <thread>
#include <utility>

#include "core/records/recorded_model.hpp"
#include "core/result.hpp"
#include "modules/evaluate.hpp"
#include "modules/program_state.hpp"
#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/copro.hpp"
#include "optimizers/gepa.hpp"
#include "optimizers/mipro.hpp"
#include "optimizers/pipeline.hpp"
#include "optimizers/random_search.hpp"
#include "tests/optimizers/scripted_task.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

/// What every optimiser promises.
struct Named {
  std::string name;
  std::function<std::unique_ptr<Optimizer>(std::uint64_t seed)> make;
  double reaches;          ///< on the scripted task: .5 takes demos, .8 an instruction, .9 both
  std::size_t unit = 100;  ///< of the task's model
};

void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }

WriterOptions writer() { return {.adapter = make_terse_adapter(), .attempts = 10}; }

std::unique_ptr<Optimizer> mipro(const std::string& surrogate, std::uint64_t seed) {
  return std::make_unique<Mipro>(MiproOptions{.num_instructions = 6,
                                              .num_demo_sets = 4,
                                              .num_trials = 20,
                                              .minibatch_size = 20,
                                              .surrogate = surrogate,
                                              .seed = seed,
                                              .proposer = {.writer = writer()}});
}

std::unique_ptr<Optimizer> faithful(std::uint64_t seed) {
  return std::make_unique<Mipro>(MiproOptions{.faithful = true,
                                              .num_instructions = 16,
                                              .num_demo_sets = 16,
                                              .num_trials = 60,
                                              .minibatch_size = 35,
                                              .seed = seed,
                                              .proposer = {.writer = writer()}});
}

std::unique_ptr<Optimizer> copro(std::uint64_t seed) {
  return std::make_unique<Copro>(
      CoproOptions{.breadth = 4, .depth = 3, .writer = writer(), .seed = seed});
}

std::unique_ptr<Optimizer> gepa(std::uint64_t seed) {
  return std::make_unique<Gepa>(GepaOptions{.writer = writer(), .seed = seed});
}

std::unique_ptr<Optimizer> pipeline(std::uint64_t seed) {
  std::vector<std::unique_ptr<Optimizer>> steps;
  steps.push_back(copro(seed));
  steps.push_back(std::make_unique<LabeledFewShot>());
  return std::make_unique<Pipeline>(std::move(steps));
}

/// A model whose waves are answered by several threads, in whatever order these come to.
class ThreadedModel final : public LanguageModel {
 public:
  ThreadedModel(LanguageModel& inner, std::size_t threads) : inner_(inner), threads_(threads) {}

  std::string identity() const override { return inner_.identity(); }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token stop) override {
    std::atomic<std::size_t> next = 0;
    std::mutex one_at_a_time;
    std::vector<std::jthread> workers;
    for (std::size_t t = 0; t < threads_; ++t)
      workers.emplace_back([&] {
        for (std::size_t i = next++; i < wave.size(); i = next++) {
          const auto answer = ask(inner_, wave.subspan(i, 1), stop).at(0);
          const std::lock_guard lock(one_at_a_time);
          on_answer(i, answer);
        }
      });
  }
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request& request) const override {
    return inner_.count_tokens(request);
  }
  HostCounters counters() const override { return {}; }

 private:
  LanguageModel& inner_;
  const std::size_t threads_;
};

/// All that a search came to, as one text.
std::string summary(const Compiled& compiled) {
  std::string text =
      fmt::format("{}: {}, {} {} {} {}\n", to_json(describe(*compiled.program)),
                  compiled.validation_score, to_json(compiled.winner.value_or(Candidate{})),
                  compiled.gate.estimate, compiled.gate.p_better, compiled.gate.saved);
  for (const auto& trial : compiled.trials)
    text += fmt::format("{} {} {} {} {} {}\n", trial.search, trial.number, name_of(trial.kind),
                        to_json(trial.candidate), trial.score, trial.evaluations);
  return text;
}

class EveryOptimizer : public ::testing::TestWithParam<Named> {
 protected:
  Compiled compile(const Module& student, std::uint64_t seed = 1) {
    return GetParam().make(seed)->compile(student, scripted_.task());
  }
  Compiled compile(const Task& task, std::uint64_t seed = 1) {
    return GetParam().make(seed)->compile(scripted_.student(), task);
  }

  ScriptedTask scripted_{GetParam().unit};
};

TEST_P(EveryOptimizer, FindsTheOptimumOfWhatItSearches) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto compiled = compile(scripted_.student(), seed);
    EXPECT_NEAR(compiled.validation_score, GetParam().reaches, 1e-9) << seed;
  }
}

TEST_P(EveryOptimizer, ReturnsTheProgramWhoseScoreItReports) {
  const auto compiled = compile(scripted_.student());
  const auto task = scripted_.task();
  const auto again = evaluate(*compiled.program, task.validation, task.metric, {scripted_.model});
  EXPECT_DOUBLE_EQ(again.mean(), compiled.validation_score);
}

TEST_P(EveryOptimizer, EvaluatesTheStudentFirst) {
  const auto compiled = compile(scripted_.student());
  EXPECT_EQ(compiled.trials.at(0).kind, TrialKind::kDefault);
  EXPECT_EQ(compiled.trials.at(0).number, 1);
  EXPECT_EQ(compiled.trials.at(0).search, GetParam().make(0)->name());
  EXPECT_EQ(compiled.trials.at(0).evaluations, 100);
  EXPECT_NEAR(compiled.trials.at(0).score, .4, 1e-9);
}

TEST_P(EveryOptimizer, ReturnsTheStudentWhereEverythingElseIsWorse) {
  scripted_.quality = {{ScriptedTask::kOwn, .6}, {"Decide.", .5}, {"Think.", .3}};
  scripted_.demo_bonus = -.2;
  const auto compiled = compile(scripted_.student());
  EXPECT_NEAR(compiled.validation_score, .6, 1e-9);
  EXPECT_EQ(describe(*compiled.program), describe(scripted_.student()));
}

TEST_P(EveryOptimizer, KeepsTheStudentWhereNothingIsBetter) {
  scripted_.quality = {
      {ScriptedTask::kOwn, .6}, {"Decide.", .6}, {"Think.", .6}, {ScriptedTask::kBest, .6}};
  scripted_.demo_bonus = 0;
  EXPECT_EQ(describe(*compile(scripted_.student()).program), describe(scripted_.student()));
}

TEST_P(EveryOptimizer, GivesTheSameResultForTheSameSeed) {
  EXPECT_EQ(summary(compile(scripted_.student())), summary(compile(scripted_.student())));
}

TEST_P(EveryOptimizer, GivesTheSameResultForOneThreadAndSixteen) {
  const auto result = [&](std::size_t threads) {
    ThreadedModel model(scripted_.model, threads), proposer(scripted_.proposer, threads),
        teacher(scripted_.teacher, threads);
    const auto task = scripted_.task();
    return summary(compile(Task{.train = task.train,
                                .validation = task.validation,
                                .metric = task.metric,
                                .model = model,
                                .proposer = proposer,
                                .teacher = teacher}));
  };
  EXPECT_EQ(result(1), result(16));
}

TEST_P(EveryOptimizer, EndsBeforeTheBudgetIsExceeded) {
  for (const std::int64_t budget : {100, 101, 120, 199, 200, 250, 433}) {
    ScriptedTask scripted(GetParam().unit);
    auto task = scripted.task();
    task.max_evaluations = budget;
    const auto compiled = compile(task);
    EXPECT_LE(scripted.model.calls(), static_cast<std::size_t>(budget));
    EXPECT_LE(compiled.trials.back().evaluations, budget);
    EXPECT_GE(compiled.validation_score, .4);
    EXPECT_FALSE(compiled.stopped);
  }
}

TEST_P(EveryOptimizer, RefusesABudgetBelowThatOfTheStudent) {
  auto task = scripted_.task();
  task.max_evaluations = 99;
  try {
    compile(task);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "max_evaluations is 99, and the program alone is evaluated on 100 examples");
  }
}

TEST_P(EveryOptimizer, ContinuesToTheSameResultAfterAKillAtAnyTrialAskingNothingTwice) {
  const TemporaryFolder folder;
  // The result of a run over a store, which dies at a trial (0: none), and the calls it made.
  const auto run = [&](const std::string& name, int last) {
    Store store(folder.path() / name);
    RecordedModel model(scripted_.model, store, nullptr),
        proposer(scripted_.proposer, store, nullptr), teacher(scripted_.teacher, store, nullptr);
    const auto calls = [&] {
      return scripted_.model.calls() + scripted_.proposer.calls() + scripted_.teacher.calls();
    };
    const auto before = calls();
    const auto task = scripted_.task();
    std::string result;
    try {
      result = summary(compile(Task{.train = task.train,
                                    .validation = task.validation,
                                    .metric = task.metric,
                                    .model = model,
                                    .proposer = proposer,
                                    .teacher = teacher,
                                    .on_trial =
                                        [&](const TrialRecord& trial) {
                                          if (trial.number == last)
                                            throw std::logic_error("killed");
                                        },
                                    .max_evaluations = 300}));
    } catch (const std::logic_error&) {
    }
    return std::pair(result, calls() - before);
  };
  const auto [whole, calls] = run("whole.db", 0);
  const auto trials = static_cast<int>(std::count(whole.begin(), whole.end(), '\n')) - 1;
  for (int last = 1; last <= trials; ++last) {
    const std::string name = fmt::format("{}.db", last);
    const auto [nothing, first_calls] = run(name, last);
    ASSERT_EQ(nothing, "");
    const auto [result, rest_calls] = run(name, 0);
    EXPECT_EQ(result, whole) << last;
    EXPECT_EQ(first_calls + rest_calls, calls) << last;
  }
}

TEST_P(EveryOptimizer, TellsEveryTrialToTheCallback) {
  std::vector<int> numbers;
  std::int64_t evaluations = 0;
  auto task = scripted_.task();
  task.on_trial = [&](const TrialRecord& trial) {
    numbers.push_back(trial.number);
    // The winner's full trial can have nothing left to ask.
    EXPECT_GE(trial.evaluations, evaluations + (trial.kind == TrialKind::kFull ? 0 : 1));
    evaluations = trial.evaluations;
  };
  const auto compiled = compile(task);
  ASSERT_EQ(numbers.size(), compiled.trials.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], static_cast<int>(i) + 1);
  EXPECT_EQ(scripted_.model.calls(), static_cast<std::size_t>(evaluations));
  EXPECT_FALSE(compiled.stopped);
}

TEST_P(EveryOptimizer, StopsAfterAnyTrial) {
  std::stop_source source;
  auto task = scripted_.task();
  task.stop = source.get_token();
  task.on_trial = [&](const TrialRecord& trial) {
    if (trial.number == 2) source.request_stop();
  };
  const auto compiled = compile(task);
  EXPECT_EQ(compiled.trials.size(), 2u);
  EXPECT_TRUE(compiled.stopped);
  EXPECT_GE(compiled.validation_score, .4);
}

TEST_P(EveryOptimizer, StopsOnTheTokenWithTheBestSoFar) {
  std::stop_source source;
  auto task = scripted_.task();
  task.stop = source.get_token();
  task.on_trial = [&](const TrialRecord&) { source.request_stop(); };
  const auto compiled = compile(task);
  EXPECT_EQ(compiled.trials.size(), 1u);
  EXPECT_TRUE(compiled.stopped);
  EXPECT_EQ(describe(*compiled.program), describe(scripted_.student()));
}

TEST_P(EveryOptimizer, IsInterruptedIfStoppedBeforeTheStudentIsEvaluated) {
  std::stop_source source;
  source.request_stop();
  auto task = scripted_.task();
  task.stop = source.get_token();
  EXPECT_THROW(compile(task), Interrupted);
}

TEST_P(EveryOptimizer, LeavesServiceFailuresOutInsteadOfScoringThemZero) {
  // The items on which the best programs are right and the student is not.
  scripted_.service_fails = [](int item) { return item < 1000 && 37 * item % 100 >= 50; };
  const auto found = GetParam().make(1)->search(scripted_.student(), scripted_.task());
  EXPECT_NEAR(found.trials.at(0).score, .4 / .5, 1e-9);
  EXPECT_NEAR(found.validation_score, 1, 1e-9);
}

TEST_P(EveryOptimizer, LosesNothingButTheCandidateThatTheServiceRefuses) {
  scripted_.refused = "Think.";
  const auto compiled = compile(scripted_.student());
  EXPECT_NEAR(compiled.validation_score, GetParam().reaches, 1e-9);
  EXPECT_FALSE(compiled.stopped);
}

TEST_P(EveryOptimizer, FailsWithTheReasonIfTheServiceAnswersNothing) {
  scripted_.service_fails = [](int item) { return item < 1000; };
  try {
    compile(scripted_.student());
    FAIL();
  } catch (const RunError& e) {
    EXPECT_NE(std::string(e.what()).find("timed out"), std::string::npos) << e.what();
  }
}

TEST_P(EveryOptimizer, RefusesATaskWithoutValidationExamples) {
  auto task = scripted_.task();
  task.validation.clear();
  try {
    compile(task);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "optimising needs validation examples");
  }
}

/// The items of the examples that the gate keeps.
std::set<int> fresh_items(const Task& task) {
  std::set<int> items;
  for (const auto j : check_gated(task.validation, task.gate, 0).fresh)
    items.insert(static_cast<int>(j));
  return items;
}

TEST_P(EveryOptimizer, SavesWhatIsPlainlyBetterOnFreshExamplesToo) {
  scripted_.demo_bonus = .4;
  auto task = scripted_.task();
  task.gate.fresh = .3;
  const auto compiled = compile(task);
  EXPECT_TRUE(compiled.gate.saved);
  EXPECT_EQ(compiled.gate.n_fresh, 30u);
  EXPECT_GT(compiled.gate.estimate, .1);
  EXPECT_GT(compiled.gate.low, 0);
  EXPECT_TRUE(describe(*compiled.program).combination.empty());
  EXPECT_EQ(compiled.winner, describe(*compiled.program));
  EXPECT_NE(compiled.winner, describe(scripted_.student()));
}

TEST_P(EveryOptimizer, NeverSavesWhatIsWorseOnFreshExamples) {
  scripted_.demo_bonus = .4;
  auto task = scripted_.task();
  task.gate.fresh = .3;
  scripted_.spoiled = [fresh = fresh_items(task)](int item) { return fresh.contains(item); };
  const auto compiled = compile(task);
  EXPECT_FALSE(compiled.gate.saved);
  EXPECT_EQ(compiled.gate.n_fresh, 30u);
  EXPECT_GT(compiled.gate.claimed, .1);
  EXPECT_LT(compiled.gate.estimate, compiled.gate.claimed);
  EXPECT_EQ(describe(*compiled.program), describe(scripted_.student()));
  EXPECT_DOUBLE_EQ(compiled.validation_score, compiled.student_score);
}

TEST_P(EveryOptimizer, NeverSavesWhatIsWorseOnAnAnchor) {
  scripted_.demo_bonus = .4;
  scripted_.spoiled = [](int item) { return item == 7; };
  auto task = scripted_.task();
  task.gate.anchors = {"8", "7"};
  const auto compiled = compile(task);
  EXPECT_GT(compiled.gate.p_better, task.gate.threshold);
  EXPECT_FALSE(compiled.gate.saved);
  EXPECT_EQ(compiled.gate.broken, "7");
  EXPECT_EQ(describe(*compiled.program), describe(scripted_.student()));
  task.gate.anchors = {"8"};
  EXPECT_TRUE(compile(task).gate.saved);
}

TEST_P(EveryOptimizer, RefusesAnAnchorThatIsNoRow) {
  auto task = scripted_.task();
  task.gate.anchors = {"x"};
  try {
    compile(task);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "no row of training or validation is called `x`, an anchor");
  }
}

TEST_P(EveryOptimizer, KeepsTheFreshExamplesFromTheSearch) {
  auto task = scripted_.task();
  task.gate.fresh = .3;
  const auto fresh = fresh_items(task);
  std::size_t asked = 0;
  const auto fresh_asked = [&] {
    std::size_t n = 0;
    for (const auto& wave : scripted_.model.waves())
      for (const auto& request : wave)
        n += fresh.contains(ScriptedTask::item_of(request.messages.back().content));
    return n;
  };
  task.on_trial = [&](const TrialRecord& trial) {
    if (trial.kind == TrialKind::kGate) asked += 30;
    EXPECT_EQ(fresh_asked(), asked) << name_of(trial.kind);
  };
  const auto compiled = compile(task);
  EXPECT_EQ(asked, 60u);
  EXPECT_EQ(compiled.trials.back().kind, TrialKind::kGate);
  EXPECT_EQ(scripted_.model.calls(), static_cast<std::size_t>(compiled.trials.back().evaluations));
}

TEST_P(EveryOptimizer, KeepsTheGatesEvaluationsWithinTheBudget) {
  for (const std::int64_t budget : {130, 131, 160, 200, 250, 433}) {
    ScriptedTask scripted(GetParam().unit);
    auto task = scripted.task();
    task.gate.fresh = .3;
    task.max_evaluations = budget;
    const auto compiled = compile(task);
    EXPECT_LE(scripted.model.calls(), static_cast<std::size_t>(budget));
    EXPECT_LE(compiled.trials.back().evaluations, budget);
  }
}

TEST_P(EveryOptimizer, RefusesABudgetThatDoesNotReachTheGate) {
  auto task = scripted_.task();
  task.gate.fresh = .3;
  task.max_evaluations = 129;
  try {
    compile(task);
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "max_evaluations is 129, and the program alone is evaluated on 70 examples, and "
                 "it and a winner on the 30 that the gate keeps");
  }
}

TEST_P(EveryOptimizer, GivesTheSameResultWithTheGateForTheSameSeed) {
  auto task = scripted_.task();
  task.gate.fresh = .3;
  EXPECT_EQ(summary(compile(task)), summary(compile(task)));
}

TEST_P(EveryOptimizer, JudgesASearchThatWasStoppedByItsBeliefAlone) {
  for (const int last : {1, 2}) {
    std::stop_source source;
    auto task = scripted_.task();
    task.stop = source.get_token();
    task.gate.fresh = .3;
    task.on_trial = [&](const TrialRecord& trial) {
      if (trial.number == last) source.request_stop();
    };
    const auto compiled = compile(task);
    EXPECT_TRUE(compiled.stopped);
    EXPECT_EQ(compiled.gate.n_fresh, 0u);
    EXPECT_EQ(compiled.gate.saved, compiled.gate.p_better > task.gate.threshold);
    if (last == 1) {
      EXPECT_EQ(describe(*compiled.program), describe(scripted_.student()));
    }
  }
}

TEST_P(EveryOptimizer, FailsWithTheReasonIfTheServiceAnswersNothingOfTheGate) {
  auto task = scripted_.task();
  task.gate.fresh = .3;
  scripted_.service_fails = [fresh = fresh_items(task)](int item) { return fresh.contains(item); };
  try {
    compile(task);
    FAIL();
  } catch (const RunError& e) {
    EXPECT_NE(std::string(e.what()).find("timed out"), std::string::npos) << e.what();
  }
}

/// The student and the task of two steps: the training examples have notes too.
class EveryOptimizerOfTwoSteps : public EveryOptimizer {
 protected:
  EveryOptimizerOfTwoSteps() {
    for (auto& example : task_.train) example.fields.set("note", "sure");
  }
  Compiled compile() { return GetParam().make(1)->compile(student_, task_); }

  Program student_ = two_steps(scripted_.adapter);
  Task task_ = scripted_.task();
};

TEST_P(EveryOptimizerOfTwoSteps, TunesBoth) {
  const auto compiled = compile();
  for (std::size_t p = 0; p < 2; ++p) {
    auto untuned = compiled.program->clone();
    *untuned->predictors()[p] = *student_.predictors()[p];
    EXPECT_LT(evaluate(*untuned, task_.validation, task_.metric, {scripted_.model}).mean(),
              compiled.validation_score - .05)
        << p;
  }
}

TEST_P(EveryOptimizerOfTwoSteps, GivesDemosToTheStepThatMadeThem) {
  const auto compiled = compile();
  for (const auto* predictor : std::as_const(*compiled.program).predictors())
    for (const auto& demo : predictor->demos) {
      EXPECT_NE(demo.fields.find(predictor->signature.outputs[0].name), nullptr);
      for (const auto& [name, value] : demo.fields)
        EXPECT_NE(predictor->signature.find(name), nullptr) << predictor->name << " " << name;
    }
}

TEST_P(EveryOptimizerOfTwoSteps, NamesBothInEveryRecord) {
  const auto compiled = compile();
  for (const auto& trial : compiled.trials) {
    EXPECT_EQ(trial.candidate.parts.at(0).predictor, "note");
    EXPECT_EQ(trial.candidate.parts.at(1).predictor, "label");
  }
}

TEST_P(EveryOptimizerOfTwoSteps, GivesTheSameResultForTheSameSeed) {
  EXPECT_EQ(summary(compile()), summary(compile()));
}

TEST_P(EveryOptimizerOfTwoSteps, SavesAStateThatLoadsIntoTheProgram) {
  const auto compiled = compile();
  Program loaded = two_steps(scripted_.adapter);
  load_state(loaded, dump_state(*compiled.program), "prompt.json");
  EXPECT_EQ(evaluate(loaded, task_.validation, task_.metric, {scripted_.model}).mean(),
            compiled.validation_score);
}

TEST_P(EveryOptimizerOfTwoSteps, RefusesTwoPredictorsOfOneName) {
  for (auto* predictor : student_.predictors()) predictor->name = "predict";
  try {
    compile();
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "two predictors of the program are named `predict`, and a saved state tells them "
                 "apart by their names: give each its own");
  }
}

TEST(Pipeline, KeepsTheFrontOfTheStepThatHasOne) {
  ScriptedTask scripted;
  std::vector<std::unique_ptr<Optimizer>> steps;
  steps.push_back(mipro("paired", 1));
  steps.push_back(std::make_unique<LabeledFewShot>());
  EXPECT_FALSE(
      Pipeline(std::move(steps)).compile(scripted.student(), scripted.task()).front.empty());
}

const auto kEvery = ::testing::Values(
    Named{"labeled_few_shot", [](std::uint64_t) { return std::make_unique<LabeledFewShot>(); }, .5},
    Named{"knn_few_shot", [](std::uint64_t) { return std::make_unique<KnnFewShot>(); }, .5},
    Named{"bootstrap_few_shot", [](std::uint64_t) { return std::make_unique<BootstrapFewShot>(); },
          .5},
    Named{"random_search",
          [](std::uint64_t seed) {
            return std::make_unique<RandomSearch>(
                RandomSearchOptions{.num_candidates = 3, .seed = seed});
          },
          .5},
    Named{"mipro_paired", [](std::uint64_t seed) { return mipro("paired", seed); }, .9},
    Named{"mipro_side_by_side", [](std::uint64_t seed) { return mipro("paired", seed); }, .9, 1},
    Named{"mipro_gp", [](std::uint64_t seed) { return mipro("gp", seed); }, .9},
    Named{"mipro_tpe", [](std::uint64_t seed) { return mipro("tpe", seed); }, .9},
    Named{"mipro_random", [](std::uint64_t seed) { return mipro("random", seed); }, .9},
    Named{"mipro_faithful", faithful, .9}, Named{"copro", copro, .8}, Named{"gepa", gepa, .8},
    Named{"pipeline", pipeline, .9});

const auto name_of = [](const auto& instance) { return instance.param.name; };

INSTANTIATE_TEST_SUITE_P(Contract, EveryOptimizer, kEvery, name_of);
INSTANTIATE_TEST_SUITE_P(Contract, EveryOptimizerOfTwoSteps, kEvery, name_of);

}  // namespace
}  // namespace theta
