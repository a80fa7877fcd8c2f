#include "optimizers/paired_surrogate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>
#include <limits>
#include <numbers>
#include <set>

#include "core/result.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

/// Two predictors; the first has an instruction and demos, the second an instruction whose texts
/// are alike to a known degree.
std::vector<Variable> three_variables() {
  Eigen::MatrixXd alike(3, 3);
  alike << 1, .9, .2, .9, 1, .3, .2, .3, 1;
  return {{"a.instruction", 3, 0}, {"a.demos", 4, 0}, {"b.instruction", 3, 1, alike}};
}

/// Outcomes as a search makes them: some candidates seen twice on an example, most never.
std::vector<Observation> random_outcomes(Rng& rng, std::size_t n, std::size_t examples = 6) {
  std::vector<Observation> outcomes;
  for (std::size_t i = 0; i < n; ++i)
    outcomes.push_back({{static_cast<int>(rng.below(3)), static_cast<int>(rng.below(4)),
                         static_cast<int>(rng.below(3))},
                        rng.below(examples),
                        rng.uniform() < .6 ? 1.0 : 0.0});
  return outcomes;
}

std::vector<Combination> all_combinations() {
  std::vector<Combination> all;
  for (int i = 0; i < 3; ++i)
    for (int d = 0; d < 4; ++d)
      for (int k = 0; k < 3; ++k) all.push_back({i, d, k});
  return all;
}

PairedVariances random_variances(Rng& rng) {
  PairedVariances v{.02 + rng.uniform() / 4, .01 + rng.uniform() / 4, {}};
  for (int t = 0; t < 5; ++t) v.effects.push_back(.001 + rng.uniform() / 20);
  return v;
}

PairedOptions fixed(double noise = .15, double example = .05, double main = .01,
                    double both = .0025) {
  return {noise, example, main, both, false};
}

/// The same model by brute force, with N x N matrices and no algebra.
struct Dense {
  std::vector<Variable> space;
  PairedVariances variances;
  std::vector<Observation> outcomes;

  double kernel(const Combination& x, const Combination& y) const {
    const auto same = [&](std::size_t v) { return x[v] == y[v] ? 1.0 : 0.0; };
    const auto& v = variances.effects;
    return .25 + v[0] * same(0) + v[1] * same(1) + v[2] * same(0) * same(1) + v[3] * same(2) +
           v[4] * space[2].similarity(x[2], y[2]);
  }
  Eigen::MatrixXd covariance() const {
    const auto n = static_cast<Eigen::Index>(outcomes.size());
    Eigen::MatrixXd v(n, n);
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index k = 0; k < n; ++k) {
        const auto& a = outcomes[static_cast<std::size_t>(i)];
        const auto& b = outcomes[static_cast<std::size_t>(k)];
        v(i, k) = kernel(a.combination, b.combination) +
                  (a.example == b.example ? variances.example : 0) + (i == k ? variances.noise : 0);
      }
    return v;
  }
  Eigen::VectorXd residuals() const {
    Eigen::VectorXd y(outcomes.size());
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      y(static_cast<Eigen::Index>(i)) = outcomes[i].score - .5;
    return y;
  }
  double log_marginal_likelihood() const {
    const Eigen::MatrixXd v = covariance();
    const Eigen::VectorXd y = residuals();
    return -.5 * (y.dot(v.fullPivLu().solve(y)) + std::log(v.fullPivLu().determinant()) +
                  static_cast<double>(y.size()) * std::log(2 * std::numbers::pi));
  }
  Posterior posterior(const std::vector<Combination>& candidates) const {
    const auto v = covariance().fullPivLu();
    const auto m = static_cast<Eigen::Index>(candidates.size());
    Posterior belief{Eigen::VectorXd(m), Eigen::VectorXd(m)};
    for (Eigen::Index i = 0; i < m; ++i) {
      const auto& c = candidates[static_cast<std::size_t>(i)];
      Eigen::VectorXd k(outcomes.size());
      for (std::size_t o = 0; o < outcomes.size(); ++o)
        k(static_cast<Eigen::Index>(o)) = kernel(c, outcomes[o].combination);
      belief.mean(i) = .5 + k.dot(v.solve(residuals()));
      belief.variance(i) = kernel(c, c) - k.dot(v.solve(k));
    }
    return belief;
  }
};

/// paired_reference.py has the same outcomes and variances.
void expect_numbers(PairedOptions options, const std::vector<double>& means,
                    const std::vector<double>& variances, double likelihood) {
  PairedSurrogate surrogate({{"instruction", 3}, {"demos", 2}}, options);
  surrogate.observe({{{0, 0}, 0, 1},
                     {{0, 0}, 1, 0},
                     {{0, 0}, 2, 1},
                     {{1, 0}, 0, 1},
                     {{1, 0}, 1, 1},
                     {{1, 1}, 0, 0},
                     {{1, 1}, 3, .5},
                     {{0, 0}, 0, 1}});
  const auto [mean, variance] = surrogate.posterior({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 1}});
  for (Eigen::Index i = 0; i < 5; ++i) {
    EXPECT_NEAR(mean(i), means[static_cast<std::size_t>(i)], 1e-8);
    EXPECT_NEAR(variance(i), variances[static_cast<std::size_t>(i)], 1e-8);
  }
  EXPECT_NEAR(surrogate.log_marginal_likelihood(surrogate.variances()).value, likelihood, 1e-8);
}

TEST(PairedSurrogate, HasTheNumbersOfScikitLearn) {
  expect_numbers(fixed(.1, .06, .02, .005),
                 {.728552812, .507655534, .75998619, .485233998, .505221036},
                 {.034505932, .057744781, .039514893, .044603487, .074724481}, -7.041554327);
}

TEST(PairedSurrogate, WithoutDifficultiesHasTheNumbersOfScikitLearnsOrdinaryProcess) {
  expect_numbers(fixed(.1, 0, .02, .005),
                 {.738638259, .529700356, .752473871, .496414276, .520610963},
                 {.018589476, .043869802, .023371136, .029152769, .061441517}, -6.564642548);
}

TEST(PairedSurrogate, WithoutDifficultiesFitsTheOtherVariances) {
  PairedSurrogate surrogate(three_variables(), ordinary_gp());
  Rng rng(8);
  surrogate.observe(random_outcomes(rng, 200));
  EXPECT_EQ(surrogate.variances().example, 0);
  EXPECT_NE(surrogate.variances().noise, ordinary_gp().noise);
  // As likely as any other noise nearby, but for the weak prior.
  EXPECT_NEAR(surrogate.log_marginal_likelihood(surrogate.variances()).gradient(0), 0, .5);
}

TEST(PairedSurrogate, EqualsTheDensePosteriorOverAllOutcomes) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    const auto outcomes = random_outcomes(rng, 1 + rng.below(60));
    PairedSurrogate surrogate(three_variables(), fixed(.1, .08, .03, .01));
    surrogate.observe(outcomes);
    const Dense dense{three_variables(), surrogate.variances(), outcomes};
    const Posterior fast = surrogate.posterior(all_combinations());
    const Posterior slow = dense.posterior(all_combinations());
    EXPECT_LT((fast.mean - slow.mean).cwiseAbs().maxCoeff(), 1e-9) << seed;
    EXPECT_LT((fast.variance - slow.variance).cwiseAbs().maxCoeff(), 1e-9) << seed;
  }
}

TEST(PairedSurrogate, HasTheDenseMarginalLikelihoodAtAnyVariances) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    const auto outcomes = random_outcomes(rng, 1 + rng.below(50));
    const auto variances = random_variances(rng);
    PairedSurrogate surrogate(three_variables(), fixed());
    surrogate.observe(outcomes);
    EXPECT_NEAR(surrogate.log_marginal_likelihood(variances).value,
                (Dense{three_variables(), variances, outcomes}.log_marginal_likelihood()), 1e-8)
        << seed;
  }
}

TEST(PairedSurrogate, HasGradientsEqualToCentralDifferences) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Rng rng(seed);
    PairedSurrogate surrogate(three_variables(), fixed());
    surrogate.observe(random_outcomes(rng, 1 + rng.below(80)));
    const auto variances = random_variances(rng);
    const auto gradient = surrogate.log_marginal_likelihood(variances).gradient;
    ASSERT_EQ(gradient.size(), 7);
    for (Eigen::Index p = 0; p < gradient.size(); ++p) {
      const auto at = [&](double step) {
        PairedVariances v = variances;
        double& moved = p == 0   ? v.noise
                        : p == 1 ? v.example
                                 : v.effects[static_cast<std::size_t>(p) - 2];
        moved *= std::exp(step);
        return surrogate.log_marginal_likelihood(v).value;
      };
      EXPECT_NEAR(gradient(p), (at(1e-5) - at(-1e-5)) / 2e-5, 1e-6) << seed << " " << p;
    }
  }
}

TEST(PairedSurrogate, NamesItsEffects) {
  EXPECT_THAT(PairedSurrogate(three_variables()).effects(),
              ElementsAre("a.instruction", "a.demos", "a.instruction x a.demos", "b.instruction",
                          "b.instruction ~"));
}

TEST(PairedSurrogate, LetsAVariableMeetAllGroups) {
  EXPECT_THAT(
      PairedSurrogate({{"a.demos", 2, 0}, {"b.demos", 2, 1}, {"model", 2, 0, {}, true}}).effects(),
      ElementsAre("a.demos", "b.demos", "model", "a.demos x model", "b.demos x model"));
}

TEST(PairedSurrogate, TakesWhatACombinationLeavesOutForChoice0) {
  PairedSurrogate surrogate({{"a.demos", 2, 0}, {"model", 2, 0, {}, true}});
  surrogate.observe({{{1}, 0, 1}, {{0, 1}, 0, 0}});
  EXPECT_EQ(surrogate.posterior({{1}}).mean(0), surrogate.posterior({{1, 0}}).mean(0));
  EXPECT_GT(surrogate.posterior({{1}}).mean(0), surrogate.posterior({{1, 1}}).mean(0));
}

TEST(PairedSurrogate, HasNoEffectForAVariableWithoutChoice) {
  PairedSurrogate surrogate({{"a.instruction", 3, 0}, {"a.demos", 1, 0}});
  EXPECT_THAT(surrogate.effects(), ElementsAre("a.instruction"));
  surrogate.observe({{{2, 0}, 0, 1}});
  EXPECT_GT(surrogate.posterior({{2, 0}}).mean(0), .5);
}

TEST(PairedSurrogate, InterpolatesAsTheNoiseGoesToZero) {
  PairedSurrogate surrogate({{"instruction", 4}}, fixed(1e-8, 1e-8, .04));
  surrogate.observe({{{0}, 0, .3}, {{1}, 0, .9}, {{2}, 1, .45}});
  const auto [mean, variance] = surrogate.posterior({{0}, {1}, {2}});
  EXPECT_NEAR(mean(0), .3, 1e-6);
  EXPECT_NEAR(mean(1), .9, 1e-6);
  EXPECT_NEAR(mean(2), .45, 1e-6);
  EXPECT_LT(variance.maxCoeff(), 1e-6);
}

TEST(PairedSurrogate, NeverGrowsLessCertainAndNeverHasNegativeVariance) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Rng rng(seed);
    PairedSurrogate surrogate(three_variables(), fixed(1e-4, .1));
    Eigen::VectorXd before = surrogate.posterior(all_combinations()).variance;
    for (int step = 0; step < 30; ++step) {
      surrogate.observe(random_outcomes(rng, 5));
      const Eigen::VectorXd after = surrogate.posterior(all_combinations()).variance;
      EXPECT_GE(after.minCoeff(), 0);
      EXPECT_LE((after - before).maxCoeff(), 1e-10);
      before = after;
    }
  }
}

TEST(PairedSurrogate, DoesNotMistakeEasyExamplesForAGoodCandidate) {
  PairedSurrogate surrogate({{"instruction", 6}});
  std::vector<Observation> outcomes;
  for (std::size_t j = 0; j < 40; ++j) {
    const bool easy = j < 20;
    for (int c = 0; c < 4; ++c)  // right on every easy example and on 1 of 5 hard ones: .6
      outcomes.push_back({{c}, j, easy || j % 5 == 0 ? 1. : 0.});
    if (easy) outcomes.push_back({{4}, j, j % 4 == 0 ? 0. : 1.});   // .75, below the others there
    if (!easy) outcomes.push_back({{5}, j, j % 2 == 0 ? 1. : 0.});  // .5, above the others there
  }
  surrogate.observe(outcomes);
  const auto mean = surrogate.posterior({{0}, {4}, {5}}).mean;
  EXPECT_GT(mean(0), mean(1));
  EXPECT_GT(mean(2), mean(0));
}

TEST(PairedSurrogate, PredictsAnUnseenCombinationFromItsParts) {
  PairedSurrogate surrogate({{"instruction", 2}, {"demos", 2}});
  std::vector<Observation> outcomes;
  for (std::size_t j = 0; j < 50; ++j) {
    outcomes.push_back({{0, 0}, j, j % 10 < 3 ? 1. : 0.});
    outcomes.push_back({{1, 0}, j, j % 10 < 6 ? 1. : 0.});
    outcomes.push_back({{0, 1}, j, j % 10 < 6 ? 1. : 0.});
  }
  surrogate.observe(outcomes);
  const auto [mean, variance] = surrogate.posterior({{1, 0}, {0, 1}, {1, 1}});
  EXPECT_GT(mean(2), mean(0));
  EXPECT_GT(mean(2), mean(1));
  EXPECT_GT(variance(2), variance(0));
}

TEST(PairedSurrogate, BorrowsFromASimilarTextButKeepsTheTwoApart) {
  Eigen::MatrixXd alike = Eigen::MatrixXd::Identity(3, 3);
  alike(0, 1) = alike(1, 0) = 1;
  PairedSurrogate surrogate({{"instruction", 3, 0, alike}}, fixed());
  std::vector<Observation> outcomes;
  for (std::size_t j = 0; j < 30; ++j) outcomes.push_back({{0}, j, 1});
  surrogate.observe(outcomes);
  const auto [mean, variance] = surrogate.posterior({{0}, {1}, {2}});
  EXPECT_GT(mean(0), mean(1));
  EXPECT_GT(mean(1), mean(2));
  EXPECT_GT(variance(1), variance(0));
  EXPECT_GT(variance(2), variance(1));
}

TEST(PairedSurrogate, FindsTheVariancesThatMadeTheData) {
  Rng rng(3);
  std::vector<double> difficulty(100), effect(30);
  for (auto& b : difficulty) b = std::sqrt(.2) * rng.normal();
  for (auto& f : effect) f = .3 * rng.normal();
  std::vector<Observation> outcomes;
  for (int c = 0; c < 30; ++c)
    for (std::size_t j = 0; j < 100; ++j)
      outcomes.push_back(
          {{c}, j, .5 + effect[static_cast<std::size_t>(c)] + difficulty[j] + .1 * rng.normal()});
  PairedSurrogate surrogate({{"instruction", 30}});
  surrogate.observe(outcomes);
  EXPECT_NEAR(surrogate.variances().noise, .01, .001);
  EXPECT_NEAR(surrogate.variances().example, .2, .06);
  EXPECT_NEAR(surrogate.variances().effects[0], .09, .05);
}

TEST(PairedSurrogate, RefitsOnlyWhenTheDataHaveGrownByAFifth) {
  PairedSurrogate surrogate({{"instruction", 3}});
  Rng rng(1);
  const auto outcome = [&](std::size_t j) {
    return Observation{{static_cast<int>(j % 3)}, j, rng.uniform() < .5 ? 1. : 0.};
  };
  std::vector<Observation> first;
  for (std::size_t j = 0; j < 100; ++j) first.push_back(outcome(j));
  surrogate.observe(first);
  const double fitted = surrogate.variances().noise;
  for (std::size_t j = 100; j < 119; ++j) surrogate.observe({outcome(j)});
  EXPECT_EQ(surrogate.variances().noise, fitted);
  surrogate.observe({outcome(119)});
  EXPECT_NE(surrogate.variances().noise, fitted);
}

TEST(PairedSurrogate, SurvivesASingleObservation) {
  PairedSurrogate surrogate(three_variables());
  surrogate.observe({{{0, 0, 0}, 5, 1}});
  const auto [mean, variance] = surrogate.posterior({{0, 0, 0}, {1, 1, 2}});
  EXPECT_GT(mean(0), mean(1));
  EXPECT_GT(mean(1), .5);
  EXPECT_LT(variance(0), variance(1));
}

TEST(PairedSurrogate, SurvivesOutcomesThatAreAllEqual) {
  for (const double score : {0., 1.}) {
    PairedSurrogate surrogate(three_variables());
    std::vector<Observation> outcomes;
    for (const auto& c : all_combinations())
      for (std::size_t j = 0; j < 20; ++j) outcomes.push_back({c, j, score});
    surrogate.observe(outcomes);
    EXPECT_GT(surrogate.variances().noise, 1e-6);
    const auto [mean, variance] = surrogate.posterior(all_combinations());
    EXPECT_LT((mean.array() - score).abs().maxCoeff(), .05);
    EXPECT_GT(variance.minCoeff(), 0);
  }
}

TEST(PairedSurrogate, SurvivesRepeatedOutcomesAndDuplicateCandidates) {
  PairedSurrogate surrogate({{"instruction", 2}}, fixed());
  for (int i = 0; i < 50; ++i) surrogate.observe({{{1}, 7, 1}, {{1}, 7, 1}});
  const auto [mean, variance] = surrogate.posterior({{1}, {0}, {1}});
  EXPECT_EQ(mean(0), mean(2));
  EXPECT_EQ(variance(0), variance(2));
  // Whatever often the one example is asked again, its difficulty stays unknown.
  EXPECT_GT(variance(0), .02);
  Rng rng(2);
  const auto draw = surrogate.draw({{1}, {0}, {1}}, rng);
  EXPECT_DOUBLE_EQ(draw(0), draw(2));
}

TEST(PairedSurrogate, DoesNotDependOnTheOrderOfObservations) {
  Rng rng(4);
  auto outcomes = random_outcomes(rng, 120);
  PairedSurrogate forward(three_variables());
  forward.observe(outcomes);
  rng.shuffle(outcomes);
  PairedSurrogate shuffled(three_variables());
  shuffled.observe(outcomes);
  const auto a = forward.posterior(all_combinations());
  const auto b = shuffled.posterior(all_combinations());
  EXPECT_LT((a.mean - b.mean).cwiseAbs().maxCoeff(), 1e-8);
  EXPECT_LT((a.variance - b.variance).cwiseAbs().maxCoeff(), 1e-8);
}

TEST(PairedSurrogate, DrawsFromItsJointPosterior) {
  Rng rng(5);
  PairedSurrogate surrogate(three_variables(), fixed());
  surrogate.observe(random_outcomes(rng, 60));
  const std::vector<Combination> at{{0, 0, 0}, {0, 1, 0}, {2, 3, 1}};
  const Dense dense{three_variables(), surrogate.variances(), {}};
  const Posterior expected = surrogate.posterior(at);
  constexpr int kDraws = 20000;
  Eigen::MatrixXd draws(3, kDraws);
  for (int i = 0; i < kDraws; ++i) draws.col(i) = surrogate.draw(at, rng);
  const Eigen::VectorXd mean = draws.rowwise().mean();
  const Eigen::MatrixXd centred = draws.colwise() - mean;
  const Eigen::MatrixXd covariance = centred * centred.transpose() / (kDraws - 1);
  for (Eigen::Index i = 0; i < 3; ++i) {
    const double sd = std::sqrt(expected.variance(i));
    EXPECT_NEAR(mean(i), expected.mean(i), 4 * sd / std::sqrt(kDraws));
    EXPECT_NEAR(covariance(i, i), expected.variance(i), .05 * expected.variance(i));
  }
  // Candidates that share their parts move together.
  EXPECT_GT(covariance(0, 1), covariance(0, 2));
}

TEST(PairedSurrogate, SuggestsTheLeaderAndItsChallengerMostOften) {
  PairedSurrogate surrogate({{"instruction", 4}}, fixed(.1, .05, .04));
  std::vector<Observation> outcomes;
  for (std::size_t j = 0; j < 60; ++j) {
    outcomes.push_back({{0}, j, j % 10 < 8 ? 1. : 0.});
    outcomes.push_back({{1}, j, j % 10 < 7 ? 1. : 0.});
    outcomes.push_back({{2}, j, j % 10 < 2 ? 1. : 0.});
    outcomes.push_back({{3}, j, j % 10 < 1 ? 1. : 0.});
  }
  surrogate.observe(outcomes);
  Rng rng(6);
  std::vector<int> chosen(4);
  for (int i = 0; i < 400; ++i)
    ++chosen[static_cast<std::size_t>(surrogate.suggest({{0}, {1}, {2}, {3}}, rng)[0])];
  EXPECT_GT(chosen[0], 120);
  EXPECT_GT(chosen[1], 120);
  EXPECT_LT(chosen[2] + chosen[3], 40);
}

TEST(PairedSurrogate, SuggestsOnlyCandidatesAndTheSameForTheSameSeed) {
  PairedSurrogate surrogate(three_variables());
  const std::vector<Combination> open{{1, 1, 1}, {2, 0, 2}, {2, 3, 0}};
  std::set<Combination> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng one(seed), two(seed);
    const auto suggestion = surrogate.suggest(open, one);
    EXPECT_EQ(suggestion, surrogate.suggest(open, two));
    seen.insert(suggestion);
  }
  EXPECT_EQ(seen, std::set<Combination>(open.begin(), open.end()));
  Rng rng(1);
  EXPECT_EQ(surrogate.suggest({{0, 0, 0}}, rng), (Combination{0, 0, 0}));
}

TEST(PairedSurrogate, RefusesAScoreThatIsNotFinite) {
  PairedSurrogate surrogate({{"instruction", 2}});
  try {
    surrogate.observe({{{0}, 0, 1}, {{0}, 1, std::numeric_limits<double>::quiet_NaN()}});
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "a score told to the search is not finite");
  }
  // Nothing of the batch was taken in.
  EXPECT_DOUBLE_EQ(surrogate.posterior({{0}}).mean(0), .5);
}

TEST(PairedSurrogate, RefusesASimilarityThatIsNone) {
  const auto message = [](Eigen::MatrixXd similarity) -> std::string {
    try {
      PairedSurrogate({{"demos", 2, 0, std::move(similarity)}});
    } catch (const UserError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(message(Eigen::MatrixXd::Identity(3, 3)),
            "the similarity of demos is 3 x 3 for 2 choices");
  Eigen::MatrixXd indefinite(2, 2);
  indefinite << 1, 2, 2, 1;
  EXPECT_EQ(message(indefinite), "the similarity of demos is not positive semidefinite");
  EXPECT_EQ(message(Eigen::MatrixXd::Ones(2, 2)), "");
}

}  // namespace
}  // namespace theta
