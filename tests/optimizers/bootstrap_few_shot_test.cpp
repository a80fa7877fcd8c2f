#include "optimizers/bootstrap_few_shot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/result.hpp"
#include "tests/optimizers/scripted_task.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

/// The items that a predictor's demos show, bootstrapped ones as negative numbers.
std::vector<int> shown(const Module& program, std::size_t predictor = 0) {
  std::vector<int> items;
  for (const auto& demo : program.predictors()[predictor]->demos) {
    const int item = ScriptedTask::item_of(demo.fields.text("text"));
    items.push_back(demo.augmented ? -item : item);
  }
  return items;
}

class Bootstrap : public ::testing::Test {
 protected:
  Bootstrapped run(const BootstrapOptions& options) {
    return bootstrap(scripted_.student(), task_.train, task_.metric, {scripted_.teacher}, options);
  }
  ScriptedTask scripted_;
  Task task_ = scripted_.task();
};

TEST(LabeledDemos, AreThoseOfDSPy) {  // random.Random(0).sample(range(20), 4), then again 3 and 3
  ScriptedTask scripted;
  const auto train = scripted.task().train;
  EXPECT_THAT(shown(*with_labeled_demos(scripted.student(), train, 4)),
              ElementsAre(1012, 1013, 1001, 1008));
  const Program two = two_steps(scripted.adapter);
  const auto program = with_labeled_demos(two, train, 3);
  // The first predictor writes a note, of which the examples know nothing.
  EXPECT_THAT(shown(*program, 0), ElementsAre());
  EXPECT_THAT(shown(*program, 1), ElementsAre(1008, 1016, 1015));
}

TEST(LabeledDemos, AreTheFirstOnesIfNotSampled) {
  ScriptedTask scripted;
  EXPECT_THAT(shown(*with_labeled_demos(scripted.student(), scripted.task().train, 2, false)),
              ElementsAre(1000, 1001));
}

TEST(LabeledDemos, AreAllThatThereAreIfMoreAreWanted) {
  ScriptedTask scripted;
  EXPECT_EQ(shown(*with_labeled_demos(scripted.student(), scripted.task().train, 99)).size(), 20u);
}

TEST(LabeledDemos, HoldOnlyTheFieldsOfTheSignature) {
  ScriptedTask scripted;
  auto example = ScriptedTask::example(3);
  example.fields.set("source", "a book");
  const auto program = with_labeled_demos(scripted.student(), {{example}}, 1);
  EXPECT_EQ(program->predictors()[0]->demos[0].fields,
            (Record{{"text", "item 3"}, {"label", "no"}}));
}

TEST_F(Bootstrap, KeepsSuccessesInOrderAndFillsUpWithLabelledDemosAsDSPy) {
  const auto result = run({.max_bootstrapped = 2, .max_labeled = 4});
  // The rest is shuffled by Random(0), then sampled by Random(0).
  EXPECT_THAT(shown(*result.program), ElementsAre(-1000, -1002, 1009, 1010));
  EXPECT_EQ(result.successes, 2u);
  EXPECT_EQ(result.attempts, 3u);
}

TEST_F(Bootstrap, GivesTheSameDemosForEveryWaveSize) {
  const auto expected = run({.max_bootstrapped = 5, .max_labeled = 8, .max_rounds = 2});
  for (const std::size_t wave : {1u, 2u, 3u, 7u, 20u, 100u}) {
    const auto result =
        run({.max_bootstrapped = 5, .max_labeled = 8, .max_rounds = 2, .wave = wave});
    EXPECT_EQ(result.program->predictors()[0]->demos, expected.program->predictors()[0]->demos)
        << wave;
    EXPECT_EQ(result.attempts, expected.attempts) << wave;
  }
}

TEST_F(Bootstrap, NeverShowsTheTeacherTheExampleAtHand) {
  run({.max_bootstrapped = 20, .max_labeled = 16});
  std::size_t asked = 0;
  for (const auto& wave : scripted_.teacher.waves())
    for (const auto& request : wave) {
      const auto& text = request.messages.back().content;
      const auto item = std::to_string(ScriptedTask::item_of(text));
      EXPECT_EQ(text.find("item " + item), text.rfind("item " + item)) << text;
      ++asked;
    }
  EXPECT_EQ(asked, 20u);
}

TEST_F(Bootstrap, AsksAsManyExamplesAtATimeAsSuccessesAreMissing) {
  run({.max_bootstrapped = 4, .max_labeled = 0});
  std::vector<std::size_t> sizes;
  for (const auto& wave : scripted_.teacher.waves()) sizes.push_back(wave.size());
  EXPECT_THAT(sizes, ElementsAre(4, 2, 1));
}

TEST_F(Bootstrap, TriesFurtherRoundsWithFreshSamples) {
  const auto result = run({.max_bootstrapped = 1, .max_labeled = 0, .max_rounds = 3});
  EXPECT_EQ(result.attempts, 1u);
  task_.train = {ScriptedTask::example(1001)};
  const auto failing = run({.max_bootstrapped = 1, .max_labeled = 0, .max_rounds = 3});
  EXPECT_EQ(failing.attempts, 3u);
  EXPECT_EQ(failing.successes, 0u);
  const auto waves = scripted_.teacher.waves();
  const auto& last = waves.back().front();
  const auto& before = waves[waves.size() - 2].front();
  EXPECT_EQ(last.temperature, 1);
  EXPECT_EQ(before.temperature, 1);
  EXPECT_NE(last.seed, before.seed);
}

TEST_F(Bootstrap, TakesWhatReachesTheThreshold) {
  task_.metric = [](const Example& example, const Prediction&) {
    return ScriptedTask::item_of(example.fields.text("text")) % 10 / 10.;
  };
  EXPECT_THAT(shown(*run({.max_bootstrapped = 3, .max_labeled = 0}).program),
              ElementsAre(-1001, -1002, -1003));
  EXPECT_THAT(shown(*run({.max_bootstrapped = 3, .max_labeled = 0, .threshold = .8}).program),
              ElementsAre(-1008, -1009, -1018));
}

TEST_F(Bootstrap, SkipsExamplesThatTheServiceFailsAndCountsThem) {
  scripted_.service_fails = [](int item) { return item == 1000 || item == 1004; };
  const auto result = run({.max_bootstrapped = 2, .max_labeled = 0});
  EXPECT_THAT(shown(*result.program), ElementsAre(-1002, -1006));
  EXPECT_EQ(result.failed, 2u);
}

TEST_F(Bootstrap, FailsIfTheServiceAnsweredNothing) {
  scripted_.service_fails = [](int) { return true; };
  try {
    run({});
    FAIL();
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "the teacher answered no training example: timed out");
  }
}

TEST_F(Bootstrap, WithoutRoomForBootstrappedDemosAsksNothing) {
  const auto result = run({.max_bootstrapped = 0, .max_labeled = 3});
  EXPECT_EQ(result.program->predictors()[0]->demos.size(), 3u);
  EXPECT_EQ(scripted_.teacher.calls(), 0u);
}

TEST_F(Bootstrap, GivesEveryPredictorItsOwnCallAsDemo) {
  const Program student = two_steps(scripted_.adapter);
  const auto result = bootstrap(student, task_.train, task_.metric, {scripted_.teacher},
                                {.max_bootstrapped = 1, .max_labeled = 0});
  const auto predictors = result.program->predictors();
  EXPECT_EQ(predictors[0]->demos,
            (std::vector<Demo>{{{{"text", "item 1000"}, {"note", "unsure"}}, true}}));
  EXPECT_EQ(
      predictors[1]->demos,
      (std::vector<Demo>{{{{"note", "unsure"}, {"text", "item 1000"}, {"label", "yes"}}, true}}));
}

TEST_F(Bootstrap, KeepsOneOfSeveralCallsOfAPredictorTheLastHalfOfTheTime) {
  /// Calls its predictor three times for an input.
  class Thrice final : public Module {
   public:
    explicit Thrice(Predict predict) : predict_(std::move(predict)) {}
    std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                        const Call& call) const override {
      auto predictions = predict_.run(inputs, call);
      for (auto& prediction : predictions)
        for (const char* mark : {"first ", "second ", "third "}) {
          auto step = prediction->trace[0];
          step.inputs.set("text", mark + step.inputs.text("text"));
          prediction->trace.push_back(step);
        }
      for (auto& prediction : predictions) prediction->trace.erase(prediction->trace.begin());
      return predictions;
    }
    std::vector<Predictor*> predictors() override { return predict_.predictors(); }
    std::unique_ptr<Module> clone() const override { return std::make_unique<Thrice>(*this); }

   private:
    Predict predict_;
  };
  std::vector<Example> train;
  for (int i = 0; i < 200; ++i) train.push_back(ScriptedTask::example(1000 + 2 * i));
  const auto result = bootstrap(Thrice(scripted_.student()), train, task_.metric,
                                {scripted_.teacher}, {.max_bootstrapped = 200, .max_labeled = 0});
  const auto demos = result.program->predictors()[0]->demos;
  ASSERT_EQ(demos.size(), 200u);
  const auto count = [&](const std::string& mark) {
    return std::count_if(demos.begin(), demos.end(), [&](const Demo& demo) {
      return demo.fields.text("text").starts_with(mark);
    });
  };
  EXPECT_NEAR(static_cast<double>(count("third")), 100, 25);
  EXPECT_NEAR(static_cast<double>(count("first")), 50, 20);
  EXPECT_NEAR(static_cast<double>(count("second")), 50, 20);
}

}  // namespace
}  // namespace theta
