#include "experiments/runs/person.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "modules/preference.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr double kOdds = 2;  // nats by which the scripted judge prefers a text

/// Chose complaints between `pairs` pairs.
User critic(std::size_t pairs) {
  User user;
  user.id = "ann";
  for (std::size_t k = 0; k < pairs; ++k) {
    const std::string thing = "thing " + std::to_string(k);
    user.context.push_back({.id = thing,
                            .context = "",
                            .chosen = "Bad " + thing,
                            .rejected = "Good " + thing,
                            .flip = k % 2 == 0});
  }
  return user;
}

/// Chose praise.
User fan(std::size_t pairs) {
  User user = critic(pairs);
  for (PreferencePair& pair : user.context) std::swap(pair.chosen, pair.rejected);
  return user;
}

/// Writes the same persona for everybody; judges by it, and loves praise without one.
Response written_or_judged(const Request& request, bool names) {
  const std::string& text = request.messages.back().content;
  if (text.find("Past Judgements:") != std::string::npos) return say("Likes complaints");
  const bool bad_first = text.rfind("First: Bad") != std::string::npos;
  const bool wants_bad = text.find("Likes complaints") != std::string::npos;
  const bool first = bad_first == wants_bad;
  return names ? say(first ? "First" : "Second")
               : choose(request, request.options[first ? 0 : 1], kOdds);
}
Result<Response> scores(const Request& request) { return written_or_judged(request, false); }
Result<Response> names(const Request& request) { return written_or_judged(request, true); }

PersonaSettings settings(const std::string& judge = "judging: scored") {
  return read_persona_settings(
      Config::parse("{judge: {signature: \"first, second -> preference: Literal['First', "
                    "'Second']\", orders: both, " +
                        judge + "}, theta: {verify: false}}",
                    "personas.yaml"),
      7);
}

const Predict& theta_prompt() {
  static const Predict theta(persona_signature(), Format{.adapter = "terse"});
  return theta;
}

Person fitted(const User& user, const PersonaSettings& how = settings(), std::size_t demos = 0,
              const ScriptedModel::Script& script = scores) {
  ScriptedModel model(script);
  return *fit_person(how, {}, theta_prompt(), user, demos, {.model = model});
}

PredictedChoice predicted(const Person& person, bool with_persona,
                          const PersonaSettings& how = settings(),
                          const ScriptedModel::Script& script = scores) {
  ScriptedModel model(script);
  const PreferencePair pair{
      .id = "new", .context = "", .chosen = "Bad weather", .rejected = "Good weather"};
  return *predict_choices(how, person, with_persona, std::span(&pair, 1), {.model = model}).at(0);
}

TEST(Persons, AreMeasuredOnPairsThatTheirPersonaWasNotMadeFrom) {
  const Person person = fitted(critic(6));
  EXPECT_EQ(person.persona, "Likes complaints");
  EXPECT_EQ(person.test.pairs, 6u);
  EXPECT_EQ(person.test.accuracy.value, 1);
  EXPECT_EQ(person.test.plain_accuracy.value, 0);
  EXPECT_EQ(person.test.difference.value, 1);
  EXPECT_LT(person.test.accuracy.interval.low, 0.7);  // of six pairs
  EXPECT_GT(person.test.difference.interval.low, 0);
  EXPECT_TRUE(person.use);
  EXPECT_THAT(person.pairs, SizeIs(6));
}

TEST(Persons, WhomThePersonaDoesNotFitAreJudgedWithoutIt) {
  const Person person = fitted(fan(6));
  EXPECT_EQ(person.persona, "Likes complaints");
  EXPECT_EQ(person.test.difference.value, -1);
  EXPECT_FALSE(person.use);
}

TEST(Persons, OfASinglePairAreNotMeasured) {
  ScriptedModel model(scores);
  const auto person = fit_person(settings(), {}, theta_prompt(), critic(1), 0, {.model = model});
  EXPECT_EQ(person.error().message, "a person of a single pair cannot be tested on others");
}

TEST(Persons, AreTheSameReadBack) {
  Person person = fitted(critic(5));
  person.demos.push_back(settings().make_judge().demo(person.pairs[0], false, person.persona));
  const std::string json = to_json(person).dump();
  EXPECT_EQ(to_json(read_person(Config::parse(json, "person.json"))).dump(), json);
}

TEST(Persons, ThatCannotBeReadNameTheirPlace) {
  ordered_json json = to_json(fitted(critic(4)));
  json["pairs"][1]["flip"] = "left";
  const std::string text = json.dump(1);
  EXPECT_THAT(message_of<UserError>([&] { (void)read_person(Config::parse(text, "ann.json")); }),
              HasSubstr("ann.json:"));
}

TEST(PredictedChoices, HaveTheProbabilityOfBothOrders) {
  const Person person = fitted(critic(4));
  const double sure = 1 / (1 + std::exp(-kOdds));
  const PredictedChoice with = predicted(person, true), without = predicted(person, false);
  EXPECT_NEAR(with.first, sure, 1e-12);
  EXPECT_NEAR(with.shown_first, sure, 1e-12);
  EXPECT_NEAR(with.shown_second, sure, 1e-12);
  EXPECT_FALSE(with.named);
  EXPECT_NEAR(without.first, 1 - sure, 1e-12);
}

TEST(PredictedChoices, AreEvenWhereTheJudgeLovesOnePosition) {
  const auto loves_first = [](const Request& request) -> Result<Response> {
    const bool judges = !request.options.empty();
    return judges ? choose(request, request.options[0], kOdds) : say("");
  };
  const PredictedChoice choice = predicted(fitted(critic(4)), true, settings(), loves_first);
  EXPECT_EQ(choice.first, 0.5);
  EXPECT_NEAR(choice.shown_first + choice.shown_second, 1, 1e-12);
}

TEST(PredictedChoices, ThatAreNamedAreAsLikelyAsTheyWereRight) {
  const PersonaSettings how = settings("judging: generated");
  const Person person = fitted(critic(6), how, 0, names);
  EXPECT_EQ(person.test.accuracy.value, 1);
  const PredictedChoice choice = predicted(person, true, how, names);
  EXPECT_TRUE(choice.named);
  EXPECT_EQ(choice.first, 7. / 8);  // six of six
}

TEST(PredictedChoices, WithoutAnAnswerAreFaults) {
  const auto silent = [](const Request&) -> Result<Response> {
    return Error{Fault::kService, "gone"};
  };
  ScriptedModel model(silent);
  const PreferencePair pair{.id = "new", .context = "", .chosen = "a", .rejected = "b"};
  const auto choices =
      predict_choices(settings(), fitted(critic(4)), true, std::span(&pair, 1), {.model = model});
  EXPECT_EQ(choices.at(0).error().fault, Fault::kService);
  EXPECT_EQ(choices.at(0).error().message, "gone");
}

TEST(GenerationPrompts, SayWhatIsKnownAndShowTheDemosAsThePersonChose) {
  const Judge judge = settings().make_judge();
  Person person = fitted(critic(4));
  person.demos = {judge.demo(person.pairs[0], false, person.persona)};
  EXPECT_EQ(generation_prompt(person, judge),
            "You write for one reader. What is known of this reader:\n\nLikes complaints\n\n"
            "Choices that this reader has made between two texts:\n\nChosen: Bad thing 0\n"
            "Rejected: Good thing 0\n\nWrite so that this reader would choose your answer over "
            "others. Do not mention what is known of the reader.");
}

/// Writes two personas by turns, and judges by them: complaints or praise of weather; of films all
/// think alike.
class Undecided {
 public:
  Result<Response> operator()(const Request& request) {
    const std::string& text = request.messages.back().content;
    if (text.find("Past Judgements:") != std::string::npos)
      return say(++*written_ % 2 == 0 ? "Likes complaints" : "Likes praise");
    const bool bad_first = text.rfind("First: Bad") != std::string::npos;
    const bool wants_bad = text.find("Likes complaints") != std::string::npos ||
                           text.find("film") != std::string::npos;
    return choose(request, request.options[bad_first == wants_bad ? 0 : 1], kOdds);
  }

 private:
  std::shared_ptr<int> written_ = std::make_shared<int>(0);
};

PreferencePair about(const std::string& thing) {
  return {.id = thing, .context = "", .chosen = "Bad " + thing, .rejected = "Good " + thing};
}

TEST(NextPairs, AreThoseWhoseAnswerTellsPersonasApart) {
  Person person;
  person.id = "ann";
  person.pairs = {about("film 0")};  // says nothing of weather
  ScriptedModel model((Undecided()));
  const std::vector<PreferencePair> candidates = {about("film 1"), about("rain"), about("snow")};
  const auto next =
      *next_pairs(settings(), theta_prompt(), person, candidates, 4, {.model = model});
  EXPECT_THAT(next.personas, testing::UnorderedElementsAre("Likes complaints", "Likes praise"));
  ASSERT_THAT(next.ranked, SizeIs(3));
  EXPECT_EQ(next.ranked[0].pair, 1u);
  EXPECT_GT(next.ranked[0].gradient, 0.05);
  EXPECT_NEAR(next.ranked[0].first, 0.5, 1e-12);
  EXPECT_EQ(next.ranked[2].pair, 0u);
  EXPECT_NEAR(next.ranked[2].gradient, 0, 1e-12);
}

TEST(NextPairs, NeedPersonasThatDiffer) {
  Person person;
  person.id = "ann";
  person.pairs = {about("film 0")};
  ScriptedModel model(scores);
  const std::vector<PreferencePair> candidates = {about("rain"), about("snow")};
  EXPECT_EQ(next_pairs(settings(), theta_prompt(), person, candidates, 3, {.model = model})
                .error()
                .message,
            "3 samples of Θ are 1 persona, and an answer tells several apart: ask for more "
            "samples, or a higher temperature");
}

TEST(NextPairs, AreNoneThatThePersonHasChosenBetween) {
  Person person;
  person.pairs = {about("rain")};
  PreferencePair turned = about("rain");
  std::swap(turned.chosen, turned.rejected);
  const std::vector<PreferencePair> candidates = {turned, about("snow"), about("rain")};
  EXPECT_THAT(open_for(person, candidates), SizeIs(1));
}

}  // namespace
}  // namespace theta
