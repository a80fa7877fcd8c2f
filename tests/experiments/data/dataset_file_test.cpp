#include "experiments/data/dataset_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/result.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

const Signature kQuestion = Signature::parse("question -> answer");

std::vector<std::string> ids(const std::vector<Example>& examples) {
  std::vector<std::string> out;
  for (const Example& example : examples) out.push_back(example.id);
  return out;
}

/// `question,answer,topic` with `n` rows over three topics.
std::string topics_csv(int n) {
  std::string csv = "question,answer,topic\n";
  for (int i = 0; i < n; ++i) {
    csv += "q" + std::to_string(i) + ",a" + std::to_string(i) + ",t" + std::to_string(i % 3) + "\n";
  }
  return csv;
}

class DatasetFile : public testing::Test {
 protected:
  std::vector<Example> read(const std::string& name, std::string_view content,
                            const Columns& columns = {}, const Signature& signature = kQuestion) {
    remarks_.clear();
    return read_examples(folder_.write(name, content), columns, signature, remarks_);
  }
  std::string error(const std::string& name, std::string_view content, const Columns& columns = {},
                    const Signature& signature = kQuestion) {
    try {
      read(name, content, columns, signature);
    } catch (const UserError& e) {
      return std::string(e.what()).substr(folder_.path().string().size() + 1);
    }
    return "";
  }
  DataOptions options(const std::string& config, const Signature& signature = kQuestion) {
    return read_data_options(Config::parse(config, (folder_.path() / "c.yaml").string()),
                             signature);
  }
  std::string config_error(const std::string& config, const Signature& signature = kQuestion) {
    try {
      options(config, signature);
    } catch (const UserError& e) {
      return std::string(e.what()).substr(folder_.path().string().size() + 1);
    }
    return "";
  }
  TemporaryFolder folder_;
  std::vector<std::string> remarks_;  ///< of the last file that was read
};

TEST_F(DatasetFile, FieldsComeFromTheirColumns) {
  const auto rows =
      read("a.jsonl", R"({"q": {"text": "1+1"}, "answer": 2, "who": "ann", "key": 7})",
           {.fields = {{"question", "q.text"}}, .id = "key", .group = "who"});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].id, "7");
  EXPECT_EQ(rows[0].group, "ann");
  EXPECT_EQ(rows[0].fields, (Record{{"question", "1+1"}, {"answer", "2"}}));
}

TEST_F(DatasetFile, OutputsThatAreNotReadNeedNoColumn) {
  const Signature two = Signature::parse("question -> answer, sure: bool");
  const auto rows = read("a.jsonl",
                         "{\"question\": \"q\", \"answer\": \"a\"}\n"
                         "{\"question\": \"q\", \"answer\": \"a\", \"sure\": true}\n",
                         {.optional = {"sure"}}, two);
  EXPECT_EQ(rows[0].fields, (Record{{"question", "q"}, {"answer", "a"}}));
  EXPECT_EQ(rows[1].fields, (Record{{"question", "q"}, {"answer", "a"}, {"sure", true}}));
  EXPECT_EQ(error("a.csv", "question,answer\nq,a\n",
                  {.fields = {{"sure", "is_sure"}}, .optional = {"sure"}}, two),
            "a.csv:2: no column `is_sure` for the field `sure`; there are `question`, `answer`");
}

TEST_F(DatasetFile, CellsOfNestedTypesAreReadAsTheJsonThatTheyAre) {
  const Signature nested =
      Signature::parse("a: dict[str, int] -> b: list[int], c: str | None, d: int | None");
  const auto rows = read("a.jsonl",
                         R"({"a": {"x": 1}, "b": [1, 2], "c": null, "d": 3})"
                         "\n"
                         R"({"a": "{x: 1}", "b": "[1, 2]", "c": 7, "d": "3"})",
                         {}, nested);
  EXPECT_EQ(rows[0].fields, (Record{{"a", JsonValue{"{\"x\": 1}"}},
                                    {"b", JsonValue{"[1, 2]"}},
                                    {"c", JsonValue{"null"}},
                                    {"d", std::int64_t{3}}}));
  EXPECT_EQ(rows[1].fields, (Record{{"a", JsonValue{"{\"x\": 1}"}},
                                    {"b", JsonValue{"[1, 2]"}},
                                    {"c", "7"},
                                    {"d", std::int64_t{3}}}));
  EXPECT_EQ(error("b.jsonl", R"({"a": {"x": "y"}, "b": [], "c": null, "d": null})", {}, nested),
            "b.jsonl:1: column `a`: [\"x\"]: 'y' is not a whole number");
}

TEST_F(DatasetFile, RowsAreNumberedAndStandAloneWithoutColumnsForThat) {
  const auto rows = read("a.csv", "question,answer\na,b\nc,d\n");
  EXPECT_THAT(ids(rows), ElementsAre("1", "2"));
  EXPECT_EQ(rows[1].group, "2");
}

TEST_F(DatasetFile, ValuesTakeTheTypesOfTheSignature) {
  const Signature signature = Signature::parse(
      "s: str, n: int, x: float, b: bool, l: list[str] -> c: Literal['yes', 'no']");
  const Record expected = {{"s", "True"},
                           {"n", std::int64_t{3}},
                           {"x", 0.5},
                           {"b", true},
                           {"l", std::vector<std::string>{"a", "b"}},
                           {"c", "no"}};
  EXPECT_EQ(
      read("a.jsonl", R"({"s": true, "n": 3, "x": 0.5, "b": true, "l": ["a", "b"], "c": "no"})", {},
           signature)[0]
          .fields,
      expected);
  EXPECT_EQ(
      read("a.csv", "s,n,x,b,l,c\nTrue,3,0.5,true,\"['a', 'b']\",no\n", {}, signature)[0].fields,
      expected);
}

TEST_F(DatasetFile, AnOptionalOutputIsReadWhereThereIsAColumn) {
  const Columns columns{.optional = {"note"}};
  const Signature signature = Signature::parse("question -> note, answer");
  const auto rows = read("a.jsonl",
                         R"({"question": "q", "answer": "a"}
{"question": "q", "note": "n", "answer": "a"})",
                         columns, signature);
  EXPECT_EQ(rows[0].fields, (Record{{"question", "q"}, {"answer", "a"}}));
  EXPECT_EQ(rows[1].fields, (Record{{"question", "q"}, {"note", "n"}, {"answer", "a"}}));
  EXPECT_EQ(error("b.csv", "question,answer\nq,a\n",
                  {.fields = {{"note", "notes"}}, .optional = {"note"}}, signature),
            "b.csv:2: no column `notes` for the field `note`; there are `question`, `answer`");
}

TEST_F(DatasetFile, ErrorsNameLineColumnAndWhatIsThere) {
  EXPECT_EQ(
      error("a.jsonl", "\n{\"input\": \"x\", \"answer\": \"y\"}"),
      "a.jsonl:2: no column `question` for the field `question`; there are `input`, `answer`");
  EXPECT_EQ(error("a.csv", "question,answer\na,b\n", {.fields = {{"answer", "target"}}}),
            "a.csv:2: no column `target` for the field `answer`; there are `question`, `answer`");
  EXPECT_EQ(error("a.csv", "question,answer\na,b\n", {.id = "key"}),
            "a.csv:2: no column `key` for id; there are `question`, `answer`");
  EXPECT_EQ(error("a.csv", "question,answer\n,b\n", {.group = "question"}),
            "a.csv:2: column `question` holds no group");
  EXPECT_EQ(error("a.csv", "question,answer\na,b\na,c\n", {.id = "question"}),
            "a.csv:3: column `question`: another row has the id `a`");
  EXPECT_EQ(error("a.jsonl", R"({"question": null, "answer": "y"})"),
            "a.jsonl:1: column `question`: null is not str");
  EXPECT_EQ(error("a.csv", "question,answer\na,maybe\n", {},
                  Signature::parse("question -> answer: Literal['yes', 'no']")),
            "a.csv:2: column `answer`: 'maybe' is not one of Literal['yes', 'no']");
  EXPECT_EQ(error("a.csv", "question,answer\n"), "a.csv: no rows");
}

TEST_F(DatasetFile, AnOptionIsReadWhateverItsCaseAndAsAWholeNumberOfPandas) {
  const auto answers = [&](const std::string& rows, const std::string& options) {
    std::string all;
    for (const Example& example :
         read("a.csv", "question,answer\n" + rows, {},
              Signature::parse("question -> answer: Literal[" + options + "]")))
      all += to_text(*example.fields.find("answer")) + " ";
    return all;
  };
  EXPECT_EQ(answers("a,YES\nb, no\n", "'yes', 'no'"), "yes no ");
  EXPECT_EQ(answers("a,1.0\nb,0\n", "'0', '1'"), "1 0 ");
  EXPECT_THAT(error("a.csv", "question,answer\na,YES\n", {},
                    Signature::parse("question -> answer: Literal['yes', 'Yes']")),
              testing::HasSubstr("'YES' is not one of Literal['yes', 'Yes']"));
}

TEST_F(DatasetFile, AllOfSeveralRightAnswersAreAcceptedAndTheFirstIsShown) {
  const auto rows =
      read("a.json", R"({"examples": {"1": {"input": "big", "output": ["small", "little"]}}})",
           {.fields = {{"question", "input"}, {"answer", "output"}}, .rows = "examples"});
  EXPECT_EQ(rows[0].fields, (Record{{"question", "big"}, {"answer", "small"}}));
  EXPECT_EQ(rows[0].accepted, (Record{{"answer", std::vector<std::string>{"small", "little"}}}));
  const auto one = read("b.jsonl", R"({"question": ["a", "b"], "answer": [7]})");
  EXPECT_EQ(one[0].fields.text("answer"), "7");
  EXPECT_TRUE(one[0].accepted.empty());
}

TEST_F(DatasetFile, SeveralRightAnswersAreTexts) {
  const std::string row = R"({"question": "q", "answer": ["yes", "no"]})";
  EXPECT_EQ(error("a.jsonl", row, {}, Signature::parse("question -> answer: Literal['yes', 'no']")),
            "a.jsonl:1: column `answer`: several right answers are for a field of type str, not "
            "Literal['yes', 'no']");
  EXPECT_EQ(error("a.jsonl", R"({"question": "q", "answer": ["yes", ["no"]]})"),
            "a.jsonl:1: column `answer`: a list of more than texts is not str");
}

TEST_F(DatasetFile, AListOfPassagesStaysOneWhereATextIsAsked) {
  const auto rows = read("a.jsonl", R"({"question": ["one", "two"], "answer": ["yes", "no"]})");
  EXPECT_EQ(rows[0].fields,
            (Record{{"question", std::vector<std::string>{"one", "two"}}, {"answer", "yes"}}));
  EXPECT_EQ(error("a.jsonl", R"({"question": ["one", ["two"]], "answer": "yes"})", {},
                  Signature::parse("question: list[str] -> answer")),
            "a.jsonl:1: column `question`: a list of more than texts is not list[str]");
  EXPECT_EQ(error("a.jsonl", R"({"question": ["1"], "answer": "yes"})", {},
                  Signature::parse("question: int -> answer")),
            "a.jsonl:1: column `question`: array is not int");
}

TEST_F(DatasetFile, ObjectsInATextInputAreShownAsDspyDoes) {
  const auto rows =
      read("a.jsonl", R"({"question": [{"mark": "I", "n": [1, null]}, "two"], "answer": "yes"}
{"question": {"é": "x"}, "answer": "no"})");
  EXPECT_EQ(rows[0].fields.text("question"), "[1] «{'mark': 'I', 'n': [1, None]}»\n[2] «two»");
  EXPECT_EQ(rows[1].fields.text("question"), R"({"é": "x"})");
  EXPECT_EQ(error("a.jsonl", R"({"question": "q", "answer": {}})"),
            "a.jsonl:1: column `answer`: object is not str");
}

TEST_F(DatasetFile, NumbersKeepTheirDigits) {
  const std::string big = "12345678901234567890123";
  const Signature typed = Signature::parse("question, n: int, x: float -> answer: int");
  const auto of = [&](std::string text) {
    for (std::size_t at; (at = text.find('N')) != std::string::npos;) text.replace(at, 1, big);
    return text;
  };
  const std::string json = of(R"({"question": N, "n": N, "x": N, "answer": N})");
  const std::string csv = of("question,n,x,answer\nN,N,N,N\n");
  for (const auto& fields :
       {read("a.jsonl", json, {}, typed)[0].fields, read("a.csv", csv, {}, typed)[0].fields})
    for (const auto& [name, value] : fields) EXPECT_EQ(to_text(value), big) << name;
}

TEST_F(DatasetFile, InputsAreShownAsTheyStandInJson) {
  const Record fields =
      read("a.jsonl", R"({"n": 1.0, "x": 3, "b": 1, "s": 1234567890123456.0, "c": 2.0})", {},
           Signature::parse("n: int, x: float, b: bool, s -> c: int"))[0]
          .fields;
  EXPECT_EQ(fields.text("n"), "1.0");
  EXPECT_EQ(fields.text("x"), "3");
  EXPECT_EQ(fields.text("b"), "1");
  EXPECT_EQ(fields.text("s"), "1234567890123456.0");
  EXPECT_EQ(fields.at("c"), Value(std::int64_t{2}));
}

TEST_F(DatasetFile, DataInTextsAreRemarkedOnceAColumnWithTheRow) {
  const std::string stands = " as a text, which is shown as it stands";
  read("a.csv",
       "question,answer\n[laughs],no\n\"[{'content': 'x', 'role': 'user'}]\",b\n"
       "\"[1, 2]\",\"{\"\"a\"\": 1}\"\n");
  EXPECT_THAT(remarks_, ElementsAre("a.csv:3: column `question` holds a list" + stands,
                                    "a.csv:4: column `answer` holds an object" + stands));
  read("a.csv",
       "question,answer\n\"data:image/png;base64,iVBORw0KGgo=\",\"[{'role': 'user', 'content': "
       "'cu\"\n");
  EXPECT_THAT(remarks_,
              ElementsAre("a.csv:2: column `question` holds a file in base64" + stands,
                          "a.csv:2: column `answer` holds what looks like messages" + stands));
  read("a.csv", "question,answer\n\"['a', 'b']\",no\n", {},
       Signature::parse("question: list[str] -> answer"));
  EXPECT_THAT(remarks_, IsEmpty());
}

TEST_F(DatasetFile, OnlyColumnsThatAreReadHaveToBeText) {
  EXPECT_EQ(read("a.csv", "question,answer,note\na,b,caf\xE9\n").size(), 1U);
  EXPECT_EQ(error("a.csv", "question,answer\na,b\nc,caf\xE9\n"),
            "a.csv:3: column `answer` is not UTF-8: name what it is written in with `encoding:`, "
            "such as windows-1252");
  EXPECT_EQ(read("a.csv", "question,answer\na,caf\xE9\n", {.encoding = "latin-1"})[0].fields.text(
                "answer"),
            "caf\xC3\xA9");
  EXPECT_EQ(read("a.jsonl", R"({"question": "a", "answer": "b", "x": ["\ud83d"]})").size(), 1U);
  EXPECT_EQ(error("a.jsonl", R"({"question": ["\ud83d"], "answer": "b"})").substr(0, 41),
            "a.jsonl:1: column `question` is not UTF-8");
  EXPECT_EQ(read("a.jsonl", R"({"question": "a", "answer": "b", "x": -Infinity})").size(), 1U);
  EXPECT_EQ(error("a.jsonl", R"({"question": Infinity, "answer": "b"})"),
            "a.jsonl:1: column `question`: null is not str");
}

TEST_F(DatasetFile, OneFileIsSplitBySeedIntoExactSizes) {
  WholeFile source{folder_.write("a.csv", topics_csv(30)), {5, 7, 11}, 3};
  const auto test_ids = [&] { return ids(load_dataset({source, {}}, kQuestion).test); };
  const Dataset data = load_dataset({source, {}}, kQuestion);
  EXPECT_EQ(data.train.size(), 5U);
  EXPECT_EQ(data.validation.size(), 7U);
  EXPECT_EQ(data.test.size(), 11U);
  const auto first = test_ids();
  EXPECT_EQ(first, test_ids());
  source.seed = 4;
  EXPECT_NE(first, test_ids());
  source.sizes.test = 40;
  EXPECT_THAT([&] { test_ids(); },
              ThrowsMessage<UserError>(source.file.string() +
                                       ": a split of 52 rows was asked for, there are 30"));
}

TEST_F(DatasetFile, GroupsStayTogetherAndAreWhatTheSizesCount) {
  const WholeFile source{folder_.write("a.csv", topics_csv(30)), {1, 1, 1}, 0};
  const Dataset data = load_dataset({source, {.group = "topic"}}, kQuestion);
  std::set<std::string> groups;
  for (const auto* rows : {&data.train, &data.validation, &data.test}) {
    EXPECT_EQ(rows->size(), 10U);
    for (const Example& row : *rows) EXPECT_EQ(row.group, rows->front().group);
    groups.insert(rows->front().group);
  }
  EXPECT_THAT(groups, ElementsAre("t0", "t1", "t2"));
  EXPECT_THAT(
      [&] {
        load_dataset({WholeFile{source.file, {2, 1, 1}, 0}, {.group = "topic"}}, kQuestion);
      },
      ThrowsMessage<UserError>(source.file.string() +
                               ": a split of 4 groups by `topic` was asked for, there are 3"));
}

TEST_F(DatasetFile, SplitsThatShareAnIdAreRefused) {
  const SplitFiles source{folder_.write("a.csv", "id,question,answer\nx,1,2\ny,3,4\n"),
                          {},
                          folder_.write("b.csv", "id,question,answer\ny,5,6\n")};
  EXPECT_THAT(
      [&] {
        load_dataset({source, {.id = "id"}}, kQuestion);
      },
      ThrowsMessage<UserError>("the id `y` stands in train and again in test"));
  const Dataset data = load_dataset({source, {}}, kQuestion);
  EXPECT_THAT(ids(data.train), ElementsAre("train:1", "train:2"));
  EXPECT_THAT(data.validation, IsEmpty());
  EXPECT_THAT(ids(data.test), ElementsAre("test:1"));
}

TEST_F(DatasetFile, ContentThatSplitsShareIsRemarkedWithItsCount) {
  const SplitFiles source{folder_.write("a.csv", "question,answer\n1,2\n3,4\n"),
                          {},
                          folder_.write("b.csv", "question,answer\n3,4\n1,2\n5,6\n")};
  const Dataset data = load_dataset({source, {}}, kQuestion);
  EXPECT_EQ(data.test.size(), 3U);
  EXPECT_THAT(data.remarks,
              ElementsAre("2 rows of validation and test have the content of a row in "
                          "an earlier split"));
}

TEST_F(DatasetFile, TheConfigNamesAFileItsColumnsAndTheSplit) {
  const DataOptions read = options(R"(
file: data/a.json
rows: examples
fields: {question: input, answer: target}
id: key
group: who
split: {train: 75, validation: 70, test: 100, seed: 5}
)");
  const WholeFile& source = std::get<WholeFile>(read.source);
  EXPECT_EQ(source.file, folder_.path() / "data/a.json");
  EXPECT_EQ(source.sizes.train, 75U);
  EXPECT_EQ(source.sizes.validation, 70U);
  EXPECT_EQ(source.sizes.test, 100U);
  EXPECT_EQ(source.seed, 5U);
  EXPECT_EQ(read.columns.rows, "examples");
  EXPECT_EQ(read.columns.id, "key");
  EXPECT_EQ(read.columns.group, "who");
  EXPECT_THAT(read.columns.fields,
              ElementsAre(testing::Pair("question", "input"), testing::Pair("answer", "target")));
}

TEST_F(DatasetFile, TheConfigNamesAFileASplit) {
  const auto source = std::get<SplitFiles>(options("splits: {train: a.csv, test: /b.csv}").source);
  EXPECT_EQ(source.train, folder_.path() / "a.csv");
  EXPECT_EQ(source.validation, "");
  EXPECT_EQ(source.test, "/b.csv");
}

TEST_F(DatasetFile, TheConfigNamesTheSentimentTask) {
  const DataOptions read =
      options("sentiment: {threshold: 2, agreement: 0.8, max_words: 9, train: 4, seed: 3}",
              Signature::parse("sentence -> sentiment"));
  const auto& sentiment = std::get<SentimentOptions>(read.source);
  EXPECT_EQ(sentiment.threshold, 2);
  EXPECT_EQ(sentiment.agreement, 0.8);
  EXPECT_EQ(sentiment.max_words, 9U);
  EXPECT_EQ(sentiment.sizes.train, 4U);
  EXPECT_EQ(sentiment.sizes.test, SentimentOptions{}.sizes.test);
  EXPECT_EQ(sentiment.seed, 3U);
}

TEST_F(DatasetFile, AWrongConfigIsNamedAtItsPlace) {
  EXPECT_THAT(config_error("{fields: {}}"),
              "c.yaml:1:1: give exactly one of `sentiment`, `file`, `files` and `splits`");
  EXPECT_THAT(config_error("file: a.csv\nsplits: {}\n"),
              "c.yaml:1:1: give exactly one of `sentiment`, `file`, `files` and `splits`");
  EXPECT_THAT(config_error("file: a.csv\nsplit: {test: 1}\nfields:\n  questoin: q\n"),
              "c.yaml:4:13: the signature has no field `questoin`; it has `question`, `answer`");
  EXPECT_THAT(config_error("splits: {train: a.csv, test: ./a.csv}"),
              "c.yaml:1:9: two splits name the same file; use `file` and `split` to divide one");
  EXPECT_THAT(config_error("sentiment: {}"),
              "c.yaml:1:12: the sentiment data fill the fields `sentence` and `sentiment`; the "
              "signature has no `sentence`");
  EXPECT_THAT(
      config_error("sentiment: {agreement: 1.5}", Signature::parse("sentence -> sentiment")),
      "c.yaml:1:24: `agreement` must be in 0..1");
  EXPECT_THAT(config_error("file: a.csv\nsplit: {tset: 1}\n"), HasSubstr("tset"));
}

TEST_F(DatasetFile, RowsWithoutALabelAreLeftOutAndCounted) {
  const Signature yes_or_no = Signature::parse("question -> answer: Literal['yes', 'no']");
  const auto rows = read("a.jsonl",
                         "{\"question\": \"a\"}\n{\"question\": \"b\", \"answer\": \"yes\"}\n"
                         "{\"question\": \"c\", \"answer\": null}\n",
                         {}, yes_or_no);
  EXPECT_THAT(ids(rows), ElementsAre("2"));
  EXPECT_THAT(remarks_, ElementsAre("a.jsonl: 2 of 3 rows are left out, as they have no `answer`"));
  EXPECT_EQ(read("a.csv", "question,answer\na,\nb,no\n", {}, yes_or_no).size(), 1U);
  EXPECT_EQ(read("a.csv", "question,answer\na,\nb,no\n").size(), 2U);
  EXPECT_EQ(error("a.csv", "question,answer\na,\n", {}, yes_or_no),
            "a.csv:2: column `answer` holds nothing for the field `answer`");
  EXPECT_EQ(error("a.csv", "question,other\na,b\n"),
            "a.csv:2: no column `answer` for the field `answer`; there are `question`, `other`");
}

TEST_F(DatasetFile, RulesLeaveRowsOut) {
  const auto read_options = options(
      "file: a.csv\nsplit: {test: 1}\nwhere: {answer: present, lang: [en, de], old: absent, level: "
      "7}");
  const std::string csv =
      "question,answer,lang,old,level\n1,a,en,,7\n2,,en,,7\n3,a,fr,,7\n4,a,de,x,7\n5,a,de,,8\n";
  EXPECT_THAT(ids(read("a.csv", csv, read_options.columns)), ElementsAre("1"));
  EXPECT_THAT(remarks_, ElementsAre("a.csv: 4 of 5 rows are left out by `where`"));
  EXPECT_EQ(error("a.csv", "question,answer,lang,old,level\n1,a,fr,,7\n", read_options.columns),
            "a.csv: `where` leaves out all 1 rows");
}

TEST_F(DatasetFile, TheNumberBehindMarksIsTheAnswerOfASolution) {
  const Signature number = Signature::parse("question -> answer: int");
  const auto rows = read("a.jsonl",
                         "{\"question\": \"q\", \"answer\": \"2 * 9 = <<2*9=18>>18\\n#### 18\"}\n"
                         "{\"question\": \"q\", \"answer\": \"so many\\n#### $1,200.\"}\n",
                         {}, number);
  EXPECT_EQ(rows[0].fields.at("answer"), Value(std::int64_t{18}));
  EXPECT_EQ(rows[1].fields.at("answer"), Value(std::int64_t{1200}));
  EXPECT_THAT(remarks_,
              ElementsAre("a.jsonl:1: column `answer` holds worked solutions, of which the "
                          "number behind `####` is read"));
  EXPECT_EQ(error("a.jsonl", "{\"question\": \"q\", \"answer\": \"#### none\"}", {}, number),
            "a.jsonl:1: column `answer`: '#### none' is not a whole number");
}

TEST_F(DatasetFile, AnExpressionFindsTheValueInAText) {
  const auto columns =
      options("file: a.csv\nsplit: {test: 1}\nextract: {answer: '\\\\boxed\\{([^}]*)\\}'}").columns;
  EXPECT_EQ(
      read("a.jsonl", R"({"question": "q", "answer": "so \\boxed{1/2}."})", columns)[0].fields.text(
          "answer"),
      "1/2");
  EXPECT_EQ(error("a.jsonl", R"({"question": "q", "answer": "none"})", columns),
            "a.jsonl:1: column `answer`: `\\\\boxed\\{([^}]*)\\}` finds nothing in 'none'");
  EXPECT_EQ(config_error("file: a.csv\nsplit: {test: 1}\nextract: {answer: '('}"),
            "c.yaml:3:19: not a regular expression: U_REGEX_MISMATCHED_PAREN at character 1");
}

TEST_F(DatasetFile, AJsonPathLeadsToTheValue) {
  const auto columns = options(
                           "file: a\nsplit: {test: 1}\nfields: {question: '$.q[0].text', answer: "
                           "'$.answers[*].text'}")
                           .columns;
  const auto rows = read(
      "a.jsonl", R"({"q": [{"text": "x"}], "answers": [{"text": "a"}, {"text": "b"}]})", columns);
  EXPECT_EQ(rows[0].fields, (Record{{"question", "x"}, {"answer", "a"}}));
  EXPECT_EQ(rows[0].accepted, (Record{{"answer", std::vector<std::string>{"a", "b"}}}));
}

TEST_F(DatasetFile, FilesDrawTheirValidationFromTrain) {
  folder_.write("train.csv", topics_csv(30));
  folder_.write("test.csv", topics_csv(10));
  const Dataset fifth =
      load_dataset(options("files: {train: train.csv, test: test.csv}"), kQuestion);
  EXPECT_EQ(fifth.train.size(), 24U);
  EXPECT_EQ(fifth.validation.size(), 6U);
  EXPECT_EQ(fifth.test.size(), 10U);
  EXPECT_EQ(
      fifth.remarks[0],
      "validation: 6 of the 30 rows of train, drawn by the seed; `split: {validation: N}` gives "
      "another number");
  const std::string sized =
      "files: {train: train.csv, test: test.csv}\nsplit: {train: 5, validation: 8, test: 4, seed: "
      "3}";
  const Dataset some = load_dataset(options(sized), kQuestion);
  EXPECT_EQ(some.train.size(), 5U);
  EXPECT_EQ(some.validation.size(), 8U);
  EXPECT_EQ(some.test.size(), 4U);
  EXPECT_EQ(ids(some.train), ids(load_dataset(options(sized), kQuestion).train));
  EXPECT_THAT(
      [&] {
        load_dataset(options("files: {train: train.csv}\nsplit: {validation: 31}"), kQuestion);
      },
      ThrowsMessage<UserError>((folder_.path() / "train.csv").string() +
                               ": 31 rows of train were asked for, there are 30"));
}

TEST_F(DatasetFile, AColumnSaysTheSplitOfARow) {
  std::string csv = "question,answer,part\n";
  for (int i = 0; i < 12; ++i)
    csv += "q" + std::to_string(i) + ",a," +
           (i < 6    ? "train"
            : i < 8  ? "dev"
            : i < 11 ? "Test"
                     : "?") +
           "\n";
  folder_.write("a.csv", csv);
  const Dataset data =
      load_dataset(options("file: a.csv\nsplit: {column: part, test: 2}"), kQuestion);
  EXPECT_THAT(ids(data.train), ElementsAre("1", "2", "3", "4", "5", "6"));
  EXPECT_THAT(ids(data.validation), ElementsAre("7", "8"));
  EXPECT_EQ(data.test.size(), 2U);
  EXPECT_EQ(data.remarks[0], "a.csv: 1 rows are in no split: `part` says `?`");
}

TEST_F(DatasetFile, BigBenchAndInstructionInductionFilesAreRead) {
  const std::filesystem::path tasks = shared_folder() / "data/tasks";
  if (!std::filesystem::exists(tasks)) GTEST_SKIP() << tasks << " is missing: set THETA_SHARED";
  const Dataset navigate =
      load_dataset({WholeFile{tasks / "bbh_navigate.json", {75, 75, 100}, 0},
                    {.fields = {{"question", "input"}, {"answer", "target"}}, .rows = "examples"}},
                   Signature::parse("question -> answer: Literal['Yes', 'No']"));
  EXPECT_EQ(navigate.train.size() + navigate.validation.size() + navigate.test.size(), 250U);
  const Dataset sentiment =
      load_dataset({SplitFiles{tasks / "sentiment_train.json", {}, tasks / "sentiment_test.json"},
                    {.fields = {{"question", "input"}, {"answer", "output"}}, .rows = "examples"}},
                   Signature::parse("question -> answer: Literal['positive', 'negative']"));
  EXPECT_EQ(sentiment.train.size(), 1167U);
  EXPECT_EQ(sentiment.test.size(), 100U);
}

}  // namespace
}  // namespace theta
