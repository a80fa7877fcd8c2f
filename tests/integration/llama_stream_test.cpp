#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <llama.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <set>
#include <thread>

#include "core/models/llama/decoder.hpp"
#include "core/models/llama/model.hpp"
#include "core/models/llama/stream.hpp"
#include "core/records/recorded_model.hpp"
#include "core/records/store.hpp"
#include "tests/support/interruption.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

// The real 135M model in throughput mode, with limits so small that a few prompts fill them.
class LlamaStreamTest : public ::testing::Test {
 protected:
  static LlamaOptions options() {
    return {.path = smollm(),
            .mode = LlamaMode::kThroughput,
            .context = 512,
            .batch = 64,
            .sequences = 8};
  }

  void SetUp() override {
    if (!std::filesystem::exists(smollm())) {
      GTEST_SKIP() << "no " << smollm() << ": run scripts/setup";
    }
    model_ = std::make_unique<LlamaModel>(options());
  }

  std::vector<Response> answers(const std::vector<Request>& wave) {
    std::vector<Response> out;
    for (auto& answer : ask(*model_, wave, {})) out.push_back(*std::move(answer));
    return out;
  }

  std::unique_ptr<LlamaModel> model_;
};

std::vector<Request> reviews(int first, int count) {
  std::vector<Request> wave;
  for (int i = first; i < first + count; ++i) {
    wave.push_back(choice("Is this review positive or negative?\nFilm number " + std::to_string(i) +
                              " was worth every minute.",
                          {"positive", "negative"}));
  }
  return wave;
}

TEST_F(LlamaStreamTest, ScoresAndGeneratesAsTheDeterministicModeDoesButForTenthsOfALogit) {
  std::vector<Request> wave = reviews(0, 3);
  wave.push_back(
      choice("Which city is the capital of France?",
             {"The capital of France is Paris.", "The capital is Rome.", "The capital"}));
  wave.push_back(question("Count from one to five in digits, with commas."));
  const auto streamed = answers(wave);
  LlamaOptions other = options();
  other.mode = LlamaMode::kDeterministic;
  LlamaModel deterministic(other);
  const auto planned = ask(deterministic, wave, {});
  for (std::size_t i = 0; i + 1 < wave.size(); ++i) {
    ASSERT_EQ(streamed[i].option_logprobs.size(), wave[i].options.size());
    for (std::size_t k = 0; k < wave[i].options.size(); ++k) {
      EXPECT_NEAR(streamed[i].option_logprobs[k], planned[i]->option_logprobs[k], 1) << i;
    }
    EXPECT_EQ(streamed[i].prompt_tokens, planned[i]->prompt_tokens);
  }
  EXPECT_THAT(streamed.back().text, HasSubstr("1"));
  EXPECT_GT(streamed.back().generated_tokens, 1);
}

TEST_F(LlamaStreamTest, ComputesWhatWavesShareOnce) {
  std::set<std::vector<Token>> prefixes;
  std::int64_t asked = 0;
  for (int wave = 0; wave < 4; ++wave) {
    for (const Request& request : reviews(3 * wave, 3)) {
      std::vector<Token> tokens = small_tokenizer().tokens(request);
      asked += static_cast<std::int64_t>(tokens.size());
      for (; !tokens.empty(); tokens.pop_back()) prefixes.insert(tokens);
    }
    answers(reviews(3 * wave, 3));
  }
  const HostCounters counters = model_->counters();
  EXPECT_EQ(counters.attempts, 12);
  EXPECT_EQ(counters.asked_tokens, asked);
  EXPECT_EQ(counters.computed_tokens, static_cast<std::int64_t>(prefixes.size()));
  EXPECT_EQ(counters.reused_tokens, asked - counters.computed_tokens);
  EXPECT_EQ(counters.generated_tokens, 0);
  EXPECT_EQ(counters.decode_seconds, 0);
  EXPECT_GT(counters.prompt_seconds, 0);
  EXPECT_GT(counters.queue_seconds, 0);
}

TEST_F(LlamaStreamTest, ReadsOneTokenOfAPromptThatItHasReadBefore) {
  answers(reviews(0, 1));
  const std::int64_t first = model_->counters().computed_tokens;
  answers(reviews(0, 1));
  EXPECT_EQ(model_->counters().computed_tokens, first + 1);
}

TEST_F(LlamaStreamTest, ScoresAfterAReasoningThatItGeneratedWithoutReadingItAgain) {
  Request reasoned = question("Is the sky green? Think, then answer yes or no.");
  const Response reasoning = answers({reasoned})[0];
  const std::int64_t before = model_->counters().computed_tokens;
  Request scored = reasoned;
  scored.answer_prefix = reasoning.text + "\nSo the answer is";
  scored.options = {" yes", " no"};
  EXPECT_THAT(answers({scored})[0].option_logprobs, Each(testing::Lt(0)));
  EXPECT_LT(model_->counters().computed_tokens - before, 12);
}

TEST_F(LlamaStreamTest, AnswersTheWavesOfManyThreadsEachOnceWithFarMoreThanTheCacheHolds) {
  std::vector<std::atomic<int>> given(6 * 20);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        for (int wave = 0; wave < 2; ++wave) {
          std::vector<Request> requests = reviews(100 * t + 10 * wave, 8);
          requests.push_back(question("Name a colour."));
          requests.push_back(question("Name animal number " + std::to_string(t)));
          for (Request& request : requests) request.max_tokens = 5;
          model_->complete(requests,
                           [&, t](std::size_t i, Result<Response> answer) {
                             EXPECT_TRUE(answer);
                             ++given[static_cast<std::size_t>(20 * t + 10 * wave) + i];
                           },
                           {});
        }
      });
    }
  }
  for (const auto& times : given) EXPECT_EQ(times, 1);
  EXPECT_EQ(model_->counters().attempts, 120);
}

TEST_F(LlamaStreamTest, InterruptingOneWaveLeavesTheOthers) {
  std::stop_source stop;
  std::size_t given = 0;
  std::jthread other([&] { EXPECT_EQ(answers(reviews(500, 20)).size(), 20U); });
  EXPECT_THROW(model_->complete(
                   reviews(0, 40),
                   [&](std::size_t, Result<Response>) {
                     if (++given == 3) stop.request_stop();
                   },
                   stop.get_token()),
               Interrupted);
  EXPECT_GE(given, 3U);
  EXPECT_LT(given, 40U);
  other.join();
  EXPECT_EQ(answers(reviews(0, 2)).size(), 2U);
}

TEST_F(LlamaStreamTest, IsInterruptedInTheMiddleOfABatchAndAnswersAfterwards) {
  LlamaOptions large = options();
  large.context = large.batch = 2048;
  LlamaModel model(large);
  expect_interrupted_in_a_batch(model);
  EXPECT_EQ(ask(model, reviews(0, 2), {}).size(), 2U);
}

TEST_F(LlamaStreamTest, WhatFailsForOneWaveFailsForNoOther) {
  std::jthread other([&] { EXPECT_EQ(answers(reviews(500, 20)).size(), 20U); });
  EXPECT_THROW(model_->complete(
                   reviews(0, 20),
                   [](std::size_t, Result<Response>) { throw RunError("the disk is full"); }, {}),
               RunError);
  other.join();
  EXPECT_EQ(answers(reviews(0, 2)).size(), 2U);
}

TEST_F(LlamaStreamTest, EveryAnswerStandsAloneAndIsTheSameAgainFromTheStore) {
  EXPECT_EQ(model_->unit(), 1U);
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  RecordedModel recorded(*model_, store, nullptr);
  std::vector<Request> wave = reviews(0, 6);
  wave.push_back(question("Name a colour."));
  const auto first = ask(recorded, wave, {});
  // Another order, and more beside them.
  std::reverse(wave.begin(), wave.end());
  for (const Request& more : reviews(50, 3)) wave.push_back(more);
  const auto second = ask(recorded, wave, {});
  EXPECT_EQ(model_->counters().attempts, 7 + 3);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i]->text, second[first.size() - 1 - i]->text);
    EXPECT_EQ(first[i]->option_logprobs, second[first.size() - 1 - i]->option_logprobs);
  }
}

TEST_F(LlamaStreamTest, ItsAnswersAreNeverTakenForDeterministicOnes) {
  LlamaOptions deterministic = options();
  deterministic.mode = LlamaMode::kDeterministic;
  deterministic.vocab_only = true;
  EXPECT_THAT(model_->identity(), HasSubstr(" mode throughput"));
  EXPECT_THAT(LlamaModel(deterministic).identity(), Not(HasSubstr("mode")));
}

TEST(LlamaStream, FailsACallThatItCannotTakeInAndAnswersTheNext) {
  if (!std::filesystem::exists(smollm())) GTEST_SKIP() << "no " << smollm();
  const ChatTokenizer& tokenizer = small_tokenizer();
  const std::unique_ptr<llama_model, void (*)(llama_model*)> weights(
      llama_model_load_from_file(smollm().c_str(), llama_model_default_params()), llama_model_free);
  LlamaOptions options;
  options.context = 256;
  LlamaDecoder decoder(options, weights.get());
  LlamaStream stream(decoder, options, [](const HostCounters&) {});
  int answered = 0;
  const auto ask = [&](const Request& request) {
    std::vector<LlamaJob> jobs;
    jobs.emplace_back(request, tokenizer);
    stream.complete(std::move(jobs), [&](std::size_t, const auto&) { ++answered; }, {});
  };
  auto endless = question("Hello");
  endless.max_tokens = 1000;
  EXPECT_THROW(ask(endless), std::logic_error);
  ask(question("Hello"));
  EXPECT_EQ(answered, 1);
}

}  // namespace
}  // namespace theta
