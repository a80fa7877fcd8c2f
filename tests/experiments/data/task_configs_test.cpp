#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "experiments/data/dataset_file.hpp"
#include "experiments/runs/experiment.hpp"
#include "experiments/runs/program_experiment.hpp"
#include "tests/support/places.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

namespace fs = std::filesystem;

/// The configs of published tasks, on rows made in the published shape.
class TaskConfig : public testing::Test {
 protected:
  void SetUp() override { ::setenv("THETA_DATA", folder_.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("THETA_DATA"); }

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((folder_.path() / file).parent_path());
    folder_.write(file, text);
  }
  /// The data of a config that asks for few rows.
  static Dataset load(const std::string& name, const std::string& split) {
    Config config = Config::load(source_dir() + "/configs/tasks/" + name + ".yaml");
    if (!split.empty()) config.set("data.split=" + split);
    const auto experiment = std::get<ProgramExperiment>(read_experiment(config).experiment);
    return load_dataset(experiment.data, experiment.program.data_signature());
  }
  TemporaryFolder folder_;
};

TEST_F(TaskConfig, Gsm8kReadsTheNumberOfASolution) {
  const std::string rows =
      R"({"question": "How many?", "answer": "2 * 600 = <<2*600=1200>>1200\n#### 1,200"}
{"question": "How few?", "answer": "7 - 9 = <<7-9=-2>>-2\n#### -2"}
)";
  write("gsm8k/train.jsonl", rows);
  write("gsm8k/test.jsonl", rows);
  const Dataset data = load("gsm8k", "{validation: 1}");
  EXPECT_EQ(data.train.size(), 1U);
  EXPECT_EQ(data.validation.size(), 1U);
  ASSERT_EQ(data.test.size(), 2U);
  EXPECT_EQ(data.test[0].fields.at("answer"), Value(std::int64_t{1200}));
  EXPECT_EQ(data.test[1].fields.at("answer"), Value(std::int64_t{-2}));
}

TEST_F(TaskConfig, BigBenchHardReadsItsExamples) {
  write("bbh/navigate.json", R"json({"canary": "DO NOT TRAIN", "examples": [
    {"input": "Do you return?\nOptions:\n- Yes\n- No", "target": "Yes"},
    {"input": "b", "target": "No"}, {"input": "c", "target": "(A)"}]})json");
  const Dataset data = load("bbh", "{train: 1, validation: 1, test: 1}");
  EXPECT_EQ(data.train.size() + data.validation.size() + data.test.size(), 3U);
}

TEST_F(TaskConfig, Banking77ReadsItsTables) {
  const std::string rows =
      "text,category\r\n\"Where's my card, please?\",card_arrival\r\nIt was "
      "reverted,reverted_card_payment?\r\nNo refund,Refund_not_showing_up\r\n";
  write("banking77/train.csv", rows);
  write("banking77/test.csv", rows);
  const Dataset data = load("banking77", "{train: 1, validation: 1}");
  EXPECT_EQ(data.train.size(), 1U);
  EXPECT_EQ(data.test[1].fields.text("category"), "reverted_card_payment?");
}

TEST_F(TaskConfig, HotpotQaShowsItsParagraphsAsDspyDoes) {
  const std::string row =
      R"({"_id": "ID", "answer": "yes", "question": "Both?", "supporting_facts": [["A", 0]],
          "context": [["A", ["One.", " Two."]], ["B", ["Three."]]], "type": "comparison",
          "level": "hard"})";
  const auto with_id = [&](const std::string& id) {
    std::string text = row;
    return text.replace(text.find("ID"), 2, id);
  };
  write("hotpotqa/hotpot_train_v1.1.json", "[" + with_id("a") + ", " + with_id("b") + "]");
  write("hotpotqa/hotpot_dev_distractor_v1.json", "[" + with_id("c") + "]");
  const Dataset data = load("hotpotqa", "{validation: 1}");
  ASSERT_EQ(data.test.size(), 1U);
  EXPECT_EQ(data.test[0].id, "c");
  EXPECT_EQ(data.test[0].fields.text("context"),
            "[1] «['A', ['One.', ' Two.']]»\n[2] «['B', ['Three.']]»");
  EXPECT_EQ(data.train.size() + data.validation.size(), 2U);
}

TEST_F(TaskConfig, MmluReadsTablesWithoutAHeader) {
  const std::string rows = "\"Find x, y.\",0,4,2,6,B\n\"What is \"\"e\"\"?\",a,b,c,d,D\n";
  for (const std::string split : {"dev", "val", "test"})
    write("mmlu/" + split + "/abstract_algebra_" + split + ".csv", rows);
  const Dataset data = load("mmlu", "");
  ASSERT_EQ(data.test.size(), 2U);
  EXPECT_EQ(data.test[0].fields.text("question"), "Find x, y.");
  EXPECT_EQ(data.test[0].fields.text("B"), "4");
  EXPECT_EQ(data.test[1].fields.text("answer"), "D");
  EXPECT_EQ(data.validation.size(), 2U);
}

}  // namespace
}  // namespace theta
