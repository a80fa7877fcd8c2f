#include "experiments/runs/persona_experiment.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "experiments/runs/experiment.hpp"
#include "experiments/runs/model_pool.hpp"
#include "experiments/runs/run_folder.hpp"
#include "experiments/runs/run_record.hpp"
#include "modules/program_state.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsSupersetOf;
using ::testing::Not;

using Row = std::pair<std::string, std::string>;  // method and model

constexpr int kPeople = 12;

/// Even people choose bad things, odd ones good things; all are asked about the same ten.
std::string people() {
  std::string rows;
  for (int user = 0; user < kPeople; ++user)
    for (int i = 0; i < 10; ++i) {
      const std::string bad = fmt::format("bad {}", i), good = fmt::format("good {}", i);
      const bool critic = user % 2 == 0;
      rows += nlohmann::ordered_json{{"user_id", fmt::format("u{}", user)},
                                     {"pair_id", fmt::format("u{}.{}", user, i)},
                                     {"flip", i % 2 == 0},
                                     {"demographics", critic ? "Likes complaints" : "Likes praise"},
                                     {"chosen", critic ? bad : good},
                                     {"rejected", critic ? good : bad}}
                  .dump() +
              "\n";
    }
  return rows;
}

/// Sees what a person likes only where it is shown people; judges by the persona, else by a demo,
/// else for praise.
Result<Response> answer(const Request& request) {
  const std::string& text = request.messages.back().content;
  const auto holds = [&](const char* what) { return text.find(what) != std::string::npos; };
  if (const auto history = text.rfind("Sentences:"); history != std::string::npos) {
    if (text.find("Sentences:") == history) return say("Likes things");
    return say(text.find("bad", history) == std::string::npos ? "Likes praise"
                                                              : "Likes complaints");
  }
  const auto demo = text.find("Preference: ");
  bool critic = holds("Likes complaints");
  if (!critic && !holds("Likes praise") && demo != std::string::npos)
    critic = (text.find("First: bad") < text.find("First: good")) ==
             (text.compare(demo, 17, "Preference: First") == 0);
  const bool bad_first = text.compare(text.rfind("First: ") + 7, 3, "bad") == 0;
  Response response;
  response.text = request.options.at(0);
  response.option_logprobs = {bad_first == critic ? 1.0 : -1.0, 0.0};
  return response;
}

class PersonaRuns : public ::testing::Test {
 protected:
  void SetUp() override { folder_.write("pairs.jsonl", people()); }

  /// @param personas, optimizers  lines of the config
  Config config(const std::string& personas, const std::string& more = "") const {
    std::string models;
    for (const char* name : {"small", "tiny"})
      if (personas.find(name) != std::string::npos)
        models += fmt::format(", {0}: {{base_url: \"http://127.0.0.1:1/v1\", model: {0}}}", name);
    const std::string text = fmt::format(R"(name: people
models: {{teacher: {{base_url: "http://127.0.0.1:1/v1", model: large}}{}}}
data:
  pairs: {{file: pairs.jsonl, context_ratio: 0.6, train: 4, validation: 4, test: 4}}
personas:
  judge: {{signature: "first, second -> preference: Literal['First', 'Second']", judging: scored}}
  theta: {{signature: "sentences -> persona", samples: 2, history: chosen, verify: false}}
{}
{})",
                                         models, personas, more);
    return Config::load(folder_.write("people.yaml", text));
  }
  std::string refused(const std::string& personas, const std::string& more = "") const {
    const std::string message =
        message_of<UserError>([&] { (void)read_experiment(config(personas, more)); });
    return message.substr(std::min(message.size(), folder_.path().string().size() + 1));
  }
  /// @return the share of right judgements, by row
  std::map<Row, double> run(const Config& config) {
    const ExperimentOptions options = read_experiment(config);
    ModelPool pool(folder_.path() / "cache.db", [](const ModelOptions& model) {
      return std::make_unique<ScriptedModel>(
          answer, ScriptedModel::Options{.identity = std::get<HttpOptions>(model).model});
    });
    pool.expect(options.models);
    store_ = std::make_unique<Store>(folder_.path() / "run.db");
    Models models(options.models, *store_, silent_, Models::Purpose::kRun, &pool);
    RunContext context{folder_.path(), options.seed, *store_, models, silent_, {}};
    run_experiment(options, context);
    std::map<Row, std::pair<double, double>> sums;
    for (const Outcome& outcome : store_->outcomes()) {
      auto& [right, all] = sums[{outcome.method, outcome.model}];
      right += outcome.score;
      ++all;
    }
    std::map<Row, double> shares;
    for (const auto& [row, sum] : sums) shares[row] = sum.first / sum.second;
    return shares;
  }

  TemporaryFolder folder_;
  Progress silent_{false, 0, nullptr};
  std::unique_ptr<Store> store_;
};

TEST_F(PersonaRuns, MakeTheRowsThatTheConfigNames) {
  const auto rows = run(config(R"(  demos: {chosen: 2}
  rows: [population, default judge, demographics, raw history, demos only, personas, abstaining]
  students: [])"));
  std::map<std::string, double> of_teacher;
  for (const auto& [row, share] : rows) {
    EXPECT_EQ(row.second, "teacher");
    of_teacher[row.first] = share;
  }
  // Of the four test people three like praise, as the judge expects and Θ does not see.
  EXPECT_EQ(of_teacher.at("default judge"), 0.75);
  EXPECT_EQ(of_teacher.at("demographics"), 1);
  EXPECT_EQ(of_teacher.at("raw history"), 1);
  EXPECT_EQ(of_teacher.at("demos only"), 1);
  EXPECT_EQ(of_teacher.at("personas"), 0.75);
  EXPECT_EQ(of_teacher.at("abstaining"), 0.75);
  EXPECT_LT(of_teacher.at("population"), 0.5);  // one's own vote is not among the others'
  EXPECT_EQ(of_teacher.size(), 7u);
}

TEST_F(PersonaRuns, MakeRewardsBesideTheTeachersRows) {
  const auto rows = run(
      config("  rows: [default judge]\n  students: []", "rewards: {rows: [pooled, hierarchical]}"));
  EXPECT_EQ(rows.at({"default judge", "teacher"}), 0.75);
  EXPECT_GT(rows.at({"reward: hierarchical", "teacher"}), 0.9);
  EXPECT_LT(rows.at({"reward: hierarchical, labels reversed", "teacher"}), 0.1);
  EXPECT_EQ(rows.size(), 5u);
  bool compared = false;
  for (const auto& [method, against] : get(*store_, part::kComparisons))
    compared = compared || (method == "reward: hierarchical" && against == "default judge");
  EXPECT_TRUE(compared);
}

constexpr const char* kSearch = R"(optimizers:
  - {name: labeled_few_shot, k: 4, gate: {fresh: 0, threshold: .5}, models: [teacher, small]})";

TEST_F(PersonaRuns, CarryEveryModelsThetaToEveryOther) {
  const auto rows = run(config(R"(  rows: [{row: personas, theta: [seed, optimised]}]
  students: [small, tiny]
  transfer: all)",
                               kSearch));
  std::set<Row> made;
  for (const auto& [row, share] : rows) made.insert(row);
  EXPECT_THAT(made, IsSupersetOf({Row{"personas", "teacher"},
                                  {"optimised Θ", "teacher"},
                                  {"personas, optimised Θ", "teacher"},
                                  {"small's Θ", "teacher"},
                                  {"teacher's Θ", "small"},
                                  {"re-optimised Θ", "small"},
                                  {"teacher's Θ", "tiny"},
                                  {"small's Θ", "tiny"}}));
  EXPECT_THAT(made, Not(Contains(Row{"re-optimised Θ", "tiny"})));  // no optimiser is of it
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "prompt.json"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "prompt.small.json"));
}

TEST_F(PersonaRuns, MakeThePublishedJudges) {
  const auto rows = run(config(R"(  rows: [SynthesizeMe as published]
  students: []
  compat: reference)"));
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows.contains({"SynthesizeMe as published", "teacher"}));
}

TEST_F(PersonaRuns, MakeThePartsOfThePublishedJudges) {
  const auto rows = run(config(R"(  rows: [published demos, published personas]
  students: [])"));
  EXPECT_EQ(rows.size(), 2u);
  const auto personas = get(*store_, part::kPersonas);
  ASSERT_EQ(personas.size(), 8u);
  for (const PersonaRecord& one : personas)
    EXPECT_EQ(one.persona.empty(), one.method == "published demos") << one.method;
}

/// Calls of a dry run, by stage, of a judge that writes its reasoning and its answer.
std::map<std::string, std::int64_t> counted(Config config) {
  config.set("personas.judge.judging=generated");
  config.set("personas.judge.reasoning=true");
  std::map<std::string, std::int64_t> calls;
  for (const StageUsage& stage : forecast(read_experiment(config), {}))
    calls[stage.stage] += stage.usage.calls;
  return calls;
}

TEST_F(PersonaRuns, CountInADryRunTheDemoSetsOfVerifiedAnswers) {
  const auto calls = counted(config(R"(  rows: [SynthesizeMe as published]
  students: [])"));
  // Each of 4 people has 4 training and 2 validation pairs; a set shown to the judge costs 2.
  EXPECT_GT(calls.at("teacher: SynthesizeMe as published"), 4 * (2 * (4 + 2) + 1));
  EXPECT_EQ(calls.at("teacher: judging test users"), 4 * 4 * 2);
}

TEST_F(PersonaRuns, MakeThePublishedJudgesOnceForAllTheirRows) {
  const std::string one = "SynthesizeMe as published", others = ", published demos";
  const auto alone = counted(config("  rows: [" + one + "]\n  students: []"));
  const auto both = counted(config("  rows: [" + one + others + "]\n  students: []"));
  EXPECT_EQ(both.at("teacher: " + one), alone.at("teacher: " + one));
  EXPECT_FALSE(both.contains("teacher: published demos"));
}

TEST_F(PersonaRuns, SayWhatARowCannotBe) {
  EXPECT_EQ(refused("  rows: [personae]"),
            "people.yaml:8:10: there is no row `personae`; there are: random, population, default "
            "judge, demographics, raw history, demos only, true persona, personas, verified "
            "personas, personas + demos, abstaining, SynthesizeMe as published, "
            "published personas, published demos");
  EXPECT_EQ(refused("  rows: [random, random]"),
            "people.yaml:8:18: the row `random` stands here twice");
  EXPECT_EQ(refused("  rows: [{row: random, theta: optimised}]"),
            "people.yaml:8:31: no Θ has a part in the row `random`");
  EXPECT_EQ(refused("  rows: [{row: personas, theta: distilled}]"),
            "people.yaml:8:33: there is no Θ `distilled`; there are seed, optimised and moved");
  EXPECT_EQ(refused("  students: [mini]"),
            "people.yaml:8:14: `mini` is not a model of this config: add it under 'models'");
  EXPECT_EQ(refused("  students: [small]", "optimizers: [{name: copro, models: [mini]}]"),
            "people.yaml:9:36: `mini` writes no personas here; there are teacher, small");
}

TEST_F(PersonaRuns, BeginWithTheThetaOfAState) {
  Predict saved("sentences -> persona");
  saved.predictors()[0]->signature =
      saved.signature().with_instructions("Say what these have in common.");
  folder_.write("theta.json", dump_state(saved));
  const auto plain = [&] { return config("  rows: [personas]\n  students: []"); };
  Config with_file = plain();
  with_file.set("personas.theta.load=" + (folder_.path() / "theta.json").string());
  const PersonaExperiment experiment = read_persona_experiment(with_file);
  EXPECT_EQ(make_theta(experiment)->signature().instructions, "Say what these have in common.");
  EXPECT_NE(read_experiment(with_file).hash, read_experiment(plain()).hash);
  folder_.write("theta.json", "{}");
  EXPECT_THROW((void)make_theta(experiment), UserError);
}

TEST_F(PersonaRuns, BeginWithThePromptsThatSynthesizeMePublished) {
  const auto folder = shared_folder() / "fixtures" / "synthesizeme_prompts";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  for (const char* size : {"3b", "8b", "70b"}) {
    PersonaExperiment experiment;
    experiment.theta.signature = persona_signature();
    experiment.theta.chain_of_thought = true;
    experiment.theta_file = folder / fmt::format("llama{}.json", size);
    experiment.theta_predictor = "synthesize.predict";
    const auto theta = make_theta(experiment);
    EXPECT_EQ(theta->predictors()[0]->demos.size(), 6u) << size;
    for (const Demo& demo : theta->predictors()[0]->demos)
      EXPECT_NE(demo.fields.find("reasoning"), nullptr);
  }
}

}  // namespace
}  // namespace theta
