#include "optimizers/glossary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/predict.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Example row(std::string text, std::string label) {
  return {text, "", {{"text", text}, {"topic", std::move(label)}}};
}

const std::vector<Example> kRows{
    row("the bank lost my card", "card"),      row("a new card for my wife", "card"),
    row("is the card blocked abroad", "card"), row("send money to my brother", "transfer"),
    row("money has not arrived", "transfer"),  row("where is the money I sent", "transfer"),
};

class Glossary : public ::testing::Test {
 protected:
  Choices parts(const Module& student, std::span<const Example> train = kRows,
                GlossaryOptions options = {}, bool open = true) {
    Rng rng(1);
    return glossary_parts(student, train, {open}, {proposer_}, {.adapter = make_terse_adapter()},
                          options, rng);
  }
  std::string instruction(const Module& student, const Choices& choices, int choice) {
    return choices.apply(student, {choice})->predictors()[0]->signature.instructions;
  }

  std::function<std::string(bool card)> answer_ = [](bool card) {
    return card ? " Card: plastic for paying." : " sums on their way\nand more";
  };
  ScriptedModel proposer_{[this](const Request& request) {
    return say(answer_(request.messages.back().content.find("Label: card") != std::string::npos));
  }};
  const Predict student_{Signature::parse("text -> topic: Literal['card', 'transfer']", "Which?"),
                         {.adapter = "terse"}};
};

TEST_F(Glossary, AsksOneQuestionALabelAllInOneWave) {
  parts(student_, kRows, {.written = 2, .rows = 2});  // three rows of each
  const auto waves = proposer_.waves();
  ASSERT_EQ(waves.size(), 1u);
  EXPECT_EQ(waves[0].size(), 4u);
  const std::string& shown = waves[0][0].messages.back().content;
  EXPECT_THAT(shown, HasSubstr("Label: card"));
  EXPECT_THAT(shown, HasSubstr("Other Labels: transfer"));
  EXPECT_EQ(waves[0][0].temperature, 0);
}

TEST_F(Glossary, JoinsTheAnswersBehindTheInstruction) {
  const auto choices = parts(student_, kRows, {.written = 1, .read_off = false});
  ASSERT_EQ(choices.parts.size(), 1u);
  EXPECT_EQ(choices.parts[0].name, "glossary");
  EXPECT_EQ(instruction(student_, choices, 0), "Which?");
  EXPECT_EQ(instruction(student_, choices, 1),
            "Which?\n\nWhat each `topic` stands for:\n- card: plastic for paying\n"
            "- transfer: sums on their way");
  EXPECT_EQ(choices.counts.asked, 2);
}

TEST_F(Glossary, NeedsNoModelForTheWordsThatMarkALabel) {
  const auto choices = parts(student_, kRows, {.written = 0});
  EXPECT_EQ(proposer_.calls(), 0u);
  EXPECT_THAT(instruction(student_, choices, 1), HasSubstr("- card: often has card"));
}

TEST_F(Glossary, LeavesAFrozenInstructionAsItIs) {
  EXPECT_THAT(parts(student_, kRows, {}, false).parts, IsEmpty());
  EXPECT_EQ(proposer_.calls(), 0u);
}

TEST_F(Glossary, IsNoneWithoutTrainingRowsOrWithTooManyLabels) {
  EXPECT_THAT(parts(student_, {}).parts, IsEmpty());
  EXPECT_THAT(parts(student_, kRows, {.most_labels = 1}).parts, IsEmpty());
}

TEST_F(Glossary, IsDroppedWhereTheAnswersSayNoMoreThanTheLabels) {
  answer_ = [](bool card) { return card ? " card" : " Transfer"; };
  EXPECT_THAT(parts(student_, kRows, {.written = 1, .read_off = false}).parts, IsEmpty());
}

TEST_F(Glossary, TellsTheFormOfFreeAnswers) {
  const Predict student{Signature::parse("text -> topic", "Which?"), {.adapter = "terse"}};
  const auto choices = parts(student);
  ASSERT_EQ(choices.parts.size(), 1u);
  EXPECT_EQ(choices.parts[0].name, "form");
  EXPECT_EQ(instruction(student, choices, 1),
            "Which?\n\nAnswer with one word, in lower case, without a full stop and with nothing "
            "else.");
  EXPECT_THAT(instruction(student, choices, 2),
              HasSubstr("else. Answers look like these: card | transfer"));
}

TEST(FormOf, ShowsThePatternThatAnswersShare) {
  EXPECT_EQ(form_of(std::vector<std::string>{"2019-04-02", "2021-12-31", "1999-01-01"}),
            "Answer in exactly the form of 2019-04-02 and with nothing else.");
}

TEST(FormOf, SaysNothingOfTextsOfAnyLength) {
  EXPECT_EQ(form_of(std::vector<std::string>{
                "One two three four five six seven eight nine ten eleven twelve thirteen.",
                "Yes and no and one two three four five six seven eight nine ten eleven."}),
            "");
  EXPECT_EQ(form_of(std::vector<std::string>{"alone"}), "");
}

TEST(FormOf, SaysHowManyWordsAnswersHave) {
  EXPECT_EQ(form_of(std::vector<std::string>{"New York", "Paris", "The old town"}),
            "Answer with at most 2 words, without a full stop and with nothing else.");
}

TEST(MarkingWords, AreFrequentInOneLabelAlone) {
  std::vector<std::string> texts;
  std::vector<std::vector<std::size_t>> of(2);
  for (std::size_t i = 0; i < 10; ++i) {
    texts.push_back(i % 2 == 0 ? "the card is lost" : "the money is gone");
    of[i % 2].push_back(i);
  }
  const auto marking = marking_words(texts, of, 2);
  EXPECT_THAT(marking[0], ElementsAre("card", "lost"));
  EXPECT_THAT(marking[1], ElementsAre("gone", "money"));  // and not `the`, which is in all
}

}  // namespace
}  // namespace theta
