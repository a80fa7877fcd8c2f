#include "modules/reward/hierarchical.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/QR>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "tests/support/places.hpp"

namespace theta {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;
using nlohmann::json;

VectorXd vector_of(const json& values) {
  VectorXd out(static_cast<Index>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) out(static_cast<Index>(i)) = values[i];
  return out;
}

MatrixXd matrix_of(const json& rows, Index columns) {
  MatrixXd out(static_cast<Index>(rows.size()), columns);
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.row(static_cast<Index>(i)) = vector_of(rows[i]).transpose();
  return out;
}

Index width_of(const json& rows) { return rows.empty() ? 0 : static_cast<Index>(rows[0].size()); }

/// What scripts/reward_reference.py computes without any of this code.
json reference(const char* name) {
  std::ifstream in(source_dir() + "/tests/golden/reward_models.json");
  return json::parse(in).at(name);
}

struct Case {
  explicit Case(const json& given)
      : choices{.D = matrix_of(given["D"], width_of(given["D"])),
                .person = given["person"],
                .prompt = std::vector<std::size_t>(given["D"].size()),
                .first_block = 0,
                .attributes = matrix_of(given["attributes"], width_of(given["attributes"]))},
        priors{vector_of(given["shared"]), matrix_of(given["own"], width_of(given["own"])),
               given["attributes_ratio"]},
        newcomer{matrix_of(given["newcomer"], choices.D.cols()),
                 vector_of(given["newcomer_attributes"])},
        asked(matrix_of(given["asked"], choices.D.cols())) {}

  PreferenceData choices;
  Priors priors;
  Newcomer newcomer;
  MatrixXd asked;
};

void expect_same(const std::vector<Forecast>& found, const json& expected) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i].margin, expected["margin"][i], 1e-8);
    EXPECT_NEAR(found[i].variance, expected["variance"][i], 1e-8);
    EXPECT_NEAR(found[i].probability, expected["probability"][i], 1e-8);
  }
}

class AgainstScipy : public testing::TestWithParam<const char*> {};

TEST_P(AgainstScipy, FindsTheSameMarginsEvidenceAndForecasts) {
  const json one = reference(GetParam());
  const json& expected = one["found"];
  const Case given(one["given"]);
  const Hierarchical fitted(given.choices, given.priors);
  EXPECT_NEAR(fitted.log_z(), expected["log_z"], 1e-8);
  EXPECT_TRUE(fitted.margins().isApprox(vector_of(expected["margins"]), 1e-8));
  expect_same(fitted.predict(given.newcomer, given.asked), expected["newcomer"]);
  Newcomer stranger = given.newcomer;
  stranger.own.resize(0, given.choices.D.cols());
  expect_same(fitted.predict(stranger, given.asked), expected["stranger"]);
  const Index r = given.priors.own.cols();
  EXPECT_TRUE(fitted.own_moments().second.isApprox(matrix_of(expected["second"], r), 1e-8));
  if (given.priors.attributes == 0) {
    EXPECT_TRUE(fitted.weights().isApprox(vector_of(expected["weights"]), 1e-8));
  }
}

INSTANTIATE_TEST_SUITE_P(Reward, AgainstScipy,
                         testing::Values("more choices than features", "more features than choices",
                                         "known people"));

TEST(PooledReward, FindsTheWeightsThatScikitLearnFinds) {
  const json one = reference("pooled");
  const Case given(one["given"]);
  const Hierarchical fitted(given.choices, given.priors);
  EXPECT_TRUE(fitted.weights().isApprox(vector_of(one["found"]["weights"]), 1e-6));
}

PreferenceData choices_of(MatrixXd D, std::vector<std::size_t> person) {
  PreferenceData choices;
  choices.D = std::move(D);
  choices.person = std::move(person);
  for (std::size_t i = 0; i < choices.person.size(); ++i) choices.prompt.push_back(i);
  return choices;
}

/// One feature: s^2 = `shared`, tau^2 = `own`.
Priors scalar(double shared, double own) {
  return {VectorXd::Constant(1, shared), MatrixXd::Constant(1, 1, std::sqrt(own))};
}
const Newcomer kStranger{.own = MatrixXd(0, 1), .attributes = {}};

TEST(HierarchicalReward, AgreesWithTwoPeopleOfOneChoiceEach) {
  const Hierarchical alike(choices_of(MatrixXd{{1}, {1}}, {0, 1}), scalar(1, 1));
  EXPECT_NEAR(alike.margins()(0), 0.879712240117983, 1e-12);
  EXPECT_NEAR(alike.margins()(1), 0.879712240117983, 1e-12);
  EXPECT_NEAR(alike.log_z(), -1.288009890659869, 1e-12);
  const Forecast stranger = alike.predict(kStranger, MatrixXd{{1}})[0];
  EXPECT_NEAR(stranger.margin, 0.586474826745322, 1e-12);
  EXPECT_NEAR(stranger.variance, 1.744412484153122, 1e-12);
  EXPECT_NEAR(stranger.probability, 0.611066975290268, 1e-12);

  const Hierarchical opposed(choices_of(MatrixXd{{1}, {-1}}, {0, 1}), scalar(1, 1));
  EXPECT_NEAR(opposed.margins()(0), 0.401058137541547, 1e-12);
  EXPECT_NEAR(opposed.log_z(), -1.565015375124952, 1e-12);
  EXPECT_NEAR(opposed.predict(kStranger, MatrixXd{{1}})[0].probability, .5, 1e-12);
}

TEST(PooledReward, SolvesOneChoice) {
  Priors priors = scalar(1, 0);
  priors.own.resize(1, 0);
  const Hierarchical pooled(choices_of(MatrixXd{{1}}, {0}), priors);
  EXPECT_NEAR(pooled.weights()(0), 0.401058137541547, 1e-12);
}

/// People whose weights differ.
PreferenceData draw(std::size_t people, std::size_t each, Index d, double own, std::uint64_t seed) {
  Rng rng(seed);
  const auto normals = [&] {
    VectorXd out(d);
    for (double& x : out) x = rng.normal();
    return out;
  };
  const VectorXd shared = normals();
  MatrixXd D(static_cast<Index>(people * each), d);
  std::vector<std::size_t> person;
  for (std::size_t u = 0; u < people; ++u) {
    const VectorXd w = shared + own * normals();
    for (std::size_t i = 0; i < each; ++i) {
      const VectorXd x = normals() / std::sqrt(static_cast<double>(d));
      const bool chosen = rng.uniform() < logistic(4 * w.dot(x));
      D.row(static_cast<Index>(person.size())) = (chosen ? 1 : -1) * x.transpose();
      person.push_back(u);
    }
  }
  return choices_of(std::move(D), std::move(person));
}

Priors isotropic(Index d, double shared, double own) {
  return {VectorXd::Constant(d, shared), MatrixXd(std::sqrt(own) * MatrixXd::Identity(d, d))};
}

class EverySeed : public testing::TestWithParam<int> {
 protected:
  const std::uint64_t seed_ = static_cast<std::uint64_t>(GetParam());
  const PreferenceData choices_ = draw(4, 6, 5, 1, seed_);
  const Newcomer newcomer_{.own = draw(1, 4, 5, 1, seed_ + 100).D, .attributes = {}};
  const MatrixXd asked_ = draw(1, 3, 5, 1, seed_ + 200).D;
};

TEST_P(EverySeed, TheExchangeOfBothTextsMirrorsTheProbability) {
  for (const Reward reward :
       {Reward::kPooled, Reward::kHierarchical, Reward::kTestTime, Reward::kLowRank}) {
    const auto fitted = fit_reward(reward, choices_);
    const auto there = fitted->predict(newcomer_, asked_);
    const auto back = fitted->predict(newcomer_, -asked_);
    for (std::size_t i = 0; i < there.size(); ++i) {
      EXPECT_NEAR(there[i].margin, -back[i].margin, 1e-12);
      EXPECT_NEAR(there[i].probability, 1 - back[i].probability, 1e-12);
    }
  }
}

TEST_P(EverySeed, NobodyDiffersWithoutAStepOfTheirOwn) {
  Priors pooled = isotropic(5, 3, 0);
  const Hierarchical with_zero(choices_, pooled);
  pooled.own.resize(5, 0);
  const Hierarchical without(choices_, pooled);
  EXPECT_TRUE(with_zero.weights().isApprox(without.weights(), 1e-10));
}

TEST_P(EverySeed, NumbersOfPeopleAreNames) {
  PreferenceData renamed = choices_;
  for (std::size_t& one : renamed.person) one = 3 - one;
  const Hierarchical one(choices_, isotropic(5, 3, 1)), other(renamed, isotropic(5, 3, 1));
  EXPECT_NEAR(one.log_z(), other.log_z(), 1e-10);
  EXPECT_TRUE(one.margins().isApprox(other.margins(), 1e-10));
}

TEST_P(EverySeed, ARotationOfTheFeaturesChangesNothing) {
  const MatrixXd noise = draw(1, 5, 5, 1, seed_ + 300).D;
  const MatrixXd Q = Eigen::HouseholderQR<MatrixXd>(noise).householderQ();
  PreferenceData turned = choices_;
  turned.D = choices_.D * Q;
  const Hierarchical one(choices_, isotropic(5, 3, 1)), other(turned, isotropic(5, 3, 1));
  EXPECT_NEAR(one.log_z(), other.log_z(), 1e-9);
  const auto here = one.predict(newcomer_, asked_);
  const auto there = other.predict({.own = newcomer_.own * Q, .attributes = {}}, asked_ * Q);
  for (std::size_t i = 0; i < here.size(); ++i) {
    EXPECT_NEAR(here[i].margin, there[i].margin, 1e-9);
    EXPECT_NEAR(here[i].variance, there[i].variance, 1e-9);
  }
}

TEST_P(EverySeed, ReversedChoicesNegateTheMarginsOfWhoSharesNothing) {
  const Hierarchical alone(choices_, isotropic(5, 0, 2));
  const auto there = alone.predict(newcomer_, asked_);
  const auto back = alone.predict({.own = -newcomer_.own, .attributes = {}}, asked_);
  for (std::size_t i = 0; i < there.size(); ++i)
    EXPECT_NEAR(there[i].margin, -back[i].margin, 1e-10);
}

/// The same covariance, by n x n and by d x d.
TEST_P(EverySeed, PrimalAndDualAgree) {
  const Priors priors = isotropic(5, 3, 1);
  const MatrixXd& D = choices_.D;
  MatrixXd K = 3 * D * D.transpose();
  std::vector<MatrixXd> blocks;
  for (const auto& rows : choices_.rows()) {
    const MatrixXd own = D(rows, Eigen::all);
    blocks.emplace_back(own * own.transpose());
    for (const Index i : rows)
      for (const Index j : rows) K(i, j) += D.row(i).dot(D.row(j));
  }
  DenseCovariance dual(K);
  SharedCovariance primal(std::sqrt(3) * D, choices_.rows(), blocks);
  const VectorXd mean = VectorXd::Constant(D.rows(), .3);
  const Mode one = find_mode(dual, mean), other = find_mode(primal, mean);
  EXPECT_TRUE(one.f.isApprox(other.f, 1e-8));
  EXPECT_NEAR(one.log_z, other.log_z, 1e-8);
}

INSTANTIATE_TEST_SUITE_P(Reward, EverySeed, testing::Range(0, 5));

TEST(TestTimeReward, ReversedChoicesNegateTheStep) {
  const TestTime reward(VectorXd{{1, 0}}, 2);
  const MatrixXd own{{0, 1}, {0, .5}}, asked{{1, 1}};
  EXPECT_DOUBLE_EQ(reward.predict({.own = own, .attributes = {}}, asked)[0].margin, 1 + 2 * 1.5);
  EXPECT_DOUBLE_EQ(reward.predict({.own = -own, .attributes = {}}, asked)[0].margin, 1 - 2 * 1.5);
}

/// Mean log P of what newcomers choose, given half of it.
double held_out(const RewardModel& model, const PreferenceData& people) {
  double sum = 0;
  for (const auto& rows : people.rows()) {
    const MatrixXd all = people.D(rows, Eigen::all);
    const Index half = all.rows() / 2;
    for (const Forecast& one :
         model.predict({.own = all.topRows(half), .attributes = {}}, all.bottomRows(half)))
      sum += std::log(one.probability);
  }
  return sum / static_cast<double>(people.D.rows() / 2);
}

TEST(Rewards, PersonalOnesPredictPeopleWhoDifferBetterThanThePooledOne) {
  PreferenceData all = draw(60, 20, 4, 1.5, 3);  // 30 to fit, 30 newcomers of the same population
  PreferenceData fitted =
      choices_of(all.D.topRows(600), {all.person.begin(), all.person.begin() + 600});
  std::vector<std::size_t> rest(all.person.begin() + 600, all.person.end());
  for (std::size_t& one : rest) one -= 30;
  const PreferenceData newcomers = choices_of(all.D.bottomRows(600), rest);
  const double pooled = held_out(*fit_reward(Reward::kPooled, fitted), newcomers);
  for (const Reward reward : {Reward::kHierarchical, Reward::kTestTime, Reward::kLowRank})
    EXPECT_GT(held_out(*fit_reward(reward, fitted), newcomers), pooled + .02);
}

TEST(HierarchicalReward, FindsNoOwnStepWherePeopleAreAlike) {
  EXPECT_THAT(fit_hierarchical(draw(30, 12, 3, 0, 4))->decided(),
              testing::HasSubstr("tau^2 / s^2 = 0 ("));
}

TEST(HierarchicalReward, FindsThatWhatIsKnownOfPeopleTells) {
  Rng rng(5);
  PreferenceData choices = draw(40, 8, 1, 0, 6);
  choices.attributes.resize(40, 1);
  for (Index u = 0; u < 40; ++u) choices.attributes(u, 0) = u % 2 == 0 ? 1 : -1;
  for (std::size_t i = 0; i < choices.person.size(); ++i) {  // who is 1 likes the feature
    const double side = choices.attributes(static_cast<Index>(choices.person[i]), 0);
    double& x = choices.D(static_cast<Index>(i), 0);
    x = std::abs(x) * (rng.uniform() < .9 ? side : -side);
  }
  const auto fitted = fit_hierarchical(choices);
  for (const double side : {1., -1.}) {
    const Newcomer stranger{.own = MatrixXd(0, 1), .attributes = VectorXd::Constant(1, side)};
    EXPECT_GT(side * fitted->predict(stranger, MatrixXd{{1}})[0].margin, .5);
  }
}

TEST(Rewards, RefuseChoicesThatAreNone) {
  EXPECT_THROW(fit_reward(Reward::kHierarchical, PreferenceData{}), std::invalid_argument);
  PreferenceData choices = draw(2, 3, 2, 1, 1);
  choices.D(0, 0) = std::nan("");
  EXPECT_THROW(fit_reward(Reward::kPooled, choices), std::invalid_argument);
}

TEST(Rewards, SayThatAFitDidNotConverge) {
  DenseCovariance wrong(MatrixXd{{1, 0}, {0, -100}});
  try {
    find_mode(wrong, VectorXd::Zero(2));
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "a covariance of 2 choices or features is not positive definite");
  }
}

}  // namespace
}  // namespace theta
