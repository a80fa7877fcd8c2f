#include "modules/samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/modules/one_question.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

using testing::Each;
using testing::SizeIs;

Samples voting(std::size_t samples) {
  return {std::make_unique<Predict>(question()), samples, majority};
}

TEST(Samples, TheMajorityIsKeptAndAskedForInOneWave) {
  auto model = answering({"b", "a", "b"});
  const auto predictions = voting(3).run(kOne, {model});
  EXPECT_EQ(predictions[0]->fields.text("answer"), "b");
  EXPECT_EQ(predictions[0]->usage.calls, 3);
  ASSERT_THAT(model.waves(), SizeIs(1));
  EXPECT_THAT(model.waves()[0], SizeIs(3));
  EXPECT_THAT(model.waves()[0], Each(testing::Field(&Request::temperature, 0.7)));
  EXPECT_NE(model.waves()[0][0].seed, model.waves()[0][1].seed);
}

TEST(Samples, OfEqualsTheFirstIsKept) {
  auto model = answering({"a", "b", "b", "a"});
  EXPECT_EQ(voting(4).run(kOne, {model})[0]->fields.text("answer"), "a");
}

TEST(Samples, OfEqualsTheLikelierOptionIsKept) {
  Prediction a{{{"answer", "a"}}, {}, {-0.7, -1.0}}, b{{{"answer", "b"}}, {}, {-0.1, -3.0}};
  const std::vector<const Prediction*> answers = {&a, &b};
  EXPECT_EQ(majority({}, answers), 1u);
}

TEST(Samples, AnOutageOfOneIsOneOfTheRow) {
  auto model = answering({"a", "", "a"});
  const auto predictions = voting(3).run(kOne, {model});
  EXPECT_EQ(predictions[0].error().fault, Fault::kService);
}

TEST(Samples, TheBestByAReward) {
  auto model = answering({"one", "three", "two"});
  const Samples best(std::make_unique<Predict>(question()), 3,
                     best_of_n([](const Record&, const Prediction& prediction) {
                       return static_cast<double>(prediction.fields.text("answer").size());
                     }));
  EXPECT_EQ(best.run(kOne, {model})[0]->fields.text("answer"), "three");
}

TEST(Samples, AnswersThatExactMatchComparesAsOneAreCountedAsOne) {
  auto model = answering({"b", "Oslo.", "the oslo"});
  EXPECT_EQ(voting(3).run(kOne, {model})[0]->fields.text("answer"), "Oslo.");
}

TEST(Samples, AnswersThatCannotBeReadAreLeftOut) {
  Predict number("question -> answer: int", {}, {.grammar = false});
  ScriptedModel model([next = 0](const Request&) mutable {
    return say(next++ == 0 ? "none" : "[[ ## answer ## ]]\n7");
  });
  const Samples samples(number.clone(), 2, majority);
  const auto predictions = samples.run(kOne, {model});
  EXPECT_EQ(predictions[0]->fields.text("answer"), "7");
  EXPECT_EQ(predictions[0]->usage.calls, 2);
}

TEST(Samples, WhereNoneCanBeReadTheFirstErrorStands) {
  Predict number("question -> answer: int", {}, {.grammar = false});
  ScriptedModel model(
      [next = 0](const Request&) mutable { return say("no " + std::to_string(next++)); });
  const auto predictions = Samples(number.clone(), 2, majority).run(kOne, {model});
  EXPECT_EQ(predictions[0].error().fault, Fault::kPrompt);
  EXPECT_THAT(predictions[0].error().message, testing::EndsWith("no 0"));
}

TEST(Samples, TheTemperatureOfACallGoesBefore) {
  auto model = answering({"a", "b"});
  (void)voting(2).run(kOne, {.model = model, .temperature = 1});
  EXPECT_THAT(model.waves()[0], Each(testing::Field(&Request::temperature, 1.0)));
}

TEST(Samples, ThatAreAllAlikeAreRefused) {
  EXPECT_EQ(
      message_of<UserError>([] { Samples(std::make_unique<Predict>(question()), 2, majority, 0); }),
      "samples are all alike at temperature 0: set a higher one");
}

}  // namespace
}  // namespace theta
