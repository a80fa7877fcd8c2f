// Every model that scripts/run fetches, through the real program.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <tuple>

#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// A model's file and the layout of its weights; empty: as they are.
class Ping : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(Ping, IsAnsweredInThisProcess) {
  const auto& [file, convert] = GetParam();
  const fs::path model = smollm().parent_path() / file;
  if (!fs::exists(model)) GTEST_SKIP() << model << " is missing: scripts/setup fetches it";
  const TemporaryFolder folder;
  fs::create_symlink(model, folder.path() / file);  // what is converted is kept beside it
  const auto config =
      folder.write("ping.yaml", fmt::format(R"(name: ping
models: {{task: {{path: "{}", context: 256, batch: 64, convert: "{}"}}}}
data: {{file: rows.csv, split: {{train: 1, validation: 1, test: 1}}}}
program: {{signature: "sentence -> mood"}}
)",
                                            (folder.path() / file).string(), convert));
  const Finished finished = run_to_end({theta_binary(), "ping", config});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out,
              testing::StartsWith(fmt::format("task: {} answers in this process: task (", file)));
  EXPECT_EQ(fs::exists(folder.path() / "converted"), *convert != '\0');
}

INSTANTIATE_TEST_SUITE_P(
    Models, Ping,
    testing::Combine(testing::Values("smollm2-135m-instruct-q4_1.gguf",
                                     "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                                     "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),
                     testing::Values("", "q4_0", "q8_0")));

}  // namespace
}  // namespace theta
