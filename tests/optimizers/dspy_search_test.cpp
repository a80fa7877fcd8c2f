#include "optimizers/dspy_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "optimizers/mipro.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

/// Candidate c is right on the first share(c) of 100 examples.
class DspySearchTest : public ::testing::Test {
 protected:
  SearchResult run(const SearchOptions& options) {
    const std::vector<Variable> space{{"instruction", 4, 0}, {"demos", 3, 0}};
    return dspy_search(space, 100, evaluate_, options);
  }
  static double quality(const Combination& c) { return .3 + .15 * c[0] + .05 * c[1]; }
  static std::string kinds(const SearchResult& result) {
    std::string letters;
    for (const auto& trial : result.trials) letters += name_of(trial.kind)[0];
    return letters;
  }

  std::vector<std::vector<std::size_t>> batches_;
  EvaluateCandidate evaluate_ = [this](const Combination& c,
                                       std::span<const std::size_t> examples) {
    batches_.emplace_back(examples.begin(), examples.end());
    std::vector<Result<double>> scores;
    for (const auto j : examples)
      scores.emplace_back(static_cast<double>(37 * j % 100) < 100 * quality(c) ? 1. : 0.);
    return scores;
  };
};

TEST_F(DspySearchTest, EvaluatesInFullAfterEveryFifthMinibatchAndTheLast) {
  EXPECT_EQ(kinds(run({.num_trials = 7})), "dmmmmmfmmf");
  EXPECT_EQ(kinds(run({.num_trials = 10})), "dmmmmmfmmmmmf");
}

TEST_F(DspySearchTest, DrawsAFreshMinibatchEveryTrial) {
  run({.num_trials = 5});
  for (std::size_t t = 1; t <= 5; ++t) {
    EXPECT_EQ(batches_[t].size(), 35u);
    EXPECT_EQ(std::set(batches_[t].begin(), batches_[t].end()).size(), 35u);
    EXPECT_NE(batches_[t], batches_[t % 5 + 1]);
  }
}

TEST_F(DspySearchTest, EvaluatesInFullTheBestMeanThatHasNotBeen) {
  const auto result = run({.num_trials = 40, .seed = 3});
  std::map<Combination, std::vector<double>> means;
  std::set<Combination> full;
  for (const auto& trial : result.trials) {
    if (trial.kind == TrialKind::kMinibatch) means[trial.combination].push_back(trial.score);
    if (trial.kind != TrialKind::kFull) continue;
    const auto mean = [&](const Combination& c) {
      double sum = 0;
      for (const double score : means.at(c)) sum += score;
      return sum / static_cast<double>(means.at(c).size());
    };
    EXPECT_TRUE(full.insert(trial.combination).second);
    for (const auto& [c, scores] : means)
      EXPECT_TRUE(full.contains(c) || mean(c) <= mean(trial.combination));
  }
  EXPECT_EQ(full.size(), 8u);
}

TEST_F(DspySearchTest, RoundsMeansToPercentsOfTwoDecimals) {
  for (const auto& trial : run({.num_trials = 20}).trials)
    EXPECT_NEAR(trial.score * 1e4, std::round(trial.score * 1e4), 1e-9) << trial.score * 35;
}

TEST_F(DspySearchTest, MayTryACombinationAgain) {
  const auto result = run({.num_trials = 60});
  std::set<Combination> distinct;
  for (const auto& trial : result.trials) distinct.insert(trial.combination);
  EXPECT_EQ(distinct.size(), 12u);
}

TEST_F(DspySearchTest, ChangesTheIncumbentOnFullEvaluationsOnly) {
  const auto result = run({.num_trials = 60});
  Combination incumbent{0, 0};
  double best = quality(incumbent);
  for (const auto& trial : result.trials) {
    if (!trial.improved) continue;
    EXPECT_EQ(trial.kind, TrialKind::kFull);
    EXPECT_GT(trial.score, best);
    incumbent = trial.combination;
    best = trial.score;
  }
  EXPECT_EQ(result.best, incumbent);
  EXPECT_EQ(result.best, (Combination{3, 2}));
  EXPECT_DOUBLE_EQ(result.score, best);
}

TEST_F(DspySearchTest, EvaluatesEveryTrialInFullWithoutMinibatches) {
  EXPECT_EQ(kinds(run({.num_trials = 6, .minibatch_size = 0})), "dffffff");
  EXPECT_EQ(kinds(run({.num_trials = 6, .minibatch_size = 100})), "dffffff");
}

TEST_F(DspySearchTest, GoesOnWhenEverythingTriedIsEvaluatedInFull) {  // DSPy 3.4.1 stops here
  const auto result = run({.num_trials = 100, .full_every = 1});
  EXPECT_EQ(std::ranges::count(kinds(result), 'f'), 12);
  EXPECT_EQ(std::ranges::count(kinds(result), 'm'), 100);
}

TEST_F(DspySearchTest, NeverExceedsTheBudget) {
  EXPECT_EQ(run({.num_trials = 50, .max_evaluations = 374}).trials.back().evaluations, 275);
  EXPECT_EQ(run({.num_trials = 50, .max_evaluations = 375}).trials.back().evaluations, 375);
}

/// The mean is of what could be scored.
TEST_F(DspySearchTest, LeavesOutWhatTheServiceFailed) {
  const EvaluateCandidate inner = evaluate_;
  evaluate_ = [inner](const Combination& c, std::span<const std::size_t> examples) {
    auto scores = inner(c, examples);
    for (std::size_t i = 0; i < examples.size(); ++i)
      if (!*scores[i]) scores[i] = Error{Fault::kService, "timed out"};
    return scores;
  };
  EXPECT_DOUBLE_EQ(run({.num_trials = 1}).trials[0].score, 1);
}

class FaithfulMipro : public ::testing::Test {
 protected:
  Compiled compile(MiproOptions options) {
    options.faithful = true;
    options.proposer.writer.adapter = make_terse_adapter();
    return Mipro(std::move(options)).compile(scripted_.student(), scripted_.task());
  }

  ScriptedTask scripted_;
};

// What a run of dspy 3.4.1 was seen to do.
TEST_F(FaithfulMipro, SpendsWhatDSPysLightModeSpends) {
  const auto compiled = compile({.auto_mode = "light"});
  std::string kinds;
  for (const auto& trial : compiled.trials) kinds += name_of(trial.kind)[0];
  EXPECT_EQ(kinds, "dmmmmmfmmmmmf");
  EXPECT_EQ(compiled.trials.back().evaluations, 650);
}

TEST_F(FaithfulMipro, SpendsWhatDSPysLightModeSpendsWithoutDemos) {
  const auto compiled = compile({.auto_mode = "light", .max_bootstrapped = 0, .max_labeled = 0});
  EXPECT_EQ(compiled.trials.back().evaluations, 615);
}

TEST_F(FaithfulMipro, HasDSPysNumbersOfChoices) {
  MiproOptions options{.faithful = true, .auto_mode = "light"};
  options.proposer.writer.adapter = make_terse_adapter();
  const auto choices = Mipro(options).choices(scripted_.student(), scripted_.task());
  EXPECT_EQ(choices.texts(0, "instruction").size(), 3u);
  EXPECT_EQ(choices.texts(0, "demos").size(), 6u);
  EXPECT_TRUE(choices.texts(0, "demos")[0].empty());
}

TEST_F(FaithfulMipro, KeepsProposalsThatRepeatTheProgramsOwn) {
  scripted_.written = {ScriptedTask::kOwn};
  MiproOptions options{.faithful = true, .num_instructions = 4};
  options.proposer.writer.adapter = make_terse_adapter();
  EXPECT_THAT(Mipro(options).choices(scripted_.student(), scripted_.task()).texts(0, "instruction"),
              ::testing::ElementsAre("Answer.", "Answer.", "Answer.", "Answer."));
}

std::string error_of(MiproOptions options) {
  try {
    Mipro mipro(std::move(options));
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(MiproOptions, RefuseWhatDSPyDoesNotHave) {
  EXPECT_EQ(error_of({.faithful = true, .limits = {.max_prompt_tokens = 9}}),
            "a faithful mipro has no max_prompt_tokens, as DSPy has none");
  EXPECT_EQ(error_of({.auto_mode = "light"}), "an auto mode is DSPy's and wants `faithful`");
  EXPECT_EQ(error_of({.faithful = true, .auto_mode = "lite"}),
            "there is no auto mode `lite`: choose light, medium or heavy");
}

}  // namespace
}  // namespace theta
