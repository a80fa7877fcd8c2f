// Whole runs of the real program with metrics that ask somebody else, and evals of their prompts.

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

namespace fs = std::filesystem;
using Delivery = test::Reply::Delivery;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;

/// Answers a task with `fir`; as a judge it likes the answers to long questions.
Reply answer(const Seen& seen) {
  if (seen.method == "GET") return {200, R"({"data": []})", {}, Delivery::kWhole, {}};
  const bool judges = seen.body.find("A good answer is short.") != std::string::npos;
  const bool likes = seen.body.find("long question") != std::string::npos;
  const std::string text = !judges ? "[[ ## answer ## ]]\nfir\n\n[[ ## sure ## ]]\nTrue"
                           : likes ? "[[ ## remarks ## ]]\nFine.\n\n[[ ## mark ## ]]\n5"
                                   : "[[ ## remarks ## ]]\nLong.\n\n[[ ## mark ## ]]\n2";
  const nlohmann::json body = {
      {"choices", {{{"message", {{"content", text}}}, {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 9}}}};
  return {200, body.dump(), {}, Delivery::kWhole, {}};
}

class MetricRun : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("rows.jsonl", "{\"question\": \"long question\"}\n{\"question\": \"why?\"}\n");
    folder_.write("score.py", R"(import json, sys
for line in sys.stdin:
    row = json.loads(line)
    if row["example"]["question"] == "crash": sys.exit("no idea")
    print(json.dumps({"score": 0.75 if row["prediction"]["answer"] == "fir" else 0}), flush=True)
)");
  }

  fs::path config(const std::string& metric, const std::string& models = "") const {
    return folder_.write("config.yaml", fmt::format(R"(name: metrics
models:
  task: {{base_url: "{0}", model: m, dialect: openai}}
{2}
data: {{splits: {{test: rows.jsonl}}}}
program: {{signature: "question -> answer, sure: bool", adapter: chat}}
metric: {1}
)",
                                                    server_.url(), metric, models));
  }
  Finished run(const fs::path& config) const {
    return run_to_end({theta_binary(), "run", config, "--out", out()});
  }
  Finished eval(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {theta_binary(), "eval", out() + "/prompt.json",
                               (folder_.path() / "rows.jsonl").string()});
    return run_to_end(more);
  }
  std::string out() const { return (folder_.path() / "run").string(); }
  std::string command() const {
    return fmt::format("[python3, '{}']", (folder_.path() / "score.py").string());
  }

  TemporaryFolder folder_;
  LoopbackServer server_{answer};
};

TEST_F(MetricRun, AsksAJudgeWithARubricAndNeedsNoLabels) {
  const std::string judge =
      fmt::format("  judge: {{base_url: \"{}\", model: judge, dialect: openai}}", server_.url());
  const Finished ran =
      run(config("{judge: {rubric: A good answer is short., output: answer}}", judge));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr(".62 ["));  // the mean of 1 and 0.25
  const Finished evaluated = eval();
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out,
              HasSubstr("judge 0.6250 on 2 examples (0 unparsable, 0 refused, 0 failed)"));
}

TEST_F(MetricRun, CountsTheJudgeInADryRunAndRunsNoCommand) {
  const std::string both = fmt::format(
      "{{weighted: [{{judge: {{rubric: Short., model: task}}}}, {{command: "
      "[/no/such/program]}}]}}");
  for (const std::string& metric : {std::string("{judge: {rubric: Short., model: task}}"), both}) {
    const Finished dry = run_to_end({theta_binary(), "run", config(metric), "--dry-run"});
    EXPECT_EQ(dry.code, 0) << dry.err;
    EXPECT_THAT(dry.out, HasSubstr("untouched: test"));
  }
  EXPECT_EQ(server_.requests(), 0U);
}

TEST_F(MetricRun, NamesAJudgeThatIsNoModel) {
  const Finished ran = run(config("{judge: {rubric: Short., model: teacher2}}"));
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("config.yaml:7:9: the judge 'teacher2' is not a model of this "
                                 "config: add it under 'models'"));
}

TEST_F(MetricRun, RunsTheUsersCommandAndNoneOfAPrompt) {
  const Finished ran = run(config(fmt::format("{{command: {}}}", command())));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr(".75 ["));
  const Finished refused = eval();
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("a saved prompt runs no command of its own: read it, and give "
                                     "it with --set 'metric.command=[..]'"));
  const Finished own = eval({"--set", "metric.command=" + command()});
  EXPECT_EQ(own.code, 0) << own.err;
  EXPECT_THAT(own.out, HasSubstr("command 0.7500 on 2 examples"));
  const Finished named = eval({"--set", "metric={name: regex, output: answer, pattern: ^fir$}"});
  EXPECT_THAT(named.out, HasSubstr("regex 1.0000 on 2 examples")) << named.err;
}

TEST_F(MetricRun, EndsWhereTheCommandEndsAndShowsWhatItSays) {
  folder_.write("rows.jsonl", "{\"question\": \"q\"}\n{\"question\": \"crash\"}\n");
  const Finished ran = run(config(fmt::format("{{command: {}}}", command())));
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("no idea"));
  EXPECT_THAT(ran.err, HasSubstr("ended with exit code 1 at row `test:2`"));
}

}  // namespace
}  // namespace theta
