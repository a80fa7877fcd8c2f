#include "modules/program_state.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "modules/predict.hpp"
#include "modules/program.hpp"
#include "modules/samples.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/shared.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Predict predict(const std::string& signature, const std::string& name = "predict") {
  return {Signature::parse(signature), {}, {}, name};
}

Predict reasoning(const std::string& signature, const std::string& name = "predict") {
  return {chain_of_thought(Signature::parse(signature)), {}, {}, name};
}

/// A program of several predictors.
class Several final : public Module {
 public:
  explicit Several(std::vector<Predict> parts) : parts_(std::move(parts)) {}
  std::vector<Result<Prediction>> run(std::span<const Record>, const Call&) const override {
    return {};
  }
  std::vector<Predictor*> predictors() override {
    std::vector<Predictor*> out;
    for (Predict& part : parts_) out.push_back(part.predictors()[0]);
    return out;
  }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Several>(*this); }

 private:
  std::vector<Predict> parts_;
};

/// The smallest state that DSPy loads.
const std::string kSmallest =
    R"({"predict": {"signature": {"instructions": "Be terse.", "fields": [
      {"prefix": "Q:", "description": "q"}, {"prefix": "R:", "description": "${reasoning}"},
      {"prefix": "A:", "description": "${answer}"}]}, "lm": null},
     "metadata": {"dependency_versions": {}}})";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  require(at != std::string::npos, "a test replaces what is there");
  return text.replace(at, from.size(), to);
}

std::string why_not(Module& program, const std::string& json) {
  try {
    load_state(program, json, "prompt.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "loaded";
}

TEST(DumpState, WritesABarePredictFlatAsDspyDoes) {
  Predict program = predict("question -> answer");
  program.predictors()[0]->demos = {{{{"question", "é?"},
                                      {"n", std::int64_t{3}},
                                      {"x", 0.5},
                                      {"ok", true},
                                      {"l", std::vector<std::string>{"a"}}},
                                     true},
                                    {{{"answer", "b"}}}};
  EXPECT_EQ(dump_state(program, R"({"adapter": "chat"})"), R"({
  "traces": [],
  "train": [],
  "demos": [
    {
      "augmented": true,
      "question": "é?",
      "n": 3,
      "x": 0.5,
      "ok": true,
      "l": [
        "a"
      ]
    },
    {
      "answer": "b"
    }
  ],
  "signature": {
    "instructions": "Given the fields `question`, produce the fields `answer`.",
    "fields": [
      {
        "prefix": "Question:",
        "description": "${question}"
      },
      {
        "prefix": "Answer:",
        "description": "${answer}"
      }
    ]
  },
  "lm": null,
  "metadata": {
    "dependency_versions": {},
    "theta": {
      "adapter": "chat"
    }
  }
}
)");
}

TEST(DumpState, WritesAChainOfThoughtUnderPredict) {
  EXPECT_THAT(dump_state(reasoning("question -> answer")),
              testing::StartsWith("{\n  \"predict\": {\n    \"traces\": [],"));
}

TEST(DumpState, RefusesTwoPredictorsOfOneName) {
  Several program({predict("a -> b"), predict("c -> d")});
  const std::string why =
      "two predictors of the program are named `predict`, and a saved state tells them apart by "
      "their names: give each its own";
  EXPECT_EQ(message_of<UserError>([&] { dump_state(program); }), why);
  EXPECT_EQ(why_not(program, kSmallest), why);
  Several metadata({predict("a -> b", "metadata")});
  EXPECT_EQ(message_of<UserError>([&] { dump_state(metadata); }),
            "a predictor is not named `metadata`: a saved state keeps its own under it");
}

Program two_steps() {
  Program program;
  program.add(Samples(predict("review -> notes: list[str]").clone(), 3, majority));
  program.add(reasoning("review, notes -> verdict"));
  return program;
}

TEST(DumpState, KeepsEveryStepOfAProgramUnderDspysPath) {
  Program program = two_steps();
  const std::vector<Predictor*> predictors = program.predictors();
  predictors[0]->signature = predictors[0]->signature.with_instructions("Note.");
  predictors[0]->demos = {{{{"review", "r"}, {"notes", std::vector<std::string>{"n"}}}, true}};
  predictors[1]->demos = {{{{"notes", std::vector<std::string>{"n"}}, {"verdict", "good"}}}};
  const std::string state = dump_state(program);
  EXPECT_THAT(state, testing::StartsWith("{\n  \"notes\": {"));
  EXPECT_THAT(state, HasSubstr("\n  \"verdict.predict\": {"));
  Program again = two_steps();
  EXPECT_THAT(load_state(again, state, "prompt.json").remarks, SizeIs(0));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(again.predictors()[i]->signature, predictors[i]->signature);
    EXPECT_EQ(again.predictors()[i]->demos, predictors[i]->demos);
  }
}

TEST(DumpState, WritesWhatAsksOnePredictSeveralTimesAsThatPredict) {
  const Predict program = predict("question -> answer");
  EXPECT_EQ(dump_state(Samples(program.clone(), 3, majority)), dump_state(program));
}

TEST(LoadState, ReadsTheSmallestState) {
  Predict program = reasoning("question -> answer");
  program.predictors()[0]->demos = {{{{"question", "old"}}}};
  load_state(program, kSmallest, "prompt.json");
  const Signature& signature = program.signature();
  EXPECT_EQ(signature.instructions, "Be terse.");
  EXPECT_EQ(signature.inputs[0].prefix, "Q:");
  EXPECT_EQ(signature.inputs[0].description, "q");
  EXPECT_EQ(signature.outputs[1].prefix, "A:");
  EXPECT_THAT(program.predictors()[0]->demos, SizeIs(0));
}

TEST(LoadState, ReadsBackWhatWasDumped) {
  Several program({reasoning("a -> b", "first"), predict("c -> d: int", "second")});
  program.predictors()[0]->demos = {
      {{{"a", "x"}, {"b", std::vector<std::string>{"y", "z"}}, {"s", 2.0}}, true}};
  program.predictors()[1]->demos = {{{{"c", "x"}, {"d", std::int64_t{-7}}, {"e", false}}}};
  program.predictors()[1]->signature = program.predictors()[1]->signature.describe("d", "a digit");
  Several loaded({reasoning("a -> b", "first"), predict("c -> d: int", "second")});
  load_state(loaded, dump_state(program), "prompt.json");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(loaded.predictors()[i]->signature, program.predictors()[i]->signature);
    EXPECT_EQ(loaded.predictors()[i]->demos, program.predictors()[i]->demos);
  }
}

/// kSmallest with one demo.
std::string with_demo(const std::string& demo) {
  return with(kSmallest, "\"lm\"", "\"demos\": [" + demo + "], \"lm\"");
}

TEST(LoadState, KeepsNullsDigitsAndObjectsOfDemos) {
  Predict program = reasoning("question -> answer");
  const std::string demo =
      R"({"question": {"a": [1, null]}, "answer": null, "reasoning": 12345678901234567890})";
  EXPECT_THAT(load_state(program, with_demo(demo), "prompt.json").remarks, SizeIs(0));
  std::vector<Demo> expected = {{{{"question", JsonValue{R"({"a": [1, null]})"}},
                                  {"answer", JsonValue{"null"}},
                                  {"reasoning", JsonValue{"12345678901234567890"}}},
                                 /*augmented=*/false,
                                 /*as_is=*/true}};
  EXPECT_EQ(program.predictors()[0]->demos, expected);
  Predict again = reasoning("question -> answer");
  load_state(again, dump_state(program), "prompt.json");
  expected[0].as_is = false;
  EXPECT_EQ(again.predictors()[0]->demos, expected);
}

TEST(LoadState, RemarksColumnsOfDemosThatNoFieldShows) {
  Predict program = reasoning("question -> answer");
  const LoadedState loaded = load_state(
      program, with_demo(R"({"question": "q", "votes": [1, 2], "origin": {"shelf": 3}})"),
      "prompt.json");
  EXPECT_THAT(loaded.remarks,
              ElementsAre("prompt.json: demos hold `origin`, `votes`, which no field shows"));
}

TEST(LoadState, RefusesAPartOfADemoThatIsNoText) {
  Predict program = reasoning("question -> answer");
  const std::string why = ", and only texts are sent: take the demo out";
  const std::string marked = "it holds a part that is no text, marked by DSPy" + why;
  EXPECT_EQ(why_not(program, with_demo(R"({"question": "<<CUSTOM-TYPE-START-IDENTIFIER>>[{}]"})")),
            "prompt.json: predict.demos[0].question: " + marked);
  EXPECT_EQ(why_not(program, with_demo(R"({"question": [{"x": "a <DSPY_IMAGE_START>b"}]})")),
            "prompt.json: predict.demos[0].question[0].x: " + marked);
  EXPECT_EQ(why_not(program, with_demo(R"({"answer": {"url": "data:audio/wav;base64,UklG"}})")),
            "prompt.json: predict.demos[0].answer.url: it holds a file in base64" + why);
  EXPECT_EQ(why_not(program, with_demo(R"({"question": "what is data:image/png;base64,x?"})")),
            "loaded");
}

/// A saved signature of fields that name themselves, and one whose words are the user's.
std::string signature_of(const std::vector<std::string>& names, const std::string& worded = "",
                         const std::string& instructions = "Be.") {
  std::string fields;
  for (const std::string& name : names) {
    const Field field = make_field(name);
    fields += (fields.empty() ? "" : ", ") +
              (name == worded ? R"({"prefix": "So:", "description": "said"})"
                              : "{\"prefix\": \"" + field.prefix + "\", \"description\": \"" +
                                    field.description + "\"}");
  }
  return "{\"instructions\": \"" + instructions + "\", \"fields\": [" + fields + "]}";
}

/// The state of a bare predictor.
std::string fields_in(const std::vector<std::string>& names, const std::string& worded = "") {
  return "{\"signature\": " + signature_of(names, worded) + ", \"lm\": null}";
}

TEST(LoadState, GivesFieldsInAnotherOrderTheirOwnDescriptions) {
  Predict program = predict("text -> mood, reason");
  const LoadedState loaded =
      load_state(program, fields_in({"text", "reason", "mood"}), "prompt.json");
  EXPECT_EQ(program.signature(), Signature::parse("text -> mood, reason", "Be."));
  EXPECT_THAT(loaded.remarks,
              ElementsAre("prompt.json: the fields stand in another order than in `text -> mood, "
                          "reason`: each is read by its name"));
  EXPECT_THAT(load_state(program, fields_in({"text", "mood", "reason"}), "p").remarks, SizeIs(0));
}

TEST(LoadState, RefusesFieldsThatItCannotTellApartByName) {
  Predict program = predict("text -> mood, reason");
  EXPECT_EQ(
      why_not(program, fields_in({"text", "reason", "mood"}, "reason")),
      "prompt.json: signature.fields[2]: it is the field `mood`, where the program's signature "
      "has `reason`: give the signature in the order of the file");
  EXPECT_EQ(why_not(program, fields_in({"review", "mood", "reason"})),
            "prompt.json: signature: its fields are `review`, `mood`, `reason`, and the program's "
            "signature is `text -> mood, reason`");
  EXPECT_EQ(why_not(program, fields_in({"text", "mood", "reason"}, "mood")), "loaded");
  EXPECT_EQ(program.signature().outputs[0].description, "said");
}

TEST(LoadState, TakesTheOnlyPredictorWhateverItsNameAndNamesSeveral) {
  const std::string one = fields_in({"question", "reasoning", "answer"});
  Predict program = reasoning("question -> answer");
  EXPECT_EQ(why_not(program, R"({"respond.predict": )" + one + "}"), "loaded");
  EXPECT_EQ(program.signature().instructions, "Be.");
  EXPECT_EQ(
      why_not(program, R"({"router": )" + one + R"(, "writer.predict": )" + one + "}"),
      "prompt.json: it has the predictors `router`, `writer.predict`, and one is run: choose one "
      "with --set program.predictor=router, or give each its step in program.steps");
}

TEST(LoadState, TakesTheChosenOfSeveralPredictors) {
  const std::string first = fields_in({"question", "reasoning", "answer"});
  const std::string state =
      R"({"router": )" + first + R"(, "writer.predict": )" + with(first, "Be.", "Write.") + "}";
  Predict program = reasoning("question -> answer");
  load_state(program, state, "prompt.json", "writer.predict");
  EXPECT_EQ(program.signature().instructions, "Write.");
  load_state(program, state, "prompt.json", "router");
  EXPECT_EQ(program.signature().instructions, "Be.");
  try {
    load_state(program, state, "prompt.json", "writer");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(
        e.what(),
        "prompt.json: it has the predictors `router`, `writer.predict`, and none `writer`: "
        "choose one with --set program.predictor=router, or give each its step in program.steps");
  }
}

TEST(LoadState, ReadsWhatAnLmSaysOfSamplingAndNamesTheRest) {
  Predict program = predict("question -> answer");
  const auto load = [&](const std::string& lm) {
    return load_state(program, with(fields_in({"question", "answer"}), "null", lm), "prompt.json");
  };
  const LoadedState loaded =
      load(R"({"model": "some/model", "model_type": "chat", "cache": true, "temperature": 0.7,
               "max_tokens": 1000, "top_p": 0.9, "n": 3, "stop": null, "launch_kwargs": {}})");
  EXPECT_EQ(loaded.sampling.at(0).temperature, 0.7);
  EXPECT_EQ(loaded.sampling.at(0).max_tokens, 1000);
  EXPECT_EQ(loaded.sampling.at(0).top_p, 0.9);
  EXPECT_THAT(loaded.remarks, ElementsAre("prompt.json: lm: not used: `n`"));
  EXPECT_EQ(loaded.model, "some/model");
  EXPECT_EQ(load(R"({"model": "openai/gpt-4o-mini"})").model, "gpt-4o-mini");
  const LoadedState odd = load(R"({"temperature": null, "max_tokens": "many"})");
  EXPECT_EQ(odd.sampling.at(0).temperature, std::nullopt);
  EXPECT_THAT(odd.remarks, ElementsAre("prompt.json: lm: not used: `max_tokens`"));
}

TEST(LoadState, NamesWhatElseIsNotUsed) {
  Predict program = predict("question -> answer");
  const std::string plain = fields_in({"question", "answer"});
  EXPECT_THAT(
      load_state(program, with(plain, "\"lm\"", R"("k": 3, "traces": [1], "lm")"), "p").remarks,
      ElementsAre("p: `k` is not used"));
  EXPECT_THAT(
      load_state(program, R"({"predict": )" + plain + R"(, "retrieve": {"k": 3}})", "p").remarks,
      ElementsAre("p: `retrieve` is not used"));
  EXPECT_EQ(why_not(program, with(plain, "\"lm\"", R"("fields": {"x": 1}, "lm")")),
            "prompt.json: `fields`: DSPy's criteria of decisions are not read: take them out");
}

TEST(LoadState, AsksAsDspy25DidByTheExtendedSignature) {
  Predict program = reasoning("question -> answer");
  const std::string extended = signature_of({"question", "reasoning", "answer"}, "", "Count.");
  const LoadedState loaded = load_state(program,
                                        with(fields_in({"question", "answer"}), "\"lm\"",
                                             "\"extended_signature\": " + extended + ", \"lm\""),
                                        "prompt.json");
  EXPECT_EQ(program.signature().instructions, "Count.");
  EXPECT_THAT(loaded.remarks, ElementsAre("prompt.json: `extended_signature`, as DSPy 2.5 asks, is "
                                          "used in place of `signature`"));
}

TEST(LoadState, ReadsTheKeysOfStatesBeforeDspy253) {
  const std::string state =
      R"({"cls": {"lm": null, "traces": [], "train": [], "demos": [], "signature_instructions": "Old.",
          "signature_prefix": "A:", "extended_signature_instructions": "Count.",
          "extended_signature_prefix": "So:"}})";
  Predict thinking = reasoning("question -> answer");
  load_state(thinking, state, "prompt.json");
  EXPECT_EQ(thinking.signature().instructions, "Count.");
  EXPECT_EQ(thinking.signature().outputs.back().prefix, "So:");
  Predict plain = predict("question -> answer");
  EXPECT_EQ(
      why_not(plain, state),
      "prompt.json: cls: `extended_signature` is DSPy 2.5's chain of thought, which the program "
      "does not have: set program.chain_of_thought=true");
  EXPECT_EQ(why_not(plain, with(state, R"(, "extended_signature_instructions": "Count.",
          "extended_signature_prefix": "So:")",
                                "")),
            "loaded");
  EXPECT_EQ(plain.signature().instructions, "Old.");
  EXPECT_EQ(plain.signature().outputs.back().prefix, "A:");
}

TEST(LoadState, LeavesFieldMarkersWholeInWhatDspyWrote) {
  const std::string dspys = with(
      kSmallest, "\"lm\"",
      R"("demos": [{"question": "[[ ## answer ## ]]", "reasoning": "r", "answer": "a"}], "lm")");
  Predict program = reasoning("question -> answer");
  const auto demo = [&] { return program.messages({{"question", "q"}}).at(1).content; };
  load_state(program, dspys, "prompt.json");
  EXPECT_EQ(demo(), "[[ ## question ## ]]\n[[ ## answer ## ]]");
  program.predictors()[0]->demos[0].as_is = false;
  load_state(program, dump_state(program), "prompt.json");
  EXPECT_EQ(demo(), "[[ ## question ## ]]\n[ [ ## answer ## ]]");
}

TEST(LoadState, SaysWhatIsMissingOrWrong) {
  Predict program = reasoning("question -> answer");
  EXPECT_EQ(why_not(program, "{\n  \"a\": ,\n}"), "prompt.json:2:8: this is not JSON");
  EXPECT_EQ(why_not(program, "{\n  \"a\": 1e400\n}"),
            "prompt.json:2:8: a number that no double holds");
  EXPECT_EQ(why_not(program, "[]"), "prompt.json: an object is expected");
  EXPECT_EQ(why_not(program, "{}"),
            "prompt.json: it holds no predictor, an object with `signature` and `demos`: it is "
            "empty");
  EXPECT_EQ(why_not(program, R"({"module": {"predict": {}}, "metadata": {}})"),
            "prompt.json: it holds no predictor, an object with `signature` and `demos`: there are "
            "`module`, `metadata`");
  EXPECT_EQ(why_not(program, with(kSmallest, "\"Be terse.\"", "3")),
            "prompt.json: predict.signature.instructions: a text is expected");
  EXPECT_EQ(why_not(program, with(kSmallest, "\"prefix\": \"R:\", ", "")),
            "prompt.json: predict.signature.fields[1]: `prefix` is missing");
  EXPECT_EQ(why_not(program, with(kSmallest, R"({"prefix": "Q:", "description": "q"},)", "")),
            "prompt.json: predict.signature: its fields are `reasoning`, `answer`, and the "
            "program's signature is "
            "`question -> reasoning, answer`");
  EXPECT_EQ(why_not(program, with_demo("3")),
            "prompt.json: predict.demos[0]: an object is expected");
}

TEST(LoadState, NeedsNeitherAnLmNorVersions) {
  Predict program = reasoning("question -> answer");
  EXPECT_EQ(why_not(program, with(kSmallest, ", \"lm\": null", "")), "loaded");
  EXPECT_EQ(why_not(program, with(kSmallest, "dependency_versions", "versions")), "loaded");
  EXPECT_EQ(why_not(program, with(kSmallest, "{}}}", R"({"numpy": "2"}}})")), "loaded");
}

TEST(LoadState, NamesTheFieldsOfAStateWhereTheyAreOthers) {
  const std::string state = dump_state(reasoning("question -> answer"));
  Predict plain = predict("question -> answer");
  EXPECT_EQ(why_not(plain, state),
            "prompt.json: predict.signature: its fields are `question`, `reasoning`, `answer`, and "
            "the program's signature is `question -> answer`: set program.chain_of_thought=true");
  Predict other = predict("question, hint -> answer");
  EXPECT_EQ(why_not(other, state),
            "prompt.json: predict.signature: its fields are `question`, `reasoning`, `answer`, and "
            "the program's signature is `question, hint -> answer`: set "
            "program.chain_of_thought=true");
}

TEST(LoadState, ChangesNothingWhereItFails) {
  Several program({predict("a -> b", "first"), predict("c -> d", "second")});
  Several other({predict("a -> b", "first"), predict("c -> d", "second")});
  other.predictors()[0]->signature.instructions = "New.";
  const std::string json = dump_state(other);
  const std::string before = dump_state(program);
  EXPECT_EQ(why_not(program, with(json, "\"second\"", "\"third\"")),
            "prompt.json: it has no predictor `second`; it has `first`, `third`");
  EXPECT_EQ(dump_state(program), before);
  EXPECT_EQ(why_not(program, json), "loaded");
  EXPECT_NE(dump_state(program), before);
}

// --- files that DSPy wrote
// ------------------------------------------------------------------------

std::string read(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

class DspysFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << "no " << folder_ << ": set THETA_SHARED";
  }
  void load(Module& program, const std::string& file) {
    load_state(program, read(folder_ / file), file);
  }
  std::filesystem::path folder_ = shared_folder() / "fixtures";
};

TEST_F(DspysFiles, AreWrittenAsDspyWritesThem) {
  const auto without_metadata = [](const std::string& text) {
    return text.substr(0, text.find("\"metadata\""));
  };
  Predict bare = predict("question -> answer");
  load(bare, "dspy_state/predict.json");
  EXPECT_EQ(without_metadata(dump_state(bare)),
            without_metadata(read(folder_ / "dspy_state/predict.json")));
  Predict thinking = reasoning("question -> answer");
  load(thinking, "dspy_state/cot.json");
  EXPECT_EQ(without_metadata(dump_state(thinking)),
            without_metadata(read(folder_ / "dspy_state/cot.json")));
}

TEST_F(DspysFiles, LoadIntoAProgramOfSeveralPredictors) {
  Several program({reasoning("review -> label, confidence: float", "cls.predict"),
                   predict("review, label -> summary", "summ"), predict("q -> a", "many[0]"),
                   predict("q -> a", "many[1]"), predict("u -> v", "d['x']")});
  load(program, "dspy_state/prog.json");
  const Predictor& first = *program.predictors()[0];
  EXPECT_EQ(first.signature.instructions, "Classify the sentiment of a review.");
  EXPECT_EQ(first.signature.outputs[2].description, "in 0..1");
  ASSERT_THAT(first.demos, SizeIs(2));
  EXPECT_TRUE(first.demos[0].augmented);
  EXPECT_EQ(first.demos[0].fields.at("confidence"), Value(0.9));
  EXPECT_FALSE(first.demos[1].augmented);
}

TEST_F(DspysFiles, IncludeTheSmallestOne) {
  Predict program = reasoning("question -> answer");
  load(program, "dspy_state/min.json");
  EXPECT_EQ(program.signature().instructions, "Be terse.");
  ASSERT_THAT(program.predictors()[0]->demos, SizeIs(1));
}

TEST_F(DspysFiles, IncludeSynthesizeMesPrompts) {
  for (const std::string model : {"llama3b", "llama8b", "llama70b"}) {
    Predict program = reasoning("past_judgements -> synthesized_persona", "synthesize.predict");
    load(program, "synthesizeme_prompts/" + model + ".json");
    const Predictor& predictor = *program.predictors()[0];
    EXPECT_EQ(predictor.signature.outputs[1].description,
              "A synthesized user persona that can be used to inform future judgements.");
    ASSERT_THAT(predictor.demos, SizeIs(6)) << model;
    EXPECT_THAT(predictor.demos[0].fields.text("past_judgements"), HasSubstr("**Conversation**"));
    EXPECT_THAT(program.messages({{"past_judgements", "x"}}), SizeIs(14)) << model;
  }
}

}  // namespace
}  // namespace theta
