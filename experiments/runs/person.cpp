#include "experiments/runs/person.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/data/data_config.hpp"

namespace theta {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Measured& measured) {
  return {
      {"value", measured.value}, {"low", measured.interval.low}, {"high", measured.interval.high}};
}

Measured read_measured(const Config& measured) {
  return {measured.at("value").number(),
          {measured.at("low").number(), measured.at("high").number()}};
}

Json json_of(const PersonTest& test) {
  return {{"pairs", test.pairs},
          {"accuracy", json_of(test.accuracy)},
          {"plain_accuracy", json_of(test.plain_accuracy)},
          {"difference", json_of(test.difference)},
          {"gain", test.gain},
          {"p_better", test.p_better}};
}

PersonTest read_test(const Config& test) {
  return {.pairs = read_size(test, "pairs", 0, 1),
          .accuracy = read_measured(test.at("accuracy")),
          .plain_accuracy = read_measured(test.at("plain_accuracy")),
          .difference = read_measured(test.at("difference")),
          .gain = test.at("gain").number(),
          .p_better = read_share(test, "p_better", 0.5, 0, 1)};
}

PersonTest test_of(const SelfTest& tested, const User& user) {
  std::vector<std::string> clusters;
  std::vector<double> differences;
  for (std::size_t i = 0; i < tested.pairs; ++i) {
    clusters.push_back(user.context[i].id);
    differences.push_back(tested.scores[i] - tested.plain_scores[i]);
  }
  return {.pairs = tested.pairs,
          .accuracy = {tested.accuracy, score_interval(tested.scores, clusters)},
          .plain_accuracy = {tested.plain_accuracy, score_interval(tested.plain_scores, clusters)},
          .difference = {tested.accuracy - tested.plain_accuracy,
                         paired_difference(differences, clusters).interval()},
          .gain = tested.gain,
          .p_better = tested.p_better};
}

double sigmoid(double margin) { return std::exp(log_sigmoid(margin)); }

/// How often a choice that was named is right.
double reliability(const PersonTest& test, bool with_persona) {
  const auto n = static_cast<double>(test.pairs);
  const double accuracy = (with_persona ? test.accuracy : test.plain_accuracy).value;
  return (accuracy * n + 1) / (n + 2);
}

PredictedChoice choice_of(const Judgement& judgement, double contrast, double reliability) {
  require(judgement.turned.has_value(), "a person's pairs are judged in both orders");
  const bool named = judgement.is_choice();
  const auto probability = [&](double margin) {
    if (!named) return sigmoid(margin);
    return margin > 0 ? reliability : margin < 0 ? 1 - reliability : 0.5;
  };
  return {.first = probability(judgement.margin(contrast)),
          .shown_first = probability(judgement.asked.margin(contrast)),
          .shown_second = probability(judgement.turned->margin(contrast)),
          .named = named};
}

}  // namespace

Json to_json(const Person& person) {
  Json pairs = Json::array();
  for (const PreferencePair& pair : person.pairs)
    pairs.push_back({{"id", pair.id},
                     {"context", pair.context},
                     {"chosen", pair.chosen},
                     {"rejected", pair.rejected},
                     {"flip", pair.flip}});
  return {{"id", person.id},
          {"use", person.use},
          {"persona", person.persona},
          {"contrast", person.contrast},
          {"demos", demos_json(person.demos)},
          {"test", json_of(person.test)},
          {"pairs", std::move(pairs)}};
}

Person read_person(const Config& person) {
  Person out{.id = person.text("id"),
             .pairs = {},
             .persona = person.text("persona"),
             .contrast = person.at("contrast").number(),
             .demos = read_demos(person.at("demos")),
             .test = read_test(person.at("test")),
             .use = person.at("use").boolean()};
  for (const Config& pair : person.at("pairs").items())
    out.pairs.push_back({.id = pair.text("id"),
                         .context = pair.text("context"),
                         .chosen = pair.text("chosen"),
                         .rejected = pair.text("rejected"),
                         .flip = pair.at("flip").boolean()});
  return out;
}

Result<Person> fit_person(const PersonaSettings& given, const std::vector<std::string>& pool,
                          const Predict& theta, const User& user, std::size_t demos,
                          const Call& call) {
  require(given.judge.both_orders, "a person's pairs are judged in both orders");
  PersonaSettings settings = given;
  settings.module.demos = demos;
  settings.module.choose_demos = true;
  const SynthesizeMe module = settings.make_module(theta, pool, people_by_id(std::span(&user, 1)));
  const std::vector<const User*> users = {&user};
  auto found = module.personas(users, call).front();
  if (!found) return found.error();
  const auto tested = self_test(module, users, settings.module.folds, call).front();
  if (!tested) return tested.error();
  return Person{.id = user.id,
                .pairs = user.context,
                .persona = std::move(found->persona),
                .contrast = found->contrast,
                .demos = std::move(found->demos),
                .test = test_of(*tested, user),
                .use = tested->helps()};
}

std::vector<Result<PredictedChoice>> predict_choices(const PersonaSettings& settings,
                                                     const Person& person, bool with_persona,
                                                     std::span<const PreferencePair> pairs,
                                                     const Call& call) {
  require(settings.judge.both_orders, "a person's pairs are judged in both orders");
  std::vector<Question> questions;
  for (const PreferencePair& pair : pairs)
    questions.push_back(
        {&pair, true, with_persona ? person.persona : "", with_persona ? &person.demos : nullptr});
  std::vector<Result<PredictedChoice>> out;
  for (const Judgement& judgement : settings.make_judge().judge(questions, call)) {
    if (judgement.status == Outcome::Status::kScored)
      out.emplace_back(choice_of(judgement, with_persona ? person.contrast : 0,
                                 reliability(person.test, with_persona)));
    else
      out.emplace_back(error_of(judgement));
  }
  return out;
}

std::string generation_prompt(const Person& person, const Judge& judge) {
  std::string out = "You write for one reader.";
  if (!person.persona.empty()) out += " What is known of this reader:\n\n" + person.persona;
  if (!person.demos.empty()) {
    std::vector<PreferencePair> shown;
    const Field& answer = judge.options().signature.outputs[0];
    for (const Demo& demo : person.demos) {
      PreferencePair& pair = shown.emplace_back(judge.pair_of(demo.fields));
      if (demo.fields.text(answer.name) != answer.type.options().front())
        std::swap(pair.chosen, pair.rejected);
    }
    out += "\n\nChoices that this reader has made between two texts:\n\n" +
           format_history(shown, HistoryStyle::kBrief);
  }
  return out +
         "\n\nWrite so that this reader would choose your answer over others. Do not mention "
         "what is known of the reader.";
}

}  // namespace theta
