#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "core/models/llama/embedder.hpp"
#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/small_model.hpp"

namespace theta {
namespace {

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

const std::vector<std::string> kTexts = {"The cat sleeps on the warm sofa.",
                                         "A kitten is sleeping on the couch.",
                                         "Quarterly revenue of the steel industry fell by 3 %."};

// A model that is made to write embeds too: the real 135M model.
class LlamaEmbedderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(smollm()))
      GTEST_SKIP() << "no " << smollm() << ": run scripts/setup";
    embedder_ = std::make_unique<LlamaEmbedder>(
        LlamaEmbedderOptions{.path = smollm(), .context = 64, .prefix = ""});
  }
  std::vector<float> embed(const std::string& text) {
    return embedder_->embed(std::vector{text}, {})[0];
  }

  std::unique_ptr<LlamaEmbedder> embedder_;
};

TEST_F(LlamaEmbedderTest, GivesDirectionsThatDependOnNothingButTheirText) {
  const auto together = embedder_->embed(kTexts, {});
  ASSERT_EQ(together.size(), 3U);
  for (const auto& vector : together) {
    EXPECT_EQ(vector.size(), 576U);
    EXPECT_NEAR(dot(vector, vector), 1, 1e-5);
  }
  EXPECT_EQ(embed(kTexts[1]), together[1]);
  EXPECT_GT(dot(together[0], together[1]), dot(together[0], together[2]) + 0.01);
  EXPECT_GT(dot(together[0], together[1]), dot(together[1], together[2]) + 0.01);
}

TEST_F(LlamaEmbedderTest, ReadsALongTextUpToItsWindow) {
  std::string text = "rain";
  for (int i = 0; i < 100; ++i) text += " rain";
  EXPECT_EQ(embed(text), embed(text + " and sun"));
}

TEST_F(LlamaEmbedderTest, HasNoDirectionForAnEmptyText) {
  EXPECT_EQ(message_of<UserError>([&] { (void)embed(""); }), "an empty text has no embedding");
}

TEST_F(LlamaEmbedderTest, PutsItsPrefixBeforeEveryText) {
  LlamaEmbedder with({.path = smollm(), .context = 64, .prefix = "text: "});
  EXPECT_EQ(with.embed(std::vector{kTexts[0]}, {})[0], embed("text: " + kTexts[0]));
  EXPECT_NE(with.identity(), embedder_->identity());
}

// An encoder, pooled as its file says. THETA_EMBEDDER names its file.
TEST(LlamaEmbedder, ReadsAnEncoder) {
  const char* path = std::getenv("THETA_EMBEDDER");
  if (!path) GTEST_SKIP() << "THETA_EMBEDDER names no GGUF file of an encoder";
  LlamaEmbedder embedder({.path = path, .prefix = "classification: "});
  const auto vectors = embedder.embed(kTexts, {});
  EXPECT_NEAR(dot(vectors[0], vectors[0]), 1, 1e-5);
  EXPECT_GT(dot(vectors[0], vectors[1]), dot(vectors[0], vectors[2]) + 0.1);
}

}  // namespace
}  // namespace theta
