// Whole runs on people against a chat server: options that it names, outages, and saved prompts.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

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
using Delivery = test::Reply::Delivery;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kPeople = 8;

std::string asked(const Seen& seen) {
  return json::parse(seen.body).at("messages").back().at("content");
}

Reply chat(const std::string& text, json logprobs = nullptr) {
  json choice = {{"message", {{"content", text}}}, {"finish_reason", "stop"}};
  if (!logprobs.is_null()) choice["logprobs"] = std::move(logprobs);
  const json body = {{"choices", {choice}},
                     {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 3}}}};
  return {200, body.dump(), {}, Delivery::kWhole, {}};
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

bool is_judged(const std::string& text) { return text.find("First:") != std::string::npos; }
/// Of the pair in the prompt: what people chose begins with `bad`.
bool chosen_first(const std::string& text) { return text.find("First: bad") != std::string::npos; }

/// A server that gives no log-probabilities, and follows the persona.
Reply follows(const Seen& seen) {
  const std::string text = asked(seen);
  if (!is_judged(text)) return chat("Likes complaints");
  const bool likes_bad = text.find("Likes complaints") != std::string::npos;
  return chat(chosen_first(text) == likes_bad ? "First" : "Second");
}

/// Of a request's bytes, but for what changes no answer: stop texts go along once it is known that
/// the model does not think first, and answers are cut at them all the same.
std::size_t hash_of(const Seen& seen) {
  std::string body = seen.body;
  for (const std::string_view alike : {",\"stream\":false", ",\"stop\":[\"\\n\"]"})
    if (const std::size_t at = body.find(alike); at != body.npos) body.erase(at, alike.size());
  return std::hash<std::string>()(body);
}

/// Personas and log-odds by the bytes of the request: the same to the same.
Reply by_bytes(const Seen& seen) {
  const std::size_t hash = hash_of(seen);
  if (!is_judged(asked(seen))) return chat(fmt::format("Likes things of kind {}", hash % 7));
  return scored(static_cast<double>(hash % 4001) / 1000 - 2);
}

class ServedPeople : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("pairs.jsonl", pairs([](int) { return true; }));
  }

  /// The rows of the users wanted.
  static std::string pairs(const std::function<bool(int)>& wanted) {
    std::string rows;
    for (int user = 0; user < kPeople; ++user)
      for (int i = 0; i < 6 && wanted(user); ++i)
        rows += ordered_json{{"user_id", fmt::format("u{}", user)},
                             {"pair_id", fmt::format("u{}.{}", user, i)},
                             {"flip", i % 2 == 0},
                             {"chosen", fmt::format("bad {} {}", user, i)},
                             {"rejected", fmt::format("good {} {}", user, i)}}
                    .dump() +
                "\n";
    return rows;
  }

  fs::path config(const LoopbackServer& server) const {
    return folder_.write("config.yaml", fmt::format(R"(name: people
seed: 7
models:
  teacher: {{base_url: "{}", model: mock, dialect: openai, retries: 0}}
data:
  pairs: {{file: pairs.jsonl, context_ratio: 0.5, train: 2, validation: 2, test: 3, seed: 4}}
personas:
  judge: {{signature: "first, second -> preference: Literal['First', 'Second']", adapter: terse}}
  theta: {{adapter: terse, samples: 3, temperature: 0.8, history: chosen, max_copied: 20}}
  pool: 2
  demos: 1
  contrasts: [0, 0.5]
optimizers:
  - {{name: mipro, num_instructions: 1, instructions: [Say what they like.], num_demo_sets: 1,
     max_bootstrapped: 0, max_labeled: 0, num_trials: 2, minibatch_size: 1}}
)",
                                                    server.url()));
  }
  Finished run(const LoopbackServer& server, const std::vector<std::string>& sets = {}) const {
    std::vector<std::string> command = {theta_binary(), "run", config(server), "--out", out()};
    for (const auto& set : sets) command.insert(command.end(), {"--set", set});
    return run_to_end(command);
  }
  fs::path out() const { return folder_.path() / "out"; }

  ordered_json row(const std::string& method) const {
    const ordered_json report = lasting_report(out());
    for (const auto& one : report.at("rows"))
      if (one.at("method") == method) return one;
    return nullptr;
  }
  std::vector<std::string> remarks() const { return lasting_report(out()).at("remarks"); }

  TemporaryFolder folder_;
};

TEST_F(ServedPeople, AreJudgedByPlainChoicesWhereOptionsAreNamed) {
  const LoopbackServer server(follows);
  const Finished finished = run(server);
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(row("default judge").at("accuracy"), 0);
  for (const char* method : {"personas", "verified personas", "optimised Θ"}) {
    EXPECT_EQ(row(method).at("accuracy"), 1) << method;  // no tie of a choice with itself
    EXPECT_THAT(remarks(), testing::Contains(std::string(method) +
                                             ", teacher: 18 of 18 judgements were named, not "
                                             "scored: contrast fell back to the plain choice"));
  }
  EXPECT_THAT(remarks(), testing::Contains(
                             "default judge, teacher: 18 of 18 judgements were named, not scored"));
  EXPECT_THAT(remarks(), testing::Contains(StartsWith("finding personas, teacher: ")));
}

TEST_F(ServedPeople, APromptMakesItsRowAgain) {
  const LoopbackServer server(by_bytes);
  for (const std::string set : {"personas.judge.orders=one", "personas.judge.orders=both",
                                "personas.theta.verify=false", "personas.frozen=[]"}) {
    SCOPED_TRACE(set);
    fs::remove_all(out());
    fs::remove(folder_.path() / "eval.db");
    const Finished finished =
        run(server, {set, "optimizers.0.gate={threshold: 0.5}", "optimizers.0.max_labeled=1"});
    ASSERT_EQ(finished.code, 0) << finished.err;
    const std::string expected = fmt::format(
        "accuracy {:.4f} on 18 judgements of 3 people, made as the row `optimised Θ` "
        "(0 unparsable, 0 refused, 0 failed)\n",
        row("optimised Θ").at("accuracy").get<double>());
    // Away from its run, whose record would answer.
    const fs::path saved = folder_.write("prompt.json", content(out() / "prompt.json"));
    const auto eval = [&](const std::string& name, const std::string& rows) {
      return run_to_end({theta_binary(), "eval", saved, folder_.write(name, rows), "--cache",
                         folder_.path() / "eval.db"});
    };
    const Finished whole = eval("same.jsonl", pairs([](int) { return true; }));
    EXPECT_EQ(whole.out, expected) << whole.err;
    const auto prompt = ordered_json::parse(content(out() / "prompt.json"));
    const auto& personas = prompt["metadata"]["theta"]["personas"];
    const std::vector<std::string> test = personas["test"];
    const Finished some =
        eval("some.jsonl", pairs([&](int user) {
               return std::ranges::find(test, fmt::format("u{}", user)) != test.end();
             }));
    EXPECT_EQ(some.out, expected) << some.err;
  }
}

TEST_F(ServedPeople, APromptSaysWhatItsRowWasMadeWith) {
  const LoopbackServer server(by_bytes);
  ASSERT_EQ(run(server).code, 0);
  const auto prompt = ordered_json::parse(content(out() / "prompt.json"));
  const auto& personas = prompt["metadata"]["theta"]["personas"];
  EXPECT_EQ(personas["row"], "optimised Θ");
  EXPECT_EQ(personas["theta"]["samples"], 3);
  EXPECT_EQ(personas["theta"]["temperature"], 0.8);
  EXPECT_EQ(personas["theta"]["history"], "chosen");
  EXPECT_EQ(personas["contrasts"].dump(), "[0.0,0.5]");
  EXPECT_EQ(personas["judge"]["orders"], "one");
  EXPECT_EQ(personas["test"].size(), 3u);
  EXPECT_EQ(personas["made_with"].size(), 4u);
  EXPECT_FALSE(personas["people"]["pairs"].contains("file"));
}

TEST_F(ServedPeople, WhosePersonasAnOutageTakesAreCountedAsFailed) {
  // One test user's history is never answered.
  std::string lost = "u0";
  {
    const LoopbackServer server(by_bytes);
    ASSERT_EQ(run(server).code, 0);
    const auto prompt = ordered_json::parse(content(out() / "prompt.json"));
    lost = prompt["metadata"]["theta"]["personas"]["test"][0];
    fs::remove_all(out());
  }
  const LoopbackServer server([&](const Seen& seen) {
    const std::string text = asked(seen);
    if (!is_judged(text) && text.find("bad " + lost.substr(1) + " ") != std::string::npos)
      return Reply{503, "down", {}, Delivery::kWhole, {}};
    return by_bytes(seen);
  });
  const Finished finished = run(server);
  for (const char* method : {"personas", "verified personas", "optimised Θ", "personas + demos"}) {
    EXPECT_EQ(row(method).at("failed"), 6) << method << finished.err;
    EXPECT_EQ(row(method).at("judgements"), 18) << method;
    EXPECT_THAT(row(method).at("why_failed").get<std::string>(), HasSubstr("503")) << method;
  }
  EXPECT_EQ(row("default judge").at("failed"), 0);
}

TEST_F(ServedPeople, WhoseThetaWritesNothingOfUseAreJudgedWithoutAndSaidSo) {
  const LoopbackServer server([&](const Seen& seen) {
    return is_judged(asked(seen)) ? by_bytes(seen) : chat("Likes far too many words to be kept");
  });
  const Finished finished = run(server, {"personas.theta.max_words=3"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  for (const char* method : {"personas", "verified personas", "optimised Θ"})
    EXPECT_THAT(remarks(), testing::Contains(StartsWith(
                               std::string(method) +
                               ", teacher: no persona of Θ's could be used for 3 of 3 people")));
  const auto report = lasting_report(out());
  EXPECT_EQ(report["proposals"]["personas by teacher"]["written"], 0);
  EXPECT_EQ(report["proposals"]["personas by teacher"]["not_fit"],
            report["proposals"]["personas by teacher"]["asked"]);
  for (const auto& persona : report["personas"])
    EXPECT_THAT(persona["source"].get<std::string>(), StartsWith("none"));
}

TEST_F(ServedPeople, HaveARowOfEachOptimiserWhereThereAreSeveral) {
  const LoopbackServer server(by_bytes);
  const Finished finished = run(
      server, {"optimizers=[{name: labeled_few_shot, k: 2}, {name: labeled_few_shot, label: one "
               "demo, k: 1}]",
               "models.student=teacher"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const ordered_json report = lasting_report(out());
  std::vector<std::string> rows;
  for (const auto& one : report.at("rows"))
    rows.push_back(one.at("method").get<std::string>() + ", " + one.at("model").get<std::string>());
  for (const char* row :
       {"optimised Θ: labeled_few_shot, teacher", "optimised Θ: one demo, teacher",
        "teacher's Θ: one demo, student", "re-optimised Θ: labeled_few_shot, student"})
    EXPECT_THAT(rows, testing::Contains(row));
  for (const char* search : {"theta-teacher: labeled_few_shot", "theta-student: one demo"})
    EXPECT_TRUE(report.at("gates").contains(search)) << report.at("gates");
}

TEST_F(ServedPeople, KeepTheSeedWhereNoOtherThetaIsBetter) {
  const LoopbackServer server(follows);  // who writes what is right, whatever is asked
  const Finished finished = run(server);
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(remarks(),
              testing::Contains(StartsWith("theta-teacher: kept the seed Θ: P(better)")));
  EXPECT_THAT(finished.out, HasSubstr("kept the seed Θ: P(better) = "));
  const auto prompt = ordered_json::parse(content(out() / "prompt.json"));
  EXPECT_EQ(prompt["signature"]["instructions"].get<std::string>(),
            "Given user judgements on prior conversations, build a concise persona of the user: "
            "their preferences and anything known about them.");
}

TEST_F(ServedPeople, AreRunWithoutAnOptimiser) {
  const LoopbackServer server(by_bytes);
  const Finished finished = run(server, {"optimizers=[]"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(row("optimised Θ"), nullptr);
  const auto prompt = ordered_json::parse(content(out() / "prompt.json"));
  EXPECT_EQ(prompt["metadata"]["theta"]["personas"]["row"], "verified personas");
}

}  // namespace
}  // namespace theta
