#include "modules/refine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Predict question() {
  return {Signature::parse("question -> answer"), make_terse_adapter(), {.grammar = false}};
}

const std::vector<Record> kOne = {{{"question", "q"}}};

/// Gives these answers in turn; an empty one times out.
ScriptedModel answering(std::vector<std::string> answers) {
  return ScriptedModel([answers = std::move(answers),
                        next = std::size_t{0}](const Request&) mutable -> Result<Response> {
    const std::string& answer = answers.at(next++);
    if (answer.empty()) return Error{Fault::kService, "timed out"};
    return say(" " + answer);
  });
}

Critique length(const Record&, const Prediction& prediction) {
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
