#include "modules/command_metric.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/support/message_of.hpp"

namespace theta {
namespace {

/// Predictions of `answers`, whose rows are numbered from 1.
class Wave {
 public:
  explicit Wave(const std::vector<std::string>& answers) {
    for (const std::string& answer : answers) {
      examples_.push_back({std::to_string(examples_.size() + 1), "", {{"answer", "right"}}});
      predictions_.emplace_back().fields = {{"answer", answer}};
    }
    for (std::size_t i = 0; i < answers.size(); ++i)
      graded_.push_back({examples_[i], predictions_[i]});
  }
  std::vector<Result<Grade>> by(const Metric& metric, const std::stop_token& stop = {}) const {
    return grade(metric, graded_, stop);
  }

 private:
  std::vector<Example> examples_;
  std::vector<Prediction> predictions_;
  std::vector<Graded> graded_;
};

Metric python(const std::string& script) { return command_metric({"python3", "-c", script}); }

constexpr const char* kLengths = R"(
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    said, right = row["prediction"]["answer"], row["example"]["answer"]
    print(json.dumps({"score": len(said) / 10, "feedback": row["id"] + said + right}), flush=True)
)";

TEST(CommandMetric, SendsLinesAndReadsGrades) {
  const Metric metric = python(kLengths);
  for (int round = 0; round < 2; ++round) {
    const auto grades = Wave({"a", "ab\n\"é"}).by(metric);
    ASSERT_EQ(grades.size(), 2U);
    EXPECT_EQ(grades[0]->score, 0.1);
    EXPECT_EQ(grades[0]->feedback, "1aright");
    EXPECT_EQ(grades[1]->score, 0.5);
    EXPECT_EQ(grades[1]->feedback, "2ab\n\"éright");
  }
}

TEST(CommandMetric, KeepsOneProcess) {
  const Metric metric = python(
      "import os, sys\nfor line in sys.stdin: print('{\"score\": 1, \"feedback\": \"%d\"}' % "
      "os.getpid(), flush=True)");
  const auto first = Wave({"a"}).by(metric), second = Wave({"b"}).by(metric);
  EXPECT_EQ(first[0]->feedback, second[0]->feedback);
}

TEST(CommandMetric, SendsAheadOfTheAnswers) {
  // It reads all before it writes, and more than a pipe holds.
  const Metric metric = python(
      "import sys\nlines = [sys.stdin.readline() for _ in range(3000)]\n"
      "for line in lines: print('{\"score\": 0.5, \"feedback\": \"' + 'x' * 200 + '\"}', "
      "flush=True)\n"
      "sys.stdin.read()");
  const auto grades = Wave(std::vector<std::string>(3000, std::string(300, 'y'))).by(metric);
  EXPECT_EQ(grades.size(), 3000U);
  EXPECT_EQ(grades[2999]->score, 0.5);
}

TEST(CommandMetric, TakesAScoreAloneAndTruth) {
  const Metric metric = python(
      "import sys\nfor line, score in zip(sys.stdin, ['0.25', 'true', '{\"score\": false}']):"
      " print(score, flush=True)");
  const auto grades = Wave({"a", "b", "c"}).by(metric);
  EXPECT_EQ(grades[0]->score, 0.25);
  EXPECT_EQ(grades[1]->score, 1);
  EXPECT_EQ(grades[2]->score, 0);
}

TEST(CommandMetric, NamesTheRowAtWhichItEnds) {
  const Metric metric =
      python("import sys\nprint(1, flush=True)\nsys.stdin.readline()\nsys.exit(3)");
  const std::string name =
      "`python3 -c import sys\nprint(1, flush=True)\nsys.stdin.readline()\n"
      "sys.exit(3)`";
  EXPECT_EQ(message_of<RunError>([&] {
              (void)Wave({"a", "b"}).by(metric);
            }),
            "the metric's command " + name + " ended with exit code 3 at row `2`");
  EXPECT_EQ(message_of<RunError>([&] { (void)Wave({"a"}).by(metric); }),
            "the metric's command " + name + " has ended");
  EXPECT_EQ(message_of<RunError>([] {
              (void)Wave({"a"}).by(command_metric({"sh", "-c", "kill -9 $$"}));
            }),
            "the metric's command `sh -c kill -9 $$` was ended by signal 9 (Killed) at row `1`");
}

TEST(CommandMetric, RefusesWhatIsNoGrade) {
  for (const std::string line : {"so so", "1.5", "-0.1", "{\"feedback\": \"x\"}", "\"1\"", "NaN",
                                 "{\"score\": 1, \"feedback\": 3}", "null"}) {
    const Metric metric = command_metric({"sh", "-c", "read x; echo \"$0\"; cat >&2", line});
    EXPECT_EQ(
        message_of<UserError>([&] { (void)Wave({"a"}).by(metric); }),
        "the metric's command `sh -c read x; echo \"$0\"; cat >&2 " + line + "` wrote `" + line +
            "` for row `1`: a line {\"score\": .., \"feedback\": \"..\"} with a score in 0..1 "
            "is expected");
  }
  EXPECT_EQ(message_of<UserError>([] {
              (void)Wave({"a"}).by(command_metric({"printf", "1\n0\n"}));
            }),
            "the metric's command `printf 1\n0\n` wrote more lines than it was sent: 0");
}

TEST(CommandMetric, SaysWhatCannotBeStarted) {
  EXPECT_EQ(
      message_of<UserError>([] {
        (void)Wave({"a"}).by(command_metric({"/no/such/program", "x"}));
      }),
      "the metric's command `/no/such/program x` cannot be started: No such file or directory");
}

TEST(CommandMetric, StopsInTheMiddleOfAWave) {
  std::stop_source stop;
  const Metric metric = command_metric({"sleep", "60"});
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  EXPECT_EQ(message_of<Interrupted>([&] { (void)Wave({"a"}).by(metric, stop.get_token()); }),
            "stopped while the metric's command graded");
  stopper.join();
}

TEST(CommandMetric, GradesForSeveralThreads) {
  const Metric metric = python(kLengths);
  std::vector<std::future<double>> sums;
  for (std::size_t n = 1; n <= 4; ++n)
    sums.push_back(std::async(std::launch::async, [&metric, n] {
      double sum = 0;
      for (const auto& grade : Wave(std::vector<std::string>(50, std::string(n, 'a'))).by(metric))
        sum += grade->score;
      return sum;
    }));
  for (std::size_t n = 1; n <= 4; ++n) EXPECT_NEAR(sums[n - 1].get(), 5.0 * double(n), 1e-9);
}

}  // namespace
}  // namespace theta
