#include "experiments/runs/headroom.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kConfig = R"(name: rows
seed: 1
models:
  task: {{base_url: "{}", model: small, dialect: openai, retries: 0}}
data:
  file: rows.csv
  split: {{train: 20, validation: 60, test: 10}}
program:
  signature: "sentence -> mood: Literal['good', 'bad']"
optimizers:
  - {{name: mipro, num_instructions: 1, num_demo_sets: 2, max_evaluations: 900,
     glossary: {{written: 0}}}}
)";

/// A server that finds everything good; where it is shown examples, it is right.
test::Reply answer(const test::Seen& seen) {
  if (seen.method != "POST") return {404, "{}", {}, test::Reply::Delivery::kWhole, {}};
  const auto messages = nlohmann::json::parse(seen.body).at("messages");
  const auto text = messages.back().at("content").get<std::string>();
  const bool shown = messages.size() > 2 || text.find("Mood: bad") != std::string::npos;
  const bool good = !shown || std::stoi(text.substr(text.rfind("row ") + 4)) % 2 == 0;
  const bool chat = text.find("[[ ##") != std::string::npos;
  const std::string mood = good ? "good" : "bad";
  const nlohmann::json body{
      {"choices",
       {{{"message", {{"content", chat ? fmt::format("[[ ## mood ## ]]\n{}\n", mood) : mood}}},
         {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 3}}}};
  return {200, body.dump(), {}, test::Reply::Delivery::kWhole, {}};
}

class HeadroomCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string rows = "sentence,mood\n";
    for (int i = 0; i < 90; ++i) rows += fmt::format("row {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
    config_ = folder_.write("config.yaml", fmt::format(fmt::runtime(kConfig), server_.url()));
  }
  Finished theta(const std::string& command, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {theta_binary(), command, config_});
    return run_to_end(more);
  }
  Finished headroom(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"--out", out()});
    return theta("headroom", more);
  }
  std::string out() const { return (folder_.path() / "out").string(); }

  TemporaryFolder folder_;
  test::LoopbackServer server_{answer};
  std::string config_;
};

TEST_F(HeadroomCommand, SaysForATenthOfTheSearchWhetherToGoOn) {
  const Finished done = headroom();
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_LE(server_.requests(), 90u);
  EXPECT_GT(server_.requests(), 80u);
  EXPECT_THAT(done.out, ContainsRegex("accuracy now \\.[0-9]+ \\[.* on 30 rows"));
  EXPECT_THAT(done.out, ContainsRegex("\ngood +1\\.00 +\\.[0-9]+\nbad +\\.00"));
  EXPECT_THAT(done.out, HasSubstr("\n1 demo of each label "));
  EXPECT_THAT(done.out, ContainsRegex("\nlogistic regression +80 "));
  EXPECT_THAT(done.out, ContainsRegex("\ngo on: mipro gains more than 2 points with"));
  EXPECT_THAT(done.out, EndsWith("out/headroom.json\n"));
}

TEST_F(HeadroomCommand, AsksForNothingTwice) {
  const Finished first = headroom();
  const auto asked = server_.requests();
  const Finished again = headroom({"--json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(server_.requests(), asked);
  const auto json = nlohmann::json::parse(again.out);
  EXPECT_EQ(json.at("spent"), asked);
  EXPECT_THAT(first.out, HasSubstr(json.at("advice").get<std::string>()));
}

TEST_F(HeadroomCommand, GoesOnWithMoreEvaluations) {
  ASSERT_EQ(headroom({"--evaluations", "60"}).code, 0);
  const auto asked = server_.requests();
  const auto more = headroom({"--evaluations", "100", "--json"});
  EXPECT_EQ(server_.requests(), nlohmann::json::parse(more.out).at("spent"));
  EXPECT_GT(server_.requests(), asked);
}

TEST_F(HeadroomCommand, LeavesItsAnswersToTheRunThroughTheCache) {
  const std::string cache = "cache.path=" + (folder_.path() / "answers.db").string();
  ASSERT_EQ(headroom({"--set", cache}).code, 0);
  const auto asked = server_.requests();
  const Finished ran = theta("run", {"--out", (folder_.path() / "run").string(), "--set", cache});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto warm = server_.requests() - asked;
  const Finished cold = theta("run", {"--out", (folder_.path() / "cold").string()});
  ASSERT_EQ(cold.code, 0) << cold.err;
  EXPECT_LE(warm + 30, server_.requests() - asked - warm);
}

TEST_F(HeadroomCommand, TellsItsCostInADryRun) {
  const Finished dry = headroom({"--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_EQ(server_.requests(), 0u);
  EXPECT_THAT(dry.out, ContainsRegex("\nprobing +task +(8[0-9]|90) "));
}

Headroom made(double p_gain, double p_there) {
  Headroom headroom;
  headroom.search = "mipro";
  headroom.spent = 60;
  headroom.plan = {.evaluations = 540, .rows = 60};
  headroom.student = {"", 20, .6, {.4, .8}};
  headroom.answers = 60;
  headroom.forecast = {
      .p_gain = p_gain, .p_there = p_there, .expected = .04, .if_found = .08, .sd = .5};
  return headroom;
}

TEST(Advice, GoesOnOrLeavesItAndSaysWhy) {
  EXPECT_EQ(made(.7, .9).advice(),
            "go on: mipro gains more than 2 points with probability .70, 4 points are expected.");
  EXPECT_EQ(
      made(.1, .3).advice(),
      "leave it: mipro gains more than 2 points with probability .10 only; the answers hardly "
      "get better by what was tried.");
  EXPECT_EQ(
      made(.1, .8).advice(),
      "leave it: mipro gains more than 2 points with probability .10 only; a better prompt may "
      "well be there (.80), but 60 rows and 540 evaluations seldom tell it from luck; give "
      "more validation rows first.");
  EXPECT_THAT(made(.3, .8).advice(), StartsWith("open: mipro gains"));
}

TEST(Advice, SaysWhenThereIsNothingLeft) {
  Headroom headroom = made(.01, .1);
  headroom.student = {"", 20, 1, {.84, 1}};
  EXPECT_THAT(headroom.advice(), HasSubstr("next to nothing left to gain"));
}

TEST(Advice, NamesAClassifierThatIsFarBetterAndAFormatThatIsNotRead) {
  Headroom headroom = made(.1, .3);
  headroom.classifiers = {{"majority", 100, .5, {.4, .6}},
                          {"logistic regression", 100, .85, {.77, .9}}};
  headroom.unparsable = 20;
  EXPECT_THAT(headroom.advice(),
              AllOf(HasSubstr("First mend the format: 20 of 60 answers cannot be read."),
                    EndsWith("logistic regression does it without a language model: .85 by "
                             "cross-validation.")));
}

TEST(Headroom, MeasuresLabelBiasByTotalVariation) {
  Headroom headroom;
  headroom.options = {{"a", .9, .5}, {"b", .1, .3}, {"c", 0, .2}};
  EXPECT_DOUBLE_EQ(headroom.bias(), .4);
}

}  // namespace
}  // namespace theta
