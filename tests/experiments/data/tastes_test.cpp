#include "experiments/data/tastes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace theta {
namespace {

using testing::ThrowsMessage;

const std::vector<RatedSentence>& sentences() {
  static const std::vector<RatedSentence> read = load_hutto(hutto_folder()).sentences;
  return read;
}

/// Simulated users of the real sentences.
class Tastes : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(hutto_folder())) {
      GTEST_SKIP() << hutto_folder() << " is missing: scripts/setup fetches it";
    }
  }
};

std::vector<const User*> all(const Users& users) {
  std::vector<const User*> out;
  for (const auto* part : {&users.train, &users.validation, &users.test}) {
    for (const User& user : *part) out.push_back(&user);
  }
  return out;
}

std::vector<PreferencePair> pairs_of(const User& user) {
  std::vector<PreferencePair> pairs = user.context;
  pairs.insert(pairs.end(), user.test.begin(), user.test.end());
  return pairs;
}

const RatedSentence& rated(const std::string& text) {
  static const auto by_text = [] {
    std::map<std::string, const RatedSentence*> map;
    for (const RatedSentence& s : sentences()) {
      if (s.source == "products") map.emplace(s.text, &s);
    }
    return map;
  }();
  return *by_text.at(text);
}

std::string render(const Users& users) {
  std::string text;
  for (const User* user : all(users)) {
    text += user->id + user->taste + user->true_persona;
    for (const PreferencePair& p : pairs_of(*user)) {
      text += p.id + p.context + p.chosen + '|' + p.rejected + (p.flip ? "T" : "F");
    }
  }
  return text;
}

/// FNV-1a, 64 bits.
std::uint64_t hash(const std::string& text) {
  std::uint64_t h = 14695981039346656037U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return h;
}

TEST_F(Tastes, AreDealtInTurnAndUsersHaveTheirPairs) {
  const Users users = simulate_users(sentences(), {});
  EXPECT_EQ(users.train.size(), 8U);
  EXPECT_EQ(users.validation.size(), 4U);
  EXPECT_EQ(users.test.size(), 12U);
  EXPECT_EQ(users.test[0].taste, "praise");
  EXPECT_EQ(users.test[1].taste, "criticism");
  std::set<std::string> ids;
  for (const User* user : all(users)) {
    EXPECT_TRUE(user->simulated);
    EXPECT_FALSE(user->true_persona.empty());
    EXPECT_TRUE(ids.insert(user->id).second) << user->id;
    EXPECT_EQ(user->context.size(), 6U);
    EXPECT_EQ(user->test.size(), 6U);
    for (const PreferencePair& pair : pairs_of(*user)) {
      EXPECT_TRUE(ids.insert(pair.id).second) << pair.id;
    }
  }
}

TEST_F(Tastes, NoSentenceIsUsedTwice) {
  std::set<std::string> texts;
  const Users users = simulate_users(sentences(), {});
  for (const User* user : all(users)) {
    for (const PreferencePair& pair : pairs_of(*user)) {
      EXPECT_TRUE(texts.insert(pair.chosen).second) << pair.chosen;
      EXPECT_TRUE(texts.insert(pair.rejected).second) << pair.rejected;
    }
  }
}

TEST_F(Tastes, BothSentencesAreAboutTheSameProduct) {
  const Users users = simulate_users(sentences(), {});
  for (const User* user : all(users)) {
    for (const PreferencePair& pair : pairs_of(*user)) {
      EXPECT_EQ(rated(pair.chosen).document, rated(pair.rejected).document);
    }
  }
}

TEST_F(Tastes, WithoutNoiseEveryChoiceFollowsTheRatings) {
  TasteOptions options;
  options.noise = 0;
  options.tastes = {"praise", "criticism", "strong", "mild", "camera fan", "camera critic"};
  options.users = {0, 0, 12};
  for (const User& user : simulate_users(sentences(), options).test) {
    for (const PreferencePair& pair : pairs_of(user)) {
      const RatedSentence& liked = rated(pair.chosen);
      const double up = liked.valence - rated(pair.rejected).valence;
      const double stronger = std::abs(liked.valence) - std::abs(rated(pair.rejected).valence);
      const bool camera = liked.document.ends_with("camera");
      const std::map<std::string, double> pleased = {{"praise", up},
                                                     {"criticism", -up},
                                                     {"strong", stronger},
                                                     {"mild", -stronger},
                                                     {"camera fan", camera ? up : -up},
                                                     {"camera critic", camera ? -up : up}};
      EXPECT_GT(pleased.at(user.taste), 1.3) << user.taste << ": " << pair.id;
    }
  }
}

TEST_F(Tastes, NoiseReversesItsShareOfChoicesAndChangesNothingElse) {
  TasteOptions options;
  options.noise = 0;
  const Users clean = simulate_users(sentences(), options);
  const auto count_reversed = [&](double noise) {
    options.noise = noise;
    const Users noisy = simulate_users(sentences(), options);
    int n = 0;
    for (std::size_t u = 0; u < all(clean).size(); ++u) {
      const auto was = pairs_of(*all(clean)[u]);
      const auto is = pairs_of(*all(noisy)[u]);
      for (std::size_t i = 0; i < was.size(); ++i) {
        EXPECT_TRUE(was[i].chosen == is[i].chosen || was[i].chosen == is[i].rejected) << was[i].id;
        EXPECT_EQ(was[i].flip, is[i].flip);
        n += was[i].chosen == is[i].rejected;
      }
    }
    return n;
  };
  EXPECT_EQ(count_reversed(0), 0);
  EXPECT_NEAR(count_reversed(0.05), 14.4, 11);  // of 288: three standard deviations
  EXPECT_NEAR(count_reversed(0.5), 144, 26);
  EXPECT_EQ(count_reversed(1), 288);
}

TEST_F(Tastes, KindsOfPairsAreBalanced) {
  TasteOptions options;
  options.noise = 0;
  const Users users = simulate_users(sentences(), options);
  for (const User* user : all(users)) {
    std::map<std::string, int> kinds;
    for (const PreferencePair& pair : user->test) {
      std::string kind;
      for (const double v : {rated(pair.chosen).valence, rated(pair.rejected).valence}) {
        kind += v > 1 ? 'P' : v < -1 ? 'N' : 'M';
      }
      if (user->taste == "criticism") std::swap(kind[0], kind[1]);
      ++kinds[kind];
    }
    EXPECT_EQ(kinds["PN"], 2) << user->id;
    EXPECT_EQ(kinds["PM"], 2) << user->id;
    EXPECT_EQ(kinds["MN"], 2) << user->id;
  }
}

TEST_F(Tastes, AreTheSameBytesForTheSameSeedAndOthersForAnother) {
  const auto bytes = [](std::uint64_t pairing_seed, std::uint64_t seed) {
    TasteOptions options;
    options.pairing_seed = pairing_seed;
    options.seed = seed;
    return hash(render(simulate_users(sentences(), options)));
  };
  EXPECT_EQ(bytes(1, 2), bytes(1, 2));
  EXPECT_NE(bytes(1, 2), bytes(1, 3));
  EXPECT_NE(bytes(1, 2), bytes(2, 2));
  // The users of the published experiments, also drawn by CPython's random: must never change.
  EXPECT_EQ(bytes(1, 7), 3421809477449357873U);
}

TEST_F(Tastes, MoreUsersThanTheSentencesSufficeForAreRefused) {
  TasteOptions options;
  options.users.test = 100;
  EXPECT_THAT([&] { simulate_users(sentences(), options); },
              ThrowsMessage<UserError>(
                  "the rated sentences do not suffice for so many simulated users and pairs: ask "
                  "for fewer, or lower `clear`"));
}

TEST_F(Tastes, ATasteThatThereIsNotIsRefused) {
  TasteOptions options;
  options.tastes = {"prase"};
  EXPECT_THAT([&] { simulate_users(sentences(), options); },
              ThrowsMessage<UserError>("there is no taste `prase`; there are praise, criticism, "
                                       "strong, mild, camera fan, camera critic"));
}

}  // namespace
}  // namespace theta
