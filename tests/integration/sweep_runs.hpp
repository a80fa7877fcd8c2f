#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/loopback_server.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {

/// The program against a server of this process: a reader who is right about most sentences, and
/// about more of them where the prompt shows examples.
class SweepRuns : public testing::Test {
 protected:
  SweepRuns() : server_([this](const test::Seen& seen) { return answer(seen); }) {
    std::string rows = "sentence,mood\n";
    for (int i = 0; i < 24; ++i)
      rows += fmt::format("sentence number {},{}\n", i, i % 2 == 0 ? "good" : "bad");
    folder_.write("rows.csv", rows);
  }

  test::Reply answer(const test::Seen& seen) {
    if (dead_) return {503, "down", {}, test::Reply::Delivery::kWhole, {}};
    const auto json = nlohmann::json::parse(seen.body);
    const auto& messages = json.at("messages");
    const std::string text = messages.back().at("content");
    const auto at = text.find("sentence number ");
    const int i = at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 16);
    const bool right = messages.size() > 2 ? i % 5 != 0 : i % 3 != 0;
    const std::string mood = (i % 2 == 0) == right ? "good" : "bad";
    const nlohmann::json body = {
        {"choices",
         {{{"message", {{"content", "[[ ## mood ## ]]\n" + mood + "\n\n[[ ## completed ## ]]"}}},
           {"finish_reason", "stop"}}}},
        {"usage", {{"prompt_tokens", 100}, {"completion_tokens", 10}}}};
    return {200, body.dump(), {}, test::Reply::Delivery::kWhole, delay_.load()};
  }

  std::filesystem::path config(const std::string& sweep, const std::string& extra = "") const {
    return folder_.write("sweep.yaml", fmt::format(R"(name: moods
seed: 7
models:
  task: {{base_url: "{}", model: tiny, dialect: openai, in_flight: 4, retries: 1{}}}
data: {{file: rows.csv, split: {{train: 8, validation: 6, test: 10}}}}
program: {{signature: "sentence -> mood: Literal['good', 'bad']"}}
baselines: []
optimizers:
  - {{name: random_search, num_candidates: 2, max_bootstrapped: 1, max_labeled: 2}}
sweep:
{})",
                                                   server_.url(), extra, sweep));
  }
  std::vector<std::string> command(const std::filesystem::path& config, const std::string& out,
                                   const std::string& jobs = "4") const {
    return {theta_binary(), "sweep", config, "--out", folder_.path() / out, "--jobs", jobs};
  }
  Finished sweep(const std::filesystem::path& config, const std::string& out,
                 const std::string& jobs = "4") const {
    return run_to_end(command(config, out, jobs));
  }
  std::map<std::string, std::string> states(const std::filesystem::path& folder) const {
    run_to_end({theta_binary(), "report", folder});
    std::map<std::string, std::string> out;
    const auto report = nlohmann::ordered_json::parse(content(folder / "report.json"));
    for (const auto& run : report.at("runs")) out[run.at("label")] = run.at("state");
    return out;
  }

  TemporaryFolder folder_;
  std::atomic<bool> dead_ = false;
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  const test::LoopbackServer server_;
};

/// The axes of four runs.
inline constexpr const char* kFour =
    "  grid: {optimizers.0.num_candidates: [1, 2]}\n  seeds: [1, 2]\n";

}  // namespace theta
