#include "modules/predict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Signature& judge() {
  static const Signature signature =
      Signature::parse("text -> preference: Literal['First', 'Second']", "Judge.");
  return signature;
}

Format terse() { return {.adapter = "terse", .list_options = false}; }

Format scored(Calibration calibration = Calibration::kNone) {
  return {.adapter = "terse",
          .list_options = false,
          .answering = Answering::kScore,
          .calibration = calibration};
}

/// The error that `answer` is met with, or what it says for the last output.
std::string read(const Format& format, const Signature& signature, const std::string& answer) {
  ScriptedModel model([&](const Request&) { return say(answer); });
  const std::vector<Record> inputs = {{{"question", "q"}}};
  const auto prediction = Predict(signature, format).run(inputs, {model})[0];
  if (!prediction) return prediction.error().message;
  return prediction->fields.text(signature.outputs.back().name);
}

Record text(std::string value) { return {{"text", std::move(value)}}; }

/// A model that prefers the option at `index` by a nat.
ScriptedModel choosing(std::size_t index) {
  return ScriptedModel(
      [index](const Request& request) { return choose(request, request.options.at(index)); });
}

TEST(Predict, GeneratesABatchInOneWave) {
  ScriptedModel model([](const Request&) { return say(" First"); });
  const Predict predict(judge(), terse(), {.max_tokens = 9});
  const std::vector<Record> inputs = {text("a"), text("b")};
  const auto predictions = predict.run(inputs, {model});

  ASSERT_THAT(model.waves(), SizeIs(1));
  Request expected = user_request("Judge.\n\nText: b");
  expected.answer_prefix = "Preference:";
  expected.grammar = make_adapter(terse())->grammar(judge(), 1);
  expected.stop = {"\n"};
  expected.max_tokens = 9;
  ASSERT_THAT(model.waves()[0], SizeIs(2));
  EXPECT_EQ(model.waves()[0][1], expected);

  ASSERT_TRUE(predictions[1]);
  const Record outputs = {{"preference", "First"}};
  EXPECT_EQ(predictions[1]->fields, outputs);
  ASSERT_THAT(predictions[1]->trace, SizeIs(1));
  EXPECT_EQ(predictions[1]->trace[0].predictor, 0u);
  EXPECT_EQ(predictions[1]->trace[0].inputs, text("b"));
  EXPECT_EQ(predictions[1]->trace[0].outputs, outputs);
  EXPECT_THAT(predictions[1]->option_logprobs, IsEmpty());
}

TEST(Predict, OfATextIsAskedInDspysChatFormat) {
  const Predict predict("text -> preference", {}, {.max_tokens = 9});
  const Predict spelled_out(Signature::parse("text -> preference"), Format{.adapter = "chat"});
  EXPECT_EQ(predict.signature(), spelled_out.signature());
  EXPECT_EQ(predict.messages(text("a")), spelled_out.messages(text("a")));
}

TEST(Predict, OfATextSaysWhereThatCannotBeRead) {
  EXPECT_THAT(message_of<UserError>([] { Predict("text -> preference: Lateral"); }),
              testing::StartsWith("column 21: "));
}

TEST(ChainOfThought, IsPredictWithReasoningBeforeTheOutputs) {
  EXPECT_EQ(ChainOfThought("text -> preference").signature(),
            chain_of_thought(Signature::parse("text -> preference")));
}

TEST(Predict, AsksNothingForAnEmptyBatch) {
  ScriptedModel model([](const Request&) { return say(""); });
  EXPECT_THAT(Predict(judge(), terse()).run({}, {model}), IsEmpty());
  EXPECT_THAT(model.waves(), IsEmpty());
}

TEST(Predict, LeavesTheGrammarOutWhereItIsNotWanted) {
  ScriptedModel model([](const Request&) { return say(" First"); });
  const std::vector<Record> inputs = {text("a")};
  ASSERT_TRUE(Predict(judge(), terse(), {.grammar = false}).run(inputs, {model})[0]);
  EXPECT_EQ(model.waves()[0][0].grammar, "");
}

TEST(Predict, TracesTheInputsOfTheSignatureOnly) {
  ScriptedModel model([](const Request&) { return say(" First"); });
  const std::vector<Record> inputs = {{{"preference", "Second"}, {"text", "a"}, {"note", "n"}}};
  EXPECT_EQ(Predict(judge(), terse()).run(inputs, {model})[0]->trace[0].inputs, text("a"));
}

TEST(Predict, SeedsEveryRequestOfARolloutWhereItSamples) {
  ScriptedModel model([](const Request&) { return say(" First"); });
  const Predict predict(judge(), terse(), {.temperature = 0.5});
  const std::vector<Record> inputs = {text("a"), text("b")};
  std::ignore = predict.run(inputs, {.model = model, .rollout = 3});
  std::ignore = predict.run(inputs, {.model = model, .rollout = 3, .temperature = 0});
  const auto waves = model.waves();
  EXPECT_EQ(waves[0][1].temperature, 0.5);
  EXPECT_EQ(waves[0][1].seed, derive_seed(3, std::uint64_t{1}));
  EXPECT_EQ(waves[1][1].temperature, 0);
  EXPECT_EQ(waves[1][1].seed, 0u);
}

TEST(Predict, SamplesEveryInputWithTheSeedThatItIsGiven) {
  ScriptedModel model([](const Request&) { return say(" First"); });
  const Predict predict(judge(), terse(), {.temperature = 0.5});
  const std::vector<Record> inputs = {text("a"), text("b")};
  const std::vector<std::uint64_t> seeds = {8, 9};
  std::ignore = predict.run(inputs, {.model = model, .rollout = 3}, seeds);
  std::ignore = predict.run(inputs, {.model = model, .rollout = 3, .temperature = 0}, seeds);
  const auto waves = model.waves();
  EXPECT_EQ(waves[0][0].seed, 8u);
  EXPECT_EQ(waves[0][1].seed, 9u);
  EXPECT_EQ(waves[1][1].seed, 0u);
}

TEST(Predict, ShowsAnAnswerThatCannotBeParsed) {
  ScriptedModel model([](const Request&) {
    Response response = say(" Neither. " + std::string(400, 'x'));
    response.truncated = true;
    return response;
  });
  const std::vector<Record> inputs = {text("a")};
  const auto prediction = Predict(judge(), terse(), {.max_tokens = 7}).run(inputs, {model})[0];
  ASSERT_FALSE(prediction);
  EXPECT_EQ(prediction.error().fault, Fault::kPrompt);
  EXPECT_THAT(prediction.error().message,
              testing::MatchesRegex("preference: 'Neither. x+' is not one of Literal\\['First', "
                                    "'Second'\\] \\(cut after 7 tokens\\); the answer: "
                                    "Preference: Neither. x+\\.\\.\\."));
}

TEST(Predict, PassesAServicesFaultThrough) {
  ScriptedModel model([](const Request&) { return say(" First"); }, {.failing = {0}});
  const std::vector<Record> inputs = {text("a"), text("b")};
  const auto predictions = Predict(judge(), terse()).run(inputs, {model});
  ASSERT_FALSE(predictions[0]);
  EXPECT_EQ(predictions[0].error().fault, Fault::kService);
  EXPECT_EQ(predictions[0].error().message, "timed out");
  EXPECT_TRUE(predictions[1]);
}

TEST(Predict, AcceptsAnAnswerThatBeginsAnew) {
  ScriptedModel model([](const Request&) { return say("\nPreference: Second"); });
  const std::vector<Record> inputs = {text("a")};
  const auto prediction = Predict(judge(), terse()).run(inputs, {model})[0];
  ASSERT_TRUE(prediction) << prediction.error().message;
  EXPECT_EQ(prediction->fields.text("preference"), "Second");
}

TEST(Predict, TakesNoAnswerOutOfAnotherSection) {
  const auto one = Signature::parse("question -> answer");
  const auto two = chain_of_thought(one);
  const Format chat{.adapter = "chat"}, json{.adapter = "json"};
  for (const char* begin : {"", "\n\n"}) {
    SCOPED_TRACE(std::string(begin));
    const auto other = begin + std::string("[[ ## thoughts ## ]]\nWell.\n\n[[ ## completed ## ]]");
    EXPECT_THAT(read(chat, one, other), HasSubstr("answer: the answer has no section"));
    EXPECT_THAT(read(chat, two, other), HasSubstr("the answer has no section"));
    EXPECT_THAT(read(terse(), one, begin + std::string("Question: Well?")),
                HasSubstr("answer: the answer has no line `Answer:`"));
  }
  EXPECT_THAT(read(json, one, "{\"thoughts\": \"Well.\"}"), HasSubstr("no such member"));
  EXPECT_THAT(read(json, one, "[[ ## thoughts ## ]]\nWell."), HasSubstr("no JSON object"));
  EXPECT_THAT(read(chat, one, "[[ ## completed ## ]]"), HasSubstr("the answer has no section"));
  // The reasoning is missing.
  EXPECT_THAT(read(chat, two, "[[ ## answer ## ]]\n4"), HasSubstr("reasoning: the answer has no"));
  EXPECT_THAT(read(terse(), two, "Answer: 4"), HasSubstr("Reasoning:"));
}

TEST(Predict, AsksOnceMoreForWhatCannotBeReadAndShowsWhy) {
  int left = 2;  // answers that cannot be read
  ScriptedModel model([&](const Request& request) {
    if (request.messages.back().content.find("Text: b") == std::string::npos || left-- <= 0)
      return say(" 1");
    return say(" one");
  });
  const auto signature = Signature::parse("text -> n: int");
  const std::vector<Record> inputs = {{{"text", "a"}}, {{"text", "b"}}};
  const auto once = Predict(signature, terse()).run(inputs, {model});
  EXPECT_FALSE(once.at(1));
  left = 1;
  const auto again = Predict(signature, terse(), {.retry_unparsable = 1}).run(inputs, {model});
  ASSERT_TRUE(again.at(1));
  EXPECT_EQ(again[1]->fields.text("n"), "1");
  EXPECT_EQ(again[1]->usage.calls, 2);
  EXPECT_EQ(again[0]->usage.calls, 1);
  const auto wave = model.waves().back();
  ASSERT_EQ(wave.size(), 1U);
  ASSERT_EQ(wave[0].messages.size(), 3U);
  EXPECT_EQ(wave[0].messages[1].content, "N: one");
  EXPECT_EQ(wave[0].messages[2].content,
            "This answer cannot be read: n: 'one' is not a whole number. Answer once more, in "
            "exactly the form that was asked for.");
}

TEST(Predict, TakesTheAnswerBehindReasoningThatWasLeftEmpty) {
  const auto two = chain_of_thought(Signature::parse("question -> answer"));
  EXPECT_EQ(read(Format{}, two, "\n[[ ## answer ## ]]\n4"), "4");
}

TEST(Predict, TakesTheAnswerOutOfAnObject) {
  EXPECT_EQ(
      read(Format{}, Signature::parse("question -> answer"), "```json\n{\"answer\": \"4\"}\n```"),
      "4");
}

TEST(Predict, TakesNoAnswerOutOfNothing) {
  const auto one = Signature::parse("question -> answer");
  for (const Format& format : {Format{}, terse()}) {
    EXPECT_THAT(read(format, one, " \n"), HasSubstr("the answer is empty"));
  }
}

TEST(Predict, NamesAMissingInput) {
  ScriptedModel model([](const Request&) { return say(""); });
  const std::vector<Record> inputs = {{{"txt", "a"}}};
  try {
    std::ignore = Predict(judge(), terse()).run(inputs, {model});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("field 'text' is missing"));
  }
  EXPECT_THAT(model.waves(), IsEmpty());
}

TEST(PredictScore, AsksForTheOptionsInOneWave) {
  ScriptedModel model = choosing(1);
  const Predict predict(judge(), scored(), {.temperature = 1});
  const std::vector<Record> inputs = {text("a"), text("b")};
  const auto predictions = predict.run(inputs, {model});
  ASSERT_THAT(model.waves(), SizeIs(1));
  Request expected = user_request("Judge.\n\nText: a", {" First", " Second"});
  expected.answer_prefix = "Preference:";
  EXPECT_EQ(model.waves()[0][0], expected);
  EXPECT_EQ(predictions[0]->fields.text("preference"), "Second");
  EXPECT_THAT(predictions[0]->option_logprobs, ElementsAre(-1.1, -0.1));
}

TEST(PredictScore, GivesABooleanAsOne) {
  ScriptedModel model = choosing(0);
  const Predict predict(Signature::parse("text -> ok: bool"), scored());
  const std::vector<Record> inputs = {text("a")};
  EXPECT_EQ(predict.run(inputs, {model})[0]->fields.at("ok"), Value(true));
}

TEST(PredictScore, ScoresBehindTheReasoningThatItGeneratedFirst) {
  ScriptedModel model(
      [](const Request& request) -> Result<Response> {
        if (!request.options.empty()) return choose(request, " Second", 2);
        const std::string& prompt = request.messages[0].content;
        return say(" Because " + prompt.substr(prompt.size() - 1));
      },
      {.failing = {2}});
  const Predict predict(chain_of_thought(judge()), scored());
  const std::vector<Record> inputs = {text("a"), text("c"), text("d")};
  const auto predictions = predict.run(inputs, {model});
  const auto waves = model.waves();
  ASSERT_THAT(waves, SizeIs(2));
  ASSERT_THAT(waves[0], SizeIs(3));
  EXPECT_EQ(waves[0][0].answer_prefix, "Reasoning:");
  EXPECT_EQ(waves[0][0].grammar, make_adapter(terse())->grammar(predict.signature(), 1));
  EXPECT_THAT(waves[0][0].stop, ElementsAre("\nPreference:"));
  ASSERT_THAT(waves[1], SizeIs(2));  // what failed is not scored
  EXPECT_EQ(waves[1][1].messages, waves[0][1].messages);
  EXPECT_EQ(waves[1][1].answer_prefix, "Reasoning: Because c\nPreference:");
  EXPECT_THAT(waves[1][1].options, ElementsAre(" First", " Second"));
  EXPECT_EQ(predictions[1]->fields, (Record{{"reasoning", "Because c"}, {"preference", "Second"}}));
  EXPECT_THAT(predictions[1]->option_logprobs, ElementsAre(-2.1, -0.1));
  ASSERT_FALSE(predictions[2]);
  EXPECT_EQ(predictions[2].error().message, "timed out");
}

/// Scores `First` and `Second`: (-1, -3) for a content-free input, else (-2, -3).
Result<Response> biased(const Request& request) {
  Response response;
  const bool empty = request.messages.back().content.ends_with("Text: N/A");
  response.option_logprobs = {empty ? -1.0 : -2.0, -3.0};
  return response;
}

TEST(PredictScore, CalibratesByAContentFreeInput) {
  ScriptedModel model(biased);
  const Predict predict(judge(), scored(Calibration::kContentFree));
  const std::vector<Record> inputs = {text("a")};
  const auto prediction = predict.run(inputs, {model})[0];
  ASSERT_THAT(model.waves(), SizeIs(1));
  ASSERT_THAT(model.waves()[0], SizeIs(2));
  EXPECT_EQ(model.waves()[0][1].messages[0].content, "Judge.\n\nText: N/A");
  // The model prefers First by 1 nat, but by 2 without content.
  EXPECT_EQ(prediction->fields.text("preference"), "Second");
  const auto log_sigmoid = [](double x) { return -std::log1p(std::exp(-x)); };
  EXPECT_THAT(prediction->option_logprobs,
              ElementsAre(testing::DoubleNear(log_sigmoid(1) - log_sigmoid(2), 1e-12),
                          testing::DoubleNear(log_sigmoid(-1) - log_sigmoid(-2), 1e-12)));
}

TEST(PredictScore, CalibratesReasoningToo) {
  ScriptedModel model([](const Request& request) {
    return request.options.empty() ? Result<Response>(say(" so")) : biased(request);
  });
  const Predict predict(chain_of_thought(judge()), scored(Calibration::kContentFree));
  const std::vector<Record> inputs = {text("a"), text("b")};
  EXPECT_EQ(predict.run(inputs, {model})[1]->fields.text("preference"), "Second");
  EXPECT_THAT(model.waves(), ElementsAre(SizeIs(3), SizeIs(3)));
}

/// `wanted` named of those that a request lists, as servers without log-probabilities do.
Response name(const Request& request, const std::string& wanted) {
  Response response;
  response.text = wanted;
  response.named = true;
  response.note = "named, asked in words";
  for (const auto& option : request.options)
    response.option_logprobs.push_back(option == wanted ? 0 : kUnnamedLogprob);
  return response;
}

TEST(PredictScore, TellsWhichAnswersWereNamed) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    return request.messages[0].content.ends_with("a") ? name(request, " Second")
                                                      : choose(request, " First");
  });
  const Predict predict(judge(), scored());
  const std::vector<Record> inputs = {text("a"), text("b")};
  const auto predictions = predict.run(inputs, {model});
  EXPECT_TRUE(predictions[0]->named);
  EXPECT_EQ(predictions[0]->note, "named, asked in words");
  EXPECT_FALSE(predictions[1]->named);
}

TEST(PredictScore, DoesNotCalibrateWhatWasNamed) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    return request.messages[0].content.ends_with("named") ? name(request, " First")
                                                          : biased(request);
  });
  const Predict predict(judge(), scored(Calibration::kContentFree));
  const std::vector<Record> inputs = {text("named"), text("a")};
  const auto predictions = predict.run(inputs, {model});
  EXPECT_EQ(predictions[0]->fields.text("preference"), "First");
  EXPECT_THAT(predictions[0]->option_logprobs, ElementsAre(0, kUnnamedLogprob));
  EXPECT_EQ(predictions[1]->fields.text("preference"), "Second");  // calibrated
}

TEST(PredictScore, CalibratesByNothingThatWasNamedAndSaysSo) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    return request.messages[0].content.ends_with("N/A") ? name(request, " First") : biased(request);
  });
  const Predict predict(judge(), scored(Calibration::kContentFree));
  const std::vector<Record> inputs = {text("a")};
  const auto predictions = predict.run(inputs, {model});
  EXPECT_THAT(predictions[0]->option_logprobs, ElementsAre(-2, -3));
  EXPECT_EQ(predictions[0]->note, kNotCalibrated);
}

TEST(Predict, CountsTheTokensOfWhatCannotBeParsed) {
  ScriptedModel model([](const Request&) { return say(" what is this"); });
  const Predict predict(judge(), terse());
  const std::vector<Record> inputs = {text("a")};
  const auto predictions = predict.run(inputs, {model});
  ASSERT_FALSE(predictions[0]);
  EXPECT_EQ(predictions[0].error().generated_tokens, 3);
  EXPECT_GT(predictions[0].error().prompt_tokens, 0);
}

TEST(PredictScore, FailsWhereTheContentFreeInputFails) {
  ScriptedModel model(biased, {.failing = {2}});
  const Predict predict(judge(), scored(Calibration::kContentFree));
  const std::vector<Record> inputs = {text("a"), text("b")};
  for (const auto& prediction : predict.run(inputs, {model})) {
    ASSERT_FALSE(prediction);
    EXPECT_EQ(prediction.error().fault, Fault::kService);
    EXPECT_EQ(prediction.error().message, "calibrating: timed out");
  }
}

TEST(Predict, RefusesToScoreOrCalibrateWithoutOptions) {
  const auto message = [](const Signature& signature, Format format) {
    try {
      const Predict predict(signature, std::move(format));
      return std::string("built");
    } catch (const UserError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(message(Signature::parse("text -> words: list[str]"), {.answering = Answering::kScore}),
            "the output `words: list[str]` has no options to score; make it a Literal or a bool, "
            "or let it be generated");
  EXPECT_EQ(message(judge(), {.calibration = Calibration::kContentFree}),
            "only scored outputs can be calibrated: set the answering to score");
}

TEST(Predict, ShowsItsDemosAndItsCloneKeepsThem) {
  Predict predict(judge(), terse());
  predict.predictors()[0]->demos = {{{{"text", "t"}, {"preference", "First"}}}};
  const auto clone = predict.clone();
  predict.predictors()[0]->demos.clear();
  EXPECT_EQ(predict.messages(text("a"))[0].content, "Judge.\n\nText: a");
  EXPECT_EQ(dynamic_cast<Predict&>(*clone).messages(text("a"))[0].content,
            "Judge.\n\nText: t\nPreference: First\n\nText: a");
}

TEST(PredictCalibration, OnInputsSubtractsTheirMeanScore) {
  // Says `bad` of everything, and of praise a little less.
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const bool praise = request.messages.back().content.find("great") != std::string::npos;
    Response response;
    response.text = request.options[1];
    response.option_logprobs = {praise ? -1.5 : -3.0, 0.0};
    return response;
  });
  Predict predict(Signature::parse("review -> verdict: Literal['good', 'bad']"),
                  {.adapter = "terse", .answering = Answering::kScore});
  const std::vector<Record> inputs = {{{"review", "great"}}, {{"review", "broken"}}};
  EXPECT_EQ(predict.run(inputs, {.model = model})[0]->fields.text("verdict"), "bad");
  predict.predictors()[0]->format->calibration = Calibration::kTrain;
  predict.predictors()[0]->format->calibrated_on = inputs;
  const auto predictions = predict.run(inputs, {.model = model});
  ASSERT_EQ(predictions.size(), 2u);
  EXPECT_EQ(predictions[0]->fields.text("verdict"), "good");
  EXPECT_EQ(predictions[1]->fields.text("verdict"), "bad");
  EXPECT_EQ(model.waves().back().size(), 4u);  // both inputs, and both again to calibrate on
}

}  // namespace
}  // namespace theta
