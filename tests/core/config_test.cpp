#include "core/config.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/result.hpp"
#include "core/rng.hpp"
#include "tests/support/message_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace theta {
namespace {

using nlohmann::json;

Config parse(std::string_view text) { return Config::parse(text, "run.yaml"); }
std::string parse_error(std::string_view text) {
  return message_of<UserError>([&] { parse(text); });
}

TEST(Config, ReadsTextsNumbersAndBooleans) {
  const Config config = parse("name: a b\nseed: 7\nrate: 1.5e-3\nfast: true\nslow: false\n");
  EXPECT_EQ(config.text("name"), "a b");
  EXPECT_EQ(config.at("seed").integer(), 7);
  EXPECT_EQ(config.at("seed").number(), 7.0);
  EXPECT_EQ(config.at("rate").number(), 0.0015);
  EXPECT_TRUE(config.at("fast").boolean());
  EXPECT_FALSE(config.at("slow").boolean());
}

TEST(Config, ReadsJsonThroughTheSameReader) {
  const Config config = parse("{\"a\":1,\n\t\"b\":[true,\"\\/x\\u00e9\"],\n\t\"c\":{\"d\":-2.5}}");
  EXPECT_EQ(config.at("a").integer(), 1);
  EXPECT_TRUE(config.at("b").items()[0].boolean());
  EXPECT_EQ(config.at("b").items()[1].text(), "/xé");
  EXPECT_EQ(config.at("c").at("d").number(), -2.5);
  EXPECT_EQ(config.at("c").at("d").position().text(), "run.yaml:3:11");
}

TEST(Config, NamesAByteThatIsNotUtf8) {
  EXPECT_EQ(parse_error("name: x\nlabel: \"caf\xC3\xA9 \xE9\"\n"),
            "run.yaml:2:14: a byte that is not UTF-8");
  Config config = parse("name: x\n");
  EXPECT_EQ(message_of<UserError>([&] { config.set("name=\xFF"); }),
            "--set name: a byte that is not UTF-8");
}

TEST(Config, FallsBackOnlyWhereAKeyIsMissing) {
  const Config config = parse("seed: 0\nname: x\nlabels: [a, '1']\nadapter: chat\nempty:\n");
  EXPECT_EQ(config.integer("seed", 7), 0);
  EXPECT_EQ(config.integer("sead", 7), 7);
  EXPECT_EQ(config.number("seed", 7), 0);
  EXPECT_EQ(config.number("rate", 0.5), 0.5);
  EXPECT_EQ(config.text("name", "y"), "x");
  EXPECT_EQ(config.text("other", "y"), "y");
  EXPECT_TRUE(config.boolean("fast", true));
  EXPECT_EQ(config.texts("labels"), (std::vector<std::string>{"a", "1"}));
  EXPECT_TRUE(config.texts("none").empty());
  EXPECT_EQ(config.choice("adapter", {"chat", "json"}, "json"), "chat");
  EXPECT_EQ(config.choice("style", {"chat", "json"}, "json"), "json");
  EXPECT_EQ(message_of<UserError>([&] { config.text("empty", "y"); }),
            "run.yaml:5:1: 'empty' is not a text but empty");
}

TEST(Config, PointsAtAMistypedValue) {
  const Config config = parse(
      "seed: abc\nrate: [1]\nfast: yes\nname: {a: 1}\nquoted: \"3\"\nhalf: 3.7\nhex: 0x10\n"
      "big: 99999999999999999999\nhuge: 1e999\nnot: .nan\nmap: 3\nlist: 3\n");
  const auto fails = [&](std::string_view key, auto getter) {
    return message_of<UserError>([&] { getter(config.at(key)); });
  };
  const auto integer = [](const Config& c) { return c.integer(); };
  const auto number = [](const Config& c) { return c.number(); };
  EXPECT_EQ(fails("seed", integer), "run.yaml:1:7: 'seed' is not an integer: 'abc'");
  EXPECT_EQ(fails("half", integer), "run.yaml:6:7: 'half' is not an integer: '3.7'");
  EXPECT_EQ(fails("hex", integer), "run.yaml:7:6: 'hex' is not an integer: '0x10'");
  EXPECT_EQ(fails("quoted", integer), "run.yaml:5:9: 'quoted' is not an integer: '3' is in quotes");
  EXPECT_EQ(fails("big", integer), "run.yaml:8:6: 'big' is out of range: '99999999999999999999'");
  EXPECT_EQ(fails("rate", number), "run.yaml:2:7: 'rate' is not a number but a sequence");
  EXPECT_EQ(fails("huge", number), "run.yaml:9:7: 'huge' is out of range: '1e999'");
  EXPECT_EQ(fails("not", number), "run.yaml:10:6: 'not' is not a number: '.nan'");
  EXPECT_EQ(fails("fast", [](const Config& c) { return c.boolean(); }),
            "run.yaml:3:7: 'fast' is not true or false: 'yes'");
  EXPECT_EQ(fails("name", [](const Config& c) { return c.text(); }),
            "run.yaml:4:7: 'name' is not a text but a mapping");
  EXPECT_EQ(fails("map", [](const Config& c) { return c.at("x"); }),
            "run.yaml:11:6: 'map' is not a mapping: '3'");
  EXPECT_EQ(fails("list", [](const Config& c) { return c.items(); }),
            "run.yaml:12:7: 'list' is not a sequence: '3'");
}

TEST(Config, NamesAnItemOfASequenceByItsPlace) {
  EXPECT_EQ(message_of<UserError>([] { parse("seeds: [1, x]").at("seeds").items()[1].integer(); }),
            "run.yaml:1:12: 'seeds.1' is not an integer: 'x'");
}

TEST(Config, PointsAtAValueOutsideItsRange) {
  EXPECT_EQ(message_of<UserError>([] { parse("threads: 0").integer("threads", 4, 1); }),
            "run.yaml:1:10: 'threads' must be at least 1, not 0");
  EXPECT_EQ(message_of<UserError>([] { parse("threads: 9").integer("threads", 4, 1, 8); }),
            "run.yaml:1:10: 'threads' must be at most 8, not 9");
  EXPECT_EQ(parse("threads: 8").integer("threads", 4, 1, 8), 8);
  EXPECT_EQ(message_of<UserError>([] {
              parse("a: chet").choice("a", {"chat", "json"}, "chat");
            }),
            "run.yaml:1:4: 'a' is not one of chat, json: 'chet'; did you mean 'chat'?");
  EXPECT_EQ(message_of<UserError>([] {
              parse("a: xml").choice("a", {"chat", "terse"}, "chat");
            }),
            "run.yaml:1:4: 'a' is not one of chat, terse: 'xml'");
}

TEST(Config, PointsAtTheMappingWhereAKeyIsMissing) {
  const Config config = parse("a: 1\nmodels:\n  teacher:\n    modle: x\n    n: 2\n");
  EXPECT_EQ(message_of<UserError>([&] { config.at("model"); }),
            "run.yaml:1:1: 'model' is missing here, but 'models' is there");
  EXPECT_EQ(message_of<UserError>([&] { config.at("seed"); }),
            "run.yaml:1:1: 'seed' is missing here");
  EXPECT_EQ(message_of<UserError>([&] { config.at("models").at("teacher").at("model"); }),
            "run.yaml:4:5: 'model' is missing here, but 'modle' is there");
}

TEST(Config, ReportsTheFirstKeyThatNothingAskedFor) {
  const Config config = parse("seed: 1\noptimzer: x\nbanana: 2\n");
  config.find("seed");
  config.find("optimizer");
  EXPECT_EQ(message_of<UserError>([&] { config.finish(); }),
            "run.yaml:2:1: unknown key 'optimzer'; did you mean 'optimizer'?");
  config.find("optimzer");
  EXPECT_EQ(message_of<UserError>([&] { config.finish(); }), "run.yaml:3:1: unknown key 'banana'");
  const Config elsewhere = parse("model: {temperature: 1}\nprogram: {}\n");
  (void)elsewhere.at("model").find("path");
  (void)elsewhere.at("program").find("temperature");
  EXPECT_EQ(message_of<UserError>([&] { elsewhere.finish(); }),
            "run.yaml:1:9: unknown key 'temperature'; it stands under 'program'");
  config.find("banana");
  EXPECT_NO_THROW(config.finish());
}

TEST(Config, ChecksEveryMappingBelowThatWasRead) {
  const Config config = parse(
      "models:\n  teacher: {threads: 2, sed: 1}\nrows:\n- {method: a}\n- {method: b, mdel: c}\n"
      "raw: {anything: 1}\n");
  config.at("raw");
  const auto rows = config.at("rows").items();
  for (const Config& row : rows) row.at("method");
  rows[1].find("model");
  const auto models = config.at("models").entries();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0].first, "teacher");
  models[0].second.find("threads");
  models[0].second.find("seed");
  EXPECT_EQ(message_of<UserError>([&] { config.finish(); }),
            "run.yaml:2:25: unknown key 'sed'; did you mean 'seed'?");
  models[0].second.find("sed");
  EXPECT_EQ(message_of<UserError>([&] { config.finish(); }),
            "run.yaml:5:15: unknown key 'mdel'; did you mean 'model'?");
  rows[1].find("mdel");
  EXPECT_NO_THROW(config.finish());
}

TEST(Config, PointsAtADuplicateKey) {
  EXPECT_EQ(parse_error("seed: 1\na: 2\nseed: 3\n"),
            "run.yaml:3:1: key 'seed' is given twice (first at 1:1)");
  EXPECT_EQ(parse_error("a:\n  {x: 1, \"é\": 2, x: 3}\n"),
            "run.yaml:2:18: key 'x' is given twice (first at 2:4)");
}

TEST(Config, PointsAtWhatIsNotYaml) {
  EXPECT_EQ(parse_error("a: [1, 2"),
            "run.yaml:1:1: a `[` is not closed by its `]`, or a comma is missing");
  EXPECT_EQ(parse_error("a: {b: ${C}, d: 1}"),
            "run.yaml:1:9: a `{` is not closed by its `}`, or a comma is missing; between braces "
            "${NAME} stands in quotes");
  const std::string colon =
      "`: ` within a value: put the value in quotes, or indent the line like its neighbours";
  EXPECT_EQ(parse_error("a: b: c"), "run.yaml:1:5: " + colon);
  EXPECT_EQ(parse_error("a: 1\n b: 2\n"), "run.yaml:2:3: " + colon);
  EXPECT_EQ(parse_error("a: \u201cb -> c: str\u201d"),
            "run.yaml:1:11: " + colon + " (\u201c and \u201d are no quotes here)");
  EXPECT_EQ(parse_error("a: 'x"), "run.yaml:1:6: illegal EOF in scalar");
  EXPECT_EQ(parse_error("{\"a\": 1}}"), "run.yaml:1:9: illegal flow end");
  EXPECT_EQ(parse_error("a: \"\\q\""), "run.yaml:1:7: unknown escape character: q");
  EXPECT_EQ(parse_error("b: *x"), "run.yaml:1:4: the referenced anchor is not defined");
}

TEST(Config, PointsAtATabThatIndents) {
  EXPECT_EQ(parse_error("a:\n\tb: 1\n"),
            "run.yaml:2:1: YAML is indented with spaces, not with tabs");
  EXPECT_EQ(parse_error("a:\n  b: 1\n  \tc: 1\n"),
            "run.yaml:3:3: YAML is indented with spaces, not with tabs");
}

TEST(Config, SaysWhatAFileIsThatIsNoText) {
  EXPECT_EQ(parse_error(std::string("SQLite format 3\0", 16)),
            "run.yaml: this is an SQLite database: write its rows as JSON lines");
  EXPECT_EQ(parse_error(std::string("\xff\xfe"
                                    "a\0",
                                    4)),
            "run.yaml: this is UTF-16: save it as UTF-8");
  EXPECT_EQ(parse_error(std::string("GGUF\3\0\0", 7)), "run.yaml:1:6: a byte 0: this is no text");
}

TEST(Config, PointsAtANoBreakSpaceThatIndents) {
  EXPECT_EQ(parse_error("a:\n\u00a0\u00a0b: 1\n"),
            "run.yaml:2:1: YAML is indented with spaces, and this is a no-break space");
}

TEST(Config, LeavesOutWhatHoldsAnchorsAlone) {
  const Config config = parse("x-base: &base {seed: 3}\na: {<<: *base, fast: True}\n");
  EXPECT_FALSE(config.find("x-base"));
  EXPECT_EQ(config.at("a").integer("seed", 0), 3);
  EXPECT_TRUE(config.at("a").boolean("fast", false));
}

TEST(Config, RefusesAnEmptyFileASecondDocumentAndKeysThatAreNoTexts) {
  EXPECT_EQ(parse_error(""), "run.yaml:1:1: the config is empty");
  EXPECT_EQ(parse_error("# nothing\n"), "run.yaml:1:1: the config is empty");
  EXPECT_EQ(parse_error("a: 1\n---\nb: 2\n"), "run.yaml:2:1: a second document begins here");
  EXPECT_EQ(parse_error(",a: 1\n"), "run.yaml:1:1: a second document begins here");
  EXPECT_EQ(parse_error("a: &x [*x]\n"), "run.yaml:1:8: an alias of what it stands in");
  EXPECT_EQ(parse_error("? [1, 2]\n: 3\n"), "run.yaml:1:3: a key must be a text");
  EXPECT_EQ(message_of<UserError>([] { parse("- 1\n- 2\n").find("a"); }),
            "run.yaml:1:1: the config is not a mapping but a sequence");
}

TEST(Config, RefusesAliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    text += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) text += fmt::format("*a{}, ", i - 1);
    text += "]\n";
  }
  EXPECT_TRUE(parse_error(text).ends_with(": more than 100000 values")) << parse_error(text);
  EXPECT_EQ(parse("a: &x {b: 1}\nc: *x\n").at("c").at("b").integer(), 1);
}

TEST(Config, ReadsPastAByteOrderMark) {
  EXPECT_EQ(message_of<UserError>([] {
              parse(
                  "\xEF\xBB\xBF"
                  "seed: x")
                  .at("seed")
                  .integer();
            }),
            "run.yaml:1:7: 'seed' is not an integer: 'x'");
}

TEST(ConfigEnvironment, ReplacesVariablesInTextsAndNumbers) {
  ::setenv("THETA_TEST_A", "4", 1);
  ::setenv("THETA_TEST_EMPTY", "", 1);
  ::unsetenv("THETA_TEST_NONE");
  const Config config = parse(
      "a: x${THETA_TEST_A}y${THETA_TEST_NONE:-z}\nn: ${THETA_TEST_A}\nq: \"${THETA_TEST_A}\"\n"
      "e: ${THETA_TEST_EMPTY:-d}\nd: $${THETA_TEST_A} $5\nempty: '${THETA_TEST_EMPTY}'\n");
  EXPECT_EQ(config.text("a"), "x4yz");
  EXPECT_EQ(config.at("n").integer(), 4);
  EXPECT_EQ(config.at("q").integer(), 4);
  EXPECT_EQ(config.text("e"), "d");
  EXPECT_EQ(config.text("d"), "${THETA_TEST_A} $5");
  EXPECT_EQ(config.text("empty"), "");
}

TEST(ConfigEnvironment, PointsAtAVariableThatIsNotSet) {
  ::unsetenv("THETA_TEST_NONE");
  const Config config =
      parse("a: 1\nb: /x/${THETA_TEST_NONE}\nc: ${A\nd: ${a b}\ne: '${}'\nf: ${1A:-x}\n");
  EXPECT_EQ(message_of<UserError>([&] { config.text("b"); }),
            "run.yaml:2:4: environment variable THETA_TEST_NONE is not set (write "
            "${THETA_TEST_NONE:-default} to give a default)");
  EXPECT_EQ(message_of<UserError>([&] { config.text("c"); }), "run.yaml:3:4: '${' is never closed");
  EXPECT_EQ(message_of<UserError>([&] { config.text("d"); }),
            "run.yaml:4:4: '${a b}' names no environment variable");
  EXPECT_EQ(message_of<UserError>([&] { config.text("e"); }),
            "run.yaml:5:4: '${}' names no environment variable");
  EXPECT_EQ(message_of<UserError>([&] { config.text("f"); }),
            "run.yaml:6:4: '${1A:-x}' names no environment variable");
}

TEST(ConfigLiteral, TakesEveryTextAsItStands) {
  ::setenv("THETA_TEST_WORD", "word", 1);
  const Config config =
      Config::parse("{a: '${THETA_TEST_WORD}', b: ['$${x}', 3], c: {d: '${'}}", "c.yaml");
  Config literal = config.literal();
  EXPECT_EQ(literal.text("a"), "${THETA_TEST_WORD}");
  EXPECT_EQ(literal.at("b").items()[0].text(), "$${x}");
  EXPECT_EQ(literal.at("b").items()[1].integer(), 3);
  EXPECT_EQ(literal.at("c").text("d"), "${");
  literal.set("a=${THETA_TEST_WORD}");  // of the command line, which is not
  EXPECT_EQ(literal.text("a"), "word");
  EXPECT_EQ(config.text("a"), "word");
  ::unsetenv("THETA_TEST_WORD");
}

TEST(ConfigSet, ReplacesAndAddsValues) {
  Config config = parse("models:\n  teacher: {threads: 2}\nseeds: [1, 2]\nempty:\n");
  config.set("models.teacher.threads=4");
  config.set("models.student.path=a=b");
  config.set("seeds.1=7");
  config.set("empty.x={y: [true]}");
  EXPECT_EQ(config.canonical({}),
            "{\"empty\":{\"x\":{\"y\":[true]}},\"models\":{\"student\":{\"path\":\"a=b\"},"
            "\"teacher\":{\"threads\":4}},\"seeds\":[1,7]}");
}

TEST(ConfigSet, TakesATextToItsEndUnlessItBeginsAsYaml) {
  const auto set = [](const std::string& value) {
    Config config = parse("a: 1\n");
    config.set("a=" + value);
    return config.canonical({});
  };
  EXPECT_EQ(set("Classify #tags: good or bad"), R"({"a":"Classify #tags: good or bad"})");
  EXPECT_EQ(set("q: str -> a: Literal['x', 'y']"), R"({"a":"q: str -> a: Literal['x', 'y']"})");
  EXPECT_EQ(set("'3'"), R"({"a":"3"})");
  EXPECT_EQ(set("3"), R"({"a":3})");
  EXPECT_EQ(set("null"), R"({"a":null})");
  EXPECT_EQ(set(""), R"({"a":null})");
}

TEST(ConfigSet, StandsForThePositionInMessages) {
  Config config = parse("a: 1\n");
  config.set("models.teacher.threads=x");
  EXPECT_EQ(
      message_of<UserError>([&] { config.at("models").at("teacher").at("threads").integer(); }),
      "--set models.teacher.threads: 'threads' is not an integer: 'x'");
  config.find("a");
  config.at("models").at("teacher").find("thread");
  EXPECT_EQ(message_of<UserError>([&] { config.at("models").at("student"); }),
            "--set models.teacher.threads: 'student' is missing here");
  config.set("sead=1");
  config.at("models").at("teacher").find("threads");
  config.find("seed");
  EXPECT_EQ(message_of<UserError>([&] { config.finish(); }),
            "--set sead: unknown key 'sead'; did you mean 'seed'?");
}

TEST(ConfigSet, RefusesAPathThatLeadsNowhere) {
  const auto fails = [](std::string_view text) {
    return message_of<UserError>([&] { parse("a: {b: 1}\nseeds: [1, 2]\n").set(text); });
  };
  EXPECT_EQ(fails("a.b"), "--set a.b: write it as key=value");
  EXPECT_EQ(fails("a..b=1"), "--set a..b: a part of the path is empty");
  EXPECT_EQ(fails("=1"), "--set : a part of the path is empty");
  EXPECT_EQ(fails("a.b.c=1"), "--set a.b.c: 'b' is neither a mapping nor a sequence");
  EXPECT_EQ(fails("seeds.2=1"),
            "--set seeds.2: 'seeds' has 2 items, counted from 0: '2' is none of them");
  EXPECT_EQ(fails("seeds.-1=1"),
            "--set seeds.-1: 'seeds' has 2 items, counted from 0: '-1' is none of them");
  EXPECT_EQ(fails("a.b=[1"), "--set a.b: a `[` is not closed by its `]`, or a comma is missing");
  EXPECT_EQ(fails("a.b={x: 1, x: 2}"), "--set a.b: key 'x' is given twice");
}

TEST(ConfigSet, TakesAValueOfAnotherConfigWithItsPosition) {
  const Config base = parse("a: {b: 1}\nrows: [{}]\n");
  const Config axes = Config::parse("rows.0.n: [x]\nc.d: 2\na.b.c: 3\n", "axes.yaml");
  Config config = base.copy();
  config.set("rows.0.n", axes.at("rows.0.n"), axes.position_of("rows.0.n"));
  config.set("c.d", axes.at("c.d"), axes.position_of("c.d"));
  EXPECT_EQ(config.canonical({}), R"({"a":{"b":1},"c":{"d":2},"rows":[{"n":["x"]}]})");
  EXPECT_EQ(base.canonical({}), R"({"a":{"b":1},"rows":[{}]})");
  EXPECT_EQ(
      message_of<UserError>([&] { config.at("rows").items()[0].at("n").items()[0].integer(); }),
      "axes.yaml:1:12: 'rows.0.n.0' is not an integer: 'x'");
  config.find("a");
  EXPECT_EQ(message_of<UserError>([&] { config.finish(); }), "axes.yaml:2:1: unknown key 'c'");
  EXPECT_EQ(message_of<UserError>(
                [&] { config.set("a.b.c", axes.at("a.b.c"), axes.position_of("a.b.c")); }),
            "axes.yaml:3:1: 'b' is neither a mapping nor a sequence");
}

TEST(Config, ReadsTheSurrogatePairsOfJsonAndKeepsPositionsBehindThem) {
  const Config config = parse(R"({"a": "\ud83d\ude00\uD83D\uDE00", "b": x,
"c": "\\ud83d\\ude00", "d": y})");
  EXPECT_EQ(config.text("a"), "😀😀");
  EXPECT_EQ(config.text("c"), "\\ud83d\\ude00");
  EXPECT_EQ(message_of<UserError>([&] { config.at("b").integer(); }),
            "run.yaml:1:40: 'b' is not an integer: 'x'");
  EXPECT_EQ(message_of<UserError>([&] { config.at("d").integer(); }),
            "run.yaml:2:29: 'd' is not an integer: 'y'");
}

TEST(ConfigResolved, ReadsTheSameWithoutItsVariables) {
  ::setenv("THETA_TEST_A", "4", 1);
  ::setenv("THETA_TEST_B", "a$${b}: #", 1);
  const Config config = parse(
      "n: ${THETA_TEST_A}\nq: '${THETA_TEST_A}'\nt: '4'\nl: [x, {f: '${THETA_TEST_B}'}]\n"
      "d: $${THETA_TEST_A}\nf: {p: x, q: x}\n");
  const std::string before = config.canonical({"f"});
  const std::string text =
      config.resolved({"f.p"}, [](const Config& c) { return "/" + c.text(); }).dump();
  ::unsetenv("THETA_TEST_A");
  ::unsetenv("THETA_TEST_B");
  const Config again = parse(text);
  EXPECT_EQ(again.canonical({"f"}), before);
  EXPECT_EQ(again.at("f").canonical({}), R"({"p":"/x","q":"x"})");
}

TEST(ConfigCopy, HasNotBeenReadAndStandsAlone) {
  Config config = parse("a: 1\nb: {c: 2}\n");
  config.integer("a", 0);
  const Config copy = config.copy();
  EXPECT_EQ(message_of<UserError>([&] { copy.finish(); }), "run.yaml:1:1: unknown key 'a'");
  config.set("b.c=3");
  config.erase("a");
  EXPECT_EQ(copy.canonical({}), R"({"a":1,"b":{"c":2}})");
  EXPECT_EQ(config.canonical({}), R"({"b":{"c":3}})");
}

TEST(ConfigLoad, NamesAFileThatCannotBeRead) {
  const TemporaryFolder folder;
  const auto missing = folder.path() / "no.yaml";
  EXPECT_EQ(message_of<UserError>([&] { Config::load(missing); }),
            missing.string() + ": cannot be read: No such file or directory");
  EXPECT_EQ(message_of<UserError>([&] { Config::load(folder.path()); }),
            folder.path().string() + ": cannot be read: Is a directory");
}

TEST(ConfigLoad, NamesTheFileInMessages) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.yaml";
  std::ofstream(file) << "seed: x\r\nb: 1\r\n";
  EXPECT_EQ(message_of<UserError>([&] { Config::load(file).at("seed").integer(); }),
            file.string() + ":1:7: 'seed' is not an integer: 'x'");
  std::ofstream(file, std::ios::trunc).flush();
  EXPECT_EQ(message_of<UserError>([&] { Config::load(file); }),
            file.string() + ":1:1: the config is empty");
}

TEST(ConfigCanonical, DoesNotDependOnOrderOrSpelling) {
  EXPECT_EQ(parse("b: 1.50\na: {y: 1e2, x: 'z'}\nc: null\nd: +3\n").canonical({}),
            "{\"a\":{\"x\":\"z\",\"y\":100},\"b\":1.5,\"c\":null,\"d\":3}");
  EXPECT_EQ(parse("{\"c\": ~, \"d\": 3.0, \"a\": {\"x\": \"z\", \"y\": 100}, \"b\": 0.15e1}")
                .canonical({}),
            "{\"a\":{\"x\":\"z\",\"y\":100},\"b\":1.5,\"c\":null,\"d\":3}");
}

TEST(ConfigCanonical, TellsTextsFromNumbersAndBooleans) {
  EXPECT_EQ(parse("[1, '1', true, \"true\", yes, 1.0.0, 0x1]").canonical({}),
            "[1,\"1\",true,\"true\",\"yes\",\"1.0.0\",\"0x1\"]");
}

TEST(ConfigCanonical, LeavesOutWhatCannotChangeAResult) {
  ::unsetenv("THETA_TEST_NONE");
  const Config config = parse(
      "seed: 1\nlimits: {calls: 5}\nmodels:\n  a: {threads: 2, file: x, key: "
      "'${THETA_TEST_NONE}'}\n"
      "  b: {threads: 3, file: y}\nthreads: 4\n");
  EXPECT_EQ(
      config.canonical({"models.*.threads", "models.*.key", "limits"}),
      "{\"models\":{\"a\":{\"file\":\"x\"},\"b\":{\"file\":\"y\"}},\"seed\":1,\"threads\":4}");
}

TEST(ConfigCanonical, ReplacesVariables) {
  ::setenv("THETA_TEST_A", "4", 1);
  EXPECT_EQ(parse("n: ${THETA_TEST_A}\nt: m-${THETA_TEST_A}\n").canonical({}),
            "{\"n\":4,\"t\":\"m-4\"}");
}

TEST(ConfigDump, WritesReadableYamlInFileOrder) {
  const Config config = parse(
      "seed: 7\nname: \"a: b\"\nkey: ${KEY:-none}\nmodels: {teacher: {file: x.gguf, threads: 2}}\n"
      "rows: [{a: 1, b: [1, 2]}, [x, '3'], {}]\nprompt: |\n  First line.\n\n    "
      "Indented.\nnone:\n");
  EXPECT_EQ(config.dump(),
            "seed: 7\n"
            "name: \"a: b\"\n"
            "key: ${KEY:-none}\n"
            "models:\n"
            "  teacher:\n"
            "    file: x.gguf\n"
            "    threads: 2\n"
            "rows:\n"
            "  - a: 1\n"
            "    b:\n"
            "      - 1\n"
            "      - 2\n"
            "  - - x\n"
            "    - \"3\"\n"
            "  - {}\n"
            "prompt: \"First line.\\n\\n  Indented.\\n\"\n"
            "none: null\n");
  EXPECT_EQ(parse("prompt: |\n  One.\n\n  Two.\nlast: |-\n  a\n  b\n").dump(),
            "prompt: |\n  One.\n\n  Two.\nlast: |-\n  a\n  b\n");
}

std::string random_text(Rng& rng) {
  static const std::vector<std::string> kPieces = {
      "a", "B",    "0",    "1", "-", ".", "e",  ":",   ": ", " ",    " #",   "#", "\n", "\t", "\"",
      "'", "\\",   "{",    "}", "[", "]", ",",  "&",   "*",  "!",    "|",    ">", "%",  "@",  "`",
      "~", "null", "true", "é", "😀", "?", "- ", "---", "\r", "\x01", "\x7f", "=", "<<", "$$"};
  std::string out;
  for (std::size_t n = rng.below(5); n > 0; --n) out += kPieces[rng.below(kPieces.size())];
  return out;
}

json random_tree(Rng& rng, int depth) {
  switch (rng.below(depth > 0 ? 8 : 6)) {
    case 0:
      return nullptr;
    case 1:
      return rng.below(2) == 0;
    case 2:
      return rng.between(-1000000000000, 1000000000000);
    case 3:
      return rng.uniform() * 1e-3;
    case 4:
    case 5:
      return random_text(rng);
    case 6: {
      json out = json::array();
      for (std::size_t n = rng.below(4); n > 0; --n) out.push_back(random_tree(rng, depth - 1));
      return out;
    }
    default: {
      json out = json::object();
      for (std::size_t n = rng.below(4); n > 0; --n) {
        out[random_text(rng)] = random_tree(rng, depth - 1);
      }
      return out;
    }
  }
}

// The oracle for reading is another parser's tree; for writing, what is read back.
TEST(ConfigDump, ReadsBackEveryTree) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    const json tree = {{"x", random_tree(rng, 4)}};
    const Config config = parse(tree.dump());
    ASSERT_EQ(config.canonical({}), tree.dump());
    const std::string dumped = config.dump();
    const Config again = parse(dumped);
    ASSERT_EQ(again.canonical({}), tree.dump()) << dumped;
    ASSERT_EQ(again.dump(), dumped);
  }
}

TEST(Config, NeverDoesMoreThanThrowAtDamagedText) {
  const std::string whole =
      "seed: 7\nmodels: {a: {n: [1, 2], f: 'x'}}\nrows:\n  - {m: \"b\\n\", k: &z 1}\n  - *z\nt: "
      "|\n  q\n";
  const std::string marks = ":-[]{}'\"#&*!|>%@` \n\t,?\\x";
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Rng rng(seed);
    std::string text = whole;
    for (int edits = 0; edits < 3; ++edits) {
      const std::size_t at = rng.below(text.size());
      if (rng.below(2)) {
        text.erase(at, 1 + rng.below(3));
      } else {
        text.insert(at, 1, marks[rng.below(marks.size())]);
      }
    }
    try {
      const Config config = parse(text);
      EXPECT_EQ(parse(config.dump()).canonical({}), config.canonical({})) << text;
    } catch (const UserError& e) {
      EXPECT_TRUE(std::string_view(e.what()).starts_with("run.yaml:")) << e.what();
    }
  }
}

TEST(ConfigText, MergeKeysGiveWhatAMappingLacks) {
  const Config config = Config::parse(
      "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, x: 5}\nd:\n  <<: [*a, *b]\n  w: 6\n",
      "m");
  EXPECT_EQ(config.at("c").dump(), "x: 5\ny: 2\n");
  EXPECT_EQ(config.at("d").dump(), "w: 6\nx: 1\ny: 2\nz: 4\n");
  try {
    Config::parse("c: {<<: 1}", "m");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(),
                 "m:1:5: '<<' merges a mapping, or a list of them: write `<<: *name` of an anchor");
  }
}

}  // namespace
}  // namespace theta
