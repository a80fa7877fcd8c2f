#include "optimizers/fit_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/program_state.hpp"
#include "optimizers/mipro.hpp"
#include "tests/optimizers/scripted_task.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Says `no` to everything, and to what is even less firmly.
Result<Response> hinting(const Request& request) {
  Response response;
  const std::string& text = request.messages.back().content;
  const int item = ScriptedTask::item_of(text);
  const double firm = item % 2 == 0 ? .5 : 2;
  response.option_logprobs = {-firm, -.1 - .01 * (item % 7)};
  return response;
}

class FitOptionsTest : public testing::Test {
 protected:
  Predict student() const {
    return Predict(Signature::parse("text -> label: Literal['yes', 'no']", "Answer."),
                   {.adapter = "terse", .answering = Answering::kScore});
  }
  Task task() {
    Task task = scripted_.task();
    task.gate.fresh = .3;
    return {task.train, task.validation, task.metric, model_, scripted_.proposer, model_, {}, {},
            0,          task.gate};
  }
  static const std::optional<OptionMap>& map_of(const Module& program) {
    return program.predictors().back()->format->option_map;
  }

  ScriptedTask scripted_;
  ScriptedModel model_{hinting};
};

TEST_F(FitOptionsTest, ReadsOffAllOptionsWhatTheMostProbableHides) {
  const Compiled compiled = FitOptions().compile(student(), task());
  EXPECT_NEAR(compiled.student_score, .5, .1);
  EXPECT_EQ(compiled.validation_score, 1);
  EXPECT_TRUE(compiled.gate.saved);
  ASSERT_TRUE(map_of(*compiled.program));
  // All of validation and training, once it is decided.
  EXPECT_EQ(map_of(*compiled.program)->rows, 120u);
  EXPECT_THAT(to_json(compiled.trials.back().candidate), HasSubstr("fitted to 90 labelled rows"));
  const std::vector<Record> inputs{{{"text", "item 2001"}}, {{"text", "item 2002"}}};
  const auto answers = compiled.program->run(inputs, {model_});
  EXPECT_EQ(answers[0]->fields.text("label"), "no");
  EXPECT_EQ(answers[1]->fields.text("label"), "yes");
}

TEST_F(FitOptionsTest, KeepsToTheBudget) {
  Task limited = task();
  limited.max_evaluations = 140;  // 70 of the student, 60 of the gate, and 10 for training examples
  const Compiled compiled = FitOptions().compile(student(), limited);
  EXPECT_EQ(compiled.trials.back().evaluations, 140);
  EXPECT_THAT(to_json(compiled.trials.back().candidate), HasSubstr("fitted to 80 labelled rows"));
}

TEST_F(FitOptionsTest, StoppedLeavesWhatTheSearchFound) {
  std::stop_source stop;
  Task stopped = task();
  stopped.stop = stop.get_token();
  std::size_t asked = 0;
  ScriptedModel counting([&](const Request& request) {
    if (++asked == 75) stop.request_stop();  // five into what is fitted on
    return hinting(request);
  });
  const Task own{stopped.train,
                 stopped.validation,
                 stopped.metric,
                 counting,
                 stopped.proposer,
                 counting,
                 stopped.stop,
                 {},
                 0,
                 stopped.gate};
  const Compiled compiled = FitOptions().compile(student(), own);
  EXPECT_TRUE(compiled.stopped);
  EXPECT_FALSE(compiled.gate.saved);
  EXPECT_FALSE(map_of(*compiled.program));
}

TEST_F(FitOptionsTest, LearnsNothingFromWhatADemoTells) {
  Predict shown = student();
  for (const Example& example : task().train)
    if (shown.predictors().front()->demos.size() < 4)
      shown.predictors().front()->demos.push_back({example.fields});
  const auto fitted = fit_options(shown, task(), 1000);
  ASSERT_TRUE(fitted);
  EXPECT_EQ(map_of(*fitted->program)->rows, 116u);
  EXPECT_EQ(fitted->evaluations, 16);
}

TEST_F(FitOptionsTest, EndsASearchOfMipro) {
  Task limited = task();
  limited.max_evaluations = 400;
  MiproOptions options{.num_instructions = 2,
                       .num_demo_sets = 2,
                       .glossary = {.written = 0, .read_off = false},
                       .max_by_rule = 0,
                       .nearest = 0,
                       .space = FormatSpace{}};  // no calibration, which would do as well here
  const Compiled compiled = Mipro(options).compile(student(), limited);
  EXPECT_TRUE(map_of(*compiled.program));
  EXPECT_EQ(compiled.validation_score, 1);
  EXPECT_LE(compiled.trials.back().evaluations, 400);
  options.fit_options = false;
  EXPECT_FALSE(map_of(*Mipro(options).compile(student(), limited).program));
  options.fit_options = true;
  options.limits.frozen = {"format"};
  EXPECT_FALSE(map_of(*Mipro(options).compile(student(), limited).program));
}

TEST_F(FitOptionsTest, EndsASearchInTheFormatWhoseOptionsTellMost) {
  ScriptedModel told_in_chat([](const Request& request) {
    const bool chat = request.messages.back().content.find("[[ ## ") != std::string::npos;
    Response response;
    response.option_logprobs = {-2, -.2};
    return chat ? hinting(request) : response;
  });
  const Task given = task();
  const Task own{given.train,
                 given.validation,
                 given.metric,
                 told_in_chat,
                 scripted_.proposer,
                 told_in_chat,
                 {},
                 {},
                 400,
                 given.gate};
  const MiproOptions options{.num_instructions = 1,
                             .num_demo_sets = 1,
                             .max_bootstrapped = 0,
                             .max_labeled = 0,
                             .glossary = {.written = 0, .read_off = false},
                             .space = FormatSpace{.adapters = {"terse", "chat"}}};
  const Compiled compiled = Mipro(options).compile(student(), own);
  EXPECT_EQ(compiled.program->predictors().back()->format->adapter, "chat");
  EXPECT_TRUE(map_of(*compiled.program));
  EXPECT_EQ(compiled.validation_score, 1);
  EXPECT_LE(compiled.trials.back().evaluations, 400);
}

TEST_F(FitOptionsTest, OtherFormatsAreScoredUncalibratedAndShortestFirst) {
  Predict shown = student();
  shown.predictors()[0]->format->adapter = "chat";
  shown.predictors()[0]->format->calibration = Calibration::kContentFree;
  const auto others = in_other_formats(shown, task(), std::nullopt);
  std::vector<std::string> formats;
  for (const auto& other : others) formats.push_back(to_text(*other->predictors()[0]->format));
  EXPECT_THAT(formats, testing::ElementsAre("terse, options hidden, scored", "terse, scored"));
  EXPECT_THAT(in_other_formats(shown, task(), FormatSpace{}), testing::IsEmpty());
}

TEST_F(FitOptionsTest, WantsScoresAndLabels) {
  EXPECT_THAT(message_of<UserError>([&] { FitOptions().compile(scripted_.student(), task()); }),
              HasSubstr("wants `answering: score`"));
  Task unlabelled = task();
  for (Example& example : unlabelled.validation) example.fields.set("label", "perhaps");
  EXPECT_FALSE(fits_options(student(), unlabelled));
}

}  // namespace
}  // namespace theta
