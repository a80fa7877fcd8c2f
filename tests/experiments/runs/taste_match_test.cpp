#include "experiments/runs/taste_match.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

User with_taste(const std::string& taste, const std::string& words) {
  User user;
  user.taste = taste;
  user.true_persona = words;
  return user;
}

const std::vector<User> kUsers{with_taste("praise", "Likes praise."),
                               with_taste("criticism", "Likes complaints."),
                               with_taste("praise", "Likes praise.")};

/// Loves the first option, but less than it knows a word when it sees it.
Result<Response> biased(const Request& request) {
  const std::string& prompt = request.messages.back().content;
  const std::string persona = prompt.substr(prompt.rfind("Persona: "));
  const bool complains = persona.find("complain") != persona.npos;
  Response response;
  response.text = request.options[0];
  response.option_logprobs = {complains ? -1. : -.1, complains ? -2. : -4.};
  return response;
}

TEST(StatedTastes, AreToldByAModelLessWhatItLovesToSay) {
  ScriptedModel model(biased);
  const std::vector<std::string> personas{"Enjoys praise", "Enjoys complaining", "",
                                          "Enjoys praise"};
  const auto stated = stated_tastes(personas, kUsers, {.model = model});
  EXPECT_THAT(stated.of, ElementsAre(Pair("Enjoys complaining", "criticism"),
                                     Pair("Enjoys praise", "praise")));
  EXPECT_EQ(stated.tastes, 2U);
  EXPECT_EQ(stated.told, 2U);
}

TEST(StatedTastes, SayHowManyTastesTheModelCannotTell) {
  ScriptedModel model([](const Request& request) { return choose(request, request.options[0]); });
  EXPECT_EQ(stated_tastes({}, kUsers, {.model = model}).told, 1U);
}

TEST(StatedTastes, AskNobodyAboutPeopleWhoseTasteIsNotKnown) {
  ScriptedModel model(biased);
  const std::vector<std::string> personas{"Enjoys praise"};
  EXPECT_THAT(stated_tastes(personas, std::vector<User>(2), {.model = model}).of, IsEmpty());
  EXPECT_EQ(model.calls(), 0U);
}

TEST(ChanceOfMatch, IsThatOfPersonasDealtAtRandom) {
  const std::vector<std::string> all_one{"a", "a", "a", "a"}, half{"a", "a", "b", "b"},
      own{"a", "b", "a", "b"}, unread{"", "", "a", "b"};
  EXPECT_DOUBLE_EQ(chance_of_match(all_one, own), .5);
  EXPECT_DOUBLE_EQ(chance_of_match(half, own), .5);
  EXPECT_DOUBLE_EQ(chance_of_match(unread, own), .25);
}

}  // namespace
}  // namespace theta
