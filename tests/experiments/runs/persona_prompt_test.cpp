#include "experiments/runs/persona_prompt.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;

PersonaPrompt prompt_of(const std::string& people) {
  return read_persona_prompt(Config::parse(R"({row: optimised Θ, seed: 9, pool: [Likes complaints],
    judge: {orders: both}, theta: {samples: 2, temperature: 0.9, history: chosen},
    contrasts: [0.5], test: [c, d], made_with: [a, b], people: )" +
                                               people + "}",
                                           "prompt.yaml"));
}

/// A file of four pairs a user, of these users.
std::filesystem::path pairs_of(const TemporaryFolder& folder, const std::vector<std::string>& ids) {
  std::string rows;
  for (const auto& id : ids)
    for (int i = 0; i < 4; ++i)
      rows += ordered_json{{"user_id", id},
                           {"pair_id", id + std::to_string(i)},
                           {"chosen", fmt::format("bad {} {}", id, i)},
                           {"rejected", fmt::format("good {} {}", id, i)}}
                  .dump() +
              "\n";
  return folder.write("pairs.jsonl", rows);
}

std::vector<std::string> ids_of(const PersonaPrompt& prompt, const std::filesystem::path& file) {
  std::vector<std::string> ids;
  for (const User& user : people_of(prompt, file)) ids.push_back(user.id);
  return ids;
}

TEST(PersonaPrompts, AreTheSameReadBack) {
  for (
      const char* people :
      {R"({"pairs":{"min_pairs":5,"max_pairs":9,"context_ratio":0.4,"context_pairs":7,"by_conversation":true,"seed":3}})",
       R"({"tastes":{"names":["praise"],"train":2,"validation":3,"test":4,"context_pairs":5,"test_pairs":6,"noise":0.1,"clear":1.5,"neutral":0.25,"min_words":2,"max_words":30,"pairing_seed":8,"seed":9}})"}) {
    const PersonaPrompt prompt = prompt_of(people);
    const auto json = ordered_json::parse(to_json(prompt));
    EXPECT_EQ(json["row"], "optimised Θ");
    EXPECT_EQ(json["seed"], 9);
    EXPECT_EQ(json["pool"].dump(), R"(["Likes complaints"])");
    EXPECT_EQ(json["people"].dump(), people);
    EXPECT_EQ(to_json(read_persona_prompt(Config::parse(json.dump(), "prompt.json"))),
              to_json(prompt));
  }
}

TEST(PersonaPrompts, OfAFileWithThePeopleOfTheirRowAreForThese) {
  const TemporaryFolder folder;
  const auto prompt = prompt_of("{pairs: {}}");
  EXPECT_THAT(ids_of(prompt, pairs_of(folder, {"a", "b", "c", "d", "e"})), ElementsAre("c", "d"));
  EXPECT_THAT(ids_of(prompt, pairs_of(folder, {"d", "e"})), ElementsAre("d"));
}

TEST(PersonaPrompts, OfAFileOfOthersAreForAllButThoseTheyWereMadeWith) {
  const TemporaryFolder folder;
  const auto prompt = prompt_of("{pairs: {}}");
  EXPECT_THAT(ids_of(prompt, pairs_of(folder, {"e", "a", "f"})), ElementsAre("e", "f"));
  const auto file = pairs_of(folder, {"a", "b"});
  EXPECT_EQ(message_of<UserError>([&] { (void)people_of(prompt, file); }),
            file.string() + ": there is nobody to score the prompt on");
}

TEST(PersonaPrompts, DivideAPersonsPairsAsTheirRunDid) {
  const TemporaryFolder folder;
  const auto file = pairs_of(folder, {"c"});
  EXPECT_EQ(people_of(prompt_of("{pairs: {context_ratio: 0.25}}"), file).at(0).context.size(), 1u);
  EXPECT_EQ(people_of(prompt_of("{pairs: {context_ratio: 0.75}}"), file).at(0).context.size(), 3u);
}

TEST(PersonaPrompts, OfRealPeopleNameNoFile) {
  EXPECT_EQ(message_of<UserError>([] { (void)people_of(prompt_of("{pairs: {}}"), ""); }),
            "this prompt is of people: give a file of their pairs");
  EXPECT_EQ(message_of<UserError>([] { (void)prompt_of("{pairs: {file: /etc/x.jsonl}}"); }),
            "prompt.yaml:3:73: unknown key 'file'");
}

}  // namespace
}  // namespace theta
