// Whole runs of the real program against a chat server: with faults, with a cache, with a key.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "core/records/sqlite.hpp"
#include "tests/support/http_questions.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using test::Delivery;
using test::kKey;
using test::LoopbackServer;
using test::Reply;
using test::Seen;
using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

constexpr int kRetries = 3;

int count(const fs::path& database, const std::string& what) {
  return std::stoi(
      Database(database.string(), false).value(("SELECT count(*) FROM " + what).c_str()));
}

/// The same answer to the same request, right or wrong by the request's bytes.
Reply judge(const Seen& seen) {
  if (seen.method == "GET")
    return {200, R"({"data": [{"owned_by": "vllm"}]})", {}, Delivery::kWhole, {}};
  const bool good = std::hash<std::string>()(seen.body) % 3 > 0;
  const ordered_json body = {
      {"choices",
       {{{"message",
          {{"content",
            fmt::format("[[ ## mood ## ]]\n{}\n\n[[ ## completed ## ]]", good ? "good" : "bad")}}},
         {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 50}, {"completion_tokens", 9}}}};
  return {200, body.dump(), {}, Delivery::kWhole, {}};
}

/// Fails one request in five in a random way, the same request at most kRetries times in a row.
class Faulty {
 public:
  Reply operator()(const Seen& seen) {
    static const std::vector<Reply> faults = {
        {200, "cut", {}, Delivery::kReset, {}},
        {200, "cut short", {}, Delivery::kHalf, {}},
        {200, "{}", {}, Delivery::kTooLong, {}},
        {200, R"({"choices": [{}]})", {}, Delivery::kTooShort, {}},
        {200, "{}", {}, Delivery::kAbsurd, {}},
        {200, "", {}, Delivery::kGarbage, {}},
        {200, "never ends", {}, Delivery::kStall, {}},
        {503, std::string("busy, ") + kKey, {}, Delivery::kWhole, {}},
        {429, "slow down", {{"Retry-After", "0.01"}}, Delivery::kWhole, {}},
        {200, std::string("<html>") + kKey, {}, Delivery::kWhole, {}},
        {200, R"({"choices": [{"mess)", {}, Delivery::kWhole, {}}};
    int& in_a_row = failed_[seen.body];
    if (in_a_row == kRetries || random_() % 5 > 0) {
      in_a_row = 0;
      return judge(seen);
    }
    ++in_a_row;
    ++*injected;
    return faults[random_() % faults.size()];
  }

  std::shared_ptr<std::atomic<int>> injected = std::make_shared<std::atomic<int>>(0);

 private:
  std::mt19937 random_{5};
  std::map<std::string, int> failed_;
};

/// Right about every sentence that it is asked in DSPy's chat format, and wrong about every other.
Reply understands_chat(const Seen& seen) {
  const auto messages = ordered_json::parse(seen.body).at("messages");
  const bool understood = messages.at(0).at("role") == "system";
  const auto asked = messages.back().at("content").get<std::string>();
  const int number = std::stoi(asked.substr(asked.rfind("number ") + 7));
  const char* mood = (number % 2 == 0) == understood ? "good" : "bad";
  return test::chat(understood ? fmt::format("[[ ## mood ## ]]\n{}\n\n[[ ## completed ## ]]", mood)
                               : fmt::format("Mood: {}", mood));
}

class ServedRun : public testing::Test {
 protected:
  void SetUp() override {
    setenv("THETA_TEST_KEY", kKey, 1);
    std::string rows = "text,mood\n";
    for (int i = 0; i < 60; ++i) {
      rows += fmt::format("sentence number {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    }
    folder_.write("rows.csv", rows);
  }
  void TearDown() override { unsetenv("THETA_TEST_KEY"); }

  fs::path config(const LoopbackServer& server, const std::string& rest) const {
    return folder_.write("config.yaml", fmt::format(R"(name: served
seed: 7
models:
  task:
    base_url: ["{}"]
    model: mock
    dialect: openai
    api_key_env: THETA_TEST_KEY
    in_flight: 32
    read_timeout_s: 0.5
    retries: {}
data:
  file: rows.csv
  split: {{train: 20, validation: 20, test: 20}}
  fields: {{sentence: text}}
program:
  signature: "sentence -> mood: Literal['good', 'bad']"
  adapter: chat
metric: exact_match
baselines: []
optimizers:
  - {{name: random_search, num_candidates: 3, max_bootstrapped: 2, max_labeled: 2}}
{})",
                                                    server.url(), kRetries, rest));
  }

  Finished run(const fs::path& config, const std::string& name,
               const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command = {theta_binary(), "run",     config,
                                        "--out",        out(name), "--verbose"};
    command.insert(command.end(), more.begin(), more.end());
    return run_to_end(command);
  }
  fs::path out(const std::string& name) const { return folder_.path() / name; }

  TemporaryFolder folder_;
};

TEST_F(ServedRun, OfAFaultyServerEndsWithTheSameReportAndRecordsEveryRetry) {
  for (const std::string dialect : {"openai", "auto"}) {  // which is asked for, and that can fail
    const auto sets = std::vector<std::string>{"--set", "models.task.dialect=" + dialect};
    const fs::path whole = out("sound " + dialect), patched = out("faulty " + dialect);
    const LoopbackServer sound(judge);
    ASSERT_EQ(run(config(sound, ""), whole.filename(), sets).code, 0);
    EXPECT_EQ(count(whole / "run.db", "attempts"), 0);

    Faulty fault;
    const auto injected = fault.injected;
    const LoopbackServer faulty(fault);
    const Finished finished = run(config(faulty, ""), patched.filename(), sets);
    ASSERT_EQ(finished.code, 0) << finished.err;
    EXPECT_THAT(finished.out, HasSubstr("default"));  // in the table of trials
    auto report = lasting_report(patched);
    report["config_hash"] = lasting_report(whole).at("config_hash");  // the address differs
    EXPECT_EQ(report, lasting_report(whole));
    const fs::path database = patched / "run.db";
    EXPECT_GT(*injected, 20);
    EXPECT_EQ(count(database, "attempts"), *injected);
    EXPECT_EQ(count(database, "answers"),
              static_cast<int>(sound.requests()) - (dialect == "auto" ? 1 : 0));
    EXPECT_EQ(count(database, "answers JOIN attempts USING (key) WHERE number = 1"),
              count(database, "(SELECT DISTINCT key FROM attempts)"));
  }
}

TEST_F(ServedRun, FindsTheFormatThatAModelUnderstandsAndSavesIt) {
  const LoopbackServer server(understands_chat);
  const Finished finished =
      run(config(server, ""), "out",
          {"--set", "program.adapter=terse", "--set",
           "optimizers=[{name: mipro, num_instructions: 1, max_bootstrapped: 0, max_labeled: 0}]"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  const auto rows = lasting_report(out("out")).at("rows");
  EXPECT_EQ(rows.at(0).at("accuracy"), 0) << rows;
  EXPECT_EQ(rows.at(1).at("accuracy"), 1) << rows;
  EXPECT_THAT(finished.err, HasSubstr("prompt.json: `predict` is asked in another format (chat) "
                                      "than the program says (terse), which DSPy does not keep: "
                                      "there it is asked in DSPy's"));
  EXPECT_THAT(page_of(out("out")), HasSubstr("(asked: chat)"));
  const Finished again =
      run_to_end({theta_binary(), "eval", out("out") / "prompt.json", folder_.path() / "rows.csv"});
  EXPECT_THAT(again.out, HasSubstr("exact_match 1.0000 on 60 examples")) << again.err;
  const Finished otherwise =
      run_to_end({theta_binary(), "eval", out("out") / "prompt.json", folder_.path() / "rows.csv",
                  "--set", "program.adapter=terse"});
  EXPECT_THAT(otherwise.out, HasSubstr("exact_match 0.0000 on 60 examples")) << otherwise.err;
}

TEST_F(ServedRun, LeavesTheKeyInNoFileAndNoLine) {
  Faulty fault;
  const LoopbackServer faulty(fault);
  const Finished finished = run(config(faulty, "cache: {path: cache.db}"), "out");
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out + finished.err, Not(HasSubstr("0123456789")));
  std::vector<std::string> searched;
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    searched.push_back(entry.path().filename());
    EXPECT_THAT(content(entry.path()), Not(HasSubstr("0123456789"))) << entry.path();
  }
  EXPECT_THAT(searched, testing::IsSupersetOf({"run.db", "report.json", "report.html", "cache.db",
                                               "prompt.json", "config.resolved.yaml"}));
  EXPECT_THAT(content(out("out") / "run.db"), HasSubstr("busy, [key]"));
}

TEST_F(ServedRun, LeavesASecretOfAHeaderInNoFileAndNoLine) {
  std::atomic<int> admitted = 0;
  const LoopbackServer server([&](const Seen& seen) {
    const bool known = seen.header("api-key") == std::string("Key ") + kKey &&
                       seen.path.ends_with("?version=2&sig=sk-secret%2F0123456789");
    if (!known) return Reply{401, "who? " + seen.header("api-key"), {}, Delivery::kWhole, {}};
    ++admitted;
    return judge(seen);
  });
  const fs::path written = config(server, "");
  const std::vector<std::string> secret = {
      "--set", "models.task.headers={api-key: \"Key ${THETA_TEST_KEY}\"}",
      "--set", "models.task.query={version: 2, sig: \"${THETA_TEST_KEY}\"}",
      "--set", "models.task.parameters={user: \"${THETA_TEST_KEY}\"}"};
  const Finished finished = run(written, "out", secret);
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_GT(admitted, 20);
  EXPECT_THAT(finished.out + finished.err, Not(HasSubstr("0123456789")));
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_THAT(content(entry.path()), Not(HasSubstr("0123456789"))) << entry.path();
  }
  for (const char* file : {"config.resolved.yaml", "prompt.json"})
    EXPECT_THAT(content(out("out") / file), HasSubstr("Key ${THETA_TEST_KEY}"));

  // The resolved config is run again: another key is no other run.
  const Finished again =
      run_to_end({theta_binary(), "run", out("out") / "config.resolved.yaml", "--out", out("out")});
  EXPECT_EQ(again.code, 0) << again.err;
  // A prompt sends nothing of the environment that its reader has not given.
  const Finished refused = run_to_end(
      {theta_binary(), "predict", out("out") / "prompt.json", "--input", "sentence=one"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("a saved prompt reads no environment variable: give --set "
                                     "'model.headers.api-key=Key ${THETA_TEST_KEY}'"));
}

TEST_F(ServedRun, IsReplayedFromTheCacheOfAnotherWithoutAServer) {
  auto server = std::make_unique<LoopbackServer>(judge);
  const fs::path recording = config(*server, "cache: {path: cache.db, mode: record}");
  ASSERT_EQ(run(recording, "first").code, 0);
  ASSERT_EQ(run(recording, "second").code, 0);
  const auto asked = server->requests();
  EXPECT_EQ(count(folder_.path() / "cache.db", "answers"), static_cast<int>(asked));
  server.reset();

  const Finished replayed = run(recording, "third", {"--set", "cache.mode=replay"});
  ASSERT_EQ(replayed.code, 0) << replayed.err;
  for (const char* name : {"second", "third"}) {
    EXPECT_EQ(lasting_report(out(name)), lasting_report(out("first")));
    EXPECT_EQ(count(out(name) / "run.db", "answers"), static_cast<int>(asked));
  }
}

TEST_F(ServedRun, ReplayNamesTheRequestThatTheCacheLacks) {
  const LoopbackServer server(judge);
  const fs::path recording = config(server, "cache: {path: cache.db, mode: record}");
  ASSERT_EQ(run(recording, "first").code, 0);
  const auto asked = server.requests();
  const Finished refused =
      run(recording, "second",
          {"--set", "cache.mode=replay", "--set", "program.instructions=Say how it sounds."});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err,
              MatchesRegex(".*/cache.db holds no answer to request [0-9a-f]{12} of mock at "
                           "http://127.0.0.1:[0-9]+/v1, dialect openai, logprobs auto, which ends "
                           "with \".*\": run once with mode: record\n"));
  EXPECT_EQ(server.requests(), asked);
}

TEST_F(ServedRun, ItsPromptIsScoredWithoutAskingTwiceAlsoWhenThatWasStopped) {
  std::atomic<std::chrono::milliseconds> delay{std::chrono::milliseconds(0)};
  const LoopbackServer server([&](const Seen& seen) {
    Reply reply = judge(seen);
    reply.delay = delay;
    return reply;
  });
  ASSERT_EQ(run(config(server, ""), "out").code, 0);
  const fs::path prompt = out("out") / "prompt.json", answers = out("out") / "answers.db";
  const auto eval = [&](const fs::path& file) -> std::vector<std::string> {
    return {theta_binary(),      "eval",    file,           out("rows.csv"), "--set",
            "model.in_flight=4", "--field", "sentence=text"};
  };
  const std::size_t before = server.requests();
  delay = std::chrono::milliseconds(10);
  Process process(eval(prompt));
  while (process.running() && server.requests() < before + 20)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  process.send(SIGINT);
  const Finished stopped = process.wait();
  EXPECT_EQ(stopped.code, 130);
  EXPECT_THAT(stopped.err, EndsWith("theta: stopped; the answers are in " + answers.string() +
                                    ", and the same command goes on from there\n"));
  EXPECT_GE(count(answers, "answers"), 15);

  delay = std::chrono::milliseconds(0);
  const Finished finished = run_to_end(eval(prompt));
  ASSERT_EQ(finished.code, 0) << finished.err;
  const std::size_t asked = server.requests();
  EXPECT_LE(asked, before + 60 + 4);  // what was on its way when it was stopped
  EXPECT_EQ(run_to_end(eval(prompt)).out, finished.out);
  fs::copy(prompt, out("prompt.json"));
  auto elsewhere = eval(out("prompt.json"));
  elsewhere.insert(elsewhere.end(), {"--cache", answers});
  EXPECT_EQ(run_to_end(elsewhere).out, finished.out);
  EXPECT_EQ(server.requests(), asked);
  EXPECT_FALSE(fs::exists(out("answers.db")));
}

TEST_F(ServedRun, ItsPromptIsNotAskedWithKeysThatAreUnknown) {
  const LoopbackServer server(judge);
  ASSERT_EQ(run(config(server, ""), "out").code, 0);
  const std::size_t asked = server.requests();
  for (const char* command : {"eval", "predict"}) {
    const Finished refused =
        run_to_end({theta_binary(), command, out("out") / "prompt.json", out("rows.csv"), "--field",
                    "sentence=text", "--set", "model.in_fligth=4"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_EQ(refused.err,
              "--set model.in_fligth: unknown key 'in_fligth'; did you mean 'in_flight'?\n");
  }
  EXPECT_EQ(server.requests(), asked);
}

TEST_F(ServedRun, ItsPromptReadsFilesAsItIsToldAndAnswersWhatItIsGiven) {
  std::atomic<bool> dead = false;
  const LoopbackServer server([&](const Seen& seen) {
    return dead ? Reply{503, "down", {}, Delivery::kWhole, {}} : judge(seen);
  });
  ASSERT_EQ(run(config(server, ""), "out").code, 0);
  const fs::path prompt = out("out") / "prompt.json";
  const auto predict = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command = {theta_binary(), "predict", prompt};
    command.insert(command.end(), more.begin(), more.end());
    return run_to_end(command);
  };
  const fs::path file =
      folder_.write("more.json", R"({"examples": [{"text": "one"}, {"text": "two"}]})");
  const Finished told = predict({file, "--rows", "examples", "--field", "sentence=text"});
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_EQ(std::ranges::count(told.out, '\n'), 2);

  for (const auto& [arguments, why] :
       {std::pair<std::vector<std::string>, std::string>{
            {file, "--input", "sentence=one"}, "give a file of examples or --input, not both\n"},
        {{"--input", "sentence=one", "--field", "sentence=text"},
         "--field and --rows say how a file is read, and none is given\n"},
        {{"--input", "sentence=caf\xe9"}, "--input sentence is not UTF-8\n"},
        {{"--input", "sentence=a", "--input", "sentence=b"}, "--input sentence is given twice\n"},
        {{"--input", "sentense=a"},
         "--input: the signature has no field `sentense`; it has sentence, mood\n"},
        {{file, "--field", "sentense=text"},
         "--field: the signature has no field `sentense`; it has sentence, mood\n"}}) {
    const Finished refused = predict(arguments);
    EXPECT_EQ(refused.code, 2);
    EXPECT_EQ(refused.err, why);
  }
  dead = true;
  const Finished failed = predict({"--input", "sentence=three", "--set", "model.retries=0"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.out, HasSubstr("\"error\""));
}

TEST_F(ServedRun, AStateOfDspysIsAskedOnceTheCommandSaysWhatItIsOf) {
  const LoopbackServer server(judge);
  const fs::path state = folder_.write(
      "state.json",
      R"({"traces": [], "train": [], "demos": [], "lm": null, "metadata": {"dependency_versions": {}},
          "signature": {"instructions": "Say the mood.", "fields": [
            {"prefix": "Sentence:", "description": "${sentence}"},
            {"prefix": "Mood:", "description": "${mood}"}]}})");
  std::vector<std::string> command = {theta_binary(), "predict", state, "--input", "sentence=one"};
  const Finished refused = run_to_end(command);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("with --set program.signature='question -> answer'"));
  for (const std::string& set :
       {std::string("program.signature=sentence -> mood: Literal['good', 'bad']"),
        "model.base_url=" + server.url(), std::string("model.model=m")})
    command.insert(command.end(), {"--set", set});
  const Finished told = run_to_end(command);
  EXPECT_EQ(told.code, 0) << told.err;
  EXPECT_THAT(told.out, MatchesRegex("\\{\"mood\":\"(good|bad)\"\\}\n"));
}

TEST_F(ServedRun, APromptThatDoesNotSayHidesOptionsAsWhenItWasMade) {
  std::string asked;
  const LoopbackServer server([&](const Seen& seen) {
    Reply reply = judge(seen);
    if (seen.method == "GET") return reply;
    asked = seen.body;
    reply.body =
        R"({"choices": [{"message": {"content": "Mood: good"}, "finish_reason": "stop"}]})";
    return reply;
  });
  const fs::path prompt = folder_.write(
      "old.json",
      R"({"traces": [], "train": [], "demos": [], "lm": null, "metadata": {"dependency_versions": {},
          "theta": {"program": {"signature": "sentence -> mood: Literal['good', 'bad']",
                                "adapter": "terse"}, "model": {"model": "m"}}},
          "signature": {"instructions": "Say the mood.", "fields": [
            {"prefix": "Sentence:", "description": "${sentence}"},
            {"prefix": "Mood:", "description": "${mood}"}]}})");
  const auto predict = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command = {theta_binary(),
                                        "predict",
                                        prompt,
                                        "--input",
                                        "sentence=one",
                                        "--set",
                                        "model.base_url=" + server.url()};
    command.insert(command.end(), more.begin(), more.end());
    return run_to_end(command);
  };
  ASSERT_EQ(predict({}).code, 0);
  EXPECT_THAT(asked, Not(HasSubstr("good or bad")));
  ASSERT_EQ(predict({"--set", "program.options=listed"}).code, 0);
  EXPECT_THAT(asked, HasSubstr("Mood can be good or bad."));
}

TEST_F(ServedRun, TheLmOfADspyStateCountsWhereTheCommandSaysNothing) {
  std::string asked;
  const LoopbackServer server([&](const Seen& seen) {
    if (seen.method == "POST") asked = seen.body;
    return judge(seen);
  });
  const fs::path state =
      folder_.write("state.json",
                    R"({"demos": [], "lm": {"model": "a/b", "temperature": 0.7, "max_tokens": 1000},
          "signature": {"instructions": "Say the mood.", "fields": [
            {"prefix": "Sentence:", "description": "${sentence}"},
            {"prefix": "Mood:", "description": "${mood}"}]}})");
  const auto predict = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command = {theta_binary(), "predict", state, "--input",
                                        "sentence=one"};
    command.insert(command.end(), {"--set", "program.signature=sentence -> mood", "--set",
                                   "model.base_url=" + server.url(), "--set", "model.model=m"});
    command.insert(command.end(), more.begin(), more.end());
    return run_to_end(command);
  };
  const Finished first = predict({});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("of its lm: temperature 0.7, max_tokens 1000"));
  EXPECT_THAT(first.err, testing::Not(HasSubstr("not used")));
  EXPECT_EQ(ordered_json::parse(asked).at("temperature"), 0.7);
  EXPECT_EQ(ordered_json::parse(asked).at("max_tokens"), 1000);
  const Finished second = predict({"--set", "program.temperature=0"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(ordered_json::parse(asked).at("temperature"), 0);
  EXPECT_EQ(ordered_json::parse(asked).at("max_tokens"), 1000);
}

TEST_F(ServedRun, ItsResolvedConfigIsRightInAnyFolder) {
  const LoopbackServer server(judge);
  const fs::path file = config(server, "cache: {path: cache.db}");
  ASSERT_EQ(run(file, "out").code, 0);
  const Finished before = run_to_end({theta_binary(), "check", file});
  const fs::path written = out("out") / "config.resolved.yaml";
  const Finished after = run_to_end({theta_binary(), "check", written});
  EXPECT_EQ(after.code, 0) << after.err;
  EXPECT_EQ(after.out.substr(written.string().size()), before.out.substr(file.string().size()));
}

TEST_F(ServedRun, IsPlannedOnceInSight) {
  const LoopbackServer server(judge);
  const fs::path file = config(server, "budget: {calls: 25}");
  const Finished first = run(file, "out");
  ASSERT_EQ(first.code, 3) << first.err;
  EXPECT_THAT(first.err, HasSubstr("planning: "));
  const Finished second = run(file, "out", {"--set", "budget.calls=5000"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, Not(HasSubstr("planning: ")));
}

TEST_F(ServedRun, IsForkedAndAsksForNothingTwice) {
  const LoopbackServer server(judge);
  const fs::path file = config(server, "");
  ASSERT_EQ(run(file, "first").code, 0);
  const std::size_t asked = server.requests();
  ASSERT_EQ(run(file, "anew", {"--set", "optimizers.0.max_evaluations=176"}).code, 0);
  const std::size_t anew = server.requests() - asked;
  const auto fork = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {theta_binary(), "fork", out("first")});
    return run_to_end(more);
  };
  EXPECT_THAT(fork({}).err, HasSubstr("this changes nothing of the run in "));
  const Finished forked =
      fork({"--set", "optimizers.0.max_evaluations=176", "--out", out("forked")});
  ASSERT_EQ(forked.code, 0) << forked.err;
  EXPECT_THAT(forked.err, HasSubstr(fmt::format("theta: {} answers of ", asked)));
  EXPECT_LT(server.requests() - asked - anew, anew);
  EXPECT_EQ(lasting_report(out("forked")).at("rows"), lasting_report(out("anew")).at("rows"));
  EXPECT_EQ(run_to_end({theta_binary(), "fork", folder_.path()}).err,
            folder_.path().string() + " holds no run: it has no config.resolved.yaml\n");
}

TEST_F(ServedRun, WarnsOfItsDataOnce) {
  const LoopbackServer server(judge);
  std::string rows = "text,mood\n";
  for (int i = 0; i < 60; ++i) rows += "one sentence,good\n";
  folder_.write("rows.csv", rows);
  const Finished finished = run(config(server, ""), "out");
  ASSERT_EQ(finished.code, 0) << finished.err;
  const std::string warning = "have the content of a row in an earlier split";
  EXPECT_THAT(finished.err, HasSubstr(warning));
  EXPECT_EQ(finished.err.find(warning), finished.err.rfind(warning)) << finished.err;
}

TEST_F(ServedRun, ReplayNeedsACache) {
  const LoopbackServer server(judge);
  const Finished refused = run(config(server, "cache: {path: none.db, mode: replay}"), "out");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("there is no cache " + (folder_.path() / "none.db").string() +
                                     " to replay: run once with mode: record\n"));
  EXPECT_FALSE(fs::exists(out("out")));
}

}  // namespace
}  // namespace theta
