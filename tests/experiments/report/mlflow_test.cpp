#include "experiments/report/mlflow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/records/store.hpp"
#include "core/result.hpp"
#include "experiments/runs/run_record.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/run_report.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

class MlflowFolder : public testing::Test {
 protected:
  /// A run that is done, with two trials and a row.
  fs::path run(const std::string& config, const std::string& row = "mipro") const {
    const fs::path folder = folder_.path() / "run";
    fs::create_directory(folder);
    Store record(folder / "run.db");
    put(record, part::kConfig, config);
    put(record, part::kConfigHash, "cafe");
    put(record, part::kName, "moods");
    put(record, part::kSeed, std::uint64_t{7});
    put(record, part::kState, RunState::kDone);
    put(record, part::kStanding, Standing{.stage = "", .at = 2000.5, .seconds = 10});
    record.put_row(row, "org/tiny",
                   {{row, "org/tiny", "a", "", 0, 1}, {row, "org/tiny", "b", "", 0, 0}},
                   {2, 200, 20});
    record.put_trial({"mipro", 1, TrialKind::kDefault, {}, .5, 60, false, .5, .375, .625});
    record.put_trial({"mipro", 2, TrialKind::kMinibatch, {}, 1, 62, true, .875, .75, 1});
    record.put_trial({"mipro", 3, TrialKind::kGate, {}, .75, 64, false, .8, .7, .9});
    for (const char* name : {"prompt.json", "report.html", "report.json"})
      std::ofstream(folder / name) << "the " << name;
    return folder;
  }
  fs::path store() const { return folder_.path() / "store"; }
  /// The one run of the store.
  fs::path exported() const {
    for (const auto& entry : fs::recursive_directory_iterator(store()))
      if (entry.path().filename() == "params") return entry.path().parent_path();
    return "";
  }
  /// The files below one of its folders.
  std::map<std::string, std::string> files(const std::string& part) const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(exported() / part))
      if (entry.is_regular_file())
        out[fs::relative(entry.path(), exported() / part)] = content(entry.path());
    return out;
  }

  const TemporaryFolder folder_;
};

TEST_F(MlflowFolder, HoldsParamsMetricsByTrialTagsAndArtifacts) {
  const MlflowExport out =
      export_to_mlflow(run("name: moods\nprogram: {max_tokens: 8, stop: [a, b]}\n"), store());
  EXPECT_EQ(out.experiment, "moods");
  EXPECT_EQ(out.runs, 1U);
  EXPECT_THAT(out.left_out, IsEmpty());
  EXPECT_THAT(files("params"),
              ElementsAre(Pair("name", "moods"), Pair("program.max_tokens", "8"),
                          Pair("program.stop.0", "a"), Pair("program.stop.1", "b")));
  const auto metrics = files("metrics");
  EXPECT_EQ(metrics.at("trials/mipro/score"), "2000500 0.5 1\n2000500 1 2\n");
  EXPECT_EQ(metrics.at("trials/mipro/best"), "2000500 0.5 1\n2000500 0.875 2\n");
  EXPECT_EQ(metrics.at("trials/mipro/gate"), "2000500 0.75 3\n");
  EXPECT_EQ(metrics.at("test/mipro/org_tiny/accuracy"), "2000500 0.5 0\n");
  EXPECT_EQ(files("tags").at("theta.state"), "done");
  EXPECT_EQ(files("tags").at("mlflow.runName"), "moods");
  EXPECT_EQ(files("artifacts").at("prompt.json"), "the prompt.json");
  const std::string meta = content(exported() / "meta.yaml");
  EXPECT_THAT(meta, HasSubstr("end_time: 2000500\n"));
  EXPECT_THAT(meta, HasSubstr("start_time: 1990500\n"));
  EXPECT_THAT(meta, HasSubstr("status: 3\n"));
}

TEST_F(MlflowFolder, NamesHoldWhatMlflowAllowsAndNoTwoAreOne) {
  export_to_mlflow(run("types: {'a/b': 1, 'a(b': 2, '..': 3, 'Θ': \"x\\ny\"}\n", "optimised Θ (1)"),
                   store());
  EXPECT_THAT(files("params"), ElementsAre(Pair("types...", "3"), Pair("types._", "x y"),
                                           Pair("types.a_b", "1"), Pair("types.a_b_2", "2")));
  EXPECT_EQ(files("metrics").count("test/optimised _ _1_/org_tiny/accuracy"), 1U);
}

TEST_F(MlflowFolder, HoldsNoHeaderQueryOrCommand) {
  export_to_mlflow(run(R"(models:
  task: {model: m, headers: {a: key1}, query: {b: key2}, server: {command: [s, --key, key3]}}
)"),
                   store());
  EXPECT_THAT(files("params"), ElementsAre(Pair("models.task.model", "m")));
}

TEST_F(MlflowFolder, OfARunOnPeopleHoldsNumbersAlone) {
  const MlflowExport out = export_to_mlflow(run("personas: {rows: [none]}\n"), store());
  EXPECT_THAT(files("artifacts"), IsEmpty());
  EXPECT_EQ(files("metrics").count("test/mipro/org_tiny/accuracy"), 1U);
  EXPECT_THAT(out.left_out,
              ElementsAre("moods: its prompt and its report, which hold what people wrote"));
}

TEST_F(MlflowFolder, ARunThatIsExportedAgainTakesItsOwnPlace) {
  const fs::path from = run("name: moods\n");
  export_to_mlflow(from, store());
  std::ofstream(exported() / "tags" / "mine") << "kept";
  export_to_mlflow(from, store());
  std::size_t runs = 0;
  for (const auto& entry : fs::recursive_directory_iterator(store()))
    runs += entry.path().filename() == "params" ? 1 : 0;
  EXPECT_EQ(runs, 1U);
  EXPECT_EQ(files("tags").at("mine"), "kept");
}

TEST_F(MlflowFolder, NeedsARunOrASweep) {
  EXPECT_EQ(message_of<UserError>([&] { export_to_mlflow(folder_.path(), store()); }),
            folder_.path().string() + " holds neither a run nor a sweep");
  EXPECT_FALSE(fs::exists(store()));
}

}  // namespace
}  // namespace theta
