// What MLflow itself reads of an export.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/integration/sweep_runs.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr const char* kRead = R"(import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
out = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        history = client.get_metric_history(run.info.run_id, "trials/random_search/score")
        out.append({"experiment": experiment.name, "name": run.info.run_name,
                    "status": run.info.status, "params": run.data.params,
                    "metrics": run.data.metrics, "tags": run.data.tags,
                    "steps": [[m.step, m.value] for m in history],
                    "artifacts": [f.path for f in client.list_artifacts(run.info.run_id)],
                    "prompt": open(client.download_artifacts(run.info.run_id, "prompt.json")).read()})
print(json.dumps(out)))";

/// The Python that setup_mlflow has made; empty: none.
std::string python_with_mlflow() {
  const char* cache = std::getenv("THETA_CACHE");
  const fs::path root = cache ? fs::path(cache) : fs::path(std::getenv("HOME")) / ".cache/theta";
  const fs::path venv = root / "bench/mlflow-skinny-3.17.2";
  return fs::exists(venv / "done") ? (venv / "bin/python").string() : "";
}

using ExportToMlflow = SweepRuns;

TEST_F(ExportToMlflow, IsReadByMlflowWhateverTheNames) {
  const std::string python = python_with_mlflow();
  if (python.empty()) GTEST_SKIP() << "there is no MLflow here: tests/integration/setup_mlflow";
  const fs::path file = config(
      "  list:\n    \"it's 50% / é\": {program.instructions: \"Which \\\"mood\\\"?\\nSay: it "
      "#1\"}\n"
      "    plain: {program.instructions: Plainly.}\n  seeds: [1]\n");
  ASSERT_EQ(sweep(file, "out").code, 0);
  const fs::path out = folder_.path() / "out", store = folder_.path() / "my ml%flow";
  const Finished finished = run_to_end({theta_binary(), "export", out, store, "--to", "mlflow"});
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_EQ(finished.out, "2 runs of moods are in " + store.string() + "\n");
  folder_.write("read.py", kRead);
  ::setenv("MLFLOW_ALLOW_FILE_STORE", "true", 1);
  const Finished read = run_to_end({python, folder_.path() / "read.py", store});
  ::unsetenv("MLFLOW_ALLOW_FILE_STORE");
  ASSERT_EQ(read.code, 0) << read.err;
  const json runs = json::parse(read.out);
  ASSERT_EQ(runs.size(), 2U);
  std::vector<std::string> names;
  for (const json& run : runs) {
    names.push_back(run.at("name"));
    EXPECT_EQ(run.at("experiment"), "moods");
    EXPECT_EQ(run.at("status"), "FINISHED");
    EXPECT_EQ(run.at("params").at("models.task.model"), "tiny");
    EXPECT_GE(run.at("steps").size(), 2U);
    EXPECT_TRUE(run.at("metrics").contains("test/random_search/task/accuracy"));
    EXPECT_THAT(run.at("artifacts"), ElementsAre("prompt.json", "report.html", "report.json"));
    EXPECT_EQ(run.at("tags").at("theta.sweep"), "moods");
    const json folder = run.at("tags").at("theta.hash");
    EXPECT_EQ(run.at("prompt"), content(out / folder.get<std::string>() / "prompt.json"));
    const std::string own = run.at("params").at("program.instructions");
    EXPECT_EQ(own, run.at("name") == "plain, seed 1" ? "Plainly." : "Which \"mood\"? Say: it #1");
  }
  EXPECT_THAT(names, UnorderedElementsAre("it's 50% / é, seed 1", "plain, seed 1"));
}

}  // namespace
}  // namespace theta
