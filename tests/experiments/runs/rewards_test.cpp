#include "experiments/runs/rewards.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "experiments/commands/verify.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/reward_data.hpp"
#include "experiments/runs/run_record.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kPeople = 24, kPairs = 12;

/// Even people choose sweet things, odd ones bitter ones, in other words each time.
std::string people(bool alike = false, const std::string& name = "u") {
  std::string rows;
  for (int user = 0; user < kPeople; ++user)
    for (int i = 0; i < kPairs; ++i) {
      const std::string sweet = fmt::format("sugar {} {}", user, i);
      const std::string bitter = fmt::format("coffee {} {}", i, user);
      const bool likes_sweet = alike || user % 2 == 0;
      rows += nlohmann::ordered_json{{"user_id", fmt::format("{}{}", name, user)},
                                     {"pair_id", fmt::format("u{}.{}", user, i)},
                                     {"context", ""},
                                     {"demographics", likes_sweet ? "baker" : "barista"},
                                     {"flip", i % 2 == 0},
                                     {"chosen", likes_sweet ? sweet : bitter},
                                     {"rejected", likes_sweet ? bitter : sweet}}
                  .dump() +
              "\n";
    }
  return rows;
}

class Rewards : public ::testing::Test {
 protected:
  void SetUp() override { folder_.write("pairs.jsonl", people()); }

  Config config(const std::string& rewards, const std::string& people = "train: 12, test: 11") {
    return Config::load(folder_.write(
        "people.yaml", fmt::format("name: people\ndata: {{pairs: {{file: pairs.jsonl, {}}}}}\n{}",
                                   people, rewards)));
  }
  std::string refused(const std::string& rewards) {
    const std::string message =
        message_of<UserError>([&] { (void)read_experiment(config(rewards)); });
    return message.substr(std::min(message.size(), folder_.path().string().size() + 1));
  }
  /// @return the share of right choices, by row
  std::map<std::string, double> run(const Config& config) {
    const ExperimentOptions options = read_experiment(config);
    store_ = std::make_unique<Store>(folder_.path() / fmt::format("{}.db", ++runs_));
    Models models(options.models, *store_, silent_);
    RunContext context{folder_.path(), options.seed, *store_, models, silent_, {}};
    run_experiment(options, context);
    std::map<std::string, std::pair<double, double>> sums;
    for (const Outcome& outcome : store_->outcomes()) {
      EXPECT_EQ(outcome.model, "words");
      sums[outcome.method].first += outcome.score;
      ++sums[outcome.method].second;
    }
    std::map<std::string, double> shares;
    for (const auto& [row, sum] : sums) shares[row] = sum.first / sum.second;
    return shares;
  }

  TemporaryFolder folder_;
  Progress silent_{false, 0, nullptr};
  std::unique_ptr<Store> store_;
  int runs_ = 0;
};

TEST_F(Rewards, ArePersonalWherePeopleDiffer) {
  auto rows = run(config("rewards: {given: [0], directions: 8}"));
  for (const char* row : {"reward: hierarchical", "reward: p_ttt", "reward: low_rank"}) {
    EXPECT_GT(rows.at(row), .9) << row;
    EXPECT_LT(rows.at(std::string(row) + ", labels reversed"), .1) << row;
    EXPECT_LT(rows.at(std::string(row) + ", users swapped"), .8) << row;
    EXPECT_LT(rows.at(std::string(row) + ", given 0"), .8) << row;
    EXPECT_THAT(get(*store_, part::kRemarks),
                Contains(StartsWith(std::string(row) + " is personal: ")));
  }
  EXPECT_FALSE(rows.contains("reward: majority"));
  EXPECT_THAT(get(*store_, part::kRemarks),
              Contains("no row `reward: majority`: no two people were asked to choose between the "
                       "same texts"));
}

TEST_F(Rewards, AreNotCalledPersonalWherePeopleAreAlike) {
  folder_.write("pairs.jsonl", people(/*alike=*/true));
  auto rows = run(config("rewards: {rows: [pooled, hierarchical], directions: 8}"));
  EXPECT_GT(rows.at("reward: pooled"), .9);
  EXPECT_GT(rows.at("reward: hierarchical"), .9);
  EXPECT_THAT(get(*store_, part::kRemarks),
              Contains(StartsWith("reward: hierarchical is not shown to be personal: ")));
}

TEST_F(Rewards, SayTheSameWhenTheyAreRunAgain) {
  const Config two = config("rewards: {rows: [pooled, low_rank], directions: 8}");
  EXPECT_EQ(run(two), run(two));
}

TEST_F(Rewards, TellStrangersApartByWhatIsKnownOfThem) {
  auto rows = run(config("rewards: {rows: [hierarchical], demographics: true, given: [0]}"));
  EXPECT_GT(rows.at("reward: hierarchical, given 0"), .9);
}

TEST_F(Rewards, AreFittedOnFurtherPeople) {
  folder_.write("more.jsonl", people(/*alike=*/false, "v"));
  const Config alone = config(
      "rewards: {rows: [hierarchical], people: more.jsonl, shared_pairs: true, directions: 8}",
      "test: 4");
  EXPECT_GT(run(alone).at("reward: hierarchical"), .9);
  folder_.write("more.jsonl", people());
  EXPECT_THAT(message_of<UserError>([&] { run(alone); }),
              HasSubstr("is a test person: nobody is fitted on and tested"));
}

TEST_F(Rewards, RefuseWhatTheyDoNotKnow) {
  EXPECT_EQ(refused("rewards: {rows: [forest]}"),
            "people.yaml:3:18: there is no reward 'forest': choose length, majority, pooled, "
            "hierarchical, p_ttt or low_rank");
  EXPECT_EQ(refused("rewards: {rows: [pooled, pooled]}"),
            "people.yaml:3:26: the reward 'pooled' stands here twice");
  EXPECT_EQ(refused("rewards: {rows: []}"),
            "people.yaml:3:17: `rewards` without rows say nothing: take them out");
  EXPECT_EQ(refused("rewards: {given: [-1]}"),
            "people.yaml:3:19: a number of choices is 0 or more");
}

TEST_F(Rewards, WantPeopleToLearnFrom) {
  const Config alone = config("rewards: {}", "test: 4");
  const std::string message =
      message_of<UserError>([&] { verify_splits(alone, read_experiment(alone)); });
  EXPECT_THAT(message, HasSubstr("people.yaml:2:15: 'rewards' are fitted on other people's "
                                 "choices: give 'train: NUMBER' here"));
}

TEST_F(Rewards, CostWhatIsEmbedded) {
  const auto cost = [&](const std::string& lines) {
    const auto options =
        std::get<RewardExperiment>(read_experiment(config(lines, "train: 1, test: 1")).experiment);
    return embedding_cost(options.rewards, options.users);
  };
  EXPECT_EQ(cost("rewards: {}\nembedder: {path: nomic.gguf}"),
            "48 texts are read by the embedder nomic");
  EXPECT_EQ(cost("rewards: {}"), "");
}

PreferencePair pair_of(const std::string& id, const std::string& chosen,
                       const std::string& rejected) {
  return {.id = id, .context = "Which?", .chosen = chosen, .rejected = rejected};
}

TEST(RewardData, LeaveOutWhatTestPeopleAreAskedAbout) {
  Users users;
  users.train = {{.id = "a",
                  .context = {pair_of("1", "x", "y"), pair_of("2", "x", "z")},
                  .test = {pair_of("3", "z", "y")},
                  .taste = {},
                  .true_persona = {}}};
  users.test = {{.id = "b",
                 .context = {pair_of("4", "z", "y")},
                 .test = {pair_of("5", "y", "x")},
                 .taste = {},
                 .true_persona = {}}};
  const RewardData data = make_reward_data(users, {}, {});
  EXPECT_EQ(data.left_out, 1u);
  EXPECT_EQ(data.fitted.D.rows(), 2);
  EXPECT_THAT(data.fitted.prompt, ElementsAre(0u, 0u));
  EXPECT_EQ(make_reward_data(users, {.shared_pairs = true}, {}).fitted.D.rows(), 3);
  EXPECT_THAT(texts_to_embed(users, {}), ElementsAre("Which?\n\nx", "Which?\n\ny", "Which?\n\nz"));
  EXPECT_THAT(texts_to_embed(users, {.context = false}), ElementsAre("x", "y", "z"));
}

TEST(RewardData, RefusePeopleOfWhomNothingCanBeLearnt) {
  Users users;
  users.test = {{.id = "b",
                 .context = {},
                 .test = {pair_of("5", "y", "x")},
                 .taste = {},
                 .true_persona = {}}};
  EXPECT_EQ(message_of<UserError>([&] { (void)make_reward_data(users, {}, {}); }),
            "rewards are fitted on the choices of `train` and `validation` people: there are none");
}

}  // namespace
}  // namespace theta
