#include "core/records/kept_embedder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

/// The length of a text and a third; counts what it is asked.
class Lengths final : public Embedder {
 public:
  explicit Lengths(std::string name) : name_(std::move(name)) {}

  std::string identity() const override { return name_; }
  std::vector<std::vector<float>> embed(std::span<const std::string> texts,
                                        std::stop_token /*stop*/) override {
    std::vector<std::vector<float>> out;
    for (const std::string& text : texts) {
      if (text == "stop") throw Interrupted("interrupted");
      asked.push_back(text);
      out.push_back({static_cast<float>(text.size()), 1.0F / 3});
    }
    return out;
  }

  std::vector<std::string> asked;

 private:
  std::string name_;
};

class KeptVectors : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "vectors.db";
  Lengths lengths_{"lengths"};
};

TEST_F(KeptVectors, AreComputedOnceAndComeBackBitForBit) {
  const std::vector<std::string> texts = {"one", "three", "one"};
  const auto first = KeptEmbedder(lengths_, file_).embed(texts, {});
  const auto again = KeptEmbedder(lengths_, file_).embed(std::vector{texts[1], texts[0]}, {});
  EXPECT_THAT(first, ElementsAre(ElementsAre(3, 1.0F / 3), ElementsAre(5, 1.0F / 3),
                                 ElementsAre(3, 1.0F / 3)));
  EXPECT_THAT(again, ElementsAre(first[1], first[0]));
  EXPECT_THAT(lengths_.asked, ElementsAre("one", "three", "one"));
}

TEST_F(KeptVectors, AreOfOneModelEach) {
  const std::vector<std::string> texts = {"one"};
  KeptEmbedder(lengths_, file_).embed(texts, {});
  Lengths other("another model");
  KeptEmbedder(other, file_).embed(texts, {});
  EXPECT_THAT(other.asked, ElementsAre("one"));
}

TEST_F(KeptVectors, AreThereAfterAnInterruption) {
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) texts.push_back("text " + std::to_string(i));
  texts.emplace_back("stop");
  EXPECT_THROW(KeptEmbedder(lengths_, file_).embed(texts, {}), Interrupted);
  texts.pop_back();
  const std::size_t before = lengths_.asked.size();
  KeptEmbedder(lengths_, file_).embed(texts, {});
  EXPECT_EQ(lengths_.asked.size() - before, 8u);  // of the unit that was interrupted
}

TEST_F(KeptVectors, AreRefusedFromAFileOfSomethingElse) {
  std::ofstream(file_) << "notes";
  EXPECT_THROW(KeptEmbedder(lengths_, file_), std::runtime_error);
}

}  // namespace
}  // namespace theta
