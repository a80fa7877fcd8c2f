// Whole runs of a program of two steps by the real program, against a chat server.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
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

namespace fs = std::filesystem;
using nlohmann::json;
using test::Delivery;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;
using testing::Not;

/// Of each four sentences two are answered rightly, one more where the notes are sharp, and one more
/// where the instruction of the verdict is a better one; the notes are sharp where theirs is. Writes
/// better instructions.
std::string answer_to(const json& body) {
  std::string system, last;
  for (const json& message : body.at("messages")) {
    const auto content = message.at("content").get<std::string>();
    (message.at("role") == "system" ? system : last) = content;
  }
  const auto wants = [&](const std::string& field) {
    return last.find("field `[[ ## " + field + " ## ]]`") != std::string::npos;
  };
  const auto write = [](const std::string& field, const std::string& value) {
    return fmt::format("[[ ## {} ## ]]\n{}\n\n[[ ## completed ## ]]", field, value);
  };
  const auto holds = [&](const char* text) { return last.find(text) != std::string::npos; };
  const bool better = system.find("Better") != std::string::npos;
  if (wants("notes")) return write("notes", better ? R"(["sharp"])" : R"(["dull"])");
  if (wants("mood")) {
    const int kind = std::stoi(last.substr(last.find("number ") + 7)) % 4;
    const bool bad = (kind == 1 && holds("sharp")) || (kind == 3 && better);
    return write("mood", bad ? "bad" : "good");
  }
  const bool of_notes = holds("produce the fields `notes`") || holds("Better notes");
  for (const char* field : {"proposed_instruction", "new_instruction"})
    if (wants(field))
      return write(field, of_notes ? "Better notes, please." : "Better moods, please.");
  return write("observations", "Sentences with numbers.");
}

class StepsOfARun : public testing::Test {
 protected:
  void SetUp() override {
    std::string rows = "text,mood\n";
    for (int i = 0; i < 60; ++i)
      rows += fmt::format("sentence number {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
    config_ = folder_.write("config.yaml", fmt::format(R"(name: steps
seed: 7
models:
  task: {{base_url: "{0}", model: small, dialect: openai, retries: 0}}
  judge: {{base_url: "{0}", model: large, dialect: openai, retries: 0}}
data:
  file: rows.csv
  split: {{train: 20, validation: 20, test: 10}}
  fields: {{sentence: text}}
program:
  steps:
    - signature: "sentence -> notes: list[str]"
      samples: 3
    - name: verdict
      model: judge
      signature: "sentence, notes -> mood: Literal['good', 'bad']"
baselines: []
optimizers:
  - {{name: mipro, num_instructions: 3, num_demo_sets: 2, max_by_rule: 0, nearest: 0,
     glossary: {{written: 0, read_off: false}}, frozen: [format], gate: {{fresh: 0.3}}}}
  - {{name: gepa, max_evaluations: 300}}
)",
                                                       server_.url()));
  }

  Finished theta(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), theta_binary());
    return run_to_end(arguments);
  }

  TemporaryFolder folder_;
  std::string config_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::string>> asked_;  ///< the model, and what it is to write
  LoopbackServer server_{[this](const Seen& seen) -> Reply {
    const json body = json::parse(seen.body);
    const std::string answer = answer_to(body);
    const std::lock_guard lock(mutex_);
    asked_.emplace_back(body.at("model"), answer.substr(0, answer.find('\n')));
    const json reply = {
        {"choices", {{{"message", {{"content", answer}}}, {"finish_reason", "stop"}}}},
        {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 9}}}};
    return {200, reply.dump(), {}, Delivery::kWhole, {}};
  }};
};

TEST_F(StepsOfARun, AreCheckedAndForeseen) {
  EXPECT_EQ(theta({"check", config_}).code, 0);
  const Finished dry = theta({"run", config_, "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  // Ten rows: three samples of notes each, and a verdict by another model.
  EXPECT_THAT(dry.out, testing::ContainsRegex("untouched: test +task +30 "));
  EXPECT_THAT(dry.out, testing::ContainsRegex("untouched: test +judge +10 "));
  EXPECT_EQ(server_.requests(), 0u);
}

TEST_F(StepsOfARun, ArePinged) {
  const Finished ping = theta({"ping", config_});
  EXPECT_EQ(ping.code, 0) << ping.err;
  EXPECT_THAT(ping.out, HasSubstr("judge: large answers"));
  EXPECT_THAT(ping.out, HasSubstr("task: small answers"));
}

TEST_F(StepsOfARun, AreBothTunedSavedReportedAndRunAgain) {
  const fs::path out = folder_.path() / "out";
  const Finished run = theta({"run", config_, "--out", out});
  ASSERT_EQ(run.code, 0) << run.err;
  // Ten rows: three samples of notes each, and a verdict.
  EXPECT_THAT(run.out, testing::ContainsRegex("untouched [|] +.20 .* 40 +2360\n"));
  EXPECT_THAT(run.out, testing::ContainsRegex("mipro +[|] 1.00 "));
  EXPECT_THAT(run.out, testing::ContainsRegex("gepa +[|] 1.00 "));
  const std::string page = page_of(out);
  EXPECT_THAT(page, HasSubstr("notes: Better notes, please."));
  EXPECT_THAT(page, HasSubstr("verdict: Better moods, please."));
  const json prompt = json::parse(content(out / "prompt.json"));
  EXPECT_EQ(prompt.at("notes").at("signature").at("instructions"), "Better notes, please.");
  EXPECT_EQ(prompt.at("verdict").at("signature").at("instructions"), "Better moods, please.");

  const std::vector<std::string> file = {out / "prompt.json", folder_.path() / "rows.csv",
                                         "--field", "sentence=text"};
  Finished again = theta({"eval", file[0], file[1], file[2], file[3]});
  EXPECT_EQ(again.out, "exact_match 1.0000 on 60 examples (0 unparsable, 0 refused, 0 failed)\n")
      << again.err;
  again = theta({"predict", file[0], "--input", "sentence=sentence number 7"});
  EXPECT_EQ(again.out, "{\"notes\":[\"sharp\"],\"mood\":\"bad\"}\n") << again.err;
  for (const auto& [model, field] : asked_) {
    const bool judged = field == "[[ ## mood ## ]]";
    EXPECT_EQ(model, judged ? "large" : "small") << field;
  }
}

TEST_F(StepsOfARun, OfAProgramThatDspySavedAreNamedOnTheCommandLine) {
  const auto step = [](const std::string& instructions, const std::vector<std::string>& fields) {
    json state = {{"lm", nullptr}, {"signature", {{"instructions", instructions}}}};
    for (const std::string& field : fields)
      state["signature"]["fields"].push_back(
          {{"prefix", "x"}, {"description", "${" + field + "}"}});
    return state;
  };
  const json state = {{"notes", step("Better.", {"sentence", "notes"})},
                      {"verdict", step("Better.", {"sentence", "notes", "mood"})},
                      {"metadata", {{"dependency_versions", json::object()}}}};
  const std::string file = folder_.write("dspy.json", state.dump());
  const std::string model =
      fmt::format("{{base_url: '{}', model: small, dialect: openai}}", server_.url());
  const Finished told = theta({"predict", file, "--input", "sentence=sentence number 7", "--set",
                               "model=" + model, "--set", "program.signature=sentence -> mood"});
  EXPECT_EQ(told.err, file +
                          ": it has the predictors `notes`, `verdict`, and one is run: choose "
                          "one with --set program.predictor=notes, or give each its step in "
                          "program.steps\n");
  const Finished run = theta(
      {"predict", file, "--input", "sentence=sentence number 7", "--set", "model=" + model, "--set",
       "program.steps=[{name: notes, signature: 'sentence -> notes: list[str]'}, {name: verdict, "
       "signature: 'sentence, notes -> mood'}]"});
  EXPECT_EQ(run.out, "{\"notes\":[\"sharp\"],\"mood\":\"bad\"}\n") << run.err;
}

}  // namespace
}  // namespace theta
