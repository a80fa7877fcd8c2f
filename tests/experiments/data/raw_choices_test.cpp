#include "experiments/data/raw_choices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/result.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// Two turns, as PRISM publishes them: three answers, then two samples of the chosen model, twins.
constexpr const char* kConversation = R"({"conversation_id": "c7", "user_id": "user3",
 "conversation_type": "unguided", "performance_attributes": {"values": NaN},
 "conversation_history": [
 {"turn": 0, "role": "user", "content": "Tea?"},
 {"turn": 0, "role": "model", "content": "Yes.", "score": 80, "if_chosen": true, "within_turn_id": 0},
 {"turn": 0, "role": "model", "content": "No.", "score": 40, "if_chosen": false, "within_turn_id": 1},
 {"turn": 0, "role": "model", "content": "Coffee.", "score": 75, "if_chosen": false, "within_turn_id": 2},
 {"turn": 1, "role": "user", "content": "Milk?"},
 {"turn": 1, "role": "model", "content": "A bit.", "score": 10, "if_chosen": false, "within_turn_id": 0},
 {"turn": 1, "role": "model", "content": "EMPTY STRING", "score": 1, "if_chosen": false, "within_turn_id": 1},
 {"turn": 1, "role": "model", "content": "Lots.", "score": 90, "if_chosen": true, "within_turn_id": 2}]})";

std::string on_one_line(std::string text) {
  std::erase(text, '\n');
  return text + "\n";
}

class Raw : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(Raw, ConversationsOfPrismGiveAllPairsWhoseScoresDifferEnough) {
  const RawChoices raw =
      read_prism({.conversations = folder_.write("c.jsonl", on_one_line(kConversation))}, 10, 1);
  ASSERT_EQ(raw.choices.size(), 3U);
  EXPECT_EQ(raw.rows, 6U);
  EXPECT_THAT(raw.left_out, ElementsAre(Pair("answers without a text", 1U),
                                        Pair("pairs with too small a difference of scores", 1U)));
  const RawChoice& first = raw.choices[0];
  EXPECT_EQ(first.id, "c7.0.0.1");
  EXPECT_EQ(first.user, "user3");
  EXPECT_EQ(first.type, "unguided");
  EXPECT_EQ(first.chosen, (Message{"model", "Yes."}));
  EXPECT_EQ(first.rejected, (Message{"model", "No."}));
  EXPECT_EQ(first.context, (Messages{{"user", "Tea?"}}));
  EXPECT_EQ(raw.choices[1].chosen.content, "Coffee.");
}

TEST_F(Raw, ContextOfPrismIsWhatThePersonWentOnFrom) {
  const RawChoices raw =
      read_prism({.conversations = folder_.write("c.jsonl", on_one_line(kConversation))}, 10, 1);
  const RawChoice& last = raw.choices.back();
  EXPECT_EQ(last.opening, "Tea?");
  EXPECT_EQ(last.context, (Messages{{"user", "Tea?"}, {"model", "Yes."}, {"user", "Milk?"}}));
  EXPECT_EQ(last.chosen.content, "Lots.");
}

TEST_F(Raw, UtterancesOfPrismGiveTheSamePairs) {
  const auto row = [](int turn, const std::string& prompt, const std::string& answer, int score,
                      bool chosen) {
    return R"({"conversation_id": "c7", "user_id": "user3", "turn": )" + std::to_string(turn) +
           R"(, "conversation_type": "unguided", "user_prompt": ")" + prompt +
           R"(", "model_response": ")" + answer + R"(", "score": )" + std::to_string(score) +
           R"(, "if_chosen": )" + (chosen ? "true" : "false") + "}\n";
  };
  const auto file = folder_.write(
      "u.jsonl", row(0, "Tea?", "Yes.", 80, true) + row(0, "Tea?", "No.", 40, false) +
                     row(0, "Tea?", "Coffee.", 75, false) + row(1, "Milk?", "A bit.", 10, false) +
                     row(1, "Milk?", "EMPTY STRING", 1, false) +
                     row(1, "Milk?", "Lots.", 90, true));
  const RawChoices raw = read_prism({.utterances = file}, 10, 1);
  const RawChoices same =
      read_prism({.conversations = folder_.write("c.jsonl", on_one_line(kConversation))}, 10, 1);
  ASSERT_EQ(raw.choices.size(), same.choices.size());
  for (std::size_t i = 0; i < same.choices.size(); ++i) {
    EXPECT_EQ(raw.choices[i].id, same.choices[i].id);
    EXPECT_EQ(raw.choices[i].context, same.choices[i].context);
    EXPECT_EQ(raw.choices[i].chosen, same.choices[i].chosen);
    EXPECT_EQ(raw.choices[i].flip, same.choices[i].flip);
  }
}

TEST_F(Raw, SurveyOfPrismTellsWhoPeopleAre) {
  const auto survey = folder_.write(
      "s.jsonl",
      R"({"user_id": "user3", "age": "18-24 years old", "lm_frequency_use": NaN, "gender": "Female", "religion": {"self_described": "x", "simplified": "No Affiliation"}, "location": {"reside_country": "Chile"}, "marital_status": "EMPTY STRING"})"
      "\n");
  const RawChoices raw = read_prism(
      {.conversations = folder_.write("c.jsonl", on_one_line(kConversation)), .survey = survey}, 10,
      1);
  EXPECT_EQ(raw.choices[0].demographics,
            R"({"age": "18-24 years old", "gender": "Female", "religion": "No Affiliation", )"
            R"("reside_country": "Chile"})");
}

TEST_F(Raw, RowsOfPrismThatLackSomethingAreNamed) {
  const auto error = [&](const std::string& row) {
    const auto file = folder_.write("c.jsonl", row);
    return message_of<UserError>([&] { (void)read_prism({.conversations = file}, 10, 1); })
        .substr(folder_.path().string().size() + 1);
  };
  EXPECT_EQ(error(R"({"user_id": "u"})"), "c.jsonl:1: no `conversation_id`; there are `user_id`");
  EXPECT_EQ(error(R"({"conversation_id": "c", "user_id": "u", "conversation_type": "x", )"
                  R"("conversation_history": [{"turn": 0, "role": "model", "content": "a", )"
                  R"("if_chosen": true, "score": "high"}]})"),
            "c.jsonl:1: `score` is no whole number");
  EXPECT_EQ(error(R"({"conversation_id": "c", "user_id": "u", "conversation_type": "x", )"
                  R"("conversation_history": [1]})"),
            "c.jsonl:1: no `turn`");
}

TEST_F(Raw, VotesOfArenaAreChoicesBetweenWhatFollowsTheQuestion) {
  const auto vote = [](const std::string& winner, const std::string& b) {
    return R"({"judge": "arena_user_1", "winner": ")" + winner +
           R"(", "turn": 1, "conversation_a": [{"content": "Hi?", "role": "user"}, )"
           R"({"content": "A", "role": "assistant"}], "conversation_b": [{"content": "Hi?", )"
           R"("role": "user"}, {"content": ")" +
           b + R"(", "role": "assistant"}]})" + "\n";
  };
  const RawChoices raw = read_raw_pairs(
      folder_.write("arena.jsonl",
                    vote("model_b", "B") + vote("tie (bothbad)", "B") + vote("model_a", "A")),
      1);
  EXPECT_EQ(raw.rows, 3U);
  EXPECT_THAT(raw.left_out, ElementsAre(Pair("ties", 1U), Pair("pairs of equal texts", 1U)));
  ASSERT_EQ(raw.choices.size(), 1U);
  EXPECT_EQ(raw.choices[0].id, "row 1");
  EXPECT_EQ(raw.choices[0].user, "arena_user_1");
  EXPECT_EQ(raw.choices[0].opening, "Hi?");
  EXPECT_EQ(raw.choices[0].chosen.content, "[assistant]: B");
  EXPECT_FALSE(raw.choices[0].flip);
}

}  // namespace
}  // namespace theta
