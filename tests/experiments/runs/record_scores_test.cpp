#include "experiments/runs/record_scores.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "experiments/runs/run_folder.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

constexpr const char* kConfig = R"(name: reviews
seed: 1
models:
  task: {{base_url: "{}", model: small, dialect: openai, retries: 0}}
data:
  file: reviews.csv
  split: {{train: 4, validation: 4, test: 1}}
program:
  signature: "sentence -> mood: Literal['good', 'bad']"
optimizers:
  - {{name: random_search}}
  - {{name: mipro, num_instructions: 1, instructions: [Say good.], num_demo_sets: 2, max_by_rule: 0,
     max_bootstrapped: 0, max_labeled: 2}}
)";

test::Reply reply(int status, std::string body) {
  test::Reply made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

/// A server that finds everything good if it is told to, else bad.
test::Reply answer(const test::Seen& seen) {
  if (seen.method != "POST") return reply(404, "{}");
  const bool good = seen.body.find("Say good.") != std::string::npos;
  const nlohmann::json body{
      {"choices",
       {{{"message",
          {{"content",
            fmt::format("[[ ## mood ## ]]\n{}\n\n[[ ## completed ## ]]", good ? "good" : "bad")}}},
         {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 3}}}};
  return reply(200, body.dump());
}

class RecordScores : public ::testing::Test {
 protected:
  std::vector<std::string> command(const std::string& url, const std::string& config = kConfig,
                                   const std::vector<std::string>& sets = {}) {
    folder_.write(
        "reviews.csv",
        "sentence,mood\na,good\nb,good\nc,good\nd,good\ne,good\nf,good\ng,good\nh,good\ni,good\n");
    std::vector<std::string> command = {
        theta_binary(), "replay",
        "--record",     folder_.write("config.yaml", fmt::format(fmt::runtime(config), url)),
        "--out",        out()};
    for (const auto& set : sets) command.insert(command.end(), {"--set", set});
    return command;
  }
  Finished record(const std::string& url, const std::string& config = kConfig,
                  const std::vector<std::string>& sets = {}) {
    return run_to_end(command(url, config, sets));
  }
  std::filesystem::path out() const { return folder_.path() / "out"; }

  TemporaryFolder folder_;
};

TEST_F(RecordScores, WritesTheScoreOfEveryCombinationOnEveryExample) {
  const test::LoopbackServer server(answer);
  const auto done = record(server.url());
  ASSERT_EQ(done.code, 0) << done.err;
  const auto table = read_score_table(folder_.path() / "out/table.json");
  EXPECT_EQ(table.examples, 4u);
  ASSERT_EQ(table.predictors.size(), 1u);
  EXPECT_EQ(table.predictors[0].instructions[1], "Say good.");
  EXPECT_EQ(table.predictors[0].demos[0], "");
  EXPECT_NE(table.predictors[0].demos[1].find("mood: good"), std::string::npos);
  const std::vector<double> none(4, 0), all(4, 1);
  EXPECT_EQ(table.scores, (std::map<Combination, std::vector<double>>{
                              {{0, 0}, none}, {{0, 1}, none}, {{1, 0}, all}, {{1, 1}, all}}));
}

TEST_F(RecordScores, AsksNothingThatItHasRecorded) {
  std::optional<test::LoopbackServer> server(std::in_place, answer);
  const std::string url = server->url();
  ASSERT_EQ(record(url).code, 0);
  std::filesystem::remove(folder_.path() / "out/table.json");
  server.reset();
  const auto again = record(url);
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(read_score_table(folder_.path() / "out/table.json").scores.size(), 4u);
}

TEST_F(RecordScores, IsIncompleteWhereAnExampleWasNotAnswered) {
  const test::LoopbackServer server([](const test::Seen& seen) {
    const bool has_demos = seen.body.find("assistant") != std::string::npos;
    return has_demos ? reply(500, "{}") : answer(seen);
  });
  const auto done = record(server.url());
  EXPECT_EQ(done.code, 4);
  EXPECT_EQ(done.out, "");
  EXPECT_NE(
      done.err.find("theta: incomplete: 4 of 4 examples of combination 0,1 were not answered; "
                    "4 of 8 requests got no answer (4 of task in \"recording\"), the first "
                    "because: "),
      std::string::npos)
      << done.err;
  EXPECT_FALSE(std::filesystem::exists(out() / "table.json"));
  EXPECT_EQ(read_status(out()).state, RunState::kIncomplete);
}

TEST_F(RecordScores, ABudgetStopsItAndARaisedOneLetsItGoOn) {
  const test::LoopbackServer server(answer);
  const auto stopped = record(server.url(), kConfig, {"budget={calls: 5}"});
  EXPECT_EQ(stopped.code, 3) << stopped.err;
  EXPECT_EQ(stopped.out, "");
  EXPECT_THAT(stopped.err, EndsWith("theta: stopped: the budget of 5 calls is spent\n"));
  EXPECT_EQ(server.requests(), 5u);
  EXPECT_FALSE(std::filesystem::exists(out() / "table.json"));
  EXPECT_EQ(read_status(out()).state, RunState::kStopped);
  ASSERT_EQ(record(server.url(), kConfig, {"budget={calls: 100}"}).code, 0);
  EXPECT_EQ(server.requests(), 16u);
  EXPECT_EQ(read_score_table(out() / "table.json").scores.size(), 4u);
  EXPECT_EQ(read_status(out()).state, RunState::kDone);
}

TEST_F(RecordScores, SharesTheCacheOfItsConfig) {
  const test::LoopbackServer server(answer);
  const std::vector<std::string> cache = {"cache={path: '" +
                                          (folder_.path() / "cache.db").string() + "'}"};
  ASSERT_EQ(record(server.url(), kConfig, cache).code, 0);
  const std::size_t asked = server.requests();
  std::filesystem::remove_all(out());
  ASSERT_EQ(record(server.url(), kConfig, cache).code, 0);
  EXPECT_EQ(server.requests(), asked);
}

TEST_F(RecordScores, InterruptedItSaysHowToGoOn) {
  const test::LoopbackServer server([](const test::Seen& seen) {
    test::Reply slow = answer(seen);
    slow.delay = std::chrono::milliseconds(50);
    return slow;
  });
  Process process(command(server.url(), kConfig, {"models.task.in_flight=1"}));
  while (process.running() && server.requests() < 3)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGINT);
  const auto stopped = process.wait();
  EXPECT_EQ(stopped.code, 130);
  EXPECT_THAT(stopped.err, EndsWith("theta: stopped; what is done is in " + out().string() +
                                    ", and the same command goes on from there\n"));
}

TEST_F(RecordScores, RefusesAFolderOfAnotherConfig) {
  const test::LoopbackServer server(answer);
  ASSERT_EQ(record(server.url()).code, 0);
  const auto other = record(server.url(), kConfig, {"seed=2"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, StartsWith(out().string() + " holds a run of another config or other"));
}

TEST_F(RecordScores, RefusesASweep) {
  const auto done =
      record("http://127.0.0.1:1/v1", std::string(kConfig) + "sweep: {{seeds: [1, 2]}}\n");
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(done.err, (folder_.path() / "config.yaml").string() +
                          ":14:8: this is a sweep of runs: theta sweep CONFIG\n");
}

TEST_F(RecordScores, NeedsAMipro) {
  std::string config = kConfig;
  config.resize(config.find("  - {{name: mipro"));
  const auto done = record("http://127.0.0.1:1/v1", config);
  EXPECT_EQ(done.code, 2);
  EXPECT_EQ(done.err, "there is no mipro among the optimizers, whose choices could be recorded\n");
}

}  // namespace
}  // namespace theta
