#include "experiments/data/rows.hpp"

#include <fmt/format.h>
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
                                                        const RowFormat& format = {}) {
    const std::filesystem::path file = folder_.write(name, content);
    std::vector<std::pair<std::string, std::string>> out;
    for_each_row(file, format, [&](const std::string& where, const nlohmann::ordered_json& row) {
      out.emplace_back(where.substr(folder_.path().string().size() + 1), row.dump());
    });
    return out;
  }
  std::string error(const std::string& name, std::string_view content,
                    const RowFormat& format = {}) {
    try {
      read(name, content, format);
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
  EXPECT_EQ(error("a.jsonl", "{}\n1\n"), "a.jsonl:2: a row must be an object of columns");
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
  EXPECT_THAT(read("a.json", R"({"meta": 1, "examples": {"2": {"x": 1}, "10": {"x": 2}}})",
                   {.rows = "examples"}),
              ElementsAre(Pair("a.json: examples.2", R"({"x":1})"),
                          Pair("a.json: examples.10", R"({"x":2})")));
  EXPECT_THAT(read("a.json", R"([{"x": 1}])"), ElementsAre(Pair("a.json: 0", R"({"x":1})")));
}

TEST_F(Rows, ANumberThatIsTooLargeIsNamedByItsLine) {
  EXPECT_EQ(error("a.jsonl", "{}\n{\"x\": 1e400}\n"), "a.jsonl:2: a number that no double holds");
  EXPECT_EQ(error("a.json", "[{},\n{},\n{\"x\": -1e400}]"),
            "a.json:3: a number that no double holds");
  EXPECT_THAT(read("a.jsonl", R"({"x": 1, "y": [1e400, -2e999]})", {.read = {"x"}}),
              ElementsAre(Pair("a.jsonl:1", R"({"x":1,"y":["1e400","-2e999"]})")));
}

TEST_F(Rows, JsonErrorsNameTheLineOrThePath) {
  EXPECT_EQ(error("a.json", "[\n{\"x\": 1},\n{\"x\": 1\n"),
            "a.json:4: not JSON: syntax error while parsing object - unexpected end of input; "
            "expected '}'");
  EXPECT_EQ(error("a.json", R"({"examples": []})", {.rows = "rows"}),
            "a.json: nothing at `rows`; there are `examples`");
  EXPECT_EQ(error("a.json", R"({"examples": 3})", {.rows = "examples"}),
            "a.json: `examples` holds no rows");
  EXPECT_EQ(error("a.json", R"({"examples": [{}, 3]})", {.rows = "examples"}),
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
  EXPECT_EQ(error("a.csv", "a,b\n1,\"x\ny\"\n1,2,3\n"),
            "a.csv:4: 3 cells where the header has 2: a cell that holds `,` stands in quotes");
  EXPECT_EQ(error("a.csv", "a,b\n1\n"), "a.csv:2: 1 cell where the header has 2");
  EXPECT_EQ(error("a.csv", "a,b\n1,2\n1,\"open\n\n"),
            "a.csv:3: cell 2 opens a quote that is never closed");
  EXPECT_EQ(error("a.csv", "a,b\n1,\"x\"y\n"),
            "a.csv:2: cell 2 has text behind its closing quote: a quote within a cell is written "
            "twice");
  EXPECT_EQ(error("a.csv", "a,caf\xE9\n"), "a.csv:1: the header is not UTF-8");
}

TEST_F(Rows, QuotesBehindBackslashesAreReadWhereOnlyThatMakesSense) {
  EXPECT_THAT(read("a.csv", "a,b\n\"say \\\"x\\\"\",1\n\"a path\\\",\"2\"\n"),
              ElementsAre(Pair("a.csv:2", R"({"a":"say \"x\"","b":"1"})"),
                          Pair("a.csv:3", R"({"a":"a path\\","b":"2"})")));
}

TEST_F(Rows, ACommaBehindTheLastItemOrALineIsNone) {
  EXPECT_THAT(read("a.json", "[{\"x\": 1},\n]"), ElementsAre(Pair("a.json: 0", R"({"x":1})")));
  EXPECT_THAT(read("a.jsonl", "{\"x\": 1},\n{\"x\": 2}\n"),
              ElementsAre(Pair("a.jsonl:1", R"({"x":1})"), Pair("a.jsonl:2", R"({"x":2})")));
}

TEST_F(Rows, TheRowsOfADatasetsServerAreUnwrapped) {
  const std::string text = R"({"features": [{"name": "x", "type": {}}],
    "rows": [{"row_idx": 0, "row": {"x": 1}, "truncated_cells": []}], "num_rows_total": 1})";
  EXPECT_THAT(read("a.json", text, {.read = {"x"}}),
              ElementsAre(Pair("a.json: rows.0", R"({"x":1})")));
  EXPECT_THAT(
      read("a.json", text, {.rows = "rows", .read = {"row.x"}}),
      ElementsAre(Pair("a.json: rows.0", R"({"row_idx":0,"row":{"x":1},"truncated_cells":[]})")));
}

TEST_F(Rows, AFileOfAnotherEndingOrNoneIsRefused) {
  EXPECT_EQ(
      error("a.txt", "x"),
      "a.txt: a data file ends in .jsonl, .ndjson, .json, .csv or .tsv, or in one of them and "
      ".gz");
  EXPECT_EQ(error("a.csv", "a\n", {.rows = "examples"}),
            "a.csv: only a .json file has `rows` at a path");
  EXPECT_EQ(error("a.jsonl", "{}\n{}\n", {.rows = "examples"}),
            "a.jsonl: only a JSON document has `rows` at a path, and this has an object a line");
  EXPECT_THAT([] { for_each_row("missing.csv", {}, {}); },
              ThrowsMessage<UserError>("there is no file missing.csv"));
}

TEST_F(Rows, TheDelimiterIsToldFromTheColumnsThatAreRead) {
  const RowFormat format{.read = {"a", "b"}};
  const auto one_row = ElementsAre(Pair(testing::_, R"({"a":"1, or 2","b":"x"})"));
  EXPECT_THAT(read("a.csv", "a;b\n1, or 2;x\n", format), one_row);
  EXPECT_THAT(read("a.csv", "a\tb\n1, or 2\tx\n", format), one_row);
  EXPECT_THAT(read("a.tsv", "a\tb\n1, or 2\tx\n", format), one_row);
  EXPECT_THAT(read("a.csv", "a|b\n1, or 2|x\n", format), one_row);
  EXPECT_THAT(read("a.csv", "sep=;\r\na;b\r\n1, or 2;x\r\n", format), one_row);
  EXPECT_THAT(read("a.csv", "a;b\n1, or 2;x\n"), one_row);
  EXPECT_THAT(read("a.csv", "a, b\n\"1, or 2\",x,,\n", format), one_row);
  EXPECT_THAT(read("a.csv", "a:b\n1, or 2:x\n", {.delimiter = ':'}), one_row);
  EXPECT_THAT(read("a.tsv", "a,b\n\"1, or 2\",x\n", format), one_row);
}

TEST_F(Rows, CellsBetweenTabsMayHoldQuotes) {
  EXPECT_THAT(read("a.tsv", "a\tb\n\"No\" she said\tx\n\"never closed\ty\n\"two\nlines\"\tz\n"),
              ElementsAre(Pair("a.tsv:2", R"({"a":"\"No\" she said","b":"x"})"),
                          Pair("a.tsv:3", R"({"a":"\"never closed","b":"y"})"),
                          Pair("a.tsv:4", R"({"a":"two\nlines","b":"z"})")));
}

TEST_F(Rows, AMissingHeaderIsNamedAndColumnsStandForIt) {
  const RowFormat named{.columns = {"a", "b"}, .read = {"a", "b"}};
  const auto rows = ElementsAre(Pair("a.csv:1", R"({"a":"one","b":"yes"})"),
                                Pair("a.csv:2", R"({"a":"two","b":"no"})"));
  EXPECT_THAT(read("a.csv", "one,yes\ntwo,no\n", named), rows);
  EXPECT_THAT(read("a.csv", "one;yes\ntwo;no\n", named), rows);
  EXPECT_EQ(read("a.csv", "a,b\none,yes\n", named).size(), 1U);
  EXPECT_EQ(
      error("a.csv", "one,yes\ntwo,no\n", {.read = {"a", "b"}}),
      "a.csv:1: the first line, `one`, `yes`, names none of the columns `a`, `b`: say which they "
      "are with `fields: {FIELD: COLUMN}`, or name all with `columns: [..]` where it is no header");
}

TEST_F(Rows, ColumnsThatNobodyReadsRefuseNoRow) {
  const RowFormat format{.read = {"a"}, .only_read = true};
  EXPECT_THAT(read("a.csv", "a,,,caf\xE9,x,x\n1,2,3,4,5,6\n", format),
              ElementsAre(Pair("a.csv:2", R"({"a":"1"})")));
  EXPECT_EQ(error("a.csv", "a,a\n1,2\n", format), "a.csv:1: the header names `a` twice");
}

TEST_F(Rows, TextThatCannotBeReadStandsAsUnreadableInItsOwnColumn) {
  const std::string mark = "\xEF\xB7\x90";
  EXPECT_THAT(
      read("a.jsonl", R"({"a": "\ud83d", "b": "\ud83d\ude00", "c": "\\ud83d"})"),
      ElementsAre(Pair("a.jsonl:1",
                       "{\"a\":\"" + mark + "\",\"b\":\"\xF0\x9F\x98\x80\",\"c\":\"\\\\ud83d\"}")));
  EXPECT_THAT(read("a.jsonl", "{\"a\": \"caf\xE9\", \"b\": \"caf\xC3\xA9\"}"),
              ElementsAre(Pair("a.jsonl:1", "{\"a\":\"caf" + mark + "\",\"b\":\"caf\xC3\xA9\"}")));
  EXPECT_THAT(read("a.jsonl", "{\"a\": \"two\nlines\tx\"}\n"),
              ElementsAre(Pair("a.jsonl: the only row", R"({"a":"two\nlines\tx"})")));
}

TEST_F(Rows, LinesMayBePython) {
  EXPECT_THAT(read("a.jsonl", "{'a': \"it's\", 'b': None}\n"),
              ElementsAre(Pair("a.jsonl:1", R"({"a":"it's","b":null})")));
}

TEST_F(Rows, TheLayoutOfJsonIsToldFromTheFileNotItsName) {
  const auto two = ElementsAre(Pair(testing::_, R"({"x":1})"), Pair(testing::_, R"({"x":2})"));
  for (const char* name : {"a.json", "a.jsonl", "a.ndjson"}) {
    EXPECT_THAT(read(name, "{\"x\": 1}\n{\"x\": 2}\n"), two) << name;
    EXPECT_THAT(read(name, "\n[\n{\"x\": 1},\n{\"x\": 2}\n]\n"), two) << name;
    EXPECT_THAT(read(name, "[{\"x\": 1}, {\"x\": 2}]"), two) << name;
    EXPECT_THAT(read(name, "{\n\"x\": 1\n}\n{\n\"x\": 2\n}\n"), two) << name;
  }
}

TEST_F(Rows, PandasOrientationsAreRows) {
  const RowFormat format{.read = {"x", "y"}};
  const auto two =
      ElementsAre(Pair(testing::_, R"({"x":1,"y":"a"})"), Pair(testing::_, R"({"x":2,"y":"b"})"));
  EXPECT_THAT(read("a.json", R"({"x": {"0": 1, "1": 2}, "y": {"0": "a", "1": "b"}})", format), two);
  EXPECT_THAT(read("a.json", R"({"x": {"p": 1, "q": 2}, "y": {"p": "a", "q": "b"}})", format), two);
  EXPECT_THAT(read("a.json", R"({"x": {"0": 1, "1": 2}, "y": {"0": "a", "1": "b"}})"), two);
  EXPECT_THAT(read("a.json", R"({"x": [1, 2], "y": ["a", "b"]})", format), two);
  EXPECT_THAT(read("a.json", R"({"0": {"x": 1, "y": "a"}, "1": {"x": 2, "y": "b"}})", format), two);
  EXPECT_THAT(
      read("a.json", R"({"columns": ["x", "y"], "index": [0, 1], "data": [[1, "a"], [2, "b"]]})",
           format),
      two);
  EXPECT_THAT(
      read("a.json", R"({"schema": {}, "data": [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]})", format),
      two);
  EXPECT_THAT(read("a.json", R"([[1, "a"], [2, "b"]])", {.columns = {"x", "y"}}), two);
  EXPECT_EQ(error("a.json", R"([[1, "a"]])"),
            "a.json: 0: a row is a list: name its columns with `columns: [..]`");
}

TEST_F(Rows, AnObjectThatIsTooLargeIsRefusedWithTheWayOut) {
  std::string column = "{\"x\": {";
  for (int i = 0; i <= 50'000; ++i) column += fmt::format("{}\"{}\": 1", i == 0 ? "" : ",", i);
  EXPECT_EQ(error("a.json", column + "}}"),
            "a.json: an object that has more than 50000 keys is too large to be read whole: name "
            "the list of its rows with `rows: KEY`, or save it with a row a line (pandas: "
            "orient='records', lines=True)");
}

TEST_F(Rows, TheOnlyListOfRowsInADocumentIsTaken) {
  EXPECT_THAT(read("a.json", R"({"canary": "x", "examples": [{"x": 1}]})", {.read = {"x"}}),
              ElementsAre(Pair("a.json: examples.0", R"({"x":1})")));
  EXPECT_EQ(
      error("a.json", R"({"v": 1, "train": [{"x": 1}], "test": [{"x": 2}]})", {.read = {"x"}}),
      "a.json: rows stand at `train`, `test`: choose with `rows: train`");
}

TEST_F(Rows, WhatIsPlainlyTheOneIsReadUnderTheOthersEnding) {
  const RowFormat format{.read = {"x", "y"}};
  const auto one = ElementsAre(Pair(testing::_, R"({"x":"1","y":"a"})"));
  EXPECT_THAT(read("a.csv", "{\"x\": \"1\", \"y\": \"a\"}\n", format), one);
  EXPECT_THAT(read("a.tsv", "[\n {\"x\": \"1\", \"y\": \"a\"}]\n", format), one);
  EXPECT_THAT(read("a.jsonl", "x,y\n1,a\n", format), one);
  EXPECT_THAT(read("a.txt", "x\ty\n1\ta\n", format), one);
  EXPECT_THAT(read("a.txt", "{\"x\": \"1\", \"y\": \"a\"}\n", format), one);
}

TEST_F(Rows, OnlyWantedRowsAreParsed) {
  const auto second = [](std::size_t n) { return n == 1; };
  EXPECT_THAT(read("a.jsonl", "{broken\n\n{\"x\": 2}\n", {.wanted = second}),
              ElementsAre(Pair("a.jsonl:3", R"({"x":2})")));
  EXPECT_THAT(read("a.csv", "x\n1\n2\n3\n", {.wanted = second}),
              ElementsAre(Pair("a.csv:3", R"({"x":"2"})")));
}

TEST_F(Rows, AMessageIsOneLineOfUnder300Bytes) {
  std::string many = "{";
  for (int i = 0; i < 500; ++i) many += "\"column " + std::to_string(i) + "\": 1, ";
  EXPECT_LT(error("a.json", many + "\"rows\": 1}", {.rows = "none"}).size(), 300U);
  EXPECT_LT(error("a.jsonl", "{\"x\": \"" + std::string(5000, 'y')).size(), 300U);
  EXPECT_LT(error("a.csv", std::string(5000, 'y') + ",b\n1,2\n", {.read = {"a"}}).size(), 300U);
}

TEST(DottedPath, ReadsAJsonPath) {
  EXPECT_EQ(dotted_path("$.answers[0]['text']"), "answers.0.text");
  EXPECT_EQ(dotted_path("$.answers[*].text"), "answers.*.text");
  EXPECT_EQ(dotted_path("cost $.5"), "cost $.5");
}

TEST(FindCell, TakesEveryItemOfAListAndGoesIntoTextsThatAreData) {
  const auto row = nlohmann::ordered_json::parse(
      R"({"a": [{"t": "x"}, {"t": "y"}, {}], "b": "{'t': ['z']}", "c": "text"})");
  nlohmann::ordered_json made;
  EXPECT_EQ(find_cell(row, "a.*.t", made)->dump(), R"(["x","y"])");
  EXPECT_EQ(find_cell(row, "b.t.0", made)->dump(), R"("z")");
  EXPECT_EQ(find_cell(row, "c.t", made), nullptr);
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
