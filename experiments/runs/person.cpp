#include "experiments/runs/person.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "experiments/data/data_config.hpp"
#include "modules/knowledge_gradient.hpp"

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

Result<NextPairs> next_pairs(const PersonaSettings& settings, const Predict& theta,
                             const Person& person, std::span<const PreferencePair> candidates,
                             int samples, const Call& call) {
  require(settings.judge.both_orders, "a person's pairs are judged in both orders");
  const Judge judge = settings.make_judge();
  User user;
  user.id = person.id;
  user.context = person.pairs;
  PersonaWriting writing = settings.module.writing;
  writing.samples = samples;
  const std::vector<const User*> users = {&user};
  const auto history = histories_of(judge, users, writing, call).front();
  if (!history) return history.error();
  const auto written = write_personas(theta, std::span(&*history, 1), writing, call).front();
  if (!written) return written.error();
  NextPairs out{.ranked = {}, .personas = written->personas};
  if (!person.persona.empty() &&
      std::ranges::find(out.personas, person.persona) == out.personas.end())
    out.personas.push_back(person.persona);
  if (out.personas.size() < 2)
    return Error{Fault::kPrompt,
                 fmt::format("{} samples of Θ are {} persona, and an answer tells several apart: "
                             "ask for more samples, or a higher temperature",
                             samples, out.personas.size())};

  const PersonaTest known{person.pairs, out.personas};
  const auto verified =
      verify_personas(judge, std::span(&known, 1), settings.module.contrasts, call).front();
  if (!verified) return verified.error();
  std::vector<double> log_likelihoods;
  for (const Verification& one : verified->each)
    log_likelihoods.push_back(one.fit * static_cast<double>(person.pairs.size()));

  std::vector<Question> questions;
  for (const std::string& persona : out.personas)
    for (const PreferencePair& pair : candidates) questions.push_back({&pair, true, persona, {}});
  const auto judgements = judge.judge(questions, call);
  std::vector<std::vector<double>> first;  // by persona and pair
  for (std::size_t i = 0; i < judgements.size(); ++i) {
    if (judgements[i].status == Outcome::Status::kFailed) return error_of(judgements[i]);
    const std::size_t k = i / candidates.size();
    if (first.size() == k) first.emplace_back();
    const bool scored = judgements[i].status == Outcome::Status::kScored;
    first[k].push_back(scored ? choice_of(judgements[i], verified->each[k].contrast,
                                          reliability(person.test, true))
                                    .first
                              : 0.5);  // no choice: it tells nothing
  }
  const auto w = belief(log_likelihoods);
  const auto gradients = knowledge_gradients(w, first);
  for (std::size_t m = 0; m < candidates.size(); ++m) {
    NextPair& next =
        out.ranked.emplace_back(NextPair{.pair = m, .gradient = gradients[m], .first = 0});
    for (std::size_t k = 0; k < w.size(); ++k) next.first += w[k] * first[k][m];
  }
  std::ranges::stable_sort(out.ranked, std::greater(), &NextPair::gradient);
  return out;
}

std::vector<PreferencePair> open_for(const Person& person,
                                     std::span<const PreferencePair> candidates) {
  std::vector<PreferencePair> open;
  for (const PreferencePair& one : candidates)
    if (std::ranges::none_of(person.pairs, [&](const PreferencePair& known) {
          return known.context == one.context &&
                 std::minmax(known.chosen, known.rejected) == std::minmax(one.chosen, one.rejected);
        }))
      open.push_back(one);
  return open;
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
