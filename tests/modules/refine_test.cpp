#include "modules/refine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/modules/one_question.hpp"

namespace theta {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Grade length(const Record&, const Prediction& prediction) {
  const auto n = prediction.fields.text("answer").size();
  return {static_cast<double>(n) / 4, n < 4 ? "Longer." : ""};
}

TEST(Refine, AsksAgainWithWhatWasSaidOfTheLastAnswer) {
  auto model = answering({"one", "four"});
  const auto predictions = Refine(question(), length).run(kOne, {model});
  EXPECT_EQ(predictions[0]->fields.text("answer"), "four");
  EXPECT_EQ(predictions[0]->usage.calls, 2);
  ASSERT_THAT(model.waves(), SizeIs(2)) << "four is good enough";
  EXPECT_THAT(model.waves()[1][0].messages[0].content,
              HasSubstr("Last Answer: one\nAdvice: Longer."));
}

TEST(Refine, IsTunedOnTheInputsOfItsOwnSignature) {
  auto model = answering({"one", "four"});
  const auto predictions = Refine(question(), length).run(kOne, {model});
  ASSERT_THAT(predictions[0]->trace, SizeIs(1));
  EXPECT_EQ(predictions[0]->trace[0].inputs, kOne[0]);
}

TEST(Refine, KeepsTheBestOfAllAttempts) {
  auto model = answering({"two", "a", "b"});
  EXPECT_EQ(Refine(question(), length).run(kOne, {model})[0]->fields.text("answer"), "two");
}

TEST(Refine, AnOutageOfOneAttemptIsOneOfTheRow) {
  auto model = answering({"two", ""});
  const auto predictions = Refine(question(), length, 2).run(kOne, {model});
  EXPECT_EQ(predictions[0].error().fault, Fault::kService);
}

}  // namespace
}  // namespace theta
