// Whole runs that distil a program, by the real program, against a chat server.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
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
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

/// Half the moods are right, and all where the instruction is a better one, which both models
/// understand; demos confuse the small one.
std::string answer_to(const json& body) {
  const json& messages = body.at("messages");
  const auto system = messages.front().at("content").get<std::string>();
  const auto last = messages.back().at("content").get<std::string>();
  const auto write = [](const std::string& field, const std::string& value) {
    return fmt::format("[[ ## {} ## ]]\n{}\n\n[[ ## completed ## ]]", field, value);
  };
  const auto wants = [&](const std::string& field) {
    return last.find("field `[[ ## " + field + " ## ]]`") != std::string::npos;
  };
  if (wants("proposed_instruction")) return write("proposed_instruction", "Better moods, please.");
  if (!wants("mood")) return write("observations", "Sentences with numbers.");
  const bool confused = body.at("model") == "small" && messages.size() > 2;
  const bool better = system.find("Better") != std::string::npos && !confused;
  const int number = std::stoi(last.substr(last.find("number ") + 7));
  return write("mood", better && number % 2 == 1 ? "bad" : "good");
}

class DistilledRun : public testing::Test {
 protected:
  std::string config(const std::string& distill) {
    std::string rows = "sentence,mood\n";
    for (int i = 0; i < 100; ++i)
      rows += fmt::format("sentence number {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
    return folder_.write("config.yaml", fmt::format(R"(name: distilled
seed: 7
models:
  teacher: {{base_url: "{0}", model: large, dialect: openai, retries: 0}}
  student: {{base_url: "{0}", model: small, dialect: openai, retries: 0}}
data: {{file: rows.csv, split: {{train: 20, validation: 60, test: 10}}}}
program: {{signature: "sentence -> mood: Literal['good', 'bad']", adapter: chat}}
baselines: []
optimizers:
  - {{name: mipro, num_instructions: 3, num_demo_sets: 2, max_by_rule: 0, nearest: 0, max_evaluations: 250,
     glossary: {{written: 0, read_off: false}}, frozen: [format], gate: {{fresh: 0.3}}}}
distill: {1}
)",
                                                    server_.url(), distill));
  }
  Finished theta(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), theta_binary());
    return run_to_end(arguments);
  }

  TemporaryFolder folder_;
  LoopbackServer server_{[](const Seen& seen) -> Reply {
    const json reply = {{"choices",
                         {{{"message", {{"content", answer_to(json::parse(seen.body))}}},
                           {"finish_reason", "stop"}}}},
                        {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 9}}}};
    return {200, reply.dump(), {}, test::Delivery::kWhole, {}};
  }};
};

TEST_F(DistilledRun, MovesTheTeachersPromptAndSearchesForTheStudentsOwn) {
  const fs::path out = folder_.path() / "out";
  const Finished run =
      theta({"run", config("{rows: [as_is, demo_free, reoptimised, anew]}"), "--out", out});
  ASSERT_EQ(run.code, 0) << run.err;
  std::vector<std::string> rows;
  const auto report = lasting_report(out);
  for (const auto& row : report.at("rows"))
    rows.push_back(fmt::format("{}, {}: {:.1f}", row.at("model").get<std::string>(),
                               row.at("method").get<std::string>(),
                               row.at("accuracy").get<double>()));
  EXPECT_THAT(
      rows, UnorderedElementsAre("teacher, untouched: 0.3", "teacher, mipro: 1.0",
                                 "student, untouched: 0.3", "student, mipro, teacher's prompt: 1.0",
                                 "student, mipro, teacher's prompt without demos: 1.0",
                                 "student, mipro, re-optimised: 1.0",
                                 "student, mipro, re-optimised anew: 1.0"));
  EXPECT_THAT(run.err, ContainsRegex("mipro, re-optimised: its winner leads from evaluation"));
  EXPECT_EQ(
      json::parse(content(out / "prompt.json")).at("metadata").at("theta").at("model").at("model"),
      "small");
  EXPECT_EQ(
      json::parse(content(out / "teacher.json")).at("metadata").at("theta").at("model").at("model"),
      "large");
}

TEST_F(DistilledRun, IsForeseen) {
  const Finished dry = theta({"run", config("{}"), "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_THAT(dry.out, ContainsRegex("mipro, teacher's prompt, student: test +student +10 "));
  EXPECT_THAT(dry.out, ContainsRegex("mipro, re-optimised +student "));
  EXPECT_EQ(server_.requests(), 0u);
}

TEST_F(DistilledRun, NamesModelsThatAreThere) {
  EXPECT_THAT(theta({"check", config("{student: [student, student]}")}).err,
              HasSubstr("`student` is named twice: a student is another model\n"));
  EXPECT_THAT(theta({"check", config("{student: tiny}")}).err, HasSubstr("tiny"));
  EXPECT_THAT(
      theta({"check", config("{rows: [half]}")}).err,
      HasSubstr("there is no row `half`; there are as_is, demo_free, reoptimised and anew\n"));
}

}  // namespace
}  // namespace theta
