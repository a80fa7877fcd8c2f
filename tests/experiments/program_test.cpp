#include "experiments/program.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "core/result.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/made_up.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

ProgramOptions read(const std::string& program) {
  return read_program(Config::parse(program, "p.yaml"));
}
/// The same of a config's, which may begin with a saved state.
ProgramOptions read_from(const std::string& program) {
  const Config config = Config::parse(program, "p.yaml");
  ProgramOptions options = read_program(config);
  read_start(config, options);
  return options;
}
std::string why_not(const std::string& program) {
  return message_of<UserError>([&] { read(program); });
}

constexpr const char* kTwo = R"(steps:
  - signature: "review -> notes: list[str]"
    instructions: Take notes.
    descriptions: {notes: at most three}
    samples: 3
  - name: judge
    model: big
    signature: "review, notes -> mood: Literal['good', 'bad']"
    chain_of_thought: true
    adapter: terse
    answering: score
    calibrate: content_free
    max_tokens: 99
)";

TEST(ReadProgram, OfOneSignatureHasNoSteps) {
  const ProgramOptions program = read("{signature: 'a -> b, c', samples: 5}");
  EXPECT_FALSE(program.has_steps());
  EXPECT_EQ(program.answer().name, "c");
  EXPECT_EQ(program.data_signature(), program.steps[0].signature);
  EXPECT_EQ(program.steps[0].samples, 5u);
  EXPECT_EQ(program.steps[0].predict.temperature, 0.7) << "of samples, if none is given";
}

TEST(ReadProgram, LoadsTheInstructionsAndDemosOfAState) {
  const TemporaryFolder folder;
  const auto file = folder.write("state.json", R"({"predict": {
    "traces": [], "train": [], "lm": null, "demos": [{"a": "1", "b": "2"}],
    "signature": {"instructions": "Add one.", "fields": [
      {"prefix": "A:", "description": "${a}"}, {"prefix": "B:", "description": "${b}"}]}}})");
  const ProgramOptions options =
      read_from("{signature: 'a -> b', adapter: terse, load: \"" + file.string() + "\"}");
  const auto program = make_program(options);
  const Predictor& predictor = *program->predictors().front();
  EXPECT_EQ(predictor.signature.instructions, "Add one.");
  ASSERT_THAT(predictor.demos, SizeIs(1));
  EXPECT_EQ(predictor.demos[0].fields.text("b"), "2");
  EXPECT_EQ(predictor.format->adapter, "terse");
  EXPECT_FALSE(as_compiled(options, *program).start);
  EXPECT_EQ(message_of<UserError>(
                [] { read_from("{signature: 'a -> b', instructions: Add., load: x.json}"); }),
            "p.yaml:1:37: the state that is loaded has instructions: leave these out, or 'load'");
}

TEST(ReadProgram, OfASavedPromptReadsNoFileThatItNames) {
  const Config saved = Config::parse("{signature: 'a -> b', load: /etc/passwd}", "p.yaml");
  EXPECT_FALSE(read_program(saved).start);
  EXPECT_THAT(message_of<UserError>([&] { saved.finish(); }), testing::HasSubstr("'load'"));
}

TEST(ReadProgram, OfStepsNamesEachByItsLastOutputUnlessItIsNamed) {
  const ProgramOptions program = read(kTwo);
  ASSERT_THAT(program.steps, SizeIs(2));
  EXPECT_EQ(program.steps[0].name, "notes");
  EXPECT_EQ(program.steps[1].name, "judge");
  EXPECT_EQ(program.steps[1].model, "big");
  EXPECT_EQ(program.steps[0].signature.instructions, "Take notes.");
  EXPECT_EQ(program.steps[0].signature.outputs[0].description, "at most three");
  EXPECT_EQ(program.steps[1].predict.max_tokens, 99);
  std::vector<std::string> names;
  const auto made = make_program(program);
  for (const Predictor* predictor : std::as_const(*made).predictors())
    names.push_back(predictor->name);
  EXPECT_THAT(names, ElementsAre("notes", "judge.predict"));
}

TEST(ReadProgram, OfStepsReadsItsInputsAndWhatStepsGiveFromTheData) {
  const ProgramOptions program = read(kTwo);
  EXPECT_THAT(program.data_signature().names(), ElementsAre("review", "notes", "mood"));
  EXPECT_THAT(program.data_signature().inputs, SizeIs(1));
  EXPECT_EQ(program.answer().name, "mood");
}

TEST(ReadProgram, FindsTheReasoningOfAStepBefore) {
  const ProgramOptions program = read(
      "steps: [{signature: q -> a, chain_of_thought: true}, {signature: 'reasoning -> verdict'}]");
  EXPECT_THAT(program.data_signature().names(), ElementsAre("q", "a", "verdict"));
}

TEST(ReadProgram, OfStepsIsWhatItsJsonSays) {
  const ProgramOptions program = read(kTwo);
  const std::string json = program_json(program);
  EXPECT_EQ(program_json(read(json)), json);
  EXPECT_EQ(read(json).data_signature().names(), program.data_signature().names());
  EXPECT_EQ(read(json).steps[0].samples, 3u);
}

TEST(ReadProgram, ReadsTheWholeFormatOfAStepAndWritesItAgain) {
  const ProgramOptions program = read(
      "{signature: \"a -> b: Literal['x', 'y']\", adapter: terse, options: hidden, "
      "label_order: reversed, instruction_place: both, opening: It is, answering: score, "
      "calibrate: train, calibrated_on: [{a: q}]}");
  const Format expected{.adapter = "terse",
                        .list_options = false,
                        .label_order = LabelOrder::kReversed,
                        .instruction_place = InstructionPlace::kBoth,
                        .opening = "It is",
                        .answering = Answering::kScore,
                        .calibration = Calibration::kTrain,
                        .calibrated_on = {{{"a", "q"}}}};
  EXPECT_EQ(program.steps[0].format, expected);
  EXPECT_EQ(read(program_json(program)).steps[0].format, expected);
  EXPECT_EQ(uncalibrated(program).steps[0].format.calibration, Calibration::kNone);
}

TEST(ReadProgram, SaysWhatIsWrongWithItsSteps) {
  EXPECT_EQ(why_not("steps: []"), "p.yaml:1:8: a program has at least one step");
  EXPECT_EQ(why_not("{signature: a -> b, steps: [{signature: a -> b}]}"),
            "p.yaml:1:28: give a program a 'signature' or 'steps', not both");
  EXPECT_EQ(why_not("steps: [{signature: a -> b}, {signature: b -> c, name: b}]"),
            "p.yaml:1:56: another step is named `b`: give this one a 'name' of its own");
  EXPECT_EQ(why_not("steps: [{signature: a -> b, name: metadata}]"),
            "p.yaml:1:35: a step's name is not empty, nor `metadata`, under which states keep "
            "their own");
  EXPECT_EQ(why_not("steps: [{signature: 'a, c -> b'}, {signature: b -> c}]"),
            "p.yaml:1:47: step `c` gives `c`, which step `b` reads before it: let it come first, "
            "or give the output another name");
  EXPECT_EQ(why_not("steps: [{signature: 'a -> b'}, {name: again, signature: a -> b}]"),
            "p.yaml:1:57: steps `b` and `again` both give `b`: give one output another name");
}

TEST(ReadProgram, SaysWhatSamplesDoNotGoWith) {
  EXPECT_EQ(why_not("{signature: a -> b, samples: 0}"),
            "p.yaml:1:30: 'samples' must be at least 1, not 0");
  EXPECT_EQ(why_not("{signature: a -> b, samples: 2, temperature: 0}"),
            "p.yaml:1:46: samples are all alike at temperature 0: set a higher one");
  EXPECT_EQ(why_not("{signature: 'a -> b: bool', samples: 2, answering: score}"),
            "p.yaml:1:38: samples of scored options are all alike, as nothing is generated: leave "
            "'samples' out, or set chain_of_thought or answering");
}

TEST(ReadProgram, CalibratesOnTrainingInputsWhereTheDataGiveThemAll) {
  const std::string first = "{signature: 'a -> b: bool', answering: score, calibrate: train}";
  EXPECT_TRUE(read("steps: [" + first + "]").needs_training());
  EXPECT_EQ(why_not("steps: [" + first +
                    ", {signature: 'b -> c: bool', answering: score, calibrate: train}]"),
            "p.yaml:1:131: a step that reads what other steps give has no training inputs: set "
            "calibrate to 'content_free'");
}

constexpr const char* kConfig = R"(name: two
models:
  task: {path: m.gguf}
  big: {path: b.gguf}
data: {sentiment: {}}
program:
  steps:
    - signature: "sentence -> notes"
    - signature: "notes -> sentiment: Literal['positive', 'negative']"
      model: big
)";

std::string config_error(const std::string& from, const std::string& to) {
  std::string text = kConfig;
  text.replace(text.find(from), from.size(), to);
  FileHashes unread{.read = false};
  return message_of<UserError>([&] { read_experiment(Config::parse(text, "c.yaml"), unread); });
}

TEST(StepsOfAConfig, AskModelsThatItHas) {
  EXPECT_EQ(config_error("model: big", "model: big"), "nothing was thrown");
  EXPECT_EQ(config_error("model: big", "model: teacher"), "c.yaml:4:3: unknown key 'big'");
  EXPECT_EQ(config_error("  big: {path: b.gguf}\n", ""),
            "c.yaml:9:14: 'big' is not a model of this config: add it under 'models'");
}

TEST(StepsOfAConfig, ReadWhatTheSentimentDataGive) {
  EXPECT_EQ(config_error("sentence ->", "sentence, tone ->"),
            "c.yaml:8:18: step `notes` reads `tone`, which neither the data nor a step before it "
            "gives; the data give `sentence`");
}

TEST(StepsOfAConfig, HaveTheNamesThatOptimizersUse) {
  const auto error = [](const std::string& optimizer) {
    return config_error("program:", "optimizers: [" + optimizer + "]\nprogram:");
  };
  EXPECT_EQ(error("{name: mipro, frozen: [notes.demos], instructions: {sentiment: [x]}}"),
            "nothing was thrown");
  EXPECT_EQ(error("{name: gepa, frozen: [note.instruction]}"),
            "c.yaml:6:35: the program has no `note.instruction` to freeze");
  EXPECT_EQ(error("{name: pipeline, steps: [{name: mipro, instructions: {verdict: [x]}}]}"),
            "c.yaml:6:77: the program has no step `verdict` to instruct");
}

TEST(MadeUpOutputs, StandWhereAMadeUpAnswerCannotBeRead) {
  ScriptedModel model([](const Request&) { return say("answer 0"); });
  const MadeUpOutputs step(make_predict(read("signature: 'a -> b: list[str]'").steps[0]));
  const std::vector<Record> inputs = {{{"a", "x"}, {"c", "y"}}};
  const auto predictions = step.run(inputs, {model});
  EXPECT_EQ(predictions[0]->fields, (Record{{"b", std::vector<std::string>{"one", "two"}}}));
  EXPECT_EQ(predictions[0]->trace.at(0).inputs, (Record{{"a", "x"}}));
  EXPECT_EQ(predictions[0]->usage.calls, 1);
}

TEST(LenientAdapter, MakesUpWhatCannotBeRead) {
  const Signature signature = Signature::parse("a -> why, b: Literal['x', 'y']");
  const auto lenient = make_lenient_adapter(make_adapter({.adapter = "chat"}), 6);
  const auto read =
      lenient->parse(signature, "[[ ## why ## ]]\nso\n\n[[ ## b ## ]]\ny\n\n[[ ## completed ## ]]");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (Record{{"why", "so"}, {"b", "y"}}));
  const auto made_up = lenient->parse(signature, "answer 7");
  ASSERT_TRUE(made_up);
  EXPECT_THAT(made_up->text("why"), testing::EndsWith(" the the the the the the"));
  EXPECT_THAT(made_up->text("b"), testing::AnyOf("x", "y"));
  EXPECT_NE(lenient->parse(signature, "answer 8")->text("why"), made_up->text("why"));
}

}  // namespace
}  // namespace theta
