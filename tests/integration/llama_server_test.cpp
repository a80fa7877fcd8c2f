// A real server behind the HTTP client, beside the same weights in this process.

#include "tests/bench/llama_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "core/models/http/model.hpp"
#include "core/models/llama/model.hpp"
#include "tests/support/small_model.hpp"

namespace theta {
namespace {

using testing::AnyOf;

class AtLlamaServer : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (const char* binary = std::getenv("THETA_LLAMA_SERVER"))
      server_ = std::make_unique<LlamaServer>(binary, smollm(), 2, 1024);
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (!server_)
      GTEST_SKIP() << "THETA_LLAMA_SERVER names no llama-server: scripts/test --all builds one";
  }

  /// The answers of the server, whose dialect the client has to find out.
  static std::vector<Result<Response>> ask_server(const std::vector<Request>& wave) {
    HttpOptions options;
    options.base_urls = {server_->url() + "/v1"};
    options.model = "smollm2";
    HttpModel model(options);
    return ask(model, wave, {});
  }

  static std::unique_ptr<LlamaServer> server_;
};

std::unique_ptr<LlamaServer> AtLlamaServer::server_;

TEST_F(AtLlamaServer, OptionsAreScoredAsInThisProcess) {
  const std::vector<Request> wave = {choice("Is snow white? Answer Yes or No.", {"Yes", "No"}),
                                     choice("Is coal white? Answer Yes or No.", {"Yes", "No"})};
  LlamaModel here({.path = smollm(), .context = 1024, .batch = 256, .sequences = 16});
  const auto expected = ask(here, wave, {});
  const auto got = ask_server(wave);
  for (std::size_t i = 0; i < wave.size(); ++i) {
    ASSERT_TRUE(got[i]) << got[i].error().message;
    EXPECT_THAT(got[i]->note,
                AnyOf("logprobs of the first token", "logprobs of the first token; not listed: Yes",
                      "logprobs of the first token; not listed: No"));
    EXPECT_EQ(got[i]->text, expected[i]->text);
    // Quantised weights in other batches.
    EXPECT_NEAR(got[i]->option_logprobs[0] - got[i]->option_logprobs[1],
                expected[i]->option_logprobs[0] - expected[i]->option_logprobs[1], 1);
    EXPECT_GT(got[i]->prompt_tokens, 0);
  }
}

TEST_F(AtLlamaServer, AnAnswerGoesOnFromItsPrefixAndKeepsToItsGrammar) {
  Request request = question("Name a colour.");
  request.answer_prefix = "The colour is";
  request.grammar = "root ::= \" \"? (\"red\" | \"blue\")";
  const auto answers = ask_server({request});
  ASSERT_TRUE(answers[0]) << answers[0].error().message;
  EXPECT_THAT(answers[0]->text, AnyOf(" red", " blue", "red", "blue"));
}

TEST_F(AtLlamaServer, AGreedyAnswerIsTheSameTwice) {
  const std::vector<Request> wave = {question("What is snow?"), question("What is snow?")};
  const auto answers = ask_server(wave);
  ASSERT_TRUE(answers[0]) << answers[0].error().message;
  EXPECT_EQ(answers[0]->text, answers[1]->text);
  EXPECT_FALSE(answers[0]->text.empty());
}

}  // namespace
}  // namespace theta
