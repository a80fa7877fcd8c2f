#include "experiments/data/users.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::StartsWith;
using testing::ThrowsMessage;

UsersOptions options(const std::string& config) {
  return read_users_options(Config::parse(config, "c/u.yaml"));
}

TEST(UsersConfig, NamesSimulatedUsers) {
  const auto tastes = std::get<TasteOptions>(options(R"(
tastes: {names: [mild, strong], train: 1, validation: 2, test: 3, context_pairs: 4, test_pairs: 5,
         noise: 0.1, clear: 2, neutral: 0.5, min_words: 3, max_words: 20, pairing_seed: 8, seed: 9}
)"));
  EXPECT_THAT(tastes.tastes, ElementsAre("mild", "strong"));
  EXPECT_EQ(tastes.users.train, 1U);
  EXPECT_EQ(tastes.users.validation, 2U);
  EXPECT_EQ(tastes.users.test, 3U);
  EXPECT_EQ(tastes.context_pairs, 4U);
  EXPECT_EQ(tastes.test_pairs, 5U);
  EXPECT_EQ(tastes.noise, 0.1);
  EXPECT_EQ(tastes.clear, 2);
  EXPECT_EQ(tastes.neutral, 0.5);
  EXPECT_EQ(tastes.min_words, 3U);
  EXPECT_EQ(tastes.max_words, 20U);
  EXPECT_EQ(tastes.pairing_seed, 8U);
  EXPECT_EQ(tastes.seed, 9U);
}

TEST(UsersConfig, NamesAFileOfRealPairs) {
  const auto pairs = std::get<PairsOptions>(options(R"(
pairs: {file: p.jsonl, min_pairs: 5, max_pairs: 50, context_ratio: 0.6, by_conversation: true,
        train: 1, validation: 2, test: 3, seed: 9, user: ann, columns: {chosen: good}}
)"));
  EXPECT_EQ(pairs.user, "ann");
  EXPECT_THAT(pairs.columns, ElementsAre(Pair("chosen", "good")));
  EXPECT_EQ(people_json(pairs).at("pairs").at("columns").dump(), R"({"chosen":"good"})");
  EXPECT_EQ(pairs.file, "c/p.jsonl");
  EXPECT_EQ(pairs.min_pairs, 5U);
  EXPECT_EQ(pairs.max_pairs, 50U);
  EXPECT_EQ(pairs.context_ratio, 0.6);
  EXPECT_TRUE(pairs.by_conversation);
  EXPECT_EQ(pairs.users.test, 3U);
  EXPECT_EQ(pairs.seed, 9U);
}

TEST(UsersConfig, AllMayBeTested) {
  const auto pairs =
      std::get<PairsOptions>(options("pairs: {file: a.jsonl, train: 2, test: all}"));
  EXPECT_EQ(pairs.users.train, 2U);
  EXPECT_EQ(pairs.users.test, 0U);
}

TEST(UsersConfig, WhatIsWrongIsNamedAtItsPlace) {
  EXPECT_THAT(
      message_of<UserError>([] { options("pairs: {file: a.jsonl, columns: {good: chosen}}"); }),
      StartsWith("c/u.yaml:1:40: a row of pairs has no `good`; it has `user_id`, "));
  EXPECT_THAT([] { options("{}"); },
              ThrowsMessage<UserError>("c/u.yaml:1:1: give exactly one of `tastes` and `pairs`"));
  EXPECT_THAT([] { options("tastes: {names: [praise, blame]}"); },
              ThrowsMessage<UserError>(
                  "c/u.yaml:1:26: there is no taste `blame`; there are praise, criticism, strong, "
                  "mild, camera fan, camera critic"));
  EXPECT_THAT([] { options("tastes: {names: []}"); },
              ThrowsMessage<UserError>("c/u.yaml:1:17: simulated users need at least one taste"));
  EXPECT_THAT([] { options("tastes: {noise: 0.7}"); },
              ThrowsMessage<UserError>("c/u.yaml:1:17: `noise` must be in 0..0.5"));
  EXPECT_THAT([] { options("pairs: {file: a.jsonl}"); },
              ThrowsMessage<UserError>(
                  "c/u.yaml:1:8: give the numbers of `train`, `validation` and `test` users"));
}

TEST(Users, AreReadFromTheFileOfTheOptions) {
  const TemporaryFolder folder;
  const auto file = folder.write("p.jsonl", R"({"user_id": "u", "chosen": "a", "rejected": "b"}
{"user_id": "u", "chosen": "c", "rejected": "d"}
)");
  const Users users = load_users(PairsOptions{.file = file, .min_pairs = 2, .users = {0, 0, 1}});
  EXPECT_EQ(users.test.at(0).context.at(0).chosen, "a");
  EXPECT_EQ(users.test.at(0).test.at(0).chosen, "c");
}

}  // namespace
}  // namespace theta
