#include "experiments/data/hutto.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::ThrowsMessage;

/// The real archive, read once.
class Hutto : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (std::filesystem::exists(hutto_folder())) archive_ = load_hutto(hutto_folder());
  }
  void SetUp() override {
    if (archive_.sentences.empty()) {
      GTEST_SKIP() << hutto_folder() << " is missing: scripts/setup fetches it";
    }
  }
  static const RatedSentence& sentence(const std::string& id) {
    const auto found = std::find_if(archive_.sentences.begin(), archive_.sentences.end(),
                                    [&](const RatedSentence& s) { return s.id == id; });
    if (found == archive_.sentences.end()) throw std::out_of_range(id);
    return *found;
  }
  static inline HuttoArchive archive_;
};

TEST_F(Hutto, HasEverySentenceThatItsReadmeCounts) {
  std::map<std::string, int> sizes;
  for (const RatedSentence& s : archive_.sentences) ++sizes[s.source];
  EXPECT_EQ(sizes,
            (std::map<std::string, int>{
                {"editorials", 5190}, {"movies", 10605}, {"products", 3708}, {"tweets", 4200}}));
  EXPECT_EQ(archive_.sentences.size(), 23703U);
  EXPECT_THAT(archive_.malformed, testing::IsEmpty());
}

TEST_F(Hutto, IdsAreUnique) {
  std::set<std::string> ids;
  for (const RatedSentence& s : archive_.sentences) ids.insert(s.id);
  EXPECT_EQ(ids.size(), archive_.sentences.size());
}

TEST_F(Hutto, ValenceIsTheMeanOfTheRatingsButForTweetsRatedTwice) {
  std::map<std::string, int> differing;
  for (const RatedSentence& s : archive_.sentences) {
    const double sum = std::accumulate(s.ratings.begin(), s.ratings.end(), 0.0);
    differing[s.source] += std::abs(sum / static_cast<double>(s.ratings.size()) - s.valence) > 1e-6;
  }
  EXPECT_EQ(differing, (std::map<std::string, int>{
                           {"editorials", 0}, {"movies", 0}, {"products", 0}, {"tweets", 199}}));
}

TEST_F(Hutto, ReviewsBelongToTheFiveProductsOfHuAndLiu) {
  std::map<std::string, int> sizes;
  for (const RatedSentence& s : archive_.sentences) {
    if (s.source == "products") ++sizes[s.document];
  }
  EXPECT_EQ(sizes.size(), 5U);
  EXPECT_EQ(sentence("products/98_1").document, "DVD player");
  EXPECT_EQ(sentence("products/99_1").document, "Canon camera");
  EXPECT_EQ(sentence("products/143_1").document, "Nikon camera");
  EXPECT_EQ(sentence("products/176_1").document, "phone");
  EXPECT_EQ(sentence("products/216_1").document, "MP3 player");
  EXPECT_EQ(sentence("products/309_1").document, "MP3 player");
  EXPECT_EQ(sentence("editorials/12_1").document, "editorial 12");
  EXPECT_EQ(sentence("tweets/1").document, "");
}

TEST_F(Hutto, TextsAreUtf8WithoutEntities) {
  EXPECT_EQ(sentence("tweets/3").text,
            "We were 17 deep last night & the love was so strong everybody felt it. Even the band. "
            "I love love love having good ppl in my corner.");
  for (const RatedSentence& s : archive_.sentences) {
    EXPECT_EQ(s.text.find("&amp;"), std::string::npos) << s.id;
  }
}

TEST_F(Hutto, SentimentIsBalancedClearAndDisjoint) {
  const Dataset data = sentiment_task(archive_.sentences, {.sizes = {40, 60, 100}});
  EXPECT_EQ(data.train.size(), 40U);
  EXPECT_EQ(data.validation.size(), 60U);
  EXPECT_EQ(data.test.size(), 100U);
  std::set<std::string> texts;
  for (const auto* examples : {&data.train, &data.validation, &data.test}) {
    std::size_t n_positive = 0;
    for (const Example& example : *examples) {
      const bool positive = example.fields.text("sentiment") == "positive";
      const RatedSentence& rated = sentence(example.id);
      EXPECT_EQ(positive, rated.valence >= 1.5) << example.id;
      EXPECT_EQ(!positive, rated.valence <= -1.5) << example.id;
      EXPECT_TRUE(texts.insert(example.fields.text("sentence")).second) << example.id;
      n_positive += positive;
    }
    EXPECT_EQ(2 * n_positive, examples->size());
  }
}

TEST_F(Hutto, SentimentIsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto ids = [](std::uint64_t seed) {
    std::vector<std::string> out;
    for (const Example& e : sentiment_task(archive_.sentences, {.seed = seed}).test) {
      out.push_back(e.id);
    }
    return out;
  };
  EXPECT_EQ(ids(1), ids(1));
  EXPECT_NE(ids(1), ids(2));
}

TEST_F(Hutto, SentimentSaysHowManyClearSentencesThereAre) {
  EXPECT_THAT(
      [] {
        sentiment_task(archive_.sentences, {.sizes = {41, 60, 100}});
      },
      ThrowsMessage<UserError>("the sentiment task is balanced: its split sizes must be even"));
  const std::vector<RatedSentence> two(archive_.sentences.begin(), archive_.sentences.begin() + 5);
  EXPECT_THAT(
      [&] {
        sentiment_task(two, {.agreement = 0, .sizes = {4, 0, 0}});
      },
      ThrowsMessage<UserError>(
          "a split of 2 clearly negative sentences was asked for, there are 1"));
}

TEST(HuttoFile, NamesEveryLineItLeavesOut) {
  const TemporaryFolder folder;
  for (const char* stem : {"tweets", "movieReviewSnippets", "nytEditorialSnippets"}) {
    folder.write(std::string(stem) + "_GroundTruth.txt", "");
    folder.write(std::string(stem) + "_anonDataRatings.txt", "");
  }
  folder.write("amazonReviewSnippets_GroundTruth.txt",
               "1_1\t1.5\tcaf\xE9  &lt;3 &amp;lt; it\r\n"
               "1_2\t9\ttoo high\r\n"
               "1_3\t1.5\r\n"
               "310_1\t1.5\tno such review\r\n"
               "1_4\t1.5\tunrated\r\n"
               "1_1\t1.5\tagain\r\n"
               "1_5\t1.5\t \r\n");
  folder.write("amazonReviewSnippets_anonDataRatings.txt",
               "\xEF\xBB\xBF"
               "1_1\t1.5\t0.5\t[1, 2]\n1_2\t1\t0\t[1, 5]\n1_1\t1\t0\t[1]\n1_5\t1\t0\t[1]\n");
  const HuttoArchive archive = load_hutto(folder.path());
  ASSERT_EQ(archive.sentences.size(), 1U);
  EXPECT_EQ(archive.sentences[0].text, "café <3 < it");
  EXPECT_THAT(archive.sentences[0].ratings, ElementsAre(1, 2));
  EXPECT_THAT(
      archive.malformed,
      ElementsAre("amazonReviewSnippets_anonDataRatings.txt:2: not id, mean, deviation and ratings",
                  "amazonReviewSnippets_anonDataRatings.txt:3: id `1_1` again",
                  "amazonReviewSnippets_GroundTruth.txt:2: valence `9` is no number in -4..4",
                  "amazonReviewSnippets_GroundTruth.txt:3: not id, valence and text",
                  "amazonReviewSnippets_GroundTruth.txt:4: id `310_1` names no document",
                  "amazonReviewSnippets_GroundTruth.txt:5: no ratings of id `1_4`",
                  "amazonReviewSnippets_GroundTruth.txt:6: id `1_1` again",
                  "amazonReviewSnippets_GroundTruth.txt:7: no text"));
}

TEST(HuttoFile, AMissingFileIsNamedWithTheWayToGetIt) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { load_hutto(folder.path()); },
              ThrowsMessage<UserError>("cannot read " +
                                       (folder.path() / "tweets_anonDataRatings.txt").string() +
                                       ": run scripts/setup to fetch it"));
}

}  // namespace
}  // namespace theta
