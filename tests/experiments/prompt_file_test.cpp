#include "experiments/prompt_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// A model that was saved with a prompt and read again.
ModelOptions saved(const std::string& model) {
  const TemporaryFolder folder;
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  save_prompt(folder.path() / "prompt.json", *make_program(program), program,
              read_model(Config::parse(model, "m.yaml")), "f1");
  const Config prompt = Config::load(folder.path() / "prompt.json");
  return read_model(prompt.at("metadata").at("theta").at("model"));
}

TEST(SavedPrompt, KeepsHowItsDataAreRead) {
  const TemporaryFolder folder;
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  save_prompt(folder.path() / "prompt.json", *make_program(program), program,
              read_model(Config::parse("path: m.gguf", "m.yaml")), "f1",
              {.fields = {{"a", "question.text"}}, .rows = "examples"});
  const Config prompt = Config::load(folder.path() / "prompt.json");
  const Config block = prompt.at("metadata").at("theta");
  EXPECT_EQ(block.text("rows"), "examples");
  EXPECT_EQ(block.at("fields").canonical({}), R"({"a":"question.text"})");
}

TEST(SavedPrompt, KeepsWhetherOptionsAreListed) {
  const TemporaryFolder folder;
  for (const std::string how : {"listed", "hidden"}) {
    const ProgramOptions program = read_program(Config::parse(
        "{signature: \"a -> b: Literal['x', 'y']\", adapter: terse, options: " + how + "}",
        "p.yaml"));
    save_prompt(folder.path() / "prompt.json", *make_program(program), program,
                read_model(Config::parse("path: m.gguf", "m.yaml")), "f1");
    const Config prompt = Config::load(folder.path() / "prompt.json");
    const Config kept = prompt.at("metadata").at("theta").at("program");
    EXPECT_EQ(kept.text("options"), how);
    const ProgramOptions again = read_program(kept);
    EXPECT_EQ(make_program(again)->messages({{"a", "?"}}),
              make_program(program)->messages({{"a", "?"}}));
  }
}

TEST(SavedPrompt, IsWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("prompt.json", "the one before");
  fs::create_directory(file.string() + ".part");
  const ProgramOptions program = read_program(Config::parse("signature: a -> b", "p.yaml"));
  const ModelOptions model = read_model(Config::parse("path: m.gguf", "m.yaml"));
  try {
    save_prompt(file, *make_program(program), program, model, "f1");
    FAIL();
  } catch (const RunError& e) {
    EXPECT_EQ(e.what(), file.string() + ": cannot be written");
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

TEST(SavedPrompt, KeepsAServersAddressAndWhereItsKeyIs) {
  const auto model = std::get<HttpOptions>(
      saved("{base_url: 'http://localhost:1/v1', model: small, api_key_env: KEY}"));
  EXPECT_THAT(model.base_urls, testing::ElementsAre("http://localhost:1/v1"));
  EXPECT_EQ(model.model, "small");
  EXPECT_EQ(model.api_key_env, "KEY");
}

TEST(SavedPrompt, KeepsTheLimitsOfAServerWhereTheyAreNotTheUsualOnes) {
  const std::string address = "{base_url: 'http://localhost:1/v1', model: small";
  const auto model = std::get<HttpOptions>(
      saved(address +
            ", ca_file: ca.pem, api_key_file: k, max_response_bytes: 99, in_flight: 3, requests_per_minute: 60, tokens_per_minute: 9000, "
            "connect_timeout_s: 1, read_timeout_s: 2, total_timeout_s: 3.5, retries: 0}"));
  EXPECT_EQ(model.ca_file, fs::absolute("ca.pem"));
  EXPECT_EQ(model.api_key_file, fs::absolute("k"));
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

}  // namespace
}  // namespace theta
