// Every optimiser that a config can name compiles Θ, the prompt of SynthesizeMe that writes personas.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/optimizer_config.hpp"
#include "modules/synthesize_me.hpp"
#include "tests/support/scripted_model.hpp"

namespace theta {
namespace {

using ::testing::ElementsAre;

/// One who chooses complaints, or praise, of things nobody else has an opinion on.
User reader(int number, bool critic) {
  User user;
  user.id = "u" + std::to_string(number);
  for (int k = 0; k < 4; ++k) {
    const std::string thing = " thing " + std::to_string(10 * number + k);
    PreferencePair pair{.id = user.id + "." + std::to_string(k),
                        .context = "",
                        .chosen = "Bad" + thing,
                        .rejected = "Good" + thing,
                        .flip = k % 2 == 0};
    if (!critic) std::swap(pair.chosen, pair.rejected);
    (k < 2 ? user.context : user.test).push_back(pair);
  }
  return user;
}

std::string persona_of(const User& user) {
  return user.context[0].chosen.starts_with("Bad") ? "Likes complaints" : "Likes praise";
}

/// Tells critics from fans where it is asked for the tone or shown people; judges by the persona.
Result<Response> answer(const Request& request) {
  const std::string& text = request.messages.back().content;
  if (const auto history = text.rfind("Past Judgements:"); history != std::string::npos) {
    const bool shown = text.find("Past Judgements:") != history;
    if (!shown && text.find("tone") == std::string::npos) return say("Likes things");
    return say(text.find("Chosen: Bad", history) != std::string::npos ? "Likes complaints"
                                                                      : "Likes praise");
  }
  const bool bad_first = text.find("First: Bad") != std::string::npos;
  const bool complaints = text.find("Likes complaints") != std::string::npos;
  const bool praise = text.find("Likes praise") != std::string::npos;
  Response response;
  response.text = request.options.at(0);
  response.option_logprobs = {complaints || praise ? (bad_first == complaints ? 1.0 : -1.0) : 0.0,
                              0.0};
  return response;
}

class EveryOptimizerOfTheta : public ::testing::TestWithParam<const char*> {
 protected:
  EveryOptimizerOfTheta() {
    for (int n = 0; n < 24; ++n) users_.push_back(reader(n, n % 2 == 0));
    module_ = std::make_unique<SynthesizeMe>(
        Predict(persona_signature(), Format{.adapter = "terse"}), Judge(options(), make_terse_adapter()),
        SynthesizeMeOptions{.writing = {.samples = 1}, .verify = false}, people_by_id(users_));
  }
  static JudgeOptions options() {
    JudgeOptions options;
    options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
    return options;
  }
  std::vector<Example> examples(std::size_t from, std::size_t to) const {
    std::vector<Example> out;
    for (std::size_t u = from; u < to; ++u)
      for (const PreferencePair& pair : users_[u].test)
        out.push_back(module_->example(users_[u], pair));
    return out;
  }
  Compiled compile() {
    Task task{.train = {},
              .validation = examples(8, 20),
              .metric = make_agreement(module_->answer()),
              .model = model_,
              .proposer = proposer_,
              .teacher = model_};
    for (std::size_t u = 0; u < 8; ++u) {
      const FoundPersona found{.persona = persona_of(users_[u]),
                               .history = format_history(users_[u].context, HistoryStyle::kBrief)};
      task.train.push_back(module_->example(users_[u], users_[u].test[0], &found));
    }
    const OptimizerConfig config = read_optimizer(Config::parse(GetParam(), "optimizer"), 7);
    task.gate = config.gate;
    task.max_evaluations = config.max_evaluations;
    return make_optimizer(config.options)->compile(*module_, task);
  }
  double on_test_users(const Module& module) {
    return evaluate(module, examples(20, 24), make_agreement(module_->answer()), {model_}).mean();
  }

  std::vector<User> users_;
  std::unique_ptr<SynthesizeMe> module_;
  ScriptedModel model_{answer, {.unit = 16}};
  ScriptedModel proposer_{[](const Request& request) -> Result<Response> {
    return say(request.seed % 2 == 0 ? "Describe the tone." : "Describe the topic.");
  }};
};

TEST_P(EveryOptimizerOfTheta, FindsOneWhosePersonasPredictOtherPeople) {
  EXPECT_EQ(on_test_users(*module_), 0.5);
  const Compiled compiled = compile();
  EXPECT_TRUE(compiled.gate.saved) << compiled.gate.p_better;
  EXPECT_GT(compiled.gate.n_fresh, 0u);
  EXPECT_EQ(on_test_users(*compiled.program), 1);
}

TEST_P(EveryOptimizerOfTheta, LeavesTheJudgeAsItIs) {
  const Compiled compiled = compile();
  SynthesizeMe tuned = with_predictors(*module_, *compiled.program);
  EXPECT_EQ(tuned.judge().predictor(), module_->judge().predictor());
  for (const Demo& demo : tuned.predictors()[0]->demos) {
    std::vector<std::string> names;
    for (const auto& [name, value] : demo.fields) names.push_back(name);
    EXPECT_THAT(names, ElementsAre("past_judgements", "synthesized_persona"));
  }
  for (const auto& trial : compiled.trials)
    EXPECT_EQ(trial.candidate.parts.at(0).predictor, "theta");
}

TEST_P(EveryOptimizerOfTheta, KeepsPeopleTogether) {
  const auto validation = examples(8, 20);
  const HeldBack held = check_gated(validation, {}, 0);
  for (const std::size_t a : held.fresh)
    for (const std::size_t b : held.searched) EXPECT_NE(validation[a].group, validation[b].group);
}

TEST_P(EveryOptimizerOfTheta, FindsTheSameTwice) {
  const Compiled one = compile(), two = compile();
  EXPECT_EQ(describe(*one.program), describe(*two.program));
  EXPECT_EQ(one.trials.size(), two.trials.size());
}

INSTANTIATE_TEST_SUITE_P(
    , EveryOptimizerOfTheta,
    testing::Values("{name: labeled_few_shot, k: 4}",
                    "{name: bootstrap_few_shot, max_bootstrapped: 2, max_labeled: 4}",
                    "{name: random_search, num_candidates: 2, max_bootstrapped: 2, max_labeled: 4}",
                    "{name: mipro, num_instructions: 3, num_demo_sets: 3, num_trials: 8, "
                    "minibatch_size: 8, proposer: {adapter: terse}}",
                    "{name: mipro, faithful: true, num_instructions: 3, num_demo_sets: 3, "
                    "num_trials: 8, minibatch_size: 8, proposer: {adapter: terse}}",
                    "{name: copro, breadth: 4, depth: 2, proposer: {adapter: terse}}",
                    "{name: gepa, max_evaluations: 200, proposer: {adapter: terse}}",
                    "{name: pipeline, steps: [{name: copro, breadth: 4, depth: 1, proposer: "
                    "{adapter: terse}}, {name: labeled_few_shot, k: 4}]}"),
    [](const auto& one) {
      std::string name = one.param;
      const bool faithful = name.find("faithful: true") != std::string::npos;
      name = name.substr(name.find("name: ") + 6);
      return name.substr(0, name.find(',')) + (faithful ? "_faithful" : "");
    });

}  // namespace
}  // namespace theta
