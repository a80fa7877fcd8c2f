#include "experiments/data/benchmark.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "experiments/data/preference_pairs.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

/// Rows of people, `pairs` each; two neighbours share a prompt. Some prompts ask for facts, some
/// answers are broken, of some every judge likes the same.
std::string people(int n, int pairs) {
  std::string rows;
  for (int person = 0; person < n; ++person)
    for (int i = 0; i < pairs; ++i) {
      const std::string kind = i % 8 == 6 ? "fact" : i % 8 == 7 ? "opinion" : "taste";
      rows +=
          Json{{"user_id", fmt::format("u{}", person)},
               {"context", {{{"role", "user"}, {"content", fmt::format("{} {}", kind, i / 2)}}}},
               {"chosen", fmt::format("chosen {} by {}", i, person)},
               {"rejected", fmt::format("{} {}", i % 8 == 5 ? "broken" : "rejected", i)},
               {"flip", i % 2 == 0}}
              .dump() +
          "\n";
    }
  return rows;
}

std::string answer(const std::string& field, const std::string& value) {
  return fmt::format("[[ ## {} ## ]]\n{}\n\n[[ ## completed ## ]]", field, value);
}

/// Rates facts and broken answers low. As a judge it likes what stands first, of an opinion what was
/// chosen.
Result<Response> script(const Request& request) {
  const std::string& text = request.messages.back().content;
  const auto holds = [&](const char* part) { return text.find(part) != std::string::npos; };
  if (!holds("## preference ##"))
    return say(answer("rating", holds("fact") || holds("broken") ? "2" : "5"));
  if (!holds("opinion")) return say(answer("preference", "First"));
  return say(
      answer("preference", text.find("chosen") < text.find("rejected") ? "First" : "Second"));
}

class Benchmarks : public testing::Test {
 protected:
  BenchmarkOptions options(const std::string& rows) {
    return {.name = "made", .seed = 3, .source = folder_.write("rows.jsonl", rows)};
  }
  Benchmark build(const BenchmarkOptions& options) {
    return build_benchmark(options, [&](const std::string&) -> LanguageModel& { return model_; },
                           {});
  }
  /// What is left behind the step that begins so.
  static std::size_t left(const Benchmark& made, const std::string& step) {
    for (const auto& [what, pairs, people] : made.steps)
      if (what.starts_with(step)) return pairs;
    return 999;
  }
  TemporaryFolder folder_;
  ScriptedModel model_{script};
};

TEST_F(Benchmarks, LeaveOutPeopleWithFewChoices) {
  const Benchmark made = build(options(people(3, 8) + people(2, 0) +
                                       R"({"user_id": "few", "chosen": "a", "rejected": "b"})"));
  EXPECT_EQ(left(made, "choices that were read"), 25U);
  EXPECT_EQ(left(made, "people with 5 choices"), 24U);
  EXPECT_EQ(model_.calls(), 0U);
}

TEST_F(Benchmarks, KeepTheFirstOfChoicesThatAPersonMadeTwice) {
  const Benchmark made = build(options(people(2, 8) + people(2, 8)));
  EXPECT_EQ(left(made, "the first of those that a person made twice"), 16U);
}

TEST_F(Benchmarks, KeepWhatIsAMatterOfThePerson) {
  BenchmarkOptions options = this->options(people(2, 8));
  options.rating = RatingOptions{.model = "rater"};
  const Benchmark made = build(options);
  EXPECT_EQ(left(made, "prompts rated 4 or more by rater"), 14U);
  EXPECT_EQ(left(made, "answers rated 4 or more by rater"), 12U);
  EXPECT_EQ(made.query_ratings, (std::map<int, std::size_t>{{2, 1}, {5, 4}}));
  EXPECT_EQ(made.response_ratings, (std::map<int, std::size_t>{{2, 2}, {5, 12}}));
  ASSERT_EQ(model_.waves().size(), 2U);
  EXPECT_EQ(model_.waves()[0].size(), 5U);  // a prompt that both were asked is rated once
}

TEST_F(Benchmarks, KeepWhatJudgesDisagreeAbout) {
  BenchmarkOptions options = this->options(people(2, 8));
  options.judges = DisagreementOptions{.models = {"a", "b"}};
  const Benchmark made = build(options);
  EXPECT_EQ(left(made, "at most 0.75 of the judges' votes"), 14U);
  EXPECT_EQ(made.agreements, (std::map<double, std::size_t>{{0.5, 14}, {1.0, 2}}));
  EXPECT_EQ(model_.waves().size(), 2U);  // one a judge, of both orders
  EXPECT_EQ(model_.waves()[0].size(), 32U);
}

TEST_F(Benchmarks, LeaveOutPeopleOfWhomTooLittleIsLeft) {
  BenchmarkOptions options = this->options(people(2, 8));
  options.min_pairs = 7;
  options.rating = RatingOptions{.model = "rater"};
  EXPECT_EQ(left(build(options), "people who still have 7"), 0U);
}

TEST_F(Benchmarks, NeverHaveAPromptInContextAndTestOfOnePerson) {
  const Benchmark made = build(options(people(10, 12)));
  std::map<std::pair<std::string, std::string>, std::set<std::string>> sides;
  std::map<std::string, std::set<std::string>> splits;
  for (const BenchmarkRow& row : made.kept) {
    sides[{row.choice.user, row.choice.opening}].insert(std::string(row.split));
    splits[row.choice.user].insert(std::string(row.split));
  }
  for (const auto& [prompt, own] : sides) EXPECT_EQ(own.size(), 1U) << prompt.second;
  for (const auto& [user, own] : splits)
    EXPECT_EQ(own, (std::set<std::string>{"train", "val", "test"})) << user;
}

TEST_F(Benchmarks, PutEveryPersonIntoOneSplit) {
  const Benchmark made = build(options(people(10, 8)));
  std::map<std::string, std::set<std::string>> splits;
  std::map<std::string_view, std::set<std::string>> people_of;
  for (const BenchmarkRow& row : made.kept) {
    splits[row.choice.user].insert(std::string(row.people));
    people_of[row.people].insert(row.choice.user);
  }
  for (const auto& [user, own] : splits) EXPECT_EQ(own.size(), 1U) << user;
  EXPECT_EQ(people_of["train"].size(), 2U);
  EXPECT_EQ(people_of["validation"].size(), 2U);
  EXPECT_EQ(people_of["test"].size(), 6U);
}

TEST_F(Benchmarks, AreReadAsPairsWithTheirSplit) {
  BenchmarkOptions options = this->options(people(10, 8));
  options.rating = RatingOptions{.model = "rater"};
  const Benchmark made = build(options);
  const LoadedPairs loaded =
      read_pairs({.file = folder_.write("test.jsonl", lines_of(made, "test"))});
  ASSERT_EQ(loaded.users.test.size(), 6U);
  EXPECT_EQ(loaded.n_small_users, 0U);
  for (const User& user : loaded.users.test) {
    EXPECT_EQ(user.context.size() + user.test.size(), 6U);
    EXPECT_THAT(user.test.at(0).context, HasSubstr("[user]: taste "));
  }
}

TEST_F(Benchmarks, TellEveryCountInTheirDatasheet) {
  BenchmarkOptions options = this->options(people(4, 8));
  options.rating = RatingOptions{.model = "rater"};
  const Json sheet = datasheet(options, build(options));
  EXPECT_EQ(sheet["rows"], 32);
  EXPECT_EQ(sheet["steps"].back(),
            (Json{{"step", "people with two prompts or more"}, {"pairs", 24}, {"people", 4}}));
  EXPECT_EQ(sheet["query_ratings"], (Json{{"2", 1}, {"5", 4}}));
  std::size_t pairs = 0, people = 0;
  for (const auto& [name, split] : sheet["splits"].items()) {
    people += split["people"].get<std::size_t>();
    for (const char* key : {"train", "val", "test"}) pairs += split[key].get<std::size_t>();
  }
  EXPECT_EQ(people, 4U);
  EXPECT_EQ(pairs, 24U);
}

TEST_F(Benchmarks, DecideNothingWhereAnAnswerWasLost) {
  BenchmarkOptions options = this->options(people(2, 8));
  options.rating = RatingOptions{.model = "rater"};
  ScriptedModel failing(script, {.failing = {1}});
  const Benchmark made =
      build_benchmark(options, [&](const std::string&) -> LanguageModel& { return failing; }, {});
  EXPECT_EQ(made.lost, 1U);
  EXPECT_FALSE(made.why_lost.empty());
  EXPECT_TRUE(made.kept.empty());
}

TEST_F(Benchmarks, AreBuiltOfTheChoicesOfRealPeople) {
  const auto file = shared_folder() / "data" / "prism_demos" / "pairs_all_users.jsonl";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is not there";
  BenchmarkOptions options{.name = "demos", .source = file, .min_pairs = 4};
  options.rating = RatingOptions{.model = "rater"};
  const Benchmark made = build(options);
  EXPECT_EQ(made.rows, 84U);
  EXPECT_GT(made.kept.size(), 20U);
  for (const char* people : {"train", "validation", "test"}) {
    const auto split = folder_.write("split.jsonl", lines_of(made, people));
    EXPECT_GT(read_pairs({.file = split, .min_pairs = 2}).users.test.size(), 0U) << people;
  }
}

std::string refused(const std::string& build) {
  return message_of<UserError>([&] {
    const Config config =
        Config::parse("name: a\nmodels: {r: {path: m.gguf}}\nbuild: {" + build + "}", "b.yaml");
    (void)read_benchmark(config);
  });
}

TEST(BenchmarkConfig, WhatIsWrongIsNamedAtItsPlace) {
  EXPECT_EQ(refused(""), "b.yaml:3:8: give exactly one of 'pairs' and 'prism'");
  EXPECT_EQ(refused("prism: {survey: s.jsonl}"),
            "b.yaml:3:16: give exactly one of 'conversations' and 'utterances'");
  EXPECT_EQ(refused("pairs: a, judges: {models: []}"), "b.yaml:3:27: give the 'models' that judge");
  EXPECT_EQ(refused("pairs: a, people: {train: .5, validation: .5}"),
            "b.yaml:3:27: these shares leave nothing to test");
  EXPECT_EQ(refused("pairs: a, rating: {model: r, at_least: 3}"),
            "b.yaml:3:38: unknown key 'at_least'; did you mean 'least'?");
}

}  // namespace
}  // namespace theta
