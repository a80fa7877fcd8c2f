#include "experiments/runs/prompt_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/result.hpp"
#include "experiments/files.hpp"
#include "modules/program_state.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A model that was saved with a prompt and read again.
ModelOptions saved(const std::string& model) {
  const TemporaryFolder folder;
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  write_whole(folder.path() / "prompt.json",
              prompt_json(*make_program(program), program,
                          {read_model(Config::parse(model, "m.yaml"))}, "\"f1\""));
  const Config prompt = Config::load(folder.path() / "prompt.json");
  return read_model(prompt.at("metadata").at("theta").at("model"));
}

TEST(SavedPrompt, KeepsHowItsDataAreRead) {
  const TemporaryFolder folder;
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  write_whole(folder.path() / "prompt.json",
              prompt_json(*make_program(program), program,
                          {read_model(Config::parse("path: m.gguf", "m.yaml"))}, "\"f1\"",
                          {.fields = {{"a", "question.text"}}, .rows = "examples"}));
  const Config prompt = Config::load(folder.path() / "prompt.json");
  const Config block = prompt.at("metadata").at("theta");
  EXPECT_EQ(block.text("rows"), "examples");
  EXPECT_EQ(block.at("fields").canonical({}), R"({"a":"question.text"})");
}

TEST(SavedPrompt, KeepsTheModelsThatStepsName) {
  const TemporaryFolder folder;
  const ProgramOptions program = read_program(
      Config::parse("steps: [{signature: a -> b}, {signature: b -> c, model: big}]", "p.yaml"));
  write_whole(folder.path() / "prompt.json",
              prompt_json(*make_program(program), program,
                          {read_model(Config::parse("path: m.gguf", "m.yaml")),
                           {{"big", read_model(Config::parse("path: big.gguf", "m.yaml"))}}},
                          "\"f1\""));
  const Config prompt = Config::load(folder.path() / "prompt.json");
  const Config block = prompt.at("metadata").at("theta");
  EXPECT_EQ(block.at("program").at("steps").items()[1].text("model"), "big");
  const auto big = std::get<LlamaOptions>(read_model(block.at("models").at("big")));
  EXPECT_EQ(big.path, fs::absolute("big.gguf"));
}

TEST(SavedPrompt, KeepsWhetherOptionsAreListed) {
  const TemporaryFolder folder;
  for (const std::string how : {"listed", "hidden"}) {
    const ProgramOptions program = read_program(Config::parse(
        "{signature: \"a -> b: Literal['x', 'y']\", adapter: terse, options: " + how + "}",
        "p.yaml"));
    write_whole(folder.path() / "prompt.json",
                prompt_json(*make_program(program), program,
                            {read_model(Config::parse("path: m.gguf", "m.yaml"))}, "\"f1\""));
    const Config prompt = Config::load(folder.path() / "prompt.json");
    const Config kept = prompt.at("metadata").at("theta").at("program");
    EXPECT_EQ(kept.text("options"), how);
    const ProgramOptions again = read_program(kept);
    EXPECT_EQ(make_predict(again.steps[0])->messages({{"a", "?"}}),
              make_predict(program.steps[0])->messages({{"a", "?"}}));
  }
}

TEST(SavedPrompt, IsAskedInTheFormatThatASearchGaveIt) {
  const TemporaryFolder folder;
  const ProgramOptions program =
      read_program(Config::parse("steps: [{signature: 'a -> b: bool', answering: score}, "
                                 "{signature: 'b -> c: bool', adapter: terse}]",
                                 "p.yaml"));
  const auto compiled = make_program(program);
  Format& first = *compiled->predictors()[0]->format;
  first.calibration = Calibration::kTrain;
  first.calibrated_on = {{{"a", "seen"}}};
  Predictor& last = *compiled->predictors()[1];
  last.signature = chain_of_thought(last.signature).with_instructions("Decide.");
  last.format->adapter = "chat";
  write_whole(
      folder.path() / "prompt.json",
      prompt_json(*compiled, program, {read_model(Config::parse("path: m.gguf", "m.yaml"))}, ""));
  const std::string state = content(folder.path() / "prompt.json");
  const Config prompt = Config::parse(state, "prompt.json");
  const ProgramOptions again = read_program(prompt.at("metadata").at("theta").at("program"));
  const auto loaded = make_program(again);
  load_state(*loaded, state, "prompt.json");
  EXPECT_EQ(loaded->predictors()[1]->name, "c.predict") << "as DSPy's chain of thought";
  EXPECT_EQ(loaded->predictors()[1]->signature, last.signature);
  EXPECT_EQ(loaded->predictors()[1]->format, last.format);
  EXPECT_EQ(*loaded->predictors()[0], *compiled->predictors()[0]);
}

TEST(SavedPrompt, ChoosesAmongTheAnswersThatASearchGaveIt) {
  const TemporaryFolder folder;
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  const auto compiled = make_program(program);
  Predictor& predictor = *compiled->predictors()[0];
  predictor.signature.outputs[0].type = parse_type("Literal['dry', \"it's wet\"]");
  predictor.format->answering = Answering::kScore;
  write_whole(
      folder.path() / "prompt.json",
      prompt_json(*compiled, program, {read_model(Config::parse("path: m.gguf", "m.yaml"))}, ""));
  const std::string state = content(folder.path() / "prompt.json");
  const Config block = Config::parse(state, "prompt.json").at("metadata").at("theta");
  const auto loaded = make_program(read_program(block.at("program")));
  load_state(*loaded, state, "prompt.json");
  EXPECT_EQ(*loaded->predictors()[0], predictor);
}

TEST(SavedPrompt, IsWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("prompt.json", "the one before");
  fs::create_directory(file.string() + ".part");
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  const ModelOptions model = read_model(Config::parse("path: m.gguf", "m.yaml"));
  try {
    write_whole(file, prompt_json(*make_program(program), program, {model}, "\"f1\""));
    FAIL();
  } catch (const RunError& e) {
    EXPECT_EQ(e.what(), file.string() + ": cannot be written: File exists");
  }
  EXPECT_EQ(content(file), "the one before");
}

TEST(SavedPrompt, KeepsWhatDecidesTheAnswersOfAModelInProcess) {
  const auto model = std::get<LlamaOptions>(
      saved("{path: m/a.gguf, threads: 3, gpu_layers: 5, context: 512, chat_template: chatml, "
            "convert: q4_0, lora: [{path: m/l.gguf, scale: 0.5}]}"));
  EXPECT_EQ(model.path, fs::absolute("m/a.gguf"));  // it runs from anywhere
  EXPECT_EQ(model.threads, 3);
  EXPECT_EQ(model.gpu_layers, 5);
  EXPECT_EQ(model.context, 512U);
  EXPECT_EQ(model.chat_template, "chatml");
  EXPECT_EQ(model.convert, "q4_0");
  EXPECT_EQ(model.converted, fs::absolute("m/converted"));
  ASSERT_EQ(model.lora.size(), 1U);
  EXPECT_EQ(model.lora[0].path, fs::absolute("m/l.gguf"));
  EXPECT_EQ(model.lora[0].scale, 0.5);
}

TEST(SavedPrompt, KeepsHowAModelInProcessSharesBatches) {
  const auto model = std::get<LlamaOptions>(
      saved("{path: a.gguf, mode: throughput, batch: 256, sequences: 16, unit: 8}"));
  EXPECT_EQ(model.mode, LlamaMode::kThroughput);
  EXPECT_EQ(model.batch, 256U);
  EXPECT_EQ(model.sequences, 16U);
  EXPECT_EQ(model.unit, 8U);
}

TEST(SavedPrompt, KeepsHowAServerIsTalkedTo) {
  for (const Dialect dialect :
       {Dialect::kAuto, Dialect::kOpenAi, Dialect::kLlamaServer, Dialect::kVllm}) {
    const auto model = std::get<HttpOptions>(
        saved("{base_url: 'http://localhost:1/v1', model: small, logprobs: false, dialect: " +
              std::string(name_of(dialect)) + "}"));
    EXPECT_EQ(model.dialect, dialect);
    EXPECT_FALSE(model.logprobs);
  }
}

TEST(SavedPrompt, KeepsAServersAddressButNeitherItsKeyNorItsAuthorities) {
  const auto model =
      std::get<HttpOptions>(saved("{base_url: 'http://localhost:1/v1', model: small, api_key_env: "
                                  "KEY, api_key_file: k, ca_file: ca.pem}"));
  EXPECT_THAT(model.base_urls, testing::ElementsAre("http://localhost:1/v1"));
  EXPECT_EQ(model.model, "small");
  EXPECT_EQ(model.api_key_env, "");
  EXPECT_EQ(model.api_key_file, "");
  EXPECT_EQ(model.ca_file, "");
}

TEST(SavedPrompt, KeepsTheLimitsOfAServerWhereTheyAreNotTheUsualOnes) {
  const std::string address = "{base_url: 'http://localhost:1/v1', model: small";
  const auto model =
      std::get<HttpOptions>(saved(
          address + ", max_response_bytes: 99, in_flight: 3, requests_per_minute: 60, "
                    "tokens_per_minute: 9000, "
                    "connect_timeout_s: 1, read_timeout_s: 2, total_timeout_s: 3.5, retries: 0}"));
  EXPECT_EQ(model.max_response_bytes, 99U);
  EXPECT_EQ(model.in_flight, 3);
  EXPECT_EQ(model.requests_per_minute, 60);
  EXPECT_EQ(model.tokens_per_minute, 9000);
  EXPECT_EQ(model.connect_timeout_s, 1);
  EXPECT_EQ(model.read_timeout_s, 2);
  EXPECT_EQ(model.total_timeout_s, 3.5);
  EXPECT_EQ(model.retries, 0);
  const auto usual = std::get<HttpOptions>(saved(address + "}"));
  EXPECT_EQ(usual.retries, HttpOptions().retries);
  EXPECT_EQ(usual.requests_per_minute, 0);
}

TEST(SavedPrompt, KeepsAllAddressesOfAServedModel) {
  const auto model =
      std::get<HttpOptions>(saved("{base_url: ['http://one/v1', 'http://two/v1'], model: small}"));
  EXPECT_THAT(model.base_urls, testing::ElementsAre("http://one/v1", "http://two/v1"));
}

// --- a file that somebody else made -------------------------------------------------------------

/// What reading the `model` of somebody else's prompt, with changes by --set, ends with.
std::string why_not(const std::string& model, const std::vector<std::string>& sets = {},
                    const std::vector<std::string>& allowed_hosts = {}) {
  Config config = Config::parse("model: {" + model + "}", "p.json").literal();
  for (const std::string& set : sets) config.set(set);
  return message_of<UserError>([&] { read_saved_model(config.at("model"), allowed_hosts); });
}

constexpr const char* kFine = "nothing was thrown";
constexpr const char* kAway = "base_url: 'https://api.elsewhere.org/v1', model: m";
constexpr const char* kHere = "base_url: 'http://127.0.0.1:8000/v1', model: m";

TEST(ForeignPrompt, IsSentToAServerThatItNamesOnlyWhereThatHostIsAllowed) {
  EXPECT_EQ(why_not(kAway),
            "p.json:1:19: this file has its prompt sent to https://api.elsewhere.org/v1: allow "
            "that with --allow-host api.elsewhere.org, or name another server with --set "
            "model.base_url=URL");
  EXPECT_EQ(why_not(kAway, {}, {"api.elsewhere.org"}), kFine);
  EXPECT_EQ(why_not("base_url: 'http://h:81/v1', model: m", {}, {"h:81"}), kFine);
  EXPECT_EQ(why_not("base_url: 'http://[2001:db8::1]:81/v1', model: m", {}, {"2001:db8::1"}),
            kFine);
  for (const char* other : {"", "elsewhere.org", "api.elsewhere.or", "api.elsewhere.org.evil.net",
                            "api.elsewhere.org:80", "*", "https://api.elsewhere.org/v1"})
    EXPECT_NE(why_not(kAway, {}, {other}), kFine) << other;
}

TEST(ForeignPrompt, NamesTheModelOfAStepAsTheCommandLineDoes) {
  const Config config =
      Config::parse("models: {judge: {" + std::string(kAway) + "}}", "p.json").literal();
  EXPECT_THAT(message_of<UserError>(
                  [&] { read_saved_model(config.at("models").at("judge"), {}, "models.judge"); }),
              testing::EndsWith("or name another server with --set models.judge.base_url=URL"));
}

TEST(ForeignPrompt, IsSentToTheServersThatTheCommandLineNames) {
  EXPECT_EQ(why_not(kAway, {"model.base_url=http://mine:1/v1"}), kFine);
  EXPECT_EQ(why_not(kAway, {"model.base_url=http://mine:1/v1", "model.api_key_env=KEY"}), kFine);
  EXPECT_EQ(why_not(kAway, {"model={base_url: 'http://mine:1/v1', model: m}"}), kFine);
  EXPECT_EQ(why_not(kAway, {"model.model=other"}), why_not(kAway));
}

TEST(ForeignPrompt, EachOfItsServersIsLookedAt) {
  EXPECT_THAT(why_not("base_url: ['http://127.0.0.1:1/v1', 'http://b:2/v1'], model: m"),
              HasSubstr("p.json:1:45: this file has its prompt sent to http://b:2/v1"));
  EXPECT_EQ(why_not("base_url: ['http://a:1/v1', 'http://b:2/v1'], model: m", {}, {"a", "b"}),
            kFine);
}

TEST(ForeignPrompt, IsSentToThisMachineUnaskedButWithoutAKey) {
  for (const char* own : {"127.0.0.1:8000", "127.8.9.10", "localhost:1", "[::1]:8000"})
    EXPECT_EQ(why_not(fmt::format("base_url: 'http://{}/v1', model: m", own)), kFine) << own;
  for (const char* other :
       {"127.0.0.1.evil.net", "localhost.evil.net", "127.1", "0x7f.0.0.1", "2130706433", "0.0.0.0",
        "128.0.0.1", "[::ffff:127.0.0.1]:80", "[::2]:80", "localhost."})
    EXPECT_THAT(why_not(fmt::format("base_url: 'http://{}/v1', model: m", other)),
                HasSubstr("--allow-host"))
        << other;
  for (const char* key : {"model.api_key_env=KEY", "model.api_key_file=key.txt"}) {
    EXPECT_THAT(why_not(kHere, {key}),
                HasSubstr("this file has its prompt and your key sent to http://127.0.0.1:8000/v1: "
                          "allow that with --allow-host 127.0.0.1"));
    EXPECT_EQ(why_not(kHere, {key}, {"127.0.0.1"}), kFine);
  }
}

TEST(ForeignPrompt, ChoosesNeitherAKeyNorWhomACertificateIsTrustedFrom) {
  for (const char* one : {"api_key_env: AWS_SECRET_ACCESS_KEY", "api_key_file: /etc/passwd",
                          "ca_file: ca.pem", "api_key_env: ''"}) {
    const std::string key(one, std::string(one).find(':'));
    for (const char* server : {kAway, kHere})
      EXPECT_THAT(
          why_not(fmt::format("{}, {}", server, one), {}, {"api.elsewhere.org", "127.0.0.1"}),
          HasSubstr("a saved prompt does not choose '" + key +
                    "': take it out, and give your own with --set model." + key + "=.."))
          << one;
    EXPECT_EQ(why_not(fmt::format("{}, {}", kAway, one), {"model." + key + "=MINE"},
                      {"api.elsewhere.org"}),
              kFine);
  }
}

TEST(ForeignPrompt, ReadsNoVariable) {
  ::setenv("THETA_TEST_SECRET", "sk-0123456789", 1);
  const auto read = [](const std::string& model) {
    return read_saved_model(Config::parse(model, "p.json").literal(), {});
  };
  const auto http =
      std::get<HttpOptions>(read("{base_url: 'http://localhost:1/${THETA_TEST_SECRET}', model: "
                                 "'$${THETA_TEST_SECRET:-x} ${THETA_TEST_SECRET}'}"));
  const auto llama = std::get<LlamaOptions>(
      read("{path: '/${THETA_TEST_SECRET}.gguf', chat_template: '${THETA_TEST_SECRET}', lora: "
           "[{path: '/${THETA_TEST_SECRET}'}]}"));
  EXPECT_THAT(http.base_urls, testing::ElementsAre("http://localhost:1/${THETA_TEST_SECRET}"));
  EXPECT_EQ(http.model, "$${THETA_TEST_SECRET:-x} ${THETA_TEST_SECRET}");
  EXPECT_EQ(llama.path, "/${THETA_TEST_SECRET}.gguf");
  EXPECT_EQ(llama.chat_template, "${THETA_TEST_SECRET}");
  EXPECT_EQ(llama.lora.at(0).path, "/${THETA_TEST_SECRET}");
  EXPECT_THAT(why_not("base_url: 'http://${THETA_TEST_SECRET}/v1', model: m"),
              testing::AllOf(HasSubstr("http://${THETA_TEST_SECRET}/v1"),
                             testing::Not(HasSubstr("0123456789"))));
  EXPECT_THAT(why_not("base_url: 'http://localhost:1', model: m, retries: '${THETA_TEST_SECRET}'"),
              testing::Not(HasSubstr("0123456789")));
  ::unsetenv("THETA_TEST_SECRET");
}

}  // namespace
}  // namespace theta
