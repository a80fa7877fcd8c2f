#include "experiments/rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::ThrowsMessage;

class Rows : public testing::Test {
 protected:
  /// Every row as its place, without the folder, and its JSON.
  std::vector<std::pair<std::string, std::string>> read(const std::string& name,
                                                        std::string_view content,
                                                        std::string_view rows = "") {
    const std::filesystem::path file = folder_.write(name, content);
    std::vector<std::pair<std::string, std::string>> out;
    for_each_row(file, rows, [&](const std::string& where, const nlohmann::ordered_json& row) {
      out.emplace_back(where.substr(folder_.path().string().size() + 1), row.dump());
    });
    return out;
  }
  std::string error(const std::string& name, std::string_view content, std::string_view rows = "") {
    try {
      read(name, content, rows);
    } catch (const UserError& e) {
      return std::string(e.what()).substr(folder_.path().string().size() + 1);
    }
    return "";
  }
  TemporaryFolder folder_;
};

TEST_F(Rows, JsonlHasAnObjectALineAndBlankLinesCount) {
  EXPECT_THAT(
      read("a.jsonl", "\xEF\xBB\xBF{\"x\": 1}\r\n\n{\"x\": 2, \"a\": \"é\"}"),
      ElementsAre(Pair("a.jsonl:1", R"({"x":1})"), Pair("a.jsonl:3", R"({"x":2,"a":"é"})")));
}

TEST_F(Rows, JsonlNamesTheLineThatIsNotJson) {
  EXPECT_EQ(error("a.jsonl", "{\"x\": 1}\n{\"x\": }\n"),
            "a.jsonl:2: not JSON: syntax error while parsing value - unexpected '}'; expected '[', "
            "'{', or a literal");
  EXPECT_EQ(error("a.jsonl", "{}\n[1]\n"), "a.jsonl:2: a row must be an object of columns");
}

TEST_F(Rows, FloatsThatAreNoNumbersAreMissingAndTheirNamesInATextStay) {
  EXPECT_THAT(read("a.jsonl", R"({"x": Infinity, "y": "-Infinity", "z": [-Infinity]})"),
              ElementsAre(Pair("a.jsonl:1", R"({"x":null,"y":"-Infinity","z":[null]})")));
  EXPECT_THAT(read("a.jsonl", R"({"x": NaN, "y": "a \"NaN\" b", "z": [NaN, 1]})"),
              ElementsAre(Pair("a.jsonl:1", R"({"x":null,"y":"a \"NaN\" b","z":[null,1]})")));
  EXPECT_THAT(error("a.json", "[{\"x\": NaN},\n{\"y\": Nan}]"),
              testing::StartsWith("a.json:2: not JSON: "));
}

TEST_F(Rows, JsonRowsAreFoundAtTheirPathInTheFilesOrder) {
  EXPECT_THAT(
      read("a.json", R"({"meta": 1, "examples": {"2": {"x": 1}, "10": {"x": 2}}})", "examples"),
      ElementsAre(Pair("a.json: examples.2", R"({"x":1})"),
                  Pair("a.json: examples.10", R"({"x":2})")));
  EXPECT_THAT(read("a.json", R"([{"x": 1}])"), ElementsAre(Pair("a.json: 0", R"({"x":1})")));
}

TEST_F(Rows, ANumberThatIsTooLargeIsNamedByItsLine) {
  EXPECT_EQ(error("a.jsonl", "{}\n{\"x\": 1e400}\n"), "a.jsonl:2: a number that no double holds");
  EXPECT_EQ(error("a.json", "[{},\n{},\n{\"x\": -1e400}]"),
            "a.json:3: a number that no double holds");
}

TEST_F(Rows, JsonErrorsNameTheLineOrThePath) {
  EXPECT_EQ(error("a.json", "[\n{\"x\": 1},\n{\"x\": 1\n"),
            "a.json:4: not JSON: syntax error while parsing object - unexpected end of input; "
            "expected '}'");
  EXPECT_EQ(error("a.json", R"({"examples": []})", "rows"),
            "a.json: nothing at `rows`; there are `examples`");
  EXPECT_EQ(error("a.json", R"({"examples": 3})", "examples"), "a.json: `examples` holds no rows");
  EXPECT_EQ(error("a.json", R"({"examples": [{}, 3]})", "examples"),
            "a.json: examples.1: a row must be an object of columns");
}

TEST_F(Rows, CsvFollowsRfc4180) {
  EXPECT_THAT(
      read("a.csv",
           "id,text,empty\r\n"
           "1,\"a \"\"quoted\"\", text\r\nof two lines\",\r\n"
           "\n"
           "2,plain \"quotes\" stay,\"\"\n"
           "3,last line without end,x"),
      ElementsAre(
          Pair("a.csv:2", R"({"id":"1","text":"a \"quoted\", text\r\nof two lines","empty":""})"),
          Pair("a.csv:5", R"({"id":"2","text":"plain \"quotes\" stay","empty":""})"),
          Pair("a.csv:6", R"({"id":"3","text":"last line without end","empty":"x"})")));
}

TEST_F(Rows, CsvErrorsNameTheLine) {
  EXPECT_EQ(error("a.csv", ""), "a.csv:1: no header");
  EXPECT_EQ(error("a.csv", "a,b,a\n"), "a.csv:1: the header names `a` twice");
  EXPECT_EQ(error("a.csv", "a,b\n1,\"x\ny\"\n1,2,3\n"), "a.csv:4: 3 cells where the header has 2");
  EXPECT_EQ(error("a.csv", "a,b\n1,2\n1,\"open\n\n"), "a.csv:3: a quote that is never closed");
  EXPECT_EQ(error("a.csv", "a,b\n1,\"x\"y\n"), "a.csv:2: text after a closing quote");
  EXPECT_EQ(error("a.csv", "a,caf\xE9\n"), "a.csv:1: the header is not UTF-8");
}

TEST_F(Rows, AFileOfAnotherEndingOrNoneIsRefused) {
  EXPECT_EQ(error("a.txt", ""), "a.txt: a data file ends in .jsonl, .json or .csv");
  EXPECT_EQ(error("a.csv", "a\n", "examples"), "a.csv: only a .json file has `rows` at a path");
  EXPECT_THAT([] { for_each_row("missing.csv", "", {}); },
              ThrowsMessage<UserError>("cannot read missing.csv"));
}

TEST(FindPath, WalksObjectsAndArraysAndPrefersTheWholeKey) {
  const auto json = nlohmann::ordered_json::parse(R"({"a": {"b": [1, {"c": 2}]}, "a.b": 3})");
  EXPECT_EQ(*find_path(json, "a.b"), 3);
  EXPECT_EQ(*find_path(json, "a.b.1.c"), 2);
  EXPECT_EQ(find_path(json, "a.x"), nullptr);
  EXPECT_EQ(find_path(json, "a.b.c.d"), nullptr);
  EXPECT_EQ(find_path(json["a"], "b.2"), nullptr);
}

}  // namespace
}  // namespace theta
