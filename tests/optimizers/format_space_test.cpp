#include "optimizers/format_space.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "modules/predict.hpp"
#include "modules/program.hpp"
#include "optimizers/mipro.hpp"
#include "optimizers/random_search.hpp"
#include "tests/optimizers/scripted_task.hpp"
#include "tests/support/message_of.hpp"

namespace theta {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::SizeIs;
using testing::StartsWith;

Predict scored(const std::string& adapter) {
  return {Signature::parse("text -> label: Literal['yes', 'no']", ScriptedTask::kOwn),
          {.adapter = adapter, .answering = Answering::kScore}};
}

const std::vector<Example> kTrain = {{"0", "", {{"text", "a"}, {"label", "yes"}}}};

std::vector<std::string> texts(const Module& student, std::size_t predictor,
                               const std::optional<FormatSpace>& space,
                               std::span<const Example> train = kTrain) {
  return format_part(predictor, format_choices(student, predictor, space, train)).texts;
}

TEST(FormatChoices, UsuallyAreOfAdapterOptionsAndCalibrationAndBeginWithTheStudents) {
  EXPECT_THAT(
      texts(scored("terse"), 0, std::nullopt),
      ElementsAre("terse, scored", "chat, scored", "terse, options hidden, scored",
                  "terse, scored, calibrated on 1 inputs", "chat, scored, calibrated on 1 inputs",
                  "terse, options hidden, scored, calibrated on 1 inputs"));
}

TEST(FormatChoices, UsuallyAreTheStudentsWithoutOptions) {
  EXPECT_THAT(texts(Predict("text -> note"), 0, std::nullopt), ElementsAre("chat"));
}

TEST(FormatChoices, CalibrateOnNothingThatIsNotThere) {
  EXPECT_THAT(texts(scored("chat"), 0, std::nullopt, {}),
              ElementsAre("chat, scored", "terse, scored", "terse, options hidden, scored"));
}

TEST(FormatChoices, AreThoseThatASpaceGivesInEveryStep) {
  EXPECT_THAT(texts(Predict("text -> note"), 0, FormatSpace{.adapters = {"json", "chat"}}),
              ElementsAre("chat", "json"));
  EXPECT_THAT(texts(scored("chat"), 0, FormatSpace{}), ElementsAre("chat, scored"));
}

TEST(FormatChoices, AreOnlyWhatASignatureCanBeAskedIn) {
  const FormatSpace space{.answerings = {Answering::kScore},
                          .calibrations = {Calibration::kContentFree}};
  EXPECT_THAT(texts(Predict("text -> note"), 0, space), ElementsAre("chat"));
  EXPECT_THAT(texts(Predict("text -> label: bool"), 0, space),
              ElementsAre("chat", "chat, scored", "chat, scored, calibrated without content"));
}

TEST(FormatChoices, LeaveOutAnAdapterThatCannotTellFieldsApart) {
  // One terse line would begin as the other.
  Predict student("note -> label: bool");
  student.predictors()[0]->signature.outputs[0].prefix = "Note: label";
  EXPECT_THAT(texts(student, 0, FormatSpace{.adapters = {"terse", "json"}}),
              ElementsAre("chat", "json"));
}

TEST(FormatChoices, MakeEqualPromptsOnce) {
  const FormatSpace space{
      .list_options = {false}, .label_orders = {LabelOrder::kReversed}, .openings = {"It is"}};
  EXPECT_THAT(texts(scored("terse"), 0, space),
              ElementsAre("terse, scored", "terse, options hidden, scored",
                          "terse, options reversed, scored"));
}

TEST(FormatChoices, PutReasoningBeforeTheOutputsOrTakeItAway) {
  Predict student("text -> label: bool");
  const auto choices = format_choices(student, 0, FormatSpace{.reasoning = {true}}, {});
  ASSERT_THAT(choices, SizeIs(2));
  Predictor& predictor = *student.predictors()[0];
  set_format(predictor, choices[1]);
  EXPECT_EQ(predictor.signature.text(), "text -> reasoning, label: bool");
  set_format(predictor, choices[0]);
  EXPECT_EQ(predictor.signature.text(), "text -> label: bool");
}

std::vector<Example> noted(const std::vector<std::string>& notes) {
  std::vector<Example> train;
  for (const std::string& note : notes)
    train.push_back({std::to_string(train.size()), "", {{"text", "a"}, {"note", note}}});
  return train;
}

TEST(FormatChoices, ChooseAFreeOutputAmongTheAnswersThatRowsRepeat) {
  const FormatSpace space{.answerings = {Answering::kScore},
                          .calibrations = {Calibration::kTrain},
                          .seen_answers = {true}};
  Predict student("text -> note");
  const auto train = noted({"it's wet", "dry", "dry", "dry"});
  EXPECT_THAT(texts(student, 0, space, train),
              ElementsAre("chat", "chat, scored, one of 2 answers",
                          "chat, scored, calibrated on 4 inputs, one of 2 answers"));
  const auto choices = format_choices(student, 0, space, train);
  Predictor& predictor = *student.predictors()[0];
  set_format(predictor, choices[1]);
  EXPECT_EQ(predictor.signature.text(), "text -> note: Literal['dry', \"it's wet\"]");
}

TEST(FormatChoices, LeaveAFreeOutputFreeWhereRowsDoNotRepeatTheirAnswers) {
  const FormatSpace space{.answerings = {Answering::kScore}, .seen_answers = {true}};
  EXPECT_THAT(texts(Predict("text -> note"), 0, space, noted({"wet", "dry", "dry"})),
              ElementsAre("chat"));
  EXPECT_THAT(texts(Predict("text -> note"), 0, space, noted({"dry", "dry"})), ElementsAre("chat"));
}

TEST(FormatChoices, LeaveReasoningThatAnotherStepReads) {
  Program student;
  student.add(ChainOfThought("text -> note"));
  student.add(Predict("reasoning -> label: bool"));
  const FormatSpace space{.reasoning = {true, false}};
  EXPECT_THAT(texts(student, 0, space), ElementsAre("chat, reasoning"));
  EXPECT_THAT(texts(student, 1, space), ElementsAre("chat"));
}

TEST(FormatChoices, AreOneWhereTheModuleDecides) {
  auto student = scored("chat");
  student.predictors()[0]->format.reset();
  EXPECT_THAT(format_choices(student, 0, std::nullopt, kTrain), SizeIs(1));
}

TEST(FormatChoices, AreAtMostAThousand) {
  FormatSpace space{.adapters = {"terse"}};
  for (int i = 0; i < 501; ++i) space.openings.push_back("opening " + std::to_string(i));
  EXPECT_EQ(message_of<UserError>([&] { texts(Predict("text -> note"), 0, space); }),
            "the space holds more than 1000 formats: leave some values out");
}

/// A task that is answered rightly more often in the chat format, and that no instruction helps.
class FormatSearch : public testing::Test {
 protected:
  static MiproOptions options() {
    return {.num_instructions = 1,
            .num_demo_sets = 1,
            .max_bootstrapped = 0,
            .max_labeled = 0,
            .num_trials = 20,
            .minibatch_size = 20};
  }
  Task task() {
    Task task = scripted_.task();
    return {.train = task.train,
            .validation = task.validation,
            .metric = task.metric,
            .model = model_,
            .proposer = model_,
            .teacher = model_,
            .gate = task.gate};
  }
  static Result<Response> answer(const Request& request) {
    const int item = ScriptedTask::item_of(request.messages.back().content);
    const bool chat = request.messages.front().role == "system";
    const bool right = 37 * item % 100 < (chat ? 90 : 50);
    const std::string said = ScriptedTask::truth(right ? item : item + 1);
    for (const std::string& option : request.options)
      if (option.ends_with(said)) return choose(request, option);
    return say(said);
  }

  ScriptedTask scripted_;
  ScriptedModel model_{answer};
};

TEST_F(FormatSearch, FindsTheRightOneWithMipro) {
  const auto compiled = Mipro(options()).compile(scored("terse"), task());
  EXPECT_NEAR(compiled.student_score, .5, 1e-9);
  EXPECT_NEAR(compiled.validation_score, .9, 1e-9);
  EXPECT_EQ(std::as_const(*compiled.program).predictors()[0]->format->adapter, "chat");
  EXPECT_THAT(compiled.winner.value().parts.at(0).format, StartsWith("chat, scored"));
}

TEST_F(FormatSearch, LeavesAFrozenOneAlone) {
  auto frozen = options();
  frozen.limits.frozen = {"predict.format"};
  const auto compiled = Mipro(frozen).compile(scored("terse"), task());
  for (const auto& trial : compiled.trials)
    EXPECT_EQ(trial.candidate.parts.at(0).format, "terse, scored");
}

TEST_F(FormatSearch, IsNoneOfAFaithfulMipros) {
  auto faithful = options();
  faithful.faithful = true;
  const auto compiled = Mipro(faithful).compile(scored("terse"), task());
  for (const auto& trial : compiled.trials)
    EXPECT_EQ(trial.candidate.parts.at(0).format, "terse, scored");
  faithful.space = FormatSpace::usual();
  EXPECT_EQ(message_of<UserError>([&] { Mipro{faithful}; }),
            "a faithful mipro tries no formats, as DSPy does not");
}

TEST_F(FormatSearch, DrawsThemInARandomSearchThatHasASpace) {
  RandomSearchOptions options{.num_candidates = 8,
                              .bootstrap = {.max_bootstrapped = 0, .max_labeled = 1}};
  const auto adapters = [&] {
    const auto compiled = RandomSearch(options).compile(scored("terse"), task());
    std::set<bool> chat;
    for (const auto& trial : compiled.trials)
      chat.insert(trial.candidate.parts.at(0).format.starts_with("chat"));
    return chat;
  };
  EXPECT_THAT(adapters(), ElementsAre(false));
  options.space = FormatSpace::usual();
  EXPECT_THAT(adapters(), ElementsAre(false, true));
}

}  // namespace
}  // namespace theta
