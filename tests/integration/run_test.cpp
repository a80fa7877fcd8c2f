#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/records/store.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using testing::EndsWith;
using testing::HasSubstr;

constexpr const char* kTask = R"(name: task
seed: 7
models:
  task: {path: "${THETA_CACHE}/models/smollm2-135m-instruct-q4_1.gguf", threads: 2, context: 2048}
  proposer: task
data:
  sentiment: {train: 10, validation: 10, test: 12, seed: 7}
program:
  signature: "sentence -> sentiment: Literal['positive', 'negative']"
  adapter: terse
  answering: score
optimizers:
  - {name: random_search, num_candidates: 2, max_bootstrapped: 1, max_labeled: 1}
  - name: mipro
    num_instructions: 2
    num_demo_sets: 2
    max_bootstrapped: 1
    max_labeled: 1
    num_trials: 3
    minibatch_size: 4
    full_every: 2
    max_by_rule: 0         # long prompts take this model's time, and teach no test more
    nearest: 0
    glossary: {written: 1}
    frozen: [format]       # a calibrated candidate asks more than another, and scores decide which are tried
    proposer: {adapter: terse, data_summary: false, program_summary: false, max_tokens: 64}
)";

constexpr const char* kPeople = R"(name: people
seed: 7
models:
  teacher: {path: "${THETA_CACHE}/models/smollm2-135m-instruct-q4_1.gguf", threads: 2, context: 2048}
  student: {path: "${THETA_CACHE}/models/smollm2-135m-instruct-q4_1.gguf", threads: 2, context: 2048}
  proposer: teacher
data:
  tastes: {train: 2, validation: 2, test: 2, context_pairs: 2, test_pairs: 2}
personas:
  judge:
    signature: "first, second -> preference: Literal['First', 'Second']"
    instructions: Which will this reader prefer?
    adapter: terse
    judging: contrast
  theta: {adapter: terse, opening: Prefers the more, samples: 2, max_tokens: 8, max_words: 9}
  pool: 1
  demos: 1
optimizers:
  - name: mipro
    num_instructions: 2
    num_demo_sets: 2
    max_bootstrapped: 1
    max_labeled: 1
    num_trials: 2
    minibatch_size: 1
    full_every: 2
    proposer: {adapter: terse, data_summary: false, program_summary: false, max_tokens: 16}
)";

/// The rows that a query finds in a run's record; none while it has no tables.
std::vector<std::vector<std::string>> rows_of(const fs::path& folder, const std::string& sql) {
  std::vector<std::vector<std::string>> rows;
  sqlite3* database = nullptr;
  if (sqlite3_open_v2((folder / "run.db").c_str(), &database, SQLITE_OPEN_READONLY, nullptr) ==
      SQLITE_OK) {
    sqlite3_busy_timeout(database, 10'000);
    const auto add = [](void* out, int n, char** texts, char**) {
      std::vector<std::string> row;
      for (int i = 0; i < n; ++i) row.emplace_back(texts[i] ? texts[i] : "");
      static_cast<decltype(rows)*>(out)->push_back(std::move(row));
      return 0;
    };
    sqlite3_exec(database, sql.c_str(), add, &rows, nullptr);
  }
  sqlite3_close(database);
  return rows;
}

double number_of(const fs::path& folder, const std::string& sql) {
  const auto rows = rows_of(folder, sql);
  return rows.empty() || rows[0][0].empty() ? 0 : std::stod(rows[0][0]);
}

double committed(const fs::path& folder) {
  return number_of(folder, "SELECT count(*) FROM answers");
}

double attempts(const fs::path& folder) {
  return number_of(folder, "SELECT sum(amount) FROM timing WHERE what LIKE '% attempts'");
}

std::vector<std::vector<std::string>> responses(const fs::path& folder) {
  return rows_of(folder,
                 "SELECT key, request, response, prompt_tokens, generated_tokens FROM answers "
                 "ORDER BY key");
}

/// The real program on the smallest real model and real sentences.
class Run : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = missing_for_small_runs(); !missing.empty()) GTEST_SKIP() << missing;
  }

  std::vector<std::string> command(const char* config, const fs::path& out) const {
    return {theta_binary(), "run", folder_.write("config.yaml", config), "--out", out};
  }
  fs::path run(const char* config, const std::string& name) const {
    const fs::path out = folder_.path() / name;
    const Finished finished = run_to_end(command(config, out));
    EXPECT_EQ(finished.code, 0) << finished.err;
    return out;
  }
  /// Starts a run and, once more than `least` answers are committed and then a while has passed,
  /// sends the signal.
  Finished interrupt(const char* config, const fs::path& out, double least, int signal,
                     std::chrono::milliseconds later = {}) const {
    Process process(command(config, out));
    while (process.running() && committed(out) <= least)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::this_thread::sleep_for(later);
    process.send(signal);
    return process.wait();
  }

  TemporaryFolder folder_;
};

class RunOf : public Run, public testing::WithParamInterface<const char*> {};

TEST_P(RunOf, TwoFreshFoldersGiveTheSameReportButForTiming) {
  const fs::path a = run(GetParam(), "a"), b = run(GetParam(), "b");
  EXPECT_EQ(lasting_report(a), lasting_report(b));
  EXPECT_EQ(responses(a), responses(b));
  for (const char* file : {"prompt.json", "config.resolved.yaml"})
    EXPECT_EQ(content(a / file), content(b / file)) << file;
}

TEST_P(RunOf, KilledAtAnyMomentItGoesOnToTheSameReportAndAsksNothingTwice) {
  const fs::path whole = run(GetParam(), "whole"), killed = folder_.path() / "killed";
  const double total = committed(whole);
  EXPECT_EQ(attempts(whole), total);
  double before = 0;
  for (const auto& [share, later] : {std::pair{0.0, 0}, {0.1, 20}, {0.2, 5}, {0.4, 0}}) {
    const Finished finished =
        interrupt(GetParam(), killed, share * total, SIGKILL, std::chrono::milliseconds(later));
    ASSERT_EQ(finished.code, -SIGKILL) << finished.err;
    EXPECT_GT(committed(killed), share * total);
    EXPECT_GE(committed(killed), before);
    EXPECT_EQ(attempts(killed), 0);  // kept at the end only
    before = committed(killed);
  }
  ASSERT_LT(before, total);
  run(GetParam(), "killed");
  EXPECT_EQ(attempts(killed), total - before);
  EXPECT_EQ(responses(killed), responses(whole));
  EXPECT_EQ(lasting_report(killed), lasting_report(whole));
  EXPECT_EQ(content(killed / "prompt.json"), content(whole / "prompt.json"));
}

TEST_P(RunOf, TheReportIsComputedAnewFromTheRecordAlone) {
  const fs::path out = run(GetParam(), "out");
  const std::string json = content(out / "report.json"), html = content(out / "report.html");
  ASSERT_NE(json, "");
  for (const auto& file : fs::directory_iterator(out))
    if (file.path().filename() != "run.db") fs::remove(file.path());
  const Finished finished = run_to_end({theta_binary(), "report", out});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(content(out / "report.json"), json);
  EXPECT_EQ(content(out / "report.html"), html);
}

TEST_P(RunOf, EveryNumberOfARowIsAQueryOverTheRecord) {
  const fs::path out = run(GetParam(), "out");
  const auto report = ordered_json::parse(content(out / "report.json"));
  ASSERT_FALSE(report.at("rows").empty());
  EXPECT_FALSE(report.at("paired").empty());
  for (const auto& row : report.at("rows")) {
    const std::string method = row.at("method"), model = row.at("model");
    std::string quoted = method;  // "teacher's Θ"
    if (const auto at = quoted.find('\''); at != std::string::npos) quoted.insert(at, "'");
    const std::string where = fmt::format(" WHERE method = '{}' AND model = '{}'", quoted, model);
    const auto is = [&](const char* name, const std::string& sql) {
      EXPECT_NEAR(row.at(name).get<double>(), number_of(out, sql + where), 1e-6) << name << where;
    };
    is("judgements", "SELECT count(*) FROM outcomes");
    is("failed", "SELECT sum(status = 'failed') FROM outcomes");
    is("unparsable", "SELECT sum(status = 'unparsable') FROM outcomes");
    is("accuracy", "SELECT avg(CASE WHEN status <> 'failed' THEN score END) FROM outcomes");
    is("users", "SELECT count(DISTINCT user) FROM outcomes");
    is("calls", "SELECT calls FROM usage");
    is("prompt_tokens", "SELECT prompt_tokens FROM usage");
    is("generated_tokens", "SELECT generated_tokens FROM usage");
  }
  EXPECT_EQ(static_cast<double>(report.at("rows").size()),
            number_of(out, "SELECT count(*) FROM (SELECT DISTINCT method, model FROM outcomes)"));
  EXPECT_EQ(static_cast<double>(report.at("trials").size()),
            number_of(out, "SELECT count(*) FROM trials"));
}

INSTANTIATE_TEST_SUITE_P(Configs, RunOf, testing::Values(kTask, kPeople),
                         [](const auto& one) { return one.param == kTask ? "ATask" : "People"; });

TEST_F(Run, TheJudgeIsARoleOfItsOwnInEveryReport) {
  const fs::path out = run(kPeople, "out");
  const auto report = ordered_json::parse(content(out / "report.json"));
  std::map<std::string, ordered_json> usage;
  for (const auto& one : report.at("usage_by_role")) usage[one.at("role")] = one;
  ASSERT_EQ(usage.size(), 4U);  // both judges are one file
  EXPECT_GT(usage.at("judge").at("calls"), 0);
  EXPECT_EQ(usage.at("judge").at("generated_tokens"), 0);  // it is scored
  for (const char* writer : {"teacher", "student", "proposer"})
    EXPECT_GT(usage.at(writer).at("generated_tokens"), 0) << writer;
  EXPECT_THAT(content(out / "report.html"), HasSubstr("<tr><td>judge</td>"));
  EXPECT_THAT(run_to_end({theta_binary(), "report", out}).out, HasSubstr("\njudge  "));
}

TEST_F(Run, InterruptedItSaysHowToGoOnAndGoesOnToTheSameReport) {
  const fs::path whole = run(kTask, "whole"), stopped = folder_.path() / "stopped";
  const Finished finished = interrupt(kTask, stopped, committed(whole) / 3, SIGINT);
  EXPECT_EQ(finished.code, 130);
  EXPECT_THAT(finished.err, EndsWith("theta: stopped; what is done is in " + stopped.string() +
                                     ", and the same command goes on from there\n"));
  EXPECT_FALSE(fs::exists(stopped / "report.json"));
  ASSERT_LT(committed(stopped), committed(whole));
  run(kTask, "stopped");
  EXPECT_EQ(responses(stopped), responses(whole));
  EXPECT_EQ(lasting_report(stopped), lasting_report(whole));
}

TEST_F(Run, AFolderOfAnotherConfigIsRefused) {
  const fs::path out = folder_.path() / "out";
  ASSERT_EQ(interrupt(kTask, out, 0, SIGKILL).code, -SIGKILL);
  const auto hash = [&](const std::string& set) {
    const Finished checked =
        run_to_end({theta_binary(), "check", folder_.write("config.yaml", kTask), "--set", set});
    const auto end = checked.out.rfind(')');
    return checked.out.substr(end - 12, 12);
  };
  auto other = command(kTask, out);
  other.insert(other.end(), {"--set", "seed=8"});
  const double before = committed(out);
  const Finished finished = run_to_end(other);
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, fmt::format("{} holds a run of another config or other data ({}; this "
                                      "one is {}): give another --out, or remove it\n",
                                      out.string(), hash("seed=7"), hash("seed=8")));
  EXPECT_EQ(committed(out), before);
}

TEST_F(Run, AProgramThatDoesNotFitItsModelIsRefused) {
  const fs::path out = folder_.path() / "out";
  auto narrow = command(kTask, out);
  narrow.insert(narrow.end(), {"--set", "models.task.context=32", "--set",
                               "models.task.sequences=16", "--set", "models.task.batch=16"});
  const Finished finished = run_to_end(narrow);
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.err, HasSubstr("does not fit the window of 32 tokens of"));
  EXPECT_EQ(committed(out), 0);
}

TEST_F(Run, ACandidateThatOutgrowsTheModelsWindowScoresNothing) {
  const fs::path out = folder_.path() / "out";
  auto narrow = command(kTask, out);
  narrow.insert(narrow.end(), {"--set", "models.task.context=128", "--set",
                               "optimizers=[{name: labeled_few_shot, k: 8}, {name: random_search, "
                               "num_candidates: 1, max_bootstrapped: 0, max_labeled: 8}]"});
  const Finished finished = run_to_end(narrow);
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("does not fit the window of 128 tokens of"));
  for (const char* search : {"labeled_few_shot", "random_search"}) {
    const std::string of = fmt::format(" FROM trials WHERE search = '{}'", search);
    EXPECT_GT(number_of(out, "SELECT score" + of + " AND kind = 'default'"), 0);
    EXPECT_GE(number_of(out, "SELECT count(*)" + of + " AND kind = 'full' AND score = 0"), 1);
  }
}

TEST_F(Run, AFolderInUseIsRefused) {
  const fs::path out = folder_.path() / "out";
  fs::create_directory(out);
  const Store owner(out / "run.db");
  const Finished finished = run_to_end(command(kTask, out));
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.err, fmt::format("{} is in use by process {}\n", out.string(), getpid()));
}

TEST_F(Run, ADryRunSpendsNothingAndForeseesTheRun) {
  const fs::path out = folder_.path() / "out";
  auto dry = command(kTask, out);
  dry.push_back("--dry-run");
  const Finished finished = run_to_end(dry);
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_FALSE(fs::exists(out));
  // Stages can have spaces in their names: a line ends with the role and three numbers.
  std::map<std::string, std::array<double, 3>> foreseen;  // calls, prompt and generated tokens
  std::istringstream lines(finished.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream text(line);
    const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    if (words.size() < 5 || words.back().find_first_not_of("0123456789") != std::string::npos ||
        words[0] == "in")
      continue;
    for (std::size_t i = 0; i < 3; ++i)
      foreseen[words[words.size() - 4]][i] += std::stod(words[words.size() - 3 + i]);
  }
  ASSERT_EQ(foreseen.size(), 3U) << finished.out;  // also the task model as its own teacher
  // An instruction, and a glossary of two labels.
  EXPECT_EQ(foreseen.at("proposer")[0], 3);
  std::array<double, 3> all{};
  for (const auto& [role, numbers] : foreseen)
    for (std::size_t i = 0; i < 3; ++i) all[i] += numbers[i];

  run(kTask, "out");
  // Made-up answers bootstrap other demos than real ones do, so the forecast is no bound.
  const double asked = number_of(out,
                                 "SELECT sum(amount) FROM timing WHERE what LIKE '% attempts' "
                                 "OR what LIKE '% store hits'");
  // The gate asks for its three examples twice, but not for a winner that is believed to be worse.
  constexpr double kGates = 2 * 2 * 3;
  EXPECT_GE(all[0], 0.9 * asked);
  EXPECT_LE(all[0], 1.1 * asked + kGates);
  EXPECT_GT(1.1 * all[1], number_of(out, "SELECT sum(prompt_tokens) FROM answers"));
  EXPECT_GE(all[2], number_of(out, "SELECT sum(generated_tokens) FROM answers"));
}

/// In units of 16, whose answers hang on what shares their batch.
TEST_F(Run, APromptBesideItsRunMakesItsRowAgain) {
  const fs::path out = run(kPeople, "out");
  const double accuracy =
      number_of(out, "SELECT avg(score) FROM outcomes WHERE method = 'optimised Θ'");
  const Finished again = run_to_end({theta_binary(), "eval", out / "prompt.json"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, fmt::format("accuracy {:.4f} on 8 judgements of 2 people, made as the row "
                                   "`optimised Θ` (0 unparsable, 0 refused, 0 failed)\n",
                                   accuracy));
}

TEST_F(Run, TheSavedPromptIsScoredAndAnswers) {
  const fs::path out = run(kTask, "out");
  const fs::path file = folder_.write("mine.csv",
                                      "text,sentiment\n\"I love it, it is great.\",positive\n"
                                      "\"Awful, it broke at once.\",negative\n");
  const Finished scored =
      run_to_end({theta_binary(), "eval", out / "prompt.json", file, "--field", "sentence=text"});
  EXPECT_EQ(scored.code, 0) << scored.err;
  EXPECT_THAT(scored.out,
              testing::MatchesRegex(
                  "exact_match [01]\\.[05]000 on 2 examples \\(0 unparsable, 0 refused, 0 failed"
                  "\\)\n"));

  const Finished one = run_to_end({theta_binary(), "predict", out / "prompt.json", "--input",
                                   "sentence=I love it, it is great."});
  EXPECT_EQ(one.code, 0) << one.err;
  ASSERT_EQ(std::ranges::count(one.out, '\n'), 1) << one.out;
  EXPECT_THAT(ordered_json::parse(one.out).at("sentiment").get<std::string>(),
              testing::AnyOf("positive", "negative"));

  const Finished all = run_to_end(
      {theta_binary(), "predict", out / "prompt.json", file, "--field", "sentence=text"});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_EQ(std::ranges::count(all.out, '\n'), 2) << all.out;
  EXPECT_THAT(all.out, testing::StartsWith(one.out));
}

}  // namespace
}  // namespace theta
