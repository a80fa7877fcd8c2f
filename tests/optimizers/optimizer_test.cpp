#include "optimizers/optimizer.hpp"

#include <gtest/gtest.h>

#include <ostream>

#include "core/result.hpp"
#include "modules/evaluate.hpp"
#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/mipro.hpp"
#include "optimizers/random_search.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

/// What every optimiser promises.
struct Named {
  std::string name;
  std::function<std::unique_ptr<Optimizer>(std::uint64_t seed)> make;
  double reaches;  ///< on the scripted task: .5 takes demos, .9 an instruction too
};

void PrintTo(const Named& named, std::ostream* out) { *out << named.name; }

std::unique_ptr<Optimizer> mipro(const std::string& surrogate, std::uint64_t seed) {
  return std::make_unique<Mipro>(
      MiproOptions{.num_instructions = 6,
                   .num_demo_sets = 4,
                   .num_trials = 20,
                   .minibatch_size = 20,
                   .surrogate = surrogate,
                   .seed = seed,
                   .proposer = {.adapter = make_terse_adapter(), .attempts = 10}});
}

class EveryOptimizer : public ::testing::TestWithParam<Named> {
 protected:
  Compiled compile(const Module& student, std::uint64_t seed = 1) {
    return GetParam().make(seed)->compile(student, scripted_.task());
  }
  Compiled compile(const Task& task, std::uint64_t seed = 1) {
    return GetParam().make(seed)->compile(scripted_.student(), task);
  }

  ScriptedTask scripted_;
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
  EXPECT_EQ(compiled.trials.at(0).kind, "default");
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
  const auto one = compile(scripted_.student());
  const auto two = compile(scripted_.student());
  EXPECT_EQ(describe(*one.program), describe(*two.program));
  ASSERT_EQ(one.trials.size(), two.trials.size());
  for (std::size_t i = 0; i < one.trials.size(); ++i) {
    EXPECT_EQ(one.trials[i].candidate, two.trials[i].candidate);
    EXPECT_EQ(one.trials[i].score, two.trials[i].score);
  }
}

TEST_P(EveryOptimizer, TellsEveryTrialToTheCallback) {
  std::vector<int> numbers;
  std::int64_t evaluations = 0;
  auto task = scripted_.task();
  task.on_trial = [&](const TrialRecord& trial) {
    numbers.push_back(trial.number);
    EXPECT_GT(trial.evaluations, evaluations);
    evaluations = trial.evaluations;
    return false;
  };
  const auto compiled = compile(task);
  ASSERT_EQ(numbers.size(), compiled.trials.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], static_cast<int>(i) + 1);
  EXPECT_EQ(scripted_.model.calls(), static_cast<std::size_t>(evaluations));
  EXPECT_FALSE(compiled.stopped);
}

TEST_P(EveryOptimizer, StopsWhenTheCallbackSaysSo) {
  auto task = scripted_.task();
  task.on_trial = [](const TrialRecord& trial) { return trial.number == 2; };
  const auto compiled = compile(task);
  EXPECT_EQ(compiled.trials.size(), 2u);
  EXPECT_TRUE(compiled.stopped);
  EXPECT_GE(compiled.validation_score, .4);
}

TEST_P(EveryOptimizer, StopsOnTheTokenWithTheBestSoFar) {
  std::stop_source source;
  auto task = scripted_.task();
  task.stop = source.get_token();
  task.on_trial = [&](const TrialRecord&) { return source.request_stop(), false; };
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
  const auto compiled = compile(scripted_.student());
  EXPECT_NEAR(compiled.trials.at(0).score, .4 / .5, 1e-9);
  EXPECT_NEAR(compiled.validation_score, 1, 1e-9);
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

TEST_P(EveryOptimizer, TunesProgramsOfSeveralPredictors) {
  const TwoSteps student(scripted_.adapter);
  const auto compiled = compile(student);
  EXPECT_GT(compiled.validation_score, .45);
  EXPECT_EQ(compiled.program->predictors().size(), 2u);
}

INSTANTIATE_TEST_SUITE_P(
    Contract, EveryOptimizer,
    ::testing::Values(
        Named{"labeled_few_shot", [](std::uint64_t) { return std::make_unique<LabeledFewShot>(); },
              .5},
        Named{"bootstrap_few_shot",
              [](std::uint64_t) { return std::make_unique<BootstrapFewShot>(); }, .5},
        Named{"random_search",
              [](std::uint64_t seed) {
                return std::make_unique<RandomSearch>(
                    RandomSearchOptions{.num_candidates = 3, .seed = seed});
              },
              .5},
        Named{"mipro_paired", [](std::uint64_t seed) { return mipro("paired", seed); }, .9},
        Named{"mipro_random", [](std::uint64_t seed) { return mipro("random", seed); }, .9}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace theta
