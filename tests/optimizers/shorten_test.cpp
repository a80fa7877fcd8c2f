#include "optimizers/shorten.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/metric.hpp"
#include "modules/predict.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

// A task whose answers are right in `quality` of 100 items if the prompt holds all of `needed`.
class ShortenTest : public ::testing::Test {
 protected:
  ShortenTest() {
    for (int j = 0; j < 100; ++j)
      validation_.push_back(
          {std::to_string(j), "", {{"text", "item " + std::to_string(j)}, {"label", "yes"}}});
    auto& predictor = *program_.predictors().front();
    for (int d = 0; d < 8; ++d)
      predictor.demos.push_back(
          {{{"text", "demo " + std::to_string(d)}, {"label", d % 2 == 0 ? "yes" : "no"}}});
  }

  Shortened run(ShortenOptions options = {.max_evaluations = 100000}, PromptLimits limits = {}) {
    const Task task{{},     validation_, make_metric("exact_match", make_field("label")),
                    model_, model_,      model_};
    return shorten(program_, task, limits, options);
  }
  bool right(const std::string& prompt, int item) const {
    for (const auto& text : needed_)
      if (prompt.find(text) == prompt.npos) return item % 2 == 0;
    return item % 10 != 0;
  }

  std::vector<std::string> needed_;
  std::vector<Example> validation_;
  ScriptedModel model_{[this](const Request& request) {
    const std::string& prompt = request.messages.back().content;
    const int item = std::stoi(prompt.substr(prompt.rfind("item ") + 5));
    return say(right(prompt, item) ? " yes" : " no");
  }};
  Predict program_{Signature::parse("text -> label: Literal['yes', 'no']",
                                    "Answer. Think hard. Be kind.\n- yes: even\n- no: odd"),
                   {.adapter = "terse"}};
};

TEST_F(ShortenTest, DeletesAllThatChangesNothing) {
  const auto made = run();
  EXPECT_TRUE(made.program->predictors()[0]->demos.empty());
  EXPECT_EQ(made.program->predictors()[0]->signature.instructions, "Answer.");
  EXPECT_EQ(made.deleted, 12U);
  EXPECT_EQ(made.evaluations, 200);
  EXPECT_NEAR(made.score, .9, 1e-9);
}

TEST_F(ShortenTest, KeepsWhatScoresRestOn) {
  needed_ = {"demo 5", "yes: even"};
  const auto made = run();
  ASSERT_EQ(made.program->predictors()[0]->demos.size(), 1U);
  EXPECT_EQ(made.program->predictors()[0]->demos[0].fields.text("text"), "demo 5");
  EXPECT_EQ(made.program->predictors()[0]->signature.instructions, "Answer.\n- yes: even");
  EXPECT_NEAR(made.score, made.before, 1e-9);
}

TEST_F(ShortenTest, AsksNoFurtherExamplesOnceADeletionIsTooDear) {
  needed_ = {"demo 5", "yes: even"};
  const auto all = run().evaluations;
  validation_.resize(20);
  EXPECT_LT(all, 5 * run().evaluations);
}

TEST_F(ShortenTest, LeavesWhatIsFrozen) {
  const auto made = run({.max_evaluations = 100000}, {.frozen = {"demos"}});
  EXPECT_EQ(made.program->predictors()[0]->demos.size(), 8U);
  EXPECT_EQ(made.program->predictors()[0]->signature.instructions, "Answer.");
}

TEST_F(ShortenTest, KeepsThePhrasesThatStay) {
  const auto made = run({.max_evaluations = 100000}, {.keep = {"Be kind.", "no: odd"}});
  EXPECT_EQ(made.program->predictors()[0]->signature.instructions, "Answer. Be kind.\n- no: odd");
}

TEST_F(ShortenTest, StopsWhereItsEvaluationsEnd) {
  needed_ = {"demo 5"};
  const auto made = run({.max_evaluations = 150});
  EXPECT_LE(made.evaluations, 150);
  EXPECT_EQ(made.deleted, 0U);
  EXPECT_EQ(run({.max_evaluations = 50}).evaluations, 0);
}

}  // namespace
}  // namespace theta
