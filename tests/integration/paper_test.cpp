// A slice of configs/paper to its end, by the smallest model.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/benchmark_rows.hpp"
#include "tests/support/places.hpp"
#include "tests/support/process.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::IsSupersetOf;

class PaperSlice : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = missing_for_small_runs(); !missing.empty())
      GTEST_SKIP() << missing;
    for (const char* set : {"arena", "prism"})
      folder_.write(fmt::format("{}.jsonl", set), benchmark_rows(4, 5));
    for (const char* size : {"3b", "8b", "70b"})
      folder_.write(fmt::format("llama{}.json", size), benchmark_theta());
    for (const char* folder : {"PRB", "SYNTHESIZEME_PROMPTS"})
      ::setenv(folder, folder_.path().c_str(), 1);
  }
  void TearDown() override {
    for (const char* folder : {"PRB", "SYNTHESIZEME_PROMPTS"}) ::unsetenv(folder);
  }
  std::string model() const {
    return fmt::format("{{path: \"{}\", threads: 1}}", smollm().string());
  }
  /// Runs a config in so few tokens that it ends soon.
  Finished theta(const std::string& command, const std::string& name,
                 const std::vector<std::string>& sets) const {
    std::vector<std::string> line = {theta_binary(), command,
                                     source_dir() + "/configs/paper/" + name + ".yaml", "--out",
                                     (folder_.path() / "out").string()};
    std::vector<std::string> all = {"personas.judge.max_tokens=16", "personas.theta.max_tokens=16",
                                    "personas.compat={candidates: 1}"};
    all.insert(all.end(), sets.begin(), sets.end());
    for (const std::string& set : all) line.insert(line.end(), {"--set", set});
    return run_to_end(line);
  }
  TemporaryFolder folder_;
};

/// What the methods of a report are called.
std::set<std::string> methods_of(const std::filesystem::path& folder) {
  std::set<std::string> methods;
  const auto report = lasting_report(folder);
  for (const auto& row : report.at("rows")) methods.insert(row.at("method"));
  return methods;
}

TEST_F(PaperSlice, RunsTheRowsOfTheTable) {
  const Finished finished =
      theta("sweep", "table3",
            {fmt::format("sweep.list={{135M: {{models.teacher: {}, personas.theta.load: {}}}}}",
                         model(), (folder_.path() / "llama3b.json").string())});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(methods_of(folder_.path() / "out"),
              IsSupersetOf({"random", "default judge", "demographics", "published personas",
                            "published demos", "SynthesizeMe as published"}));
}

TEST_F(PaperSlice, CutsTheContextForTheFigure) {
  const Finished finished = theta("sweep", "figure_context",
                                  {"models.teacher=" + model(), "personas.judge.reasoning=false",
                                   "sweep.grid={data.pairs.context_pairs: [2, 3]}"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(methods_of(folder_.path() / "out"),
              IsSupersetOf({"default judge", "raw history", "SynthesizeMe as published"}));
}

TEST_F(PaperSlice, OptimisesThetaAndCarriesItToAnother) {
  const Finished finished =
      theta("run", "distill",
            {"models={teacher: " + model() + ", llama_8b: " + model() + "}",
             "personas.students=[llama_8b]", "personas.judge.reasoning=false", "data.pairs.train=1",
             "data.pairs.validation=2",
             "optimizers.0={name: mipro, num_trials: 2, num_instructions: 1, num_demo_sets: 2, "
             "minibatch_size: 1, glossary: {written: 0}, max_evaluations: 8, models: [teacher]}"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(methods_of(folder_.path() / "out"), IsSupersetOf({"optimised Θ", "teacher's Θ"}));
}

}  // namespace
}  // namespace theta
