#include "optimizers/headroom.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.hpp"
#include "optimizers/gain_model.hpp"

namespace theta {
namespace {

/// Scores of which the first `n` are given, and `right` of these are 1.
Scores scored(std::size_t rows, std::size_t n, std::size_t right) {
  Scores scores(rows);
  for (std::size_t j = 0; j < n; ++j) scores[j] = j * right / n != (j + 1) * right / n ? 1 : 0;
  return scores;
}

TEST(ProbePlan, GivesTheStudentAThird) {
  const ProbePlan plan = plan_probes(90, 6, 100);
  EXPECT_EQ(plan.student, 30u);
  EXPECT_EQ(plan.probes, 6u);
  EXPECT_EQ(plan.each, 10u);
}

TEST(ProbePlan, LeavesProbesOutThatWouldSayTooLittle) {
  const ProbePlan plan = plan_probes(40, 6, 100);
  EXPECT_EQ(plan.student, 13u);
  EXPECT_EQ(plan.probes, 4u);
  EXPECT_EQ(plan.each, 6u);
}

TEST(ProbePlan, NeverAsksMoreThanItMayNorRowsThatAreNotThere) {
  for (std::size_t evaluations = 1; evaluations < 200; ++evaluations)
    for (const std::size_t probes : {0, 1, 6})
      for (const std::size_t rows : {1, 7, 50}) {
        const ProbePlan plan = plan_probes(evaluations, probes, rows);
        EXPECT_LE(plan.evaluations(), evaluations);
        EXPECT_LE(plan.student, rows);
        EXPECT_LE(plan.each, plan.student);
        EXPECT_TRUE(plan.probes == 0 || plan.each > 0);
      }
}

TEST(RowsToTell, IsWhatAPairedTestTakes) {
  EXPECT_EQ(rows_to_tell(.02, .5), 4906);  // (1.95996 + .84162)^2 .25 / .0004
  EXPECT_EQ(rows_to_tell(.1, .5), 197);
}

TEST(Forecast, IsHighWhereProbesAreFarBetter) {
  const Scores student = scored(70, 60, 20);
  const SearchPlan plan{.draws = 300};
  const auto good = forecast_gain(student, {scored(70, 40, 36), scored(70, 40, 34)}, plan);
  EXPECT_GT(good.p_gain, .8);
  EXPECT_GT(good.if_found, .2);
  const auto same = forecast_gain(student, {student, student}, plan);
  EXPECT_LT(same.p_gain, good.p_gain - .4);
  EXPECT_LE(same.p_gain, same.p_there);
}

TEST(Forecast, IsNothingWhereNothingIsLeft) {
  Scores right(70);
  for (auto& score : right) score = 1;
  const auto forecast = forecast_gain(right, {right}, {.margin = .05, .draws = 200});
  EXPECT_LT(forecast.p_there, .1);
  EXPECT_LT(forecast.p_gain, .05);
}

TEST(Forecast, IsNothingWithoutEvaluations) {
  const auto forecast = forecast_gain(scored(70, 20, 8), {scored(70, 20, 16)},
                                      {.evaluations = 100, .rows = 100, .draws = 100});
  EXPECT_EQ(forecast.p_gain, 0);
  EXPECT_EQ(forecast.expected, 0);
  EXPECT_GT(forecast.p_there, .3);
}

TEST(Forecast, GrowsWithTheSearch) {
  const Scores student = scored(70, 30, 12);
  const std::vector<Scores> probes{scored(70, 20, 12), scored(70, 20, 6)};
  const auto small = forecast_gain(student, probes, {.evaluations = 250, .draws = 600});
  const auto large =
      forecast_gain(student, probes, {.evaluations = 4000, .rows = 1000, .draws = 600});
  EXPECT_GT(large.p_gain, small.p_gain);
}

TEST(Forecast, HasNothingButThePriorWithoutProbes) {
  const auto forecast = forecast_gain(scored(70, 20, 10), {}, {.draws = 300});
  EXPECT_GT(forecast.p_there, .2);
  EXPECT_LT(forecast.p_there, .9);
}

TEST(Forecast, IsTheSameForTheSameSeed) {
  const Scores student = scored(70, 30, 12);
  const std::vector<Scores> probes{scored(70, 20, 12)};
  EXPECT_EQ(forecast_gain(student, probes, {.draws = 50, .seed = 3}).expected,
            forecast_gain(student, probes, {.draws = 50, .seed = 3}).expected);
}

/// The belief in a candidate that nobody has tried, from the formulas and from many draws of the
/// model itself that come near to what was seen.
TEST(GainModel, KnowsOfACandidateWhatItSharesWithTheTried) {
  const Eigen::VectorXd d = Eigen::VectorXd::Constant(1, .1);
  const Eigen::MatrixXd noise = Eigen::MatrixXd::Constant(1, 1, .0025);
  const GainModel model(d, noise, {0});
  double by_formula = 0, weights = 0, by_draws = 0, near = 0;
  for (const auto& part : model.parts()) by_formula += part.weight * part.a * part.a * part.z.sum();
  Rng rng(5);
  for (int draw = 0; draw < 400000; ++draw) {
    const auto& part = model.parts()[rng.below(model.parts().size())];
    const double g = part.a * rng.normal();
    const double seen = g + part.t * rng.normal() + .05 * rng.normal();
    ++weights;
    if (std::abs(seen - .1) < .01) ++near, by_draws += g + part.t * rng.normal();
  }
  EXPECT_NEAR(by_formula, by_draws / near, .005);
}

}  // namespace
}  // namespace theta
