// modules/README.md's table of what becomes of a fault, a test a cell: in each place that makes
// scores one of several items meets the fault, and the rest is right.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/models/outage.hpp"
#include "experiments/report/report.hpp"
#include "experiments/runs/score_table.hpp"
#include "modules/evaluate.hpp"
#include "modules/judge.hpp"
#include "modules/persona.hpp"
#include "modules/predict.hpp"
#include "modules/program.hpp"
#include "modules/samples.hpp"
#include "modules/synthesize_me.hpp"
#include "optimizers/bootstrap_few_shot.hpp"
#include "optimizers/dspy_search.hpp"
#include "optimizers/paired_search.hpp"
#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/scripted_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// What one item meets.
enum class Event { kOutage, kRefusal, kUnparsable, kMissing };

Result<Response> bring(Event event) {
  switch (event) {
    case Event::kOutage:
      return Error{Fault::kService, "gone"};
    case Event::kRefusal:
      return Error{Fault::kRefused, "too long"};
    default:
      return Error{Fault::kPrompt, "nothing to read"};
  }
}

/// What comes of `work`: its line, or the kind of its exception.
template <typename F>
std::string line_of(const F& work) {
  try {
    return work();
  } catch (const Outage&) {
    return "ends as an outage";
  } catch (const UserError&) {
    return "the user's mistake";
  } catch (const std::logic_error&) {
    return "our bug";
  }
}

/// A program that leaves its last input without a result.
class Short final : public Module {
 public:
  explicit Short(const Module& inner) : inner_(inner.clone()) {}
  std::vector<Result<Prediction>> run(std::span<const Record> inputs,
                                      const Call& call) const override {
    return inner_->run(inputs.first(inputs.size() - 1), call);
  }
  std::vector<Predictor*> predictors() override { return inner_->predictors(); }
  std::unique_ptr<Module> clone() const override { return std::make_unique<Short>(*inner_); }

 private:
  std::unique_ptr<Module> inner_;
};

/// Four examples with the answer 1, which all but the one of text `hit` get.
struct FourExamples {
  explicit FourExamples(Event event)
      : model([event](const Request& request) -> Result<Response> {
          return request.messages.back().content.find("hit") == std::string::npos ? say(" 1")
                                                                                  : bring(event);
        }),
        program(std::make_unique<Predict>(Signature::parse("text -> n: int"),
                                          Format{.adapter = "terse"})) {
    for (const char* text : {"a", "hit", "b", "c"})
      examples.push_back({text, "", {{"text", text}, {"n", std::int64_t{1}}}});
    if (event != Event::kMissing) return;
    std::swap(examples[1], examples[3]);
    program = std::make_unique<Short>(*program);
  }
  Task task() { return {examples, examples, metric, model, model, model}; }
  EvaluateCandidate evaluation() {
    return [this](const Combination&, std::span<const std::size_t> asked) {
      std::vector<Example> batch;
      for (const auto j : asked) batch.push_back(examples[j]);
      return results_of(evaluate(*program, batch, metric, {model}));
    };
  }

  ScriptedModel model;
  std::unique_ptr<Module> program;
  std::vector<Example> examples;
  Metric metric = make_metric("exact_match", make_field("n"));
};

std::string evaluated(Event event) {
  FourExamples four(event);
  const Evaluation out = evaluate(*four.program, four.examples, four.metric, {four.model});
  return fmt::format("{:.2f}, {} failed, {} refused, {} unparsable", out.mean(), out.n_failed,
                     out.n_refused, out.n_unparsable);
}

/// Asks a second step about what the first gave, which meets the event.
std::string in_steps(Event event) {
  FourExamples four(event);
  for (Example& example : four.examples) example.fields.set("m", std::int64_t{1});
  Program program;
  program.add(std::move(four.program));
  program.add(Predict(Signature::parse("n -> m: int"), Format{.adapter = "terse"}));
  const Evaluation out =
      evaluate(program, four.examples, make_metric("exact_match", make_field("m")), {four.model});
  return fmt::format("{:.2f}, {} failed, {} refused, {} unparsable, {} calls", out.mean(),
                     out.n_failed, out.n_refused, out.n_unparsable, four.model.calls());
}

/// Asks three times about one input; the second answer meets the event.
std::string sampled(Event event) {
  ScriptedModel model([event, next = 0](const Request&) mutable -> Result<Response> {
    return next++ == 1 && event != Event::kMissing ? bring(event) : say(" 1");
  });
  std::unique_ptr<Module> program =
      std::make_unique<Predict>(Signature::parse("text -> n: int"), Format{.adapter = "terse"});
  if (event == Event::kMissing) program = std::make_unique<Short>(*program);
  const std::vector<Record> inputs = {{{"text", "a"}}};
  const auto kept = Samples(std::move(program), 3, majority).run(inputs, {model}).at(0);
  return kept ? kept->fields.text("n") : std::string(name_of(status_of(kept.error())));
}

std::string searched(Event event) {
  FourExamples four(event);
  const std::vector<Variable> space{{"instruction", 2, 0}};
  const auto surrogate = make_surrogate("gp", space);
  const auto out = search(space, 4, four.evaluation(), *surrogate, {.num_trials = 0});
  return fmt::format("{:.2f}", out.trials.at(0).score);
}

std::string paired_searched(Event event) {
  FourExamples four(event);
  const auto out =
      paired_search({{"instruction", 2, 0}}, 4, in_turn(four.evaluation()), {.budget = 4});
  return fmt::format("{:.2f}", out.trials.at(0).score);
}

std::string dspy_searched(Event event) {
  FourExamples four(event);
  const auto out = dspy_search({{"instruction", 2, 0}}, 4, four.evaluation(), {.num_trials = 0});
  return fmt::format("{:.2f}", out.trials.at(0).score);
}

std::string contested(Event event) {
  FourExamples four(event);
  const Task task = four.task();
  Contest contest("contest", task);
  contest.enter([&] { return four.program->clone(); });
  return fmt::format("{:.2f}", contest.score());
}

std::string bootstrapped(Event event) {
  FourExamples four(event);
  const auto out = bootstrap(*four.program, four.examples, four.metric, {four.model},
                             {.max_bootstrapped = 4, .max_labeled = 0});
  return fmt::format("{} demos, {} failed, {} unparsable", out.successes, out.failed,
                     out.unparsable);
}

/// Two pairs; of the second one is asked what meets the event.
struct TwoPairs {
  explicit TwoPairs(Event event)
      : model([event](const Request& request) -> Result<Response> {
          const std::string& text = request.messages.back().content;
          const bool hit = text.find("hit") != std::string::npos;
          const bool all = event == Event::kMissing;  // then no pair is left
          if (all ? text.find("harsh") != std::string::npos
                  : hit && text.find("soft") == std::string::npos)
            return bring(all ? Event::kOutage : event);
          return choose(request, request.options.at(0), 2);
        }) {
    JudgeOptions options;
    options.signature = Signature::parse("first, second -> preference: Literal['First', 'Second']");
    options.judging = Judging::kScored;
    judge = std::make_unique<Judge>(options, make_terse_adapter());
    for (const char* text : {"plain", "hit"})
      pairs.push_back({.id = text, .context = "", .chosen = text, .rejected = "no", .flip = true});
  }

  ScriptedModel model;
  std::unique_ptr<Judge> judge;
  std::vector<PreferencePair> pairs;
};

/// A model that gives no answer to the last request of a wave.
class Mute final : public LanguageModel {
 public:
  std::string identity() const override { return "mute"; }
  void complete(std::span<const Request> wave, const OnAnswer& on_answer,
                std::stop_token) override {
    for (std::size_t i = 0; i + 1 < wave.size(); ++i)
      on_answer(i, choose(wave[i], wave[i].options.at(0)));
  }
  std::size_t unit() const override { return 1; }
  std::optional<std::size_t> count_tokens(const Request&) const override { return std::nullopt; }
  HostCounters counters() const override { return {}; }
};

std::string judged(Event event) {
  TwoPairs two(event);
  Mute mute;
  LanguageModel& model = event == Event::kMissing ? static_cast<LanguageModel&>(mute) : two.model;
  const std::vector<Question> questions = {{&two.pairs[0], true, "", nullptr},
                                           {&two.pairs[1], true, "", nullptr}};
  const auto out = two.judge->judge(questions, {.model = model});
  const bool failed = out.at(1).status == Outcome::Status::kFailed;
  return fmt::format("{}{}", name_of(out.at(1).status),
                     failed ? "" : fmt::format(" {:.0f}", out.at(1).score()));
}

std::string verified(Event event) {
  TwoPairs two(event);
  const std::vector<std::string> personas = {"harsh", "soft"};
  const std::vector<double> contrasts = {1};
  const std::vector<PersonaTest> tests = {{two.pairs, personas}};
  const auto out = verify_personas(*two.judge, tests, contrasts, {.model = two.model}).at(0);
  if (!out) return "ends as an outage";
  return fmt::format("{:.2f} and {:.2f}", out->each.at(0).fit, out->each.at(1).fit);
}

std::string synthesized(Event event) {
  TwoPairs two(event);
  ScriptedModel writer([](const Request&) -> Result<Response> { return say("harsh"); });
  std::vector<User> users(2);
  for (std::size_t i = 0; i < 2; ++i) {
    users[i].id = fmt::format("u{}", i);
    users[i].context = {two.pairs[0]};
    users[i].context[0].id += users[i].id;
    users[i].test = {two.pairs[i]};
  }
  SynthesizeMe module(Predict(persona_signature(), Format{.adapter = "terse"}), *two.judge,
                      {.contrasts = {0}, .max_copied = 0}, people_by_id(users));
  module.set_judge_model(two.model);
  std::vector<Example> examples;
  for (const User& user : users) examples.push_back(module.example(user, user.test[0]));
  const Evaluation out =
      evaluate(module, examples, make_agreement(module.answer()), {.model = writer});
  return fmt::format("{:.2f}, {} failed, {} refused, {} unparsable", out.mean(), out.n_failed,
                     out.n_refused, out.n_unparsable);
}

std::string reported(Event event) {
  const TemporaryFolder folder;
  Store store(folder.path() / "run.db");
  put(store, part::kConfigHash, "hash");
  put(store, part::kSeed, 1);
  put(store, part::kComparisons, {{"tuned", "untouched"}});
  for (const std::string method : {"untouched", "tuned"}) {
    std::vector<Outcome> outcomes;
    for (int i = 0; i < 4; ++i) {
      outcomes.push_back({method, "task", std::to_string(i), "", 0, 1, 0});
      if (method == "untouched" || i != 1) continue;
      outcomes.back().status =
          event == Event::kMissing ? Outcome::Status::kScored : status_of(bring(event).error());
      outcomes.back().score = 0;
      if (event == Event::kMissing) outcomes.pop_back();
    }
    store.put_row(method, "task", outcomes, {});
  }
  const Report report = make_report(store);
  const Report::Row& row = *find_row(report, "tuned", "task");
  return fmt::format("{:.2f}, {} failed, {} refused, {} unparsable, {} compared", *row.accuracy,
                     row.failed, row.refused, row.unparsable, report.paired.at(0).judgements);
}

/// The program against a server where one of two validation rows and one of two test rows meet the
/// event.
class Served {
 public:
  explicit Served(Event event) : event_(event) {
    for (const char* split : {"train", "validation", "test"})
      folder_.write(
          fmt::format("{}.csv", split),
          fmt::format("sentence,mood\nThe {0} is fine.,good\nThe {0} is hit.,good\n", split));
  }
  fs::path out() const { return folder_.path() / "out"; }
  Finished run(const std::vector<std::string>& command, const std::string& optimizer,
               const std::string& rest = "") const {
    const fs::path config =
        folder_.write("config.yaml", fmt::format(R"(name: moods
seed: 7
models:
  task: {{base_url: "{}", model: tiny, dialect: openai, retries: 0}}
data: {{splits: {{train: train.csv, validation: validation.csv, test: test.csv}}}}
program: {{signature: "sentence -> mood: Literal['good', 'bad']"}}
optimizers: [{}]
{})",
                                                 server_.url(), optimizer, rest));
    std::vector<std::string> words = {theta_binary()};
    words.insert(words.end(), command.begin(), command.end());
    words.insert(words.end(), {config, "--out", out()});
    Finished finished = run_to_end(words);
    EXPECT_NE(finished.code, 1) << finished.err;
    return finished;
  }

 private:
  test::Reply answer(const test::Seen& seen) const {
    const nlohmann::json messages = nlohmann::json::parse(seen.body).at("messages");
    const bool hit =
        messages.back().at("content").get<std::string>().find("is hit.") != std::string::npos;
    if (hit && event_ == Event::kOutage) return test::Reply{500, "gone", {}, {}, {}};
    if (hit && event_ == Event::kRefusal)
      return {
          400,
          R"({"error": {"message": "maximum context length", "code": "context_length_exceeded"}})",
          {},
          {},
          {}};
    const bool readable = !hit || event_ != Event::kUnparsable;
    const nlohmann::json body{
        {"choices",
         {{{"message",
            {{"content", readable ? "[[ ## mood ## ]]\ngood\n\n[[ ## completed ## ]]" : "hm"}}},
           {"finish_reason", "stop"}}}},
        {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 3}}}};
    return test::Reply{200, body.dump(), {}, {}, {}};
  }

  const Event event_;
  TemporaryFolder folder_;
  const test::LoopbackServer server_{[this](const test::Seen& seen) { return answer(seen); }};
};

std::string replayed(Event event) {
  const Served served(event);
  const Finished finished =
      served.run({"replay", "--record"},
                 "{name: mipro, num_instructions: 1, num_demo_sets: 1, max_bootstrapped: 0, "
                 "max_labeled: 1}");
  const fs::path file = served.out() / "table.json";
  if (!fs::exists(file)) return fmt::format("no table, exit code {}", finished.code);
  ScoreTable table = read_score_table(file);
  if (event == Event::kMissing) table.scores.clear();
  return line_of([&] {
    const auto& row = table.row({0, 0});
    return fmt::format("{:.2f}, exit code {}", (row.at(0) + row.at(1)) / 2, finished.code);
  });
}

std::string swept(Event event) {
  const Served served(event);
  const Finished finished = served.run({"sweep"}, "", "baselines: []\nsweep: {seeds: [1, 2]}");
  if (event == Event::kMissing) {
    const auto run = lasting_report(served.out()).at("runs").at(0).at("folder");
    fs::remove_all(served.out() / run);
    run_to_end({theta_binary(), "report", served.out()});
  }
  const auto report = lasting_report(served.out());
  std::string line = fmt::format("exit code {}", finished.code);
  for (const auto& run : report.at("runs"))
    line += fmt::format(", {}", run.at("state").get<std::string>());
  for (const auto& row : report.at("rows"))
    line += fmt::format("; {} seeds, {:.2f}, {} refused, {} unparsable", row.at("seeds").get<int>(),
                        row.at("accuracy").get<double>(), row.at("refused").get<int>(),
                        row.at("unparsable").get<int>());
  return line;
}

struct Cell {
  const char* name;
  std::string (*place)(Event);
  Event event;
  const char* expected;
};

void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.name; }

class FaultTable : public testing::TestWithParam<Cell> {};

TEST_P(FaultTable, IsSo) {
  EXPECT_EQ(line_of([] { return GetParam().place(GetParam().event); }), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    , FaultTable,
    testing::Values(
        Cell{"EvaluateOutage", evaluated, Event::kOutage,
             "1.00, 1 failed, 0 refused, 0 unparsable"},
        Cell{"EvaluateRefusal", evaluated, Event::kRefusal,
             "0.75, 0 failed, 1 refused, 0 unparsable"},
        Cell{"EvaluateUnparsable", evaluated, Event::kUnparsable,
             "0.75, 0 failed, 0 refused, 1 unparsable"},
        Cell{"EvaluateMissing", evaluated, Event::kMissing, "our bug"},
        Cell{"StepOutage", in_steps, Event::kOutage,
             "1.00, 1 failed, 0 refused, 0 unparsable, 7 calls"},
        Cell{"StepRefusal", in_steps, Event::kRefusal,
             "0.75, 0 failed, 1 refused, 0 unparsable, 7 calls"},
        Cell{"StepUnparsable", in_steps, Event::kUnparsable,
             "0.75, 0 failed, 0 refused, 1 unparsable, 7 calls"},
        Cell{"StepMissing", in_steps, Event::kMissing, "our bug"},
        Cell{"SamplesOutage", sampled, Event::kOutage, "failed"},
        Cell{"SamplesRefusal", sampled, Event::kRefusal, "1"},
        Cell{"SamplesUnparsable", sampled, Event::kUnparsable, "1"},
        Cell{"SamplesMissing", sampled, Event::kMissing, "our bug"},
        Cell{"JudgeOutage", judged, Event::kOutage, "failed"},
        Cell{"JudgeRefusal", judged, Event::kRefusal, "refused 0"},
        Cell{"JudgeUnparsable", judged, Event::kUnparsable, "unparsable 0"},
        Cell{"JudgeMissing", judged, Event::kMissing, "our bug"},
        // log sigmoid(2) where the judge is right, and log sigmoid(-1) for no answer.
        Cell{"VerificationOutage", verified, Event::kOutage, "-0.13 and -0.13"},
        Cell{"VerificationRefusal", verified, Event::kRefusal, "-0.72 and -0.22"},
        Cell{"VerificationUnparsable", verified, Event::kUnparsable, "-0.72 and -0.22"},
        Cell{"VerificationMissing", verified, Event::kMissing, "ends as an outage"},
        Cell{"BootstrapOutage", bootstrapped, Event::kOutage, "3 demos, 1 failed, 0 unparsable"},
        Cell{"BootstrapRefusal", bootstrapped, Event::kRefusal, "3 demos, 0 failed, 1 unparsable"},
        Cell{"BootstrapUnparsable", bootstrapped, Event::kUnparsable,
             "3 demos, 0 failed, 1 unparsable"},
        Cell{"BootstrapMissing", bootstrapped, Event::kMissing, "our bug"},
        Cell{"SearchOutage", searched, Event::kOutage, "1.00"},
        Cell{"SearchRefusal", searched, Event::kRefusal, "0.75"},
        Cell{"SearchUnparsable", searched, Event::kUnparsable, "0.75"},
        Cell{"SearchMissing", searched, Event::kMissing, "our bug"},
        Cell{"PairedSearchOutage", paired_searched, Event::kOutage, "1.00"},
        Cell{"PairedSearchRefusal", paired_searched, Event::kRefusal, "0.75"},
        Cell{"PairedSearchUnparsable", paired_searched, Event::kUnparsable, "0.75"},
        Cell{"PairedSearchMissing", paired_searched, Event::kMissing, "our bug"},
        Cell{"DspySearchOutage", dspy_searched, Event::kOutage, "1.00"},
        Cell{"DspySearchRefusal", dspy_searched, Event::kRefusal, "0.75"},
        Cell{"DspySearchUnparsable", dspy_searched, Event::kUnparsable, "0.75"},
        Cell{"DspySearchMissing", dspy_searched, Event::kMissing, "our bug"},
        Cell{"ContestOutage", contested, Event::kOutage, "1.00"},
        Cell{"ContestRefusal", contested, Event::kRefusal, "0.75"},
        Cell{"ContestUnparsable", contested, Event::kUnparsable, "0.75"},
        Cell{"ContestMissing", contested, Event::kMissing, "our bug"},
        Cell{"SynthesizeMeOutage", synthesized, Event::kOutage,
             "1.00, 1 failed, 0 refused, 0 unparsable"},
        Cell{"SynthesizeMeRefusal", synthesized, Event::kRefusal,
             "0.50, 0 failed, 1 refused, 0 unparsable"},
        Cell{"SynthesizeMeUnparsable", synthesized, Event::kUnparsable,
             "0.50, 0 failed, 0 refused, 1 unparsable"},
        Cell{"SynthesizeMeMissing", synthesized, Event::kMissing, "ends as an outage"},
        Cell{"ReplayOutage", replayed, Event::kOutage, "no table, exit code 4"},
        Cell{"ReplayRefusal", replayed, Event::kRefusal, "0.50, exit code 0"},
        Cell{"ReplayUnparsable", replayed, Event::kUnparsable, "0.50, exit code 0"},
        Cell{"ReplayMissing", replayed, Event::kMissing, "the user's mistake"},
        Cell{"SweepOutage", swept, Event::kOutage, "exit code 4, incomplete, incomplete"},
        Cell{"SweepRefusal", swept, Event::kRefusal,
             "exit code 0, done, done; 2 seeds, 0.50, 2 refused, 0 unparsable"},
        Cell{"SweepUnparsable", swept, Event::kUnparsable,
             "exit code 0, done, done; 2 seeds, 0.50, 0 refused, 2 unparsable"},
        Cell{"SweepMissing", swept, Event::kMissing,
             "exit code 0, waiting, done; 1 seeds, 1.00, 0 refused, 0 unparsable"},
        Cell{"ReportOutage", reported, Event::kOutage,
             "1.00, 1 failed, 0 refused, 0 unparsable, 3 compared"},
        Cell{"ReportRefusal", reported, Event::kRefusal,
             "0.75, 0 failed, 1 refused, 0 unparsable, 4 compared"},
        Cell{"ReportUnparsable", reported, Event::kUnparsable,
             "0.75, 0 failed, 0 refused, 1 unparsable, 4 compared"},
        Cell{"ReportMissing", reported, Event::kMissing,
             "1.00, 0 failed, 0 refused, 0 unparsable, 3 compared"}),
    [](const auto& cell) { return std::string(cell.param.name); });

}  // namespace
}  // namespace theta
