// One person from pairs to predictions, by the real program, against a chat server.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;
using testing::StartsWith;

Reply chat(const std::string& text, json logprobs = nullptr) {
  json choice = {{"message", {{"content", text}}}, {"finish_reason", "stop"}};
  if (!logprobs.is_null()) choice["logprobs"] = std::move(logprobs);
  const json body = {{"choices", {choice}},
                     {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 3}}}};
  return {200, body.dump(), {}, Reply::Delivery::kWhole, {}};
}

/// The first option's log-odds are `odds`.
Reply scored(double odds) {
  const double first = -std::log1p(std::exp(-odds)), second = first - odds;
  const json top = {{{"token", "First"}, {"logprob", first}},
                    {{"token", "Second"}, {"logprob", second}}};
  return chat(odds > 0 ? "First" : "Second", {{"content",
                                               {{{"token", odds > 0 ? "First" : "Second"},
                                                 {"logprob", std::max(first, second)},
                                                 {"top_logprobs", top}}}}});
}

/// Describes whose sentences are gloomy as one who likes gloom, Dora now so and now so, and judges by
/// the persona; without one it prefers what is cheerful.
Reply answer(const Seen& seen) {
  const std::string text = json::parse(seen.body).at("messages").back().at("content");
  const auto holds = [&](const char* part) { return text.find(part) != std::string::npos; };
  const bool either = holds("dora") && std::hash<std::string>()(seen.body) % 2 == 0;
  if (!holds("First:"))
    return chat(holds("gloomy") || either ? "Longs for gloom" : "Longs for cheer");
  const bool wants_gloom = holds("Longs for gloom");
  return scored(holds("First: A gloomy") == wants_gloom ? 2 : -2);
}

class OnePerson : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("pairs.jsonl", pairs());
    folder_.write("config.yaml", fmt::format(R"(name: people
seed: 7
models:
  teacher: {{base_url: "{}", model: mock, dialect: openai, retries: 0}}
data:
  pairs: {{file: pairs.jsonl, context_ratio: 0.5, train: 2, validation: 0, test: 2, seed: 4}}
personas:
  students: []
  judge: {{signature: "first, second -> preference: Literal['First', 'Second']", adapter: terse,
    judging: scored}}
  theta: {{adapter: terse, samples: 2, temperature: 0.8, history: chosen, max_copied: 20}}
  pool: 1
  rows: [verified personas]
)",
                                             server_.url()));
    const Finished run = theta({"run", file("config.yaml"), "--out", file("run")});
    ASSERT_EQ(run.code, 0) << run.err;
  }

  static std::string pairs() {
    std::string rows;
    for (const std::string user : {"ann-marie", "bob-the-reader", "cleo-the-fan", "dora-the-fan"})
      for (int i = 0; i < 6; ++i) {
        const bool fan = user.ends_with("fan");
        const std::string gloomy = fmt::format("A gloomy tale {} of {}", i, user),
                          cheerful = fmt::format("A cheerful tale {} of {}", i, user);
        rows += ordered_json{{"user_id", user},
                             {"pair_id", fmt::format("{}.{}", user, i)},
                             {"flip", i % 2 == 0},
                             {"chosen", fan ? cheerful : gloomy},
                             {"rejected", fan ? gloomy : cheerful}}
                    .dump() +
                "\n";
      }
    return rows;
  }

  static Finished theta(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), theta_binary());
    return run_to_end(arguments);
  }
  std::string file(const std::string& name) const { return folder_.path() / name; }
  Finished fit(const std::string& user) const {
    return theta({"persona", "fit", file("pairs.jsonl"), "--prompt", file("run/prompt.json"),
                  "--user", user, "--out", file(user + ".json")});
  }

  const LoopbackServer server_{answer};
  const TemporaryFolder folder_;
};

TEST_F(OnePerson, IsFittedJudgedAndWrittenFor) {
  const Finished fitted = fit("ann-marie");
  ASSERT_EQ(fitted.code, 0) << fitted.err;
  EXPECT_EQ(fitted.out, fmt::format(R"(ann-marie: 6 pairs
persona: Longs for gloom
demos: 0 of the pairs
right on 6 pairs that the persona was not made from (cross-validated, both orders):
  with the persona     1.00 [0.61, 1.00]
  without it           0.00 [0.00, 0.39]
  difference           +1.00 [+0.18, +1.00]
P(it predicts this person better) 1.00: use it
{}
)",
                                    file("ann-marie.json")));
  struct stat found {};
  ASSERT_EQ(stat(file("ann-marie.json").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);

  const Finished judged = theta({"persona", "judge", file("ann-marie.json"), "--first",
                                 "A gloomy day", "--second", "A cheerful day"});
  EXPECT_EQ(judged.out,
            "{\"choice\":\"first\",\"probability\":0.8808,\"first_by_order\":[0.8808,0.8808],"
            "\"named\":false,\"persona\":true}\n")
      << judged.err;
  const Finished rows = theta(
      {"persona", "judge", file("ann-marie.json"),
       folder_.write("rows.jsonl", R"({"first": "A cheerful day", "second": "A gloomy day"})")});
  EXPECT_THAT(rows.out, StartsWith(R"({"pair_id":"row 1","choice":"second","probability":0.8808)"));

  EXPECT_EQ(
      theta({"persona", "prompt", file("ann-marie.json")}).out,
      "You write for one reader. What is known of this reader:\n\nLongs for gloom\n\nWrite so "
      "that this reader would choose your answer over others. Do not mention what is known "
      "of the reader.\n");
  EXPECT_EQ(fit("ann-marie").code, 0);  // writes its own file anew
}

TEST_F(OnePerson, WhomThePersonaDoesNotHelpIsJudgedWithoutIt) {
  ASSERT_EQ(fit("cleo-the-fan").code, 0);
  const std::string cleo = file("cleo-the-fan.json");
  const auto judge = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command = {
        "persona", "judge", cleo, "--first", "A gloomy day", "--second", "A cheerful day"};
    command.insert(command.end(), more.begin(), more.end());
    return theta(command);
  };
  const Finished without = judge({});
  EXPECT_THAT(without.out, HasSubstr(R"("choice":"second")"));
  EXPECT_THAT(without.out, HasSubstr(R"("persona":false)"));
  EXPECT_THAT(without.err, HasSubstr("the persona is not to be used"));
  const Finished anyway = judge({"--anyway"});
  EXPECT_THAT(anyway.out, HasSubstr(R"("persona":true)"));
  EXPECT_EQ(anyway.err, "");
  const Finished prompt = theta({"persona", "prompt", cleo});
  EXPECT_EQ(prompt.code, 2);
  EXPECT_EQ(prompt.err, cleo +
                            ": the persona does not predict this person better than none does, and "
                            "is not to be used; --anyway prints it all the same\n");
}

TEST_F(OnePerson, RefusesFilesOfOtherThings) {
  const std::string prompt = file("run/prompt.json");
  const auto refused = [&](const std::vector<std::string>& arguments) {
    const Finished finished = theta(arguments);
    EXPECT_EQ(finished.code, 2);
    return finished.err;
  };
  EXPECT_EQ(refused({"persona", "judge", prompt, "--first", "a", "--second", "b"}),
            prompt + ": it is of no person: give a file of `theta persona fit`\n");
  EXPECT_EQ(
      refused({"persona", "fit", file("pairs.jsonl"), "--prompt", prompt, "--user", "ann-marie",
               "--out", prompt}),
      prompt + " is there already, and is not the persona of `ann-marie`: choose another --out\n");
  const std::string task = folder_.write(
      "task.json",
      R"({"predict": {"lm": null, "traces": [], "train": [], "demos": [], "signature": {"instructions": "Say.", "fields":
        [{"prefix": "A:", "description": "${a}"}, {"prefix": "B:", "description": "${b}"}]}}})");
  EXPECT_EQ(refused({"persona", "fit", file("pairs.jsonl"), "--prompt", task, "--user", "ann-marie",
                     "--set", "program.signature=a -> b", "--set", "model.path=m.gguf"}),
            task +
                ": it does not say how personas are made: give the prompt.json of a run on "
                "people\n");
  ASSERT_EQ(fit("ann-marie").code, 0);
  const std::string ann = file("ann-marie.json");
  EXPECT_EQ(refused({"persona", "judge", ann}), "give --first and --second, or a file of rows\n");
  EXPECT_EQ(refused({"persona", "judge", ann, "--first", "a"}), "--second is missing\n");
  const std::string rows = folder_.write("rows.jsonl", "{\"first\": \"a\"}\n");
  EXPECT_EQ(refused({"persona", "judge", ann, rows}),
            rows + ":1: no `second`; there are `first`\n");
}

TEST_F(OnePerson, IsAskedWhatTellsMost) {
  ASSERT_EQ(fit("dora-the-fan").code, 0);
  const std::string dora = file("dora-the-fan.json");
  const std::string candidates =
      folder_.write("candidates.jsonl", R"({"first": "A gloomy day", "second": "A cheerful day"}
{"pair_id": "night", "first": "A gloomy night", "second": "A cheerful night"}
{"first": "A cheerful tale 1 of dora-the-fan", "second": "A gloomy tale 1 of dora-the-fan"}
)");
  const Finished asked = theta({"persona", "ask", dora, candidates, "--top", "2"});
  ASSERT_EQ(asked.code, 0) << asked.err;
  std::istringstream lines(asked.out);
  std::vector<json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(json::parse(line));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].at("pair_id"), "row 1");
  EXPECT_EQ(rows[0].at("first"), "A gloomy day");
  EXPECT_GE(rows[0].at("knowledge_gradient"), 0);
  EXPECT_LT(rows[0].at("p_first"), 0.5);  // she chose what is cheerful
  EXPECT_THAT(asked.err, HasSubstr("1 of 3 pairs are left out, as the person has chosen between"));

  const Finished one = theta(
      {"persona", "ask", dora, folder_.write("one.jsonl", R"({"first": "a", "second": "b"})")});
  EXPECT_EQ(one.code, 2);
  EXPECT_THAT(one.err, HasSubstr("one.jsonl: at least two pairs are needed"));
  ASSERT_EQ(fit("ann-marie").code, 0);
  const Finished sure = theta({"persona", "ask", file("ann-marie.json"), candidates});
  EXPECT_EQ(sure.code, 2);
  EXPECT_THAT(sure.err, HasSubstr("8 samples of Θ are 1 persona, and an answer tells several"));
}

/// All bytes of all files below a folder.
std::string everything(const fs::path& folder) {
  std::string bytes;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.path().string() + content(entry.path()) + "\n";
  return bytes;
}

TEST_F(OnePerson, IsForgottenToTheLastByte) {
  const std::string cache = file("answers.db");
  ASSERT_EQ(theta({"persona", "fit", file("pairs.jsonl"), "--prompt", file("run/prompt.json"),
                   "--user", "ann-marie", "--out", file("hers.json"), "--cache", cache})
                .code,
            0);
  ASSERT_EQ(fit("cleo-the-fan").code, 0);
  const std::string before = everything(folder_.path());
  for (const char* trace : {"ann-marie", "A gloomy tale 3 of ann", "Longs for gloom"})
    EXPECT_THAT(before, HasSubstr(trace));
  const Finished forgotten = theta({"persona", "forget", "ann-marie", folder_.path()});
  ASSERT_EQ(forgotten.code, 0) << forgotten.out << forgotten.err;
  EXPECT_THAT(forgotten.out, HasSubstr("removed  " + file("hers.json") + ": file\n"));
  EXPECT_THAT(forgotten.out, HasSubstr("removed  " + file("pairs.jsonl") + ": 6 rows\n"));
  EXPECT_THAT(forgotten.out, testing::EndsWith(": nothing is left\n"));
  const std::string after = everything(folder_.path());
  EXPECT_EQ(after.find("ann-marie"), std::string::npos);
  EXPECT_THAT(after, HasSubstr("cleo-the-fan"));
  EXPECT_EQ(theta({"persona", "judge", file("cleo-the-fan.json"), "--first", "A gloomy day",
                   "--second", "A cheerful day"})
                .code,
            0);
  EXPECT_EQ(theta({"report", file("run")}).code, 0);
}

}  // namespace
}  // namespace theta
