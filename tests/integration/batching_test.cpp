#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/models/llama/model.hpp"
#include "tests/support/small_model.hpp"

namespace theta {
namespace {

constexpr std::size_t kPrompts = 200;

// A question to be answered greedily and the same with options, for each of 200 prompts.
std::vector<Request> both_ways() {
  static const char* const kThings[] = {
      "snow",  "a violin", "the moon",  "bread",   "a river", "chess",   "a volcano",
      "honey", "a bridge", "the wind",  "a camel", "glass",   "thunder", "a lighthouse",
      "salt",  "a whale",  "an orchid", "copper",  "a kite",  "fog"};
  static const char* const kQuestions[] = {"Is {} heavy?",
                                           "Would a child like {}?",
                                           "Is {} older than Rome?",
                                           "Can one buy {} in a shop?",
                                           "Is {} dangerous?",
                                           "Do poets write about {}?",
                                           "Is {} found in every country?",
                                           "Does {} make a sound?",
                                           "Could {} fit into a suitcase?",
                                           "Is {} white?"};
  std::vector<Request> wave;
  for (const char* thing : kThings) {
    for (const char* text : kQuestions) {
      wave.push_back(question(fmt::format(fmt::runtime(text), thing)));
      wave.back().max_tokens = 8;
    }
  }
  for (std::size_t i = 0; i < kPrompts; ++i) {
    wave.push_back(choice(wave[i].messages[0].content, {"Yes", "No", "Maybe"}));
  }
  return wave;
}

std::vector<Response> together(LlamaModel& model, std::span<const Request> wave) {
  std::vector<Response> out;
  for (auto& answer : ask(model, wave, {})) out.push_back(*std::move(answer));
  return out;
}

std::vector<Response> alone(LlamaModel& model, std::span<const Request> wave) {
  std::vector<Response> out;
  for (std::size_t i = 0; i < wave.size(); ++i) {
    out.push_back(together(model, wave.subspan(i, 1)).front());
  }
  return out;
}

std::vector<std::size_t> order_of(const Response& response) {
  std::vector<std::size_t> order(response.option_logprobs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return response.option_logprobs[a] > response.option_logprobs[b];
  });
  return order;
}

void expect_identical(std::span<const Response> a, std::span<const Response> b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].text, b[i].text);
    EXPECT_EQ(a[i].option_logprobs, b[i].option_logprobs);
  }
}

TEST(Batching, ChangesSomeAnswersAndIsRepeatedBitForBit) {
  if (!std::filesystem::exists(smollm()))
    GTEST_SKIP() << "no " << smollm() << ": run scripts/setup";
  LlamaModel model({.path = smollm(), .context = 4096});
  const std::vector<Request> wave = both_ways();
  const auto batched = together(model, wave);
  const auto single = alone(model, wave);
  std::size_t answers = 0, orders = 0, best = 0;
  double largest = 0;
  for (std::size_t i = 0; i < kPrompts; ++i) {
    answers += batched[i].text != single[i].text ? 1 : 0;
    const Response &a = batched[kPrompts + i], &b = single[kPrompts + i];
    orders += order_of(a) != order_of(b) ? 1 : 0;
    best += a.text != b.text ? 1 : 0;
    for (std::size_t k = 0; k < a.option_logprobs.size(); ++k) {
      largest = std::max(largest, std::abs(a.option_logprobs[k] - b.option_logprobs[k]));
    }
  }
  fmt::print(
      "of {} prompts, batched instead of alone: {} greedy answers of 8 tokens differ, {} orders of "
      "three options, {} best options; log-probabilities by up to {:.2f}\n",
      kPrompts, answers, orders, best, largest);
  EXPECT_LT(largest, 2) << "the same model answers";

  expect_identical(together(model, wave), batched);
  const std::span<const Request> few(wave.data() + kPrompts - 10, 20);
  expect_identical(alone(model, few), std::span(single).subspan(kPrompts - 10, 20));
}

}  // namespace
}  // namespace theta
