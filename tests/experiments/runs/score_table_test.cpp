#include "experiments/runs/score_table.hpp"

#include <gtest/gtest.h>

#include <ostream>

#include "core/result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

constexpr const char* kTable = R"({
  "predictors": [{"instructions": ["a", "b"], "demos": ["none", "two"]}],
  "examples": 3,
  "scores": {
    "0,0": [1, 0, 0.5],
    "1,0": [1, 1, 0]
  }
})";

TEST(ScoreTable, HoldsTextsAndScores) {
  const TemporaryFolder folder;
  const auto table = read_score_table(folder.write("t.json", kTable));
  ASSERT_EQ(table.predictors.size(), 1u);
  EXPECT_EQ(table.predictors[0].instructions, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.predictors[0].demos, (std::vector<std::string>{"none", "two"}));
  EXPECT_EQ(table.examples, 3u);
  EXPECT_EQ(table.row({0, 0}), (std::vector<double>{1, 0, .5}));
}

TEST(ScoreTable, ReadsWhatItWrites) {
  const TemporaryFolder folder;
  auto table = read_score_table(folder.write("t.json", kTable));
  table.predictors[0].instructions[1] = "a \"quoted\"\nline";
  write_score_table(table, folder.path() / "u.json");
  const auto again = read_score_table(folder.path() / "u.json");
  EXPECT_EQ(again.predictors[0].instructions, table.predictors[0].instructions);
  EXPECT_EQ(again.predictors[0].demos, table.predictors[0].demos);
  EXPECT_EQ(again.examples, table.examples);
  EXPECT_EQ(again.scores, table.scores);
}

TEST(ScoreTable, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  const auto error_of = [](const std::filesystem::path& file) -> std::string {
    try {
      read_score_table(file);
    } catch (const UserError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error_of(folder.path()), folder.path().string() + ": this is a folder");
  EXPECT_EQ(error_of(folder.path() / "t.json"),
            (folder.path() / "t.json").string() + ": there is no such file");
  const auto below = folder.write("file", "") / "t.json";
  EXPECT_EQ(error_of(below), below.string() + ": cannot be read: Not a directory");
}

TEST(ScoreTable, IsWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const auto table = read_score_table(folder.write("t.json", kTable));
  std::filesystem::create_directory(folder.path() / "t.json.part");
  EXPECT_THROW(write_score_table(table, folder.path() / "t.json"), RunError);
  EXPECT_EQ(read_score_table(folder.path() / "t.json").scores, table.scores);
}

/// A table that is right but for one thing.
struct BrokenTable {
  std::string sentence, from, to;
  std::string message;  ///< behind the file's name
};

void PrintTo(const BrokenTable& broken, std::ostream* out) { *out << broken.sentence; }

class ABrokenTable : public ::testing::TestWithParam<BrokenTable> {};

TEST_P(ABrokenTable, IsRefusedWithItsPosition) {
  const auto& [sentence, from, to, message] = GetParam();
  std::string text = kTable;
  text.replace(from.empty() ? 0 : text.find(from), from.empty() ? text.size() : from.size(), to);
  const TemporaryFolder folder;
  const auto file = folder.write("t.json", text);
  try {
    read_score_table(file).row({1, 0});
    FAIL();
  } catch (const UserError& e) {
    EXPECT_EQ(e.what(), file.string() + message);
  }
}

INSTANTIATE_TEST_SUITE_P(
    ScoreTable, ABrokenTable,
    ::testing::Values(
        BrokenTable{"ItIsCutOff", "]\n  }\n}", "]", ":6:21: this is not JSON"},
        BrokenTable{"ANumberIsTooLarge", "\"examples\": 3", "\"examples\": 1e400",
                    ":3:15: a number that no double holds"},
        BrokenTable{"ItIsEmpty", "", "", ":1:1: this is not JSON"},
        BrokenTable{"ItIsAList", "", "[]",
                    ":1:1: a table is an object with 'predictors', 'examples', 'scores'"},
        BrokenTable{"ThereAreNoScores", "\"scores\"", "\"score\"",
                    ":1:1: 'scores' is missing here"},
        BrokenTable{"TheScoresAreAList", "", R"({"predictors": [{"instructions": ["a"],
"demos": ["b"]}], "examples": 1, "scores": []})",
                    ":2:34: 'scores' must be an object, not array"},
        BrokenTable{"ThereIsNoPredictor",
                    R"([{"instructions": ["a", "b"], "demos": ["none", "two"]}])", "[]",
                    ":2:3: a table has at least one predictor"},
        BrokenTable{"APredictorHasNoDemos", R"(, "demos": ["none", "two"])", "",
                    ":2:3: 'demos' is missing here"},
        BrokenTable{"ThereAreNoInstructions", R"(["a", "b"])", "[]",
                    ":2:3: 'instructions' is empty in a predictor"},
        BrokenTable{"AnInstructionIsANumber", R"("b")", "2",
                    ":2:3: 'instructions' holds texts, not 2"},
        BrokenTable{"TheExamplesAreNegative", "3,", "-3,",
                    ":3:3: 'examples' must be a whole number, not number"},
        BrokenTable{"ThereAreNoExamples", "3,", "0,", ":3:3: a table has at least one example"},
        BrokenTable{"AKeyIsTooShort", "\"1,0\"", "\"1\"",
                    ":6:5: the key \"1\" is not 2 indices with commas between them"},
        BrokenTable{"AKeyIsTooLong", "\"1,0\"", "\"1,0,0\"",
                    ":6:5: the key \"1,0,0\" is not 2 indices with commas between them"},
        BrokenTable{"AKeyIsBeyondTheChoices", "\"1,0\"", "\"1,2\"",
                    ":6:5: the key \"1,2\" names demo set 2, and there are 2"},
        BrokenTable{"AKeyStandsTwice", "\"1,0\"", "\"0,0\"", ":5:5: \"0,0\" stands here twice"},
        BrokenTable{"AScoreIsMissing", "[1, 1, 0]", "[1, 1]",
                    ":6:5: \"1,0\" has 2 scores, not one for each of the 3 examples"},
        BrokenTable{"AScoreIsAboveOne", "[1, 1, 0]", "[1, 1, 2]",
                    ":6:5: score 2 of \"1,0\" is not in 0..1: 2"},
        BrokenTable{"AScoreIsAText", "[1, 1, 0]", "[1, \"1\", 0]",
                    ":6:5: score 1 of \"1,0\" is not in 0..1: \"1\""},
        BrokenTable{"AScoreIsAskedForThatIsNotThere", "\"1,0\"", "\"1,1\"",
                    ":4:3: there is no \"1,0\" in these scores, which was asked for"}),
    [](const auto& instance) { return instance.param.sentence; });

}  // namespace
}  // namespace theta
