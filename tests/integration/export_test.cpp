// Prompts that leave Theta, by the real program, and are used without it.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using nlohmann::json;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;

class ExportedPrompt : public testing::Test {
 protected:
  /// A prompt with a demo, that a run left.
  std::string prompt(const std::string& adapter, const std::string& more = "") const {
    return folder_.write("prompt.json", fmt::format(R"({{"traces": [], "train": [], "lm": null,
  "demos": [{{"sentence": "It works.", "mood": "good"}}],
  "signature": {{"instructions": "It's ''' the {{{{mood}}}}.", "fields": [
    {{"prefix": "Sentence:", "description": "${{sentence}}"}},
    {{"prefix": "Mood:", "description": "${{mood}}"}}]}},
  "metadata": {{"dependency_versions": {{}}, "theta": {{
    "program": {{"signature": "sentence -> mood: Literal['good', 'bad']", "adapter": "{}"{}}},
    "model": {{"base_url": "{}", "model": "m", "dialect": "openai"}}}}}}}})",
                                                    adapter, more, server_.url()));
  }
  Finished theta(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), theta_binary());
    return run_to_end(arguments);
  }

  TemporaryFolder folder_;
  std::string answer_ = "bad";
  std::vector<json> asked_;
  LoopbackServer server_{[this](const Seen& seen) -> Reply {
    asked_.push_back(json::parse(seen.body));
    const json reply = {{"choices", {{{"message", {{"content", answer_}}}}}}};
    return {200, reply.dump(), {}, test::Delivery::kWhole, {}};
  }};
};

TEST_F(ExportedPrompt, IsShownAsTheModelSeesIt) {
  const Finished shown = theta({"show", prompt("terse"), "--input", "sentence=It broke."});
  EXPECT_EQ(shown.out, R"(user:
It's ''' the {{mood}}.

Sentence: It works.
Mood: good

Sentence: It broke.

(m, generated, at most 256 tokens)
)") << shown.err;
  EXPECT_EQ(theta({"show", prompt("terse"), "--input", "speech=x"}).err,
            "--input: the signature has no field `speech`; it has sentence, mood\n");
}

TEST_F(ExportedPrompt, IsARequestToAnyServer) {
  const json body = json::parse(theta({"export", prompt("chat"), "--to", "messages"}).out);
  EXPECT_EQ(body.at("model"), "m");
  EXPECT_EQ(body.at("messages").size(), 4u);
  EXPECT_THAT(body.at("messages").back().at("content").get<std::string>(),
              HasSubstr("{{sentence}}"));
  const json anthropic = json::parse(theta({"export", prompt("chat"), "--to", "anthropic"}).out);
  EXPECT_EQ(anthropic.at("system"), body.at("messages").front().at("content"));
  EXPECT_EQ(anthropic.at("messages").size(), 3u);
  const json gemini = json::parse(theta({"export", prompt("chat"), "--to", "gemini"}).out);
  EXPECT_EQ(gemini.at("systemInstruction").at("parts").at(0).at("text"), anthropic.at("system"));
  EXPECT_EQ(gemini.at("contents").at(1).at("role"), "model");
}

TEST_F(ExportedPrompt, RunsAsAScriptWithoutTheta) {
  if (run_to_end({"/usr/bin/env", "python3", "--version"}).code != 0)
    GTEST_SKIP() << "there is no python3 here";
  ::setenv("OPENAI_BASE_URL", server_.url().c_str(), 1);
  for (const auto& [adapter, answer] :
       {std::pair("terse", "Mood: bad"),
        {"terse", "bad"},
        {"json", "{\"mood\": \"bad\"}"},
        {"chat", "[[ ## mood ## ]]\nbad\n\n[[ ## completed ## ]]"}}) {
    answer_ = answer;
    const std::string script = folder_.path() / "prompt.py";
    const Finished written = theta({"export", prompt(adapter), "--to", "python", "--out", script});
    ASSERT_EQ(written.code, 0) << written.err;
    const std::string inputs = R"({"sentence": "It's {{mood}} broke."})";
    const Finished ran = run_to_end({"/usr/bin/env", "python3", script, inputs});
    EXPECT_EQ(ran.out, "{\"mood\": \"bad\"}\n") << adapter << ran.err << content(script);
    const auto last = asked_.back().at("messages").back().at("content").get<std::string>();
    EXPECT_THAT(last, HasSubstr("It's {{mood}} broke."));
    EXPECT_THAT(asked_.back().at("messages").front().at("content").get<std::string>(),
                HasSubstr("It's ''' the {{mood}}."));
    EXPECT_THAT(run_to_end({"/usr/bin/env", "python3", script, "{}"}).err,
                HasSubstr("missing inputs: sentence"));
  }
  ::unsetenv("OPENAI_BASE_URL");
}

TEST_F(ExportedPrompt, IsABatchAndTrainingRows) {
  const std::string rows = folder_.write("rows.csv", "sentence,mood\nIt broke.,bad\nFine.,good\n");
  const auto lines = [&](const std::string& form) {
    std::istringstream text(theta({"export", prompt("terse"), rows, "--to", form}).out);
    std::vector<json> all;
    for (std::string line; std::getline(text, line);) all.push_back(json::parse(line));
    return all;
  };
  const std::vector<json> batch = lines("batch");
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_NE(batch[0].at("custom_id"), batch[1].at("custom_id"));
  EXPECT_EQ(batch[0].at("url"), "/v1/chat/completions");
  EXPECT_THAT(batch[1].at("body").at("messages").back().at("content").get<std::string>(),
              HasSubstr("Sentence: Fine."));
  const std::vector<json> rows_to_learn = lines("sft");
  ASSERT_EQ(rows_to_learn.size(), 2u);
  EXPECT_EQ(rows_to_learn[0].at("completion"),
            json({{{"role", "assistant"}, {"content", "Mood: bad"}}}));
  EXPECT_EQ(rows_to_learn[1].at("prompt"), batch[1].at("body").at("messages"));
}

TEST_F(ExportedPrompt, SaysWhatIsLeftOutAndWhatItNeeds) {
  const std::string file =
      prompt("terse", R"(, "answering": "score", "calibrate": "content_free")");
  EXPECT_EQ(theta({"export", file}).err,
            "theta: `predict` compares the log-probabilities of the options: elsewhere it is "
            "answered by generating\ntheta: `predict` is calibrated: elsewhere it is not\n");
  EXPECT_THAT(theta({"show", file}).out,
              HasSubstr("(m, scored: log P of good, bad behind \"Mood:\")"));
  EXPECT_EQ(theta({"export", file, "--to", "sft"}).err,
            "--to sft is of rows: give a file of them\n");
  EXPECT_EQ(theta({"export", file, "--to", "pyton"}).err,
            "--to pyton: there is no such form; did you mean 'python'?; there are text, messages, "
            "anthropic, gemini, python, batch, sft, mlflow\n");
  const std::string unlabelled = folder_.write("rows.csv", "sentence\nIt broke.\n");
  EXPECT_THAT(theta({"export", file, unlabelled, "--to", "sft"}).err, HasSubstr("mood"));
}

}  // namespace
}  // namespace theta
