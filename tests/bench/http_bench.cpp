// Judgements a second against servers that give every request the same answer, beside wrk, which
// sends a request of the same size and does nothing else, and DSPy. What is timed is a search's
// work: prompts formatted, sent, answers parsed, scored, and every answer committed to a store.
//
// usage: http_bench --fast URL --slow URL --wrk SCRIPT [--dspy PYTHON,SCRIPT] [--dspy-rs BINARY]
//                   [--json FILE]
//        http_bench --judge URL,IN_FLIGHT,CALLS        one measurement, in a process of its own
//
// --fast answers at once, --slow after 50 ms. Started by http.sh.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/models/http/chat_body.hpp"
#include "core/models/http/model.hpp"
#include "core/records/recorded_model.hpp"
#include "modules/evaluate.hpp"
#include "modules/predict.hpp"
#include "tests/bench/figures.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

constexpr std::size_t kExamples = 250;  // of one evaluation
constexpr int kSideBySide = 4;          // candidates that are evaluated at once
constexpr int kRounds = 5;              // each the peers and Theta in turn; medians are reported

std::string repeated(const std::string& words, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += words;
  return text;
}

std::vector<Example> examples() {
  std::vector<Example> all;
  for (std::size_t i = 0; i < kExamples; ++i) {
    Example example;
    example.id = std::to_string(i);
    example.fields = {{"conversation", repeated(fmt::format("question {} ", i), 30)},
                      {"first", repeated("brief ", 20)},
                      {"second", repeated("rambling ", 14)},
                      {"preference", "First"}};
    all.push_back(std::move(example));
  }
  return all;
}

/// The judge with its `number`th instruction, so that no two candidates share a request.
Predict judge(std::size_t number) {
  return Predict(chain_of_thought(
      Signature::parse("conversation, first, second -> preference",
                       fmt::format("Judge which reply the user prefers ({}).", number))));
}

/// Peak resident memory of this process in MiB.
double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  throw RunError("/proc/self/status has no VmHWM");
}

/// Evaluates candidates on the examples until `calls` are made; prints calls a second and peak MiB.
void judge_until(const std::string& url, int in_flight, std::size_t calls) {
  const TemporaryFolder folder;
  HttpOptions options;
  options.base_urls = {url};
  options.model = "mock";
  options.dialect = Dialect::kOpenAi;
  options.in_flight = in_flight;
  HttpModel server(options);
  Store store(folder.path() / "run.db");
  RecordedModel model(server, store, nullptr);
  const auto data = examples();
  const Metric metric = make_metric("exact_match", make_field("preference"));

  const auto begin = std::chrono::steady_clock::now();
  std::atomic<std::size_t> next = 0;
  std::atomic<std::size_t> right = 0;
  {
    std::vector<std::jthread> searchers;
    for (int i = 0; i < kSideBySide; ++i) {
      searchers.emplace_back([&] {
        for (std::size_t k = next++; k * kExamples < calls; k = next++) {
          const auto result = evaluate(judge(k), data, metric, {.model = model});
          right +=
              static_cast<std::size_t>(std::count(result.scores.begin(), result.scores.end(), 1.0));
        }
      });
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (right != calls) throw RunError(fmt::format("{} of {} judgements are right", right, calls));
  fmt::print("{} {}\n", static_cast<double>(calls) / took.count(), peak_mib());
}

struct Speed {
  double calls_per_s = 0;
  double peak_mib = 0;
};

/// What a judge in a process of its own prints.
Speed speed_of(const std::vector<std::string>& command) {
  std::istringstream said(output_of(command));
  Speed speed;
  said >> speed.calls_per_s >> speed.peak_mib;
  return speed;
}

Speed judge_in_process(const std::string& url, int in_flight, int calls) {
  return speed_of({"/proc/self/exe", "--judge", fmt::format("{},{},{}", url, in_flight, calls)});
}

/// Requests a second of one thread of wrk, which sends what `script` says.
double wrk(const std::string& script, const std::string& url, int connections) {
  const auto said = output_of({"/usr/bin/env", "wrk", "-t1", fmt::format("-c{}", connections),
                               "-d4s", "-s", script, url + "/chat/completions"});
  constexpr std::string_view kSpeed = "Requests/sec:";
  const auto at = said.find(kSpeed);
  if (at == said.npos || said.find("Non-2xx") != said.npos) throw RunError("wrk says " + said);
  return std::stod(said.substr(at + kSpeed.size()));
}

/// Of one client.
struct Rounds {
  std::array<double, kRounds> at_once = {}, late = {}, mib = {};  ///< calls a second, peak MiB
};

double median(std::array<double, kRounds> values) {
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

/// Median milliseconds from start to end of a program.
double start_ms(const std::vector<std::string>& command) {
  std::array<double, kRounds> took;
  for (double& ms : took) {
    const auto begin = std::chrono::steady_clock::now();
    output_of(command);
    ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }
  return median(took);
}

/// The body that wrk sends: the first example's, as Theta sends it.
std::string body() {
  Request request;
  request.messages = judge(0).messages(examples().front().fields);
  return chat_body("mock", Dialect::kOpenAi, request, {.ask = ChatAsk::kGenerate});
}

std::vector<Figure> measure(std::vector<std::string>& arguments) {
  if (const auto one = take_list(arguments, "--judge"); !one.empty()) {
    judge_until(one.at(0), std::stoi(one.at(1)), std::stoul(one.at(2)));
    std::exit(0);
  }
  const auto fast = take_option(arguments, "--fast");
  const auto slow = take_option(arguments, "--slow");
  const auto script = take_option(arguments, "--wrk");
  const auto dspy = take_list(arguments, "--dspy");
  const auto dspy_rs = take_option(arguments, "--dspy-rs");
  if (fast.empty() || slow.empty() || script.empty()) throw UserError("start it by http.sh");
  const TemporaryFolder folder;
  const auto body_file = folder.write("body.json", body());
  setenv("THETA_BENCH_BODY", body_file.c_str(), 1);

  Rounds ours, bare, rust;
  for (std::size_t i = 0; i < kRounds; ++i) {
    bare.at_once[i] = wrk(script, fast, 64);
    ours.at_once[i] = judge_in_process(fast, 64, 60'000).calls_per_s;
    if (!dspy_rs.empty()) rust.at_once[i] = speed_of({dspy_rs, fast, "64", "20000"}).calls_per_s;
    bare.late[i] = wrk(script, slow, 256);
    const auto note_late = [&](Rounds& client, const Speed& speed) {
      client.late[i] = speed.calls_per_s;
      client.mib[i] = speed.peak_mib;
    };
    note_late(ours, judge_in_process(slow, 256, 20'000));
    if (!dspy_rs.empty()) note_late(rust, speed_of({dspy_rs, slow, "256", "20000"}));
    fmt::print(
        "round {}: {:.0f} of wrk's {:.0f} calls/s; answered after 50 ms {:.0f} of {:.0f}; "
        "{:.1f} MiB\n",
        i + 1, ours.at_once[i], bare.at_once[i], ours.late[i], bare.late[i], ours.mib[i]);
  }
  std::vector<Figure> figures = {{.name = "judge calls/s, wrk's bare exchanges",
                                  .theta = median(ours.at_once),
                                  .peer = median(bare.at_once),
                                  .target = 0.4},
                                 {.name = "judge calls/s at 50 ms and 256 in flight, wrk's",
                                  .theta = median(ours.late),
                                  .peer = median(bare.late),
                                  .target = 0.95}};
  const double start = start_ms(
      {theta_binary(), "check", source_dir() + "/configs/quickstart.yaml", "--config-only"});
  figures.push_back({.name = "its peak memory in MiB",
                     .theta = median(ours.mib),
                     .target = 30,
                     .better = "lower"});
  figures.push_back({.name = "start of theta check --config-only in ms",
                     .theta = start,
                     .target = 20,
                     .better = "lower"});
  const auto add_peer = [&](const std::string& whose, double at_once, double late, double mib,
                            double target) {
    figures.push_back({.name = "judge calls/s, " + whose,
                       .theta = median(ours.at_once),
                       .peer = at_once,
                       .target = target});
    figures.push_back({.name = "judge calls/s at 50 ms and 256 in flight, " + whose,
                       .theta = median(ours.late),
                       .peer = late});
    figures.push_back({.name = "its peak memory in MiB, " + whose,
                       .theta = median(ours.mib),
                       .peer = mib,
                       .better = "lower"});
  };
  if (!dspy.empty()) {
    // calls a second at once and after 50 ms, MiB, ms of its import
    std::istringstream said(output_of({dspy.at(0), dspy.at(1), fast, slow}));
    double at_once = 0, late = 0, mib = 0, import_ms = 0;
    said >> at_once >> late >> mib >> import_ms;
    add_peer("DSPy's", at_once, late, mib, 40);
    figures.push_back({.name = "start of theta check --config-only in ms, DSPy's import",
                       .theta = start,
                       .peer = import_ms,
                       .better = "lower"});
  }
  if (!dspy_rs.empty()) {
    add_peer("dspy-rs's", median(rust.at_once), median(rust.late), median(rust.mib), 3);
  }
  return figures;
}

}  // namespace
}  // namespace theta

int main(int argc, char** argv) { return theta::bench_main("http", argc, argv, theta::measure); }
