#include <gtest/gtest.h>
#include <llama.h>

#include <cstdlib>
#include <filesystem>

#include "core/models/llama/model.hpp"
#include "core/rng.hpp"
#include "modules/predict.hpp"
#include "tests/support/gbnf_language.hpp"

namespace theta {
namespace {

std::filesystem::path smollm() {
  const char* cache = std::getenv("THETA_CACHE");
  const std::filesystem::path folder =
      cache != nullptr ? cache : std::filesystem::path(std::getenv("HOME")) / ".cache" / "theta";
  return folder / "models" / "smollm2-135m-instruct-q4_1.gguf";
}

class EveryAdaptersGrammar : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(smollm())) {
      GTEST_SKIP() << "no " << smollm() << ": run scripts/setup";
    }
  }
};

INSTANTIATE_TEST_SUITE_P(All, EveryAdaptersGrammar, testing::Values("chat", "json", "terse"),
                         [](const auto& suite) { return suite.param; });

// Hot enough that without a grammar next to nothing would parse.
TEST_P(EveryAdaptersGrammar, MakesTheAnswersOfARealModelParse) {
  LlamaModel model({.path = smollm(), .context = 2048});
  const Predict program(
      Signature::parse("text -> label: Literal['it\\'s fine', 'bad'], n: int, ok: bool"),
      {.adapter = GetParam()}, {.max_tokens = 100, .temperature = 1.5});
  const std::vector<Record> inputs(2, {{"text", "An umbrella that \"works\"."}});
  for (const auto& prediction : program.run(inputs, {model})) {
    EXPECT_TRUE(prediction) << prediction.error().message;
  }
}

/// A model's vocabulary and a grammar as llama.cpp reads it.
class LlamaGrammar {
 public:
  explicit LlamaGrammar(const std::string& grammar) {
    llama_model_params params = llama_model_default_params();
    params.vocab_only = true;
    model_.reset(llama_model_load_from_file(smollm().c_str(), params));
    vocabulary_ = llama_model_get_vocab(model_.get());
    grammar_.reset(llama_sampler_init_grammar(vocabulary_, grammar.c_str(), "root"));
  }

  bool is_read() const { return grammar_ != nullptr; }

  /// Whether the grammar allows the answer to be `text`.
  bool admits(const std::string& text) {
    llama_sampler_reset(grammar_.get());
    std::vector<llama_token> tokens(text.size() + 1);
    tokens.resize(static_cast<std::size_t>(
        llama_tokenize(vocabulary_, text.data(), static_cast<int>(text.size()), tokens.data(),
                       static_cast<int>(tokens.size()), false, false)));
    tokens.push_back(llama_vocab_eot(vocabulary_));
    for (const llama_token token : tokens) {
      llama_token_data candidate{token, 0, 0};
      llama_token_data_array candidates{&candidate, 1, -1, false};
      llama_sampler_apply(grammar_.get(), &candidates);
      if (candidate.logit < 0) return false;
      llama_sampler_accept(grammar_.get(), token);
    }
    return true;
  }

 private:
  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };
  std::unique_ptr<llama_model, Free> model_;
  const llama_vocab* vocabulary_ = nullptr;
  std::unique_ptr<llama_sampler, Free> grammar_;
};

TEST_P(EveryAdaptersGrammar, IsReadByLlamaAsByOurTests) {
  const auto signature = Signature::parse(
      "text -> why, label: Literal['it\\'s', 'say \"hi\"', 'é'], n: int, x: float, ok: bool, "
      "tags: list[str], last");
  const std::string text = make_adapter({.adapter = GetParam()})->grammar(signature, 7);
  LlamaGrammar grammar(text);
  ASSERT_TRUE(grammar.is_read());
  const GbnfLanguage language(text);
  Rng rng(5);
  for (int round = 0; round < 100; ++round) {
    const std::string answer = language.sample(rng);
    EXPECT_TRUE(grammar.admits(answer)) << answer;
    EXPECT_FALSE(grammar.admits(answer.substr(0, 1 + rng.below(8)))) << answer;
  }
}

}  // namespace
}  // namespace theta
