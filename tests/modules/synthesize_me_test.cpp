#include "modules/synthesize_me.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "modules/demo_choice.hpp"
#include "modules/evaluate.hpp"
#include "modules/self_test.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A reader of complaints: every chosen text is a complaint about thing k, every other praises it.
User critic(const std::string& id) {
  User user;
  user.id = id;
  for (int k = 0; k < 4; ++k) {
    const std::string thing = id + " thing " + std::to_string(k);
    const PreferencePair pair{.id = thing,
                              .context = "",
                              .chosen = "Bad " + thing,
                              .rejected = "Good " + thing,
                              .flip = k % 2 == 0};
    (k < 2 ? user.context : user.test).push_back(pair);
  }
  return user;
}

User fan(const std::string& id) {
  User user = critic(id);
  for (auto* pairs : {&user.context, &user.test})
    for (PreferencePair& pair : *pairs) std::swap(pair.chosen, pair.rejected);
  return user;
}

bool asks_for_a_persona(const Request& request) {
  return request.messages.back().content.find("Past Judgements:") != std::string::npos;
}

/// Writes about tone only where the instruction asks for it; judges by the persona, and loves
/// praise without one.
Result<Response> answer(const Request& request) {
  const std::string& text = request.messages.back().content;
  if (asks_for_a_persona(request))
    return say(text.find("tone") != std::string::npos ? "Likes complaints" : "Likes things");
  const bool bad_first = text.rfind("First: Bad") != std::string::npos;
  const bool wants_bad = text.find("Likes complaints") != std::string::npos;
  Response response;
  response.text = request.options[0];
  response.option_logprobs = {bad_first == wants_bad ? 1.0 : -1.0, 0.0};
  return response;
}

JudgeOptions judge_options() {
  JudgeOptions options;
  options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
  return options;
}

class Synthesis : public ::testing::Test {
 protected:
  /// About the users a to d, all critics, and `fan`.
  SynthesizeMe module(SynthesizeMeOptions options = {.writing = {.samples = 2}},
                      const JudgeOptions& judge = judge_options(),
                      Signature theta = persona_signature()) const {
    return {Predict(std::move(theta), Format{.adapter = "terse"}),
            Judge(judge, make_terse_adapter()), std::move(options), people_by_id(users_)};
  }
  static Signature about_tone() {
    return persona_signature().with_instructions("Describe the tone.");
  }
  Result<FoundPersona> found(const SynthesizeMe& module, const User& user,
                             LanguageModel& writer) const {
    SynthesizeMe asked = module;
    asked.set_judge_model(model_);
    const std::vector<const User*> users = {&user};
    return asked.personas(users, {.model = writer}).at(0);
  }
  Result<FoundPersona> found(const SynthesizeMe& module, const User& user) const {
    return found(module, user, model_);
  }
  /// The held-out pairs of users.
  std::vector<Example> examples(const SynthesizeMe& module, std::size_t users) const {
    std::vector<Example> out;
    for (std::size_t u = 0; u < users; ++u)
      for (const PreferencePair& pair : users_[u].test)
        out.push_back(module.example(users_[u], pair));
    return out;
  }
  static Evaluation scored(const SynthesizeMe& module, const std::vector<Example>& examples,
                           LanguageModel& model) {
    return evaluate(module, examples, make_agreement(module.answer()), {.model = model});
  }

  const std::vector<User> users_ = {critic("a"), critic("b"), critic("c"), critic("d"), fan("fan")};
  mutable ScriptedModel model_{answer};
};

TEST_F(Synthesis, KeepsThePersonaThatExplainsThePersonBest) {
  const FoundPersona out = *found(module({.pool = {"Likes complaints"}}), users_[0]);
  EXPECT_EQ(out.persona, "Likes complaints");
  EXPECT_EQ(out.contrast, 1);
  EXPECT_NEAR(out.fit, -std::log1p(std::exp(-2.0)), 1e-12);  // +1 with, -1 without the persona
  EXPECT_TRUE(out.outputs.empty());                          // Θ did not write it
  EXPECT_THAT(out.samples, Each("Likes things"));
}

TEST_F(Synthesis, SharesThePersonasThatExplainPeopleBest) {
  const SynthesizeMe module = this->module();
  const std::vector<const User*> users = {&users_[0], &users_[4]};  // a critic and a fan of praise
  const Call call{.model = model_};
  auto found = module.personas(users, call);
  const std::vector<std::string> personas = {"Likes things", "Likes complaints", "Likes praise"};
  EXPECT_THAT(module.share(personas, 2, users, found, call),
              ElementsAre("Likes complaints"));  // the judge without a persona knows the fan
  EXPECT_EQ(found[0]->persona, "Likes complaints");
  EXPECT_NEAR(found[0]->fit, -std::log1p(std::exp(-2.0)), 1e-12);
  EXPECT_THAT(found[0]->outputs, IsEmpty());  // Θ did not write it for this person
  EXPECT_EQ(found[1]->persona, "");
  EXPECT_NEAR(found[1]->fit, -std::log1p(std::exp(-1.0)), 1e-12);
}

TEST_F(Synthesis, SharesNothingWhereNoneIsWanted) {
  const SynthesizeMe module = this->module();
  const std::vector<const User*> users = {&users_[0]};
  auto found = module.personas(users, {.model = model_});
  const std::string before = found[0]->persona;
  const std::size_t calls = model_.calls();
  const std::vector<std::string> personas = {"Likes complaints"};
  EXPECT_THAT(module.share(personas, 0, users, found, {.model = model_}), IsEmpty());
  EXPECT_EQ(found[0]->persona, before);
  EXPECT_EQ(model_.calls(), calls);
}

TEST_F(Synthesis, AsksForAPersonOnceAPromptWhereAnswersHangOnTheirWave) {
  ScriptedModel model(answer, {.unit = 16});
  const SynthesizeMe module = this->module({.verify = false});
  const auto one = scored(module, examples(module, 2), model);
  const std::size_t calls = model.calls();
  const SynthesizeMe copy = module;
  const auto again = scored(copy, examples(module, 2), model);
  EXPECT_EQ(model.calls() - calls, calls - 2);  // the judgements alone
  EXPECT_EQ(one.scores, again.scores);
  SynthesizeMe other = this->module({.verify = false}, judge_options(), about_tone());
  const auto anew = scored(with_predictors(module, other), examples(module, 2), model);
  EXPECT_NE(one.scores, anew.scores);
}

TEST_F(Synthesis, KeepsNoPersonaWhereTheJudgeExplainsThePersonBetterWithoutOne) {
  const FoundPersona out = *found(
      module({.writing = {.samples = 2, .max_words = 1}, .pool = {"Likes complaints"}}), users_[4]);
  EXPECT_EQ(out.persona, "");
  EXPECT_EQ(out.unwritten, "a persona of more than 1 words: Likes things");
  EXPECT_NEAR(out.fit, -std::log1p(std::exp(-1.0)), 1e-12);
}

TEST_F(Synthesis, DropsPersonasThatQuoteThePersonsOwnPairs) {
  int asked = 0;
  ScriptedModel writer([&](const Request&) -> Result<Response> {
    return say(++asked == 1 ? "Said: Bad a thing 0" : "Likes complaints");
  });
  PersonaTally tally;
  SynthesizeMe module = this->module({.writing = {.samples = 2}, .max_copied = 9});
  module.set_tally(tally);
  EXPECT_EQ(found(module, users_[0], writer)->persona, "Likes complaints");
  EXPECT_EQ(tally.counts().written, 2);
  EXPECT_EQ(tally.counts().copied, 1);
  EXPECT_EQ(tally.counts().longest_copy, 13);  // `Bad a thing 0`
  for (const auto& wave : model_.waves())
    for (const Request& request : wave)
      EXPECT_THAT(request.messages.back().content, Not(HasSubstr("Said:")));
}

TEST_F(Synthesis, KeepsThePersonaThatQuotesLeastWhereAllQuote) {
  int asked = 0;
  ScriptedModel writer([&](const Request&) -> Result<Response> {
    return say(++asked == 1 ? "Likes complaints: Bad a thing 0" : "Said: Bad a thing");
  });
  PersonaTally tally;
  SynthesizeMe module = this->module({.writing = {.samples = 2}, .max_copied = 9});
  module.set_tally(tally);
  EXPECT_EQ(found(module, users_[0], writer)->persona, "Said: Bad a thing");
  EXPECT_EQ(tally.counts().copied, 1);
  EXPECT_EQ(tally.counts().kept_copies, 1);
}

TEST_F(Synthesis, WritesOnePersonaGreedilyWhereNoneIsVerified) {
  const FoundPersona out =
      *found(module({.writing = {.samples = 2}, .verify = false, .pool = {"Likes complaints"}}),
             users_[0]);
  EXPECT_EQ(out.persona, "Likes things");
  EXPECT_EQ(out.contrast, 1);
  ASSERT_EQ(model_.calls(), 1u);  // nothing is judged
  EXPECT_EQ(model_.waves()[0][0].temperature, 0);
}

TEST_F(Synthesis, TellsWhyThetaWroteNoPersona) {
  ScriptedModel writer([](const Request&) -> Result<Response> {
    return Error{.fault = Fault::kRefused, .message = "filtered"};
  });
  const auto one = found(module({.verify = false}), users_[0], writer);
  EXPECT_EQ(one->persona, "");
  EXPECT_EQ(one->unwritten, "filtered");
  PersonaTally tally;
  SynthesizeMe module = this->module({.writing = {.samples = 2}, .pool = {"Likes complaints"}});
  module.set_tally(tally);
  const auto other = found(module, users_[0], writer);
  EXPECT_EQ(other->persona, "Likes complaints");
  EXPECT_EQ(other->unwritten, "filtered");
  EXPECT_EQ(tally.counts().asked, 2);
  EXPECT_EQ(tally.counts().refused, 2);
  EXPECT_EQ(tally.counts().written, 0);
}

TEST_F(Synthesis, FindsNoPersonaInAnOutage) {
  ScriptedModel down([](const Request&) -> Result<Response> {
    return Error{.fault = Fault::kService, .message = "down"};
  });
  EXPECT_EQ(found(module(), users_[0], down).error().message, "down");
  EXPECT_EQ(found(module({.verify = false}), users_[0], down).error().message, "down");
  SynthesizeMe judged = module();
  judged.set_judge_model(down);
  const std::vector<const User*> users = {&users_[0]};
  EXPECT_EQ(judged.personas(users, {.model = model_}).at(0).error().message, "down");
}

TEST_F(Synthesis, KeepsTheReasoningThatVerifiedAPersona) {
  JudgeOptions options = judge_options();
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (asks_for_a_persona(request)) return say("Likes complaints");
    return say("Reasoning: it complains\nPreference: First");
  });
  SynthesizeMe module = this->module({.writing = {.samples = 1}, .contrasts = {0}}, options);
  const std::vector<const User*> users = {&users_[0]};
  const auto out = module.personas(users, {.model = model}).at(0);
  ASSERT_TRUE(out);
  EXPECT_THAT(out->reasoning, ElementsAre("it complains", ""));  // right about the first alone
}

TEST_F(Synthesis, PredictsAPersonsChoiceAndItsProbability) {
  const SynthesizeMe module =
      this->module({.writing = {.samples = 2}}, judge_options(), about_tone());
  const Example example = module.example(users_[0], users_[0].test[1]);
  EXPECT_EQ(example.id, "a thing 3");
  EXPECT_EQ(example.group, "a");
  EXPECT_EQ(example.fields.text("user"), "a");
  EXPECT_EQ(example.fields.text("first"), "Good a thing 3");
  EXPECT_EQ(example.fields.text("preference"), "Second");
  const auto out = module.run(std::vector<Record>{example.fields}, {.model = model_}).at(0);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->fields.text("synthesized_persona"), "Likes complaints");
  EXPECT_EQ(out->fields.text("preference"), "Second");
  const double p = 1 / (1 + std::exp(-2.0));  // +1 with, -1 without the persona
  EXPECT_NEAR(std::get<double>(out->fields.at("probability")), p, 1e-12);
  EXPECT_NEAR(out->option_logprobs.at(0), std::log(1 - p), 1e-12);
  EXPECT_NEAR(out->option_logprobs.at(1), std::log(p), 1e-12);
}

TEST_F(Synthesis, AsksInWavesForAllPeopleAndEachPersonaOnce) {
  for (const bool both : {false, true}) {
    ScriptedModel model(answer);
    JudgeOptions options = judge_options();
    options.both_orders = both;
    const SynthesizeMe module = this->module({.writing = {.samples = 3}}, options);
    const Evaluation out = scored(module, examples(module, 4), model);
    EXPECT_EQ(out.n_failed, 0u);
    ASSERT_EQ(model.waves().size(), 3u);         // write, verify, judge
    EXPECT_EQ(model.waves()[0].size(), 4u * 3);  // samples
    const std::size_t orders = both ? 2 : 1;
    // Of every pair: with the persona, without, and what contrast takes away.
    EXPECT_EQ(model.waves()[1].size(), 4u * 2 * 3 * orders);
    EXPECT_EQ(model.waves()[2].size(), 8u * 2 * orders);
  }
}

TEST_F(Synthesis, AsksForHistoriesInOneWaveToo) {
  JudgeOptions options = judge_options();
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (asks_for_a_persona(request)) return say("Likes complaints");
    return say("Reasoning: it complains\nPreference: First");
  });
  const SynthesizeMe module =
      this->module({.writing = {.samples = 1, .style = HistoryStyle::kPublished, .reasoning = true},
                    .verify = false,
                    .contrasts = {0}},
                   options);
  (void)scored(module, examples(module, 3), model);
  std::vector<std::size_t> sizes;
  for (const auto& wave : model.waves()) sizes.push_back(wave.size());
  EXPECT_THAT(sizes, ElementsAre(6, 3, 6));  // 3 people's 2 pairs, 3 personas, 3 people's 2 pairs
}

TEST_F(Synthesis, GivesAPersonTheSamePersonaInEveryBatch) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (asks_for_a_persona(request)) return say("Likes " + std::to_string(request.seed));
    return answer(request);
  });
  const SynthesizeMe module = this->module({.writing = {.samples = 1, .seed = 3}, .verify = false});
  const auto all = examples(module, 4);
  const auto persona = [&](const std::vector<Example>& batch) {
    return scored(module, batch, model).predictions.back()->fields.text("synthesized_persona");
  };
  EXPECT_EQ(persona(all), persona({all.back()}));
}

TEST_F(Synthesis, ScoresThePeopleWhosePersonasPredictThem) {
  const SynthesizeMe topic = module(),
                     tone = module({.writing = {.samples = 2}}, judge_options(), about_tone());
  // A persona that says nothing, and all of the judge's love of praise taken away.
  EXPECT_EQ(scored(topic, examples(topic, 4), model_).mean(), 0.5);
  EXPECT_EQ(scored(tone, examples(tone, 4), model_).mean(), 1);
}

TEST_F(Synthesis, ScoresAHalfWhereTheTextsAreAlikeToTheJudge) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (asks_for_a_persona(request)) return say("Likes things");
    Response response;
    response.option_logprobs = {0, 0};
    return response;
  });
  const SynthesizeMe module = this->module();
  EXPECT_EQ(scored(module, examples(module, 2), model).mean(), 0.5);
}

TEST_F(Synthesis, LeavesOutAloneWhatAnOutageTook) {
  // Of user b, one held-out pair is never judged, and for user c no persona is written.
  ScriptedModel model([](const Request& request) -> Result<Response> {
    const std::string& text = request.messages.back().content;
    if (text.find("b thing 3") != std::string::npos ||
        (asks_for_a_persona(request) && text.find("c thing") != std::string::npos))
      return Error{.fault = Fault::kService, .message = "timeout"};
    return answer(request);
  });
  const SynthesizeMe module =
      this->module({.writing = {.samples = 2}}, judge_options(), about_tone());
  const Evaluation out = scored(module, examples(module, 4), model);
  EXPECT_EQ(out.mean(), 1);
  EXPECT_EQ(out.n_failed, 3u);
  EXPECT_EQ(out.status[3], Outcome::Status::kFailed);
  EXPECT_EQ(out.predictions[4].error().message, "timeout");
}

TEST_F(Synthesis, ScoresWhatIsRefusedAsWrong) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (request.messages.back().content.find("b thing 3") != std::string::npos)
      return Error{.fault = Fault::kRefused, .message = "filtered"};
    return answer(request);
  });
  const SynthesizeMe module =
      this->module({.writing = {.samples = 2}}, judge_options(), about_tone());
  const Evaluation out = scored(module, examples(module, 2), model);
  EXPECT_EQ(out.n_refused, 1u);
  EXPECT_EQ(out.mean(), 0.75);
}

TEST_F(Synthesis, ScoresNamedChoicesAndCountsThem) {
  ScriptedModel model([](const Request& request) -> Result<Response> {
    auto out = answer(request);
    if (request.options.empty()) return out;
    const bool first = out->option_logprobs[0] > 0;
    out->option_logprobs = {first ? 0.0 : kUnnamedLogprob, first ? kUnnamedLogprob : 0.0};
    out->named = true;
    return out;
  });
  PersonaTally tally;
  SynthesizeMe module = this->module({.writing = {.samples = 2}}, judge_options(), about_tone());
  module.set_tally(tally);
  const Evaluation out = scored(module, examples(module, 2), model);
  EXPECT_EQ(out.mean(), 1);
  const Prediction& one = *out.predictions[0];
  EXPECT_NEAR(std::get<double>(one.fields.at("probability")), 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_TRUE(one.named);
  EXPECT_EQ(one.note, "options were named, not scored");
  EXPECT_EQ(tally.counts().judged, 2 * 2 * 2 + 4);  // to verify, and to score
  EXPECT_EQ(tally.counts().named, tally.counts().judged);
}

TEST_F(Synthesis, TracesThetaWhereItWroteThePersonaThatWasKept) {
  const SynthesizeMe tone = module({.writing = {.samples = 2}}, judge_options(), about_tone());
  const Evaluation out = scored(tone, examples(tone, 1), model_);
  ASSERT_THAT(out.predictions[0]->trace, SizeIs(1));
  const Step& step = out.predictions[0]->trace[0];
  EXPECT_EQ(step.predictor, 0u);
  EXPECT_THAT(step.inputs.text("past_judgements"), HasSubstr("Chosen: Bad a thing 0"));
  EXPECT_EQ(step.outputs.text("synthesized_persona"), "Likes complaints");
  const SynthesizeMe pooled = module({.pool = {"Likes complaints"}});
  EXPECT_THAT(scored(pooled, examples(pooled, 1), model_).predictions[0]->trace, IsEmpty());
}

TEST_F(Synthesis, TracesTheJudgeWhereItIsTuned) {
  const SynthesizeMe both =
      module({.writing = {.samples = 2}, .tune_judge = true}, judge_options(), about_tone());
  const auto names = [](const Module& module) {
    std::vector<std::string> out;
    for (const Predictor* predictor : module.predictors()) out.push_back(predictor->name);
    return out;
  };
  EXPECT_THAT(names(both), ElementsAre("theta", "judge"));
  EXPECT_THAT(names(module()), ElementsAre("theta"));
  const Evaluation out = scored(both, examples(both, 1), model_);
  ASSERT_THAT(out.predictions[0]->trace, SizeIs(2));
  const Step& step = out.predictions[0]->trace[1];
  EXPECT_EQ(step.predictor, 1u);
  EXPECT_EQ(step.inputs.text("persona"), "Likes complaints");
  EXPECT_EQ(step.outputs.text("preference"), "First");
}

TEST_F(Synthesis, ShowsTheJudgeItsDemosAndThePersonsOwn) {
  SynthesizeMe module =
      this->module({.writing = {.samples = 1}, .verify = false, .demos = 1, .tune_judge = true});
  module.predictors()[1]->demos = {
      {{{"first", "x"}, {"second", "y"}, {"preference", "Second"}}, false}};
  (void)scored(module, {examples(module, 1)[0]}, model_);
  // The judge that contrast takes away is shown none of them.
  const auto judged = model_.waves().at(1);
  ASSERT_THAT(judged, SizeIs(2));
  EXPECT_THAT(judged[0].messages.back().content, Not(HasSubstr("a thing 0")));
  EXPECT_THAT(judged[0].messages.back().content, Not(HasSubstr("First: x")));
  const std::string& text = judged[1].messages.back().content;
  EXPECT_LT(text.find("First: x"), text.find("First: Bad a thing 0"));
  EXPECT_LT(text.find("First: Bad a thing 0"), text.find("First: Bad a thing 2"));
}

TEST_F(Synthesis, GivesTrainingExamplesThePersonaThatWasFound) {
  const SynthesizeMe module = this->module();
  const FoundPersona found{.persona = "Likes complaints", .history = "Chosen: Bad"};
  const Example example = module.example(users_[0], users_[0].test[0], &found);
  EXPECT_EQ(example.fields.text("past_judgements"), "Chosen: Bad");
  EXPECT_EQ(example.fields.text("synthesized_persona"), "Likes complaints");
  EXPECT_EQ(example.fields.text("persona"), "Likes complaints");
}

TEST_F(Synthesis, RefusesFieldsOfOneNameAndPeopleItDoesNotKnow) {
  EXPECT_EQ(message_of<UserError>(
                [&] { (void)module({}, judge_options(), Signature::parse("first -> persona")); }),
            "a field of Θ or the judge is named `first`, as another is, of theirs or of "
            "SynthesizeMe's (user, probability): give it a name of its own in the signature");
  EXPECT_EQ(message_of<UserError>([&] {
              const std::vector<Record> input = {{{"user", "x"}, {"first", ""}, {"second", ""}}};
              (void)module().run(input, {.model = model_});
            }),
            "nobody is known as `x`: SynthesizeMe is asked about the people that it was given");
  EXPECT_EQ(message_of<UserError>([&] {
              (void)people_by_id(std::vector<User>{critic("a"), critic("a")});
            }),
            "two people have the id `a`");
  EXPECT_EQ(
      message_of<UserError>([&] { (void)module({.tune_theta = false, .tune_judge = false}); }),
      "there is nothing to tune where both Θ and the judge are frozen");
}

TEST_F(Synthesis, TakesOverPredictors) {
  const SynthesizeMe tuned = module({}, judge_options(), about_tone());
  EXPECT_EQ(with_predictors(module(), tuned).theta().signature(), about_tone());
}

/// Judges by the first demo: complaints are chosen where one was chosen in it; else, praise.
Result<Response> learns_from_demos(const Request& request) {
  if (asks_for_a_persona(request)) return say("Likes things");
  const std::string& text = request.messages.back().content;
  const auto shows = [&](const char* what, std::size_t at) {
    return at != std::string::npos && text.substr(at).starts_with(what);
  };
  const bool critic = text.find("Preference: ") != std::string::npos &&
                      shows("First: Bad", text.find("First: ")) ==
                          shows("Preference: First", text.find("Preference: "));
  const bool bad_first = shows("First: Bad", text.rfind("First: "));
  Response response;
  response.text = request.options[0];
  response.option_logprobs = {bad_first == critic ? 1.0 : -1.0, 0.0};
  return response;
}

TEST_F(Synthesis, ShowsDemosOnlyToWhomTheyHelp) {
  User critic_of_many = critic("a"), fan_of_many = fan("fan");
  for (User* user : {&critic_of_many, &fan_of_many})
    user->context.insert(user->context.end(), user->test.begin(), user->test.end());
  JudgeOptions scored = judge_options();
  scored.judging = Judging::kScored;
  const SynthesizeMe module = this->module({.writing = {.samples = 1},
                                            .verify = false,
                                            .contrasts = {0},
                                            .demos = 2,
                                            .choose_demos = true},
                                           scored);
  ScriptedModel model(learns_from_demos);
  const std::vector<const User*> users = {&critic_of_many, &fan_of_many};
  const auto found = module.personas(users, {.model = model});
  EXPECT_THAT(found[0]->demos, SizeIs(2));
  EXPECT_THAT(found[1]->demos, IsEmpty());  // who is right without them
  EXPECT_EQ(model.waves().size(), 3u);      // personas, traces, and the demos of all folds
}

TEST_F(Synthesis, AbstainsWhereThePersonaDoesNotHelp) {
  // The judge expects praise, and complaints where the persona says so: of no help to a fan.
  const SynthesizeMe module =
      this->module({.writing = {.samples = 1}, .verify = false, .abstain = true, .folds = 2},
                   judge_options(), about_tone());
  const std::vector<const User*> users = {&users_[0], &users_[4]};
  const auto found = module.personas(users, {.model = model_});
  EXPECT_EQ(found[0]->persona, "Likes complaints");
  EXPECT_FALSE(found[0]->abstained);
  EXPECT_EQ(found[1]->persona, "");
  EXPECT_TRUE(found[1]->abstained);
  EXPECT_EQ(found[1]->contrast, 0);
}

TEST_F(Synthesis, TestsAPersonOnPairsThatThePersonaWasNotMadeFrom) {
  const SynthesizeMe module =
      this->module({.writing = {.samples = 1}, .verify = false}, judge_options(), about_tone());
  const std::vector<const User*> users = {&users_[0], &users_[4]};
  const auto tested = self_test(module, users, 2, {.model = model_});
  EXPECT_EQ(tested[0]->pairs, 2u);
  EXPECT_EQ(tested[0]->accuracy, 1);
  EXPECT_EQ(tested[0]->plain_accuracy, 0);
  EXPECT_TRUE(tested[0]->helps());
  EXPECT_GT(tested[0]->p_better, 0.8);
  EXPECT_EQ(tested[1]->accuracy, 0);
  EXPECT_EQ(tested[1]->plain_accuracy, 1);
  EXPECT_FALSE(tested[1]->helps());
  const auto waves = model_.waves();
  for (const Request& request : waves[0])  // each fold's history lacks its pair
    EXPECT_NE(request.messages.back().content.find("thing 0") == std::string::npos,
              request.messages.back().content.find("thing 1") == std::string::npos);
}

TEST_F(Synthesis, CannotTestAPersonOfASinglePair) {
  User single = users_[0];
  single.context.resize(1);
  const std::vector<const User*> users = {&single};
  const auto tested = self_test(module(), users, 3, {.model = model_});
  EXPECT_EQ(tested[0].error().message, "a person of a single pair cannot be tested on others");
}

TEST(ShrunkGain, ExpectsLessOfFewPairsThanOfMany) {
  const std::vector<double> few(2, 0.5), many(20, 0.5), none(6, 0.0), mixed = {1, -1, 1, -1};
  EXPECT_LT(shrunk_gain(few).gain, shrunk_gain(many).gain);
  EXPECT_LT(shrunk_gain(few).p_better, 0.9);
  EXPECT_GT(shrunk_gain(many).p_better, 0.999);
  EXPECT_LT(shrunk_gain(many).gain, 0.5);
  EXPECT_EQ(shrunk_gain(none).p_better, 0.5);
  EXPECT_EQ(shrunk_gain(mixed).gain, 0);
}

// Traces of all pairs, one persona, and as many judgements a rule as there are pairs, of two rules
// at most: 20 + 1 + 20 + 2 * 20 where the package asks 173.
TEST_F(Synthesis, AsksLessThanHalfOfWhatThePackageAsks) {
  User user;
  user.id = "many";
  for (int k = 0; k < 20; ++k) {
    const std::string thing = "thing " + std::to_string(k);
    user.context.push_back({.id = thing,
                            .context = "",
                            .chosen = "Bad " + thing,
                            .rejected = "Good " + thing,
                            .flip = k % 2 == 0});
  }
  JudgeOptions options = judge_options();
  options.judging = Judging::kGenerated;
  options.reasoning = true;
  const SynthesizeMe module =
      this->module({.writing = {.samples = 1, .style = HistoryStyle::kPublished, .reasoning = true},
                    .verify = false,
                    .contrasts = {0},
                    .demos = 4,
                    .choose_demos = true},
                   options);
  ScriptedModel model([](const Request& request) -> Result<Response> {
    if (asks_for_a_persona(request)) return say("Likes things");
    const std::string& text = request.messages.back().content;
    const bool right = std::hash<std::string>{}(text) % 3 > 0;
    return say(std::string("Reasoning: so\nPreference: ") +
               ((text.rfind("First: Bad") != std::string::npos) == right ? "First" : "Second"));
  });
  const std::vector<const User*> users = {&user};
  ASSERT_TRUE(module.personas(users, {.model = model})[0]);
  EXPECT_LE(model.calls(), 81u);
  EXPECT_GE(model.calls(), 41u);
}

}  // namespace
}  // namespace theta
