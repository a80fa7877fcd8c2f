#include "modules/nearest_demos.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modules/predict.hpp"
#include "modules/program_state.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Signature kSignature = Signature::parse("text -> topic");

Demo demo(std::string text, std::string topic) {
  return {{{"text", std::move(text)}, {"topic", std::move(topic)}}};
}
const std::vector<Demo> kPool{demo("my card was stolen", "card"), demo("send money home", "money"),
                              demo("the card is blocked", "card"), demo("a fine day", "weather")};

TEST(NearestDemos, ArePickedByEveryInputTheMostAlikeLast) {
  const NearestDemos nearest(kPool, kSignature, 2);
  const std::vector<Record> inputs{{{"text", "is a blocked card stolen"}}, {{"text", "money"}}};
  const auto picked = nearest.pick(kSignature, inputs);
  ASSERT_EQ(picked.size(), 2U);
  ASSERT_EQ(picked[0].size(), 2U);
  EXPECT_EQ(picked[0][0].fields.text("topic"), "card");
  EXPECT_EQ(picked[0][1].fields.text("topic"), "card");
  EXPECT_EQ(picked[1][1].fields.text("topic"), "money");
}

TEST(NearestDemos, PassOverTheInputItself) {
  const NearestDemos nearest(kPool, kSignature, 4);
  const std::vector<Record> inputs{{{"text", "send money home"}}};
  const auto picked = nearest.pick(kSignature, inputs);
  ASSERT_EQ(picked[0].size(), 3U);
  for (const Demo& one : picked[0]) EXPECT_NE(one.fields.text("text"), "send money home");
}

TEST(NearestDemos, ShowInThePromptOfTheInputThatPickedThem) {
  Predict predict(kSignature, {.adapter = "terse"});
  predict.predictors().front()->demos = {demo("always", "there")};
  predict.predictors().front()->nearest.emplace(kPool, kSignature, 1);
  ScriptedModel model([](const Request&) { return say(" card"); });
  const std::vector<Record> inputs{{{"text", "a blocked card"}}, {{"text", "more money"}}};
  predict.run(inputs, {.model = model});
  const auto waves = model.waves();
  ASSERT_EQ(waves.size(), 1U);
  const auto& wave = waves[0];
  EXPECT_THAT(wave[0].messages.back().content, HasSubstr("the card is blocked"));
  EXPECT_THAT(wave[0].messages.back().content, Not(HasSubstr("send money home")));
  EXPECT_THAT(wave[1].messages.back().content, HasSubstr("send money home"));
  for (const Request& request : wave)
    EXPECT_THAT(request.messages.back().content, HasSubstr("always"));
}

TEST(NearestDemos, AreKeptInTheStateOfAProgram) {
  Predict saved(kSignature);
  saved.predictors().front()->nearest.emplace(kPool, kSignature, 2);
  Predict loaded(kSignature);
  load_state(loaded, dump_state(saved), "prompt.json");
  EXPECT_EQ(loaded.predictors().front()->nearest, saved.predictors().front()->nearest);
  // A state without them takes them away.
  load_state(loaded, dump_state(Predict(kSignature)), "prompt.json");
  EXPECT_FALSE(loaded.predictors().front()->nearest);
}

TEST(NearestDemos, NeedTheInputsByWhichTheyArePicked) {
  Predict loaded(kSignature);
  EXPECT_THAT(message_of<UserError>([&] {
                load_state(loaded,
                           R"({"demos": [], "signature": {"instructions": "", "fields": []},
                               "nearest": {"k": 1, "demos": [{"topic": "card"}]}})",
                           "prompt.json");
              }),
              HasSubstr("prompt.json: "));
}

TEST(NearestDemos, ReadSeveralInputsAsOneText) {
  const Signature pair = Signature::parse("premise, hypothesis -> verdict");
  EXPECT_EQ(input_text(pair, {{"premise", "a"}, {"hypothesis", "b"}}), "premise: a; hypothesis: b");
  EXPECT_EQ(input_text(kSignature, {{"text", "a"}}), "a");
}

}  // namespace
}  // namespace theta
