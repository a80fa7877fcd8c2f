#include "core/text_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/tfidf.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

const std::vector<std::string> kTexts{"my card was stolen", "send money abroad",
                                      "the card is blocked", "what a nice day"};

TEST(WordIndex, FindsTheTextsThatShareWords) {
  const auto index = word_index(kTexts);
  const auto found = index->nearest(std::vector<std::string>{"blocked card", "money"}, 2);
  EXPECT_THAT(found[0], ElementsAre(2, 0));
  EXPECT_EQ(found[1][0], 1U);
}

TEST(WordIndex, GivesAllWhereMoreAreAskedFor) {
  EXPECT_EQ(word_index(kTexts)->nearest(std::vector<std::string>{"card"}, 9)[0].size(), 4U);
}

TEST(WordIndex, TakesEqualsInTheirOrder) {
  EXPECT_THAT(word_index(kTexts)->nearest(std::vector<std::string>{"unheard of"}, 2)[0],
              ElementsAre(0, 1));
}

TEST(EmbeddingIndex, AsksForItsTextsOnceAndForQueriesAsTheyCome) {
  std::vector<std::size_t> asked;
  const auto index = embedding_index(kTexts, [&](std::span<const std::string> texts) {
    asked.push_back(texts.size());
    std::vector<std::vector<float>> vectors;
    for (const auto& text : texts)
      vectors.push_back(text.find("card") != text.npos ? std::vector{1.F, 0.F}
                                                       : std::vector{0.F, 1.F});
    return vectors;
  });
  EXPECT_THAT(index->nearest(std::vector<std::string>{"cards"}, 2)[0], ElementsAre(0, 2));
  EXPECT_THAT(asked, ElementsAre(4, 1));
  EXPECT_EQ(index->cosines(std::vector<std::string>{"cards"})(0, 1), 0);
}

TEST(Tfidf, GivesTextsOfOneMeaningAVectorOfLengthOne) {
  const Tfidf tfidf(kTexts);
  EXPECT_NEAR(dot(tfidf.vector("Card, card!"), tfidf.vector("card card")), 1, 1e-12);
  EXPECT_TRUE(tfidf.vector("?!").empty());
}

}  // namespace
}  // namespace theta
