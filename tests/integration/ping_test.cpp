// `theta ping` against servers that refuse a part of what a run asks.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using nlohmann::json;
using test::Delivery;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;
using testing::Not;

class PingOfAServer : public testing::Test {
 protected:
  void SetUp() override {
    std::string rows = "text,mood\n";
    for (int i = 0; i < 30; ++i)
      rows += fmt::format("sentence number {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
  }

  Finished ping(const std::string& program, const std::string& rest = "") const {
    const std::string file =
        folder_.write("config.yaml", fmt::format(R"(name: pinged
models:
  task: {{base_url: "{}", model: m, dialect: openai, retries: 3}}
data:
  file: rows.csv
  split: {{train: 10, validation: 10, test: 10}}
  fields: {{sentence: text}}
program: {{signature: "sentence -> mood: Literal['good', 'bad']", {}}}
metric: exact_match
{})",
                                                 server_.url(), program, rest));
    return run_to_end({theta_binary(), "ping", file});
  }

  /// What the server is asked, as far as it is listed by `key`.
  std::vector<json> asked(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    std::vector<json> values;
    for (const json& body : bodies_) values.push_back(body.value(key, json()));
    return values;
  }

  static Reply error(const std::string& message) {
    return {400, json{{"error", {{"message", message}}}}.dump(), {}, Delivery::kWhole, {}};
  }

  TemporaryFolder folder_;
  mutable std::mutex mutex_;
  std::vector<json> bodies_;
  std::function<std::string(const json&)> refuses_ = [](const json&) { return ""; };
  LoopbackServer server_{[this](const Seen& seen) -> Reply {
    const std::lock_guard lock(mutex_);
    const json& body = bodies_.emplace_back(json::parse(seen.body));
    if (const std::string why = refuses_(body); !why.empty()) return error(why);
    return {200,
            R"({"choices": [{"message": {"content": "good"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 1}})",
            {},
            Delivery::kWhole,
            {}};
  }};
};

TEST_F(PingOfAServer, AsksForAsManyTokensAsTheRun) {
  refuses_ = [](const json& body) {
    return body.at("max_tokens") > 128 ? "this model answers with at most 128 tokens" : "";
  };
  const Finished refused = ping("max_tokens: 200");
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr("at most 128 tokens"));
  EXPECT_THAT(refused.err, HasSubstr("task asked: max_tokens 200"));
  EXPECT_EQ(server_.requests(), 1U);  // without a retry
  const Finished answered = ping("max_tokens: 100");
  EXPECT_EQ(answered.code, 0) << answered.err;
  EXPECT_THAT(answered.out, HasSubstr("m answers at " + server_.url() + ": task (max_tokens 100"));
}

TEST_F(PingOfAServer, SendsTheMessagesOfTheProgramOnItsOwnRows) {
  EXPECT_EQ(ping("adapter: chat").code, 0);
  const auto messages = asked("messages");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].at(0).at("role"), "system");
  EXPECT_THAT(messages[0].dump(), HasSubstr("sentence number "));
}

TEST_F(PingOfAServer, FindsARoleThatTheServerDoesNotKnow) {
  refuses_ = [](const json& body) {
    return body.at("messages").at(0).at("role") == "system" ? "no such role: system" : "";
  };
  const Finished refused = ping("adapter: chat");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("no such role: system"));
  EXPECT_THAT(refused.err, HasSubstr("a system message"));
}

TEST_F(PingOfAServer, AsksForLogProbabilitiesWhereTheRunScoresAndSaysThatOptionsAreNamed) {
  const Finished named = ping("adapter: terse, answering: score");
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_EQ(asked("logprobs").at(0), true);
  EXPECT_THAT(named.out, HasSubstr("2 options scored"));
  EXPECT_THAT(named.out, HasSubstr("named, "));
}

TEST_F(PingOfAServer, AsksWhatTheProposerWillAndSamples) {
  refuses_ = [](const json& body) {
    return body.at("max_tokens") == 77 ? "the proposer asks for too much" : "";
  };
  const Finished refused = ping(
      "max_tokens: 9",
      "optimizers: [{name: copro, breadth: 2, depth: 1, proposer: {max_tokens: 77, temperature: "
      "0.5}}]\n");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the proposer asks for too much"));
  EXPECT_THAT(refused.err, HasSubstr("proposer asked: max_tokens 77"));
  EXPECT_THAT(refused.err, HasSubstr("temperature 0.5"));
  EXPECT_THAT(asked("max_tokens"), testing::Contains(json(9)));
}

TEST_F(PingOfAServer, MakesRowsUpWhereTheDataAreMissing) {
  std::filesystem::remove(folder_.path() / "rows.csv");
  const Finished answered = ping("adapter: chat");
  EXPECT_EQ(answered.code, 0) << answered.err;
  EXPECT_THAT(answered.err, HasSubstr("pinged: asked on made-up rows: "));
  EXPECT_THAT(asked("messages").at(0).dump(), HasSubstr("example "));
}

TEST_F(PingOfAServer, AsksAsAJudgeAndAsAWriterOfPersonas) {
  refuses_ = [](const json& body) {
    return body.at("max_tokens") == 33 ? "a persona is too long" : "";
  };
  const std::string file = folder_.write("people.yaml", fmt::format(R"(name: people
models:
  teacher: {{base_url: "{}", model: m, dialect: openai}}
data: {{pairs: {{file: none.jsonl, train: 1, validation: 1, test: 1}}}}
personas:
  judge: {{adapter: terse, judging: scored}}
  theta: {{adapter: terse, max_tokens: 33, samples: 2}}
)",
                                                                    server_.url()));
  const Finished refused = run_to_end({theta_binary(), "ping", file});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("teacher asked: max_tokens 33"));
  EXPECT_THAT(asked("logprobs"), testing::Contains(json(true)));
}

}  // namespace
}  // namespace theta
