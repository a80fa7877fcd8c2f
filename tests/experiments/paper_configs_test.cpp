// configs/paper, on rows made in the published shape. No model is asked.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/benchmark_rows.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::ContainsRegex;
using testing::HasSubstr;

constexpr int kPeople = 64, kPairs = 5;

std::string config_path(const std::string& name) {
  return source_dir() + "/configs/paper/" + name + ".yaml";
}

std::vector<std::string> names_of_configs() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(source_dir() + "/configs/paper"))
    if (entry.path().extension() == ".yaml" && entry.path().stem() != "build_prism")
      names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

/// What the configs read of the environment.
class PaperConfig : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    for (const char* set : {"arena", "prism"})
      folder_.write(fmt::format("{}.jsonl", set), benchmark_rows(kPeople, kPairs));
    for (const char* size : {"3b", "8b", "70b"})
      folder_.write(fmt::format("llama{}.json", size), benchmark_theta());
    for (const char* folder : {"PRB", "SYNTHESIZEME_PROMPTS"})
      ::setenv(folder, folder_.path().c_str(), 1);
    for (const char* key : {"OPENAI_API_KEY", "GEMINI_API_KEY"}) ::setenv(key, "none", 1);
  }
  void TearDown() override {
    for (const char* variable : {"PRB", "SYNTHESIZEME_PROMPTS", "OPENAI_API_KEY", "GEMINI_API_KEY"})
      ::unsetenv(variable);
  }
  static Finished theta(const std::string& command, const std::vector<std::string>& more = {}) {
    std::vector<std::string> line = {theta_binary(), command, config_path(GetParam())};
    line.insert(line.end(), more.begin(), more.end());
    return run_to_end(line);
  }
  static bool is_sweep() {
    std::ifstream file(config_path(GetParam()));
    for (std::string line; std::getline(file, line);)
      if (line == "sweep:") return true;
    return false;
  }
  TemporaryFolder folder_;
};

TEST_P(PaperConfig, PassesTheCheck) {
  const Finished finished = theta("check");
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr(": ok (paper"));
}

TEST_P(PaperConfig, TellsWhatItWouldAskAndHowLongThatTakes) {
  const Finished finished = theta(is_sweep() ? "sweep" : "run", {"--dry-run", "--rate", "1"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("hours"));
  if (GetParam() == "rewards") return;  // asks no model
  EXPECT_THAT(finished.out, ContainsRegex("in all +.*[1-9][0-9]+ .*\\.[0-9][0-9]\n"));
}

TEST(PaperBenchmark, PassesTheCheckOnFilesOfPrism) {
  const TemporaryFolder folder;
  folder.write("conversations.jsonl", "{}");
  folder.write("survey.jsonl", "{}");
  ::setenv("PRISM", folder.path().c_str(), 1);
  for (const char* key : {"OPENAI_API_KEY", "GEMINI_API_KEY"}) ::setenv(key, "none", 1);
  const Finished finished = run_to_end({theta_binary(), "check", config_path("build_prism")});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr(": ok (prism, a benchmark to be built)"));
  for (const char* variable : {"PRISM", "OPENAI_API_KEY", "GEMINI_API_KEY"}) ::unsetenv(variable);
}

INSTANTIATE_TEST_SUITE_P(Of, PaperConfig, testing::ValuesIn(names_of_configs()),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace theta
