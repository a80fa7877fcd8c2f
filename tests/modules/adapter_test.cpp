#include "modules/adapter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/json_value.hpp"
#include "core/rng.hpp"
#include "modules/text.hpp"
#include "tests/support/gbnf_language.hpp"
#include "tests/support/named_types.hpp"

namespace theta {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Signature& judge() {
  static const Signature signature = chain_of_thought(
      Signature::parse("context, first -> preference: Literal['First', 'Second']"));
  return signature;
}

const Signature& every_type() {
  static const Signature signature = Signature::parse(
      "text, notes: list[str] -> thought, label: Literal['it\\'s', 'say \"hi\"', 'b'], n: int, "
      "x: float, ok: bool, tags: list[str], last");
  return signature;
}

std::string why(const Result<Record>& parsed) { return parsed ? "parsed" : parsed.error().message; }

// --- chat
// -----------------------------------------------------------------------------------------

TEST(ChatParse, ReadsSectionsAndIgnoresWhatStandsAroundThem) {
  const auto parsed = make_chat_adapter()->parse(judge(),
                                                 "Sure!\n[[ ## reasoning ## ]]\nOne\n\ntwo\n\n"
                                                 "[[ ## mood ## ]]\ngood\n  [[ ## preference ## ]] "
                                                 "First\r\n\n[[ ## completed ## ]]\nBye");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(*parsed, (Record{{"reasoning", "One\n\ntwo"}, {"preference", "First"}}));
}

TEST(ChatParse, DoesWithoutTheCompletedMarker) {
  const auto parsed = make_chat_adapter()->parse(
      judge(), "[[ ## reasoning ## ]]\nx\n\n[[ ## preference ## ]]\n\"Second\"");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(parsed->text("preference"), "Second");
}

TEST(ChatParse, TakesTheFirstSectionOfAName) {
  const auto parsed = make_chat_adapter()->parse(
      judge(),
      "[[ ## reasoning ## ]]\na\n[[ ## preference ## ]]\nFirst\n[[ ## preference ## ]]\nSecond");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(parsed->text("preference"), "First");
}

TEST(ChatParse, ReadsABareJsonObjectOfTheSameAnswer) {
  const auto parsed = make_chat_adapter()->parse(
      judge(), "```json\n{\"reasoning\": \"x\", \"preference\": \"First\"}\n```");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(*parsed, (Record{{"reasoning", "x"}, {"preference", "First"}}));
}

TEST(ChatParse, NamesTheMissingSection) {
  const auto parsed = make_chat_adapter()->parse(judge(), "[[ ## reasoning ## ]]\nx");
  EXPECT_EQ(why(parsed), "preference: the answer has no section");
  EXPECT_EQ(parsed.error().fault, Fault::kPrompt);
}

TEST(ChatParse, NamesTheFieldThatCannotBeCast) {
  const auto parsed = make_chat_adapter()->parse(
      judge(), "[[ ## reasoning ## ]]\nx\n[[ ## preference ## ]]\nFirst, of course");
  EXPECT_EQ(why(parsed), "preference: 'First, of course' is not one of Literal['First', 'Second']");
}

TEST(ChatAnswerPrefix, EndsWhereTheValueOfAFieldBegins) {
  const auto chat = make_chat_adapter();
  EXPECT_EQ(chat->answer_prefix(judge(), {}, 0), "[[ ## reasoning ## ]]\n");
  EXPECT_EQ(chat->answer_prefix(judge(), {{"reasoning", "a [[ ## preference ## ]]"}}, 1),
            "[[ ## reasoning ## ]]\na [ [ ## preference ## ]]\n\n[[ ## preference ## ]]\n");
}

TEST(ChatFormat, BreaksTheMarkersOfItsOwnFieldsInDataAlone) {
  const Signature signature = Signature::parse("question -> answer");
  const std::string text =
      "[[ ## question ## ]] [[ ## answer ## ]] [[ ## completed ## ]] [[ ## step_1 ## ]] [[ ## x";
  const std::string broken =
      "[ [ ## question ## ]] [ [ ## answer ## ]] [ [ ## completed ## ]] [[ ## step_1 ## ]] [[ ## x";
  const Record fields = {{"question", text}, {"answer", text}};
  for (const bool as_is : {false, true}) {
    const std::vector<Demo> demos = {{fields, false, as_is}};
    const Messages messages = make_chat_adapter()->format(signature, demos, fields);
    const std::string& shown = as_is ? text : broken;
    EXPECT_EQ(messages.at(1).content, "[[ ## question ## ]]\n" + shown);
    EXPECT_EQ(messages.at(2).content,
              "[[ ## answer ## ]]\n" + shown + "\n\n[[ ## completed ## ]]\n");
    EXPECT_THAT(messages.at(3).content,
                testing::StartsWith("[[ ## question ## ]]\n" + broken + "\n\nRespond"));
  }
}

TEST(ChatOpensField, SeesAHeaderOfAnyNameAndAnObjectOfTheOutputs) {
  const auto chat = make_chat_adapter();
  EXPECT_TRUE(chat->opens_field(judge(), "\n [[ ## thoughts ## ]] so\nand"));
  EXPECT_TRUE(chat->opens_field(judge(), "{\"reasoning\": \"r\", \"preference\": \"First\"}"));
  EXPECT_FALSE(chat->opens_field(judge(), "so\n[[ ## reasoning ## ]]"));
  EXPECT_FALSE(chat->opens_field(judge(), "{\"thoughts\": \"r\"}"));
  EXPECT_FALSE(chat->opens_field(judge(), "[[ ## two words ## ]]"));
}

TEST(ChatStop, EndsAnAnswerAtTheNextSection) {
  const auto chat = make_chat_adapter();
  EXPECT_THAT(chat->stop(judge(), 1), ElementsAre("[[ ## preference ## ]]"));
  EXPECT_THAT(chat->stop(judge(), 2), ElementsAre("[[ ## completed ## ]]"));
}

// --- demos with null and other JSON, as dspy 3.4.1 shows them
// --------------------------------------

Demo demo_of(std::string_view json) {
  Demo demo;
  const auto fields = parse_json(json);
  for (const auto& [name, value] : fields.items()) demo.fields.set(name, value_of(value));
  return demo;
}

/// The turns of demos: of each message its content behind the system message.
std::vector<std::string> shown_demos(const Adapter& adapter) {
  const std::vector<Demo> demos = {
      demo_of(R"({"question": "Was it?", "hint": null, "why": "x", "answer": "no"})"),
      demo_of(R"({"question": "Will it?", "hint": "soon", "why": null, "answer": null})"),
      demo_of(R"({"question": {"a": [1, null], "é": "x\ty"}, "hint": true,
                  "why": 12345678901234567890123, "answer": {"b": ["c", {"d": 1.0}]}})")};
  std::vector<std::string> contents;
  for (const Message& message : adapter.format(Signature::parse("question, hint -> why, answer"),
                                               demos, Record{{"question", "q"}, {"hint", "h"}}))
    contents.push_back(message.content);
  return {contents.begin() + 1, contents.end() - 1};
}

constexpr const char* kIncomplete =
    "This is an example of the task, though some input or output fields are not supplied.\n\n";

TEST(ChatFormat, ShowsNullAsNoneAndObjectsAsJson) {
  const std::string incomplete = kIncomplete;
  EXPECT_THAT(
      shown_demos(*make_chat_adapter()),
      ElementsAre(
          incomplete + "[[ ## question ## ]]\nWas it?\n\n[[ ## hint ## ]]\nNone",
          "[[ ## why ## ]]\nx\n\n[[ ## answer ## ]]\nno\n\n[[ ## completed ## ]]\n",
          incomplete + "[[ ## question ## ]]\nWill it?\n\n[[ ## hint ## ]]\nsoon",
          "[[ ## why ## ]]\nNone\n\n[[ ## answer ## ]]\nNone\n\n[[ ## completed ## ]]\n",
          "[[ ## question ## ]]\n{\"a\": [1, null], \"é\": \"x\\ty\"}\n\n[[ ## hint ## ]]\nTrue",
          "[[ ## why ## ]]\n12345678901234567890123\n\n[[ ## answer ## ]]\n{\"b\": [\"c\", {\"d\": "
          "1.0}]}\n\n[[ ## completed ## ]]\n"));
}

TEST(JsonFormat, ShowsNullObjectsAndEveryDigitAsJson) {
  const std::string incomplete = kIncomplete;
  EXPECT_THAT(
      shown_demos(*make_json_adapter()),
      ElementsAre(incomplete + "[[ ## question ## ]]\nWas it?\n\n[[ ## hint ## ]]\nNone",
                  "{\n  \"why\": \"x\",\n  \"answer\": \"no\"\n}",
                  incomplete + "[[ ## question ## ]]\nWill it?\n\n[[ ## hint ## ]]\nsoon",
                  "{\n  \"why\": null,\n  \"answer\": null\n}",
                  "[[ ## question ## ]]\n{\"a\": [1, null], \"é\": \"x\\ty\"}\n\n[[ ## hint ## "
                  "]]\nTrue",
                  "{\n  \"why\": 12345678901234567890123,\n  \"answer\": {\n    \"b\": [\n      "
                  "\"c\",\n      {\n        \"d\": 1.0\n      }\n    ]\n  }\n}"));
}

TEST(ChatFormat, WritesALiteralOfNumbersAsDspyDoes) {
  const Messages messages = make_chat_adapter()->format(
      Signature::parse("q -> n: Literal[1, 2, -3]"), {}, Record{{"q", "x"}});
  EXPECT_THAT(messages[0].content, HasSubstr("1. `n` (Literal[1, 2, -3]):"));
  EXPECT_THAT(messages[0].content,
              HasSubstr("{n}        # note: the value you produce must exactly "
                        "match (no extra characters) one of: 1; 2; -3\n"));
  EXPECT_THAT(messages[1].content,
              HasSubstr("`[[ ## n ## ]]` (must be formatted as a valid Python Literal[1, 2, -3])"));
}

// --- json
// -----------------------------------------------------------------------------------------

TEST(JsonParse, ReadsTheFirstObjectWhateverStandsAroundIt) {
  const auto parsed = make_json_adapter()->parse(
      judge(),
      "Here {as you wished}:\n```json\n{\"reasoning\": \"a } \\\" {\", \"preference\": \"First\", "
      "\"mood\": {\"x\": 1}}\n```\nand {\"preference\": \"Second\"}");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(*parsed, (Record{{"reasoning", "a } \" {"}, {"preference", "First"}}));
}

TEST(JsonParse, CastsWhatHasAnotherType) {
  const auto signature = Signature::parse("q -> s, n: int, x: float, ok: bool, l: list[str]");
  const auto parsed = make_json_adapter()->parse(
      signature, R"({"s": true, "n": "3", "x": 2, "ok": "True", "l": "['a']"})");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(*parsed, (Record{{"s", "True"},
                             {"n", std::int64_t{3}},
                             {"x", 2.0},
                             {"ok", true},
                             {"l", std::vector<std::string>{"a"}}}));
}

TEST(JsonParse, KeepsEveryDigitOfAWholeNumber) {
  const auto parsed = make_json_adapter()->parse(
      Signature::parse("q -> s, n: int, m: Literal[1, 2]"),
      R"({"s": 12345678901234567890123, "n": 18446744073709551616, "m": 2})");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(*parsed, (Record{{"s", "12345678901234567890123"},
                             {"n", JsonValue{"18446744073709551616"}},
                             {"m", std::int64_t{2}}}));
}

TEST(JsonParse, SaysWhatIsWrong) {
  const auto json = make_json_adapter();
  const auto list = Signature::parse("q -> l: list[str]");
  EXPECT_EQ(why(json->parse(judge(), "no")), "the answer holds no JSON object");
  EXPECT_EQ(why(json->parse(judge(), "{\"reasoning\": \"x\"")),
            "preference: the answer has no such member");
  EXPECT_EQ(why(json->parse(judge(), "{\"reasoning\": \"x\"}")),
            "preference: the answer has no such member");
  EXPECT_EQ(why(json->parse(judge(), "{\"reasoning\": null, \"preference\": \"First\"}")),
            "reasoning: null is not a text");
  EXPECT_EQ(why(json->parse(list, "{\"l\": [\"a\", 2]}")), "l: [1]: 2 is not a text");
  EXPECT_EQ(why(json->parse(list, "{\"l\": 3}")), "l: '3' is not list[str]");
}

TEST(JsonAnswerPrefix, EndsBehindTheQuoteThatOpensAText) {
  const auto json = make_json_adapter();
  EXPECT_EQ(json->answer_prefix(judge(), {}, 0), "{\n  \"reasoning\": \"");
  EXPECT_EQ(json->answer_prefix(judge(), {{"reasoning", "a \"b\""}}, 1),
            "{\n  \"reasoning\": \"a \\\"b\\\"\",\n  \"preference\": \"");
  EXPECT_EQ(json->answer_prefix(Signature::parse("q -> n: int"), {}, 0), "{\n  \"n\": ");
}

TEST(JsonOptions, AreWrittenAsJsonDoes) {
  const auto json = make_json_adapter();
  EXPECT_THAT(json->options(judge(), 1), ElementsAre("First\"", "Second\""));
  EXPECT_THAT(json->options(Signature::parse("q -> ok: bool"), 0), ElementsAre("true", "false"));
}

TEST(JsonParse, ReadsWhatIsNearlyJson) {
  for (const char* text :
       {"{'reasoning': 'x', 'preference': 'First'}",
        R"({"reasoning": "x", "preference": "First",})",
        "{\"reasoning\": \"x\", // so\n\"sure\": True, \"preference\": \"First\"",
        "{thoughts} [1] {\"reasoning\": \"x\", \"preference\": First}"}) {
    const auto parsed = make_json_adapter()->parse(judge(), text);
    ASSERT_TRUE(parsed) << why(parsed) << text;
    EXPECT_EQ(*parsed, (Record{{"reasoning", "x"}, {"preference", "First"}}));
  }
}

TEST(JsonParse, TakesNoWordsForTheAnswerThatItWasToBegin) {
  const auto json = make_json_adapter();
  const auto signature = Signature::parse("q -> answer, n: int | None");
  const std::string prefix = json->answer_prefix(signature, {}, 0);
  EXPECT_EQ(why(json->parse(signature, prefix + "I \"cannot\" say.")),
            "the answer holds no JSON object");
  EXPECT_EQ(why(json->parse(signature, prefix + "Four")), "the answer holds no JSON object");
  const auto cut = json->parse(signature, prefix + "Four\", \"n\": 4");
  ASSERT_TRUE(cut) << why(cut);
  EXPECT_EQ(*cut, (Record{{"answer", "Four"}, {"n", std::int64_t{4}}}));
}

TEST(ChatParse, ReadsHeadersWithinALine) {
  for (const char* text :
       {"[[ ## reasoning ## ]] x [[ ## preference ## ]] First [[ ## completed ## ]]",
        "[[ ## reasoning ## ]]\nx[[ ## preference ## ]]\nFirst."}) {
    const auto parsed = make_chat_adapter()->parse(judge(), text);
    ASSERT_TRUE(parsed) << why(parsed);
    EXPECT_EQ(parsed->text("preference"), "First");
  }
}

TEST(ChatParse, ReadsHeadersWhateverMarkdownAndBlanksAreAroundThem) {
  for (const char* text :
       {"**[[ ## reasoning ## ]]**\nx\n\n**[[ ## preference ## ]]** First",
        "### [[##reasoning##]]\nx\n### [[ ##preference ## ]]\nFirst\n`[[ ## completed ## ]]`",
        "```\n[[ ## reasoning ## ]]\nx\n\n[[ ## preference ## ]]\nFirst\n```",
        "[[ ## reasoning ## ]]\nx\n\n[[ ## preference ## ]]\nFirst\n```"}) {
    const auto parsed = make_chat_adapter()->parse(judge(), text);
    ASSERT_TRUE(parsed) << why(parsed) << text;
    EXPECT_EQ(*parsed, (Record{{"reasoning", "x"}, {"preference", "First"}})) << text;
    EXPECT_EQ(make_chat_adapter()->opens_field(judge(), text), true);
  }
  const auto code =
      make_chat_adapter()->parse(Signature::parse("q -> a"), "[[ ## a ## ]]\n```\nx = [[1]]\n```");
  ASSERT_TRUE(code);
  EXPECT_EQ(code->text("a"), "```\nx = [[1]]\n```");
}

TEST(JsonOpensField, TellsAnObjectWithoutQuotesOrWithCommentsFromAValue) {
  const auto json = make_json_adapter();
  EXPECT_TRUE(json->opens_field(judge(), "{reasoning: \"x\"}"));
  EXPECT_TRUE(json->opens_field(judge(), "{\n  // so\n  \"reasoning\": \"x\"}"));
  EXPECT_FALSE(json->opens_field(judge(), "{x} is a set\", \"preference\": \"First\"}"));
}

TEST(EveryParse, TakesAMissingOutputThatMayBeNoneForNone) {
  const auto signature = Signature::parse("q -> a, hint: str | None");
  for (const auto& [name, text] :
       {std::pair{"chat", "[[ ## a ## ]]\nx"}, {"json", "{\"a\": \"x\"}"}, {"terse", "A: x"}}) {
    const auto parsed = make_adapter({.adapter = name})->parse(signature, text);
    ASSERT_TRUE(parsed) << why(parsed);
    EXPECT_EQ(*parsed, (Record{{"a", "x"}, {"hint", JsonValue{"null"}}}));
  }
}

// --- terse
// ----------------------------------------------------------------------------------------

TEST(TerseFormat, IsOneMessageOfLines) {
  const std::vector<Demo> demos = {
      {{{"context", "c1"}, {"first", "f1"}, {"reasoning", "r1"}, {"preference", "Second"}}, true},
      {{{"context", "c2"}, {"first", "f2"}, {"preference", "First"}}},
      {{{"context", "c3"}}}};
  const auto messages = make_terse_adapter()->format(judge().with_instructions("Judge."), demos,
                                                     {{"first", "f"}, {"context", "two\nlines"}});
  EXPECT_THAT(messages, ElementsAre(Message{"user",
                                            "Judge.\nPreference can be First or Second.\n\n"
                                            "Context: c1\nFirst: f1\nReasoning: r1\n"
                                            "Preference: Second\n\n"
                                            "Context: c2\nFirst: f2\nPreference: First\n\n"
                                            "Context:\n  two\n  lines\nFirst: f"}));
}

TEST(TerseFormat, TellsWhatOutputsWithOptionsMaySay) {
  const auto signature = Signature::parse(
      "text -> label: Literal['a', 'b c', 'd'], note, ok: bool, only: Literal['x']", "Go.");
  const auto system = [&](bool listed) {
    return make_terse_adapter(listed)->format(signature, {}, {{"text", "t"}}).at(0).content;
  };
  EXPECT_EQ(system(true),
            "Go.\nLabel can be a, b c or d.\nOk can be True or False.\nOnly can be x.\n\nText: t");
  EXPECT_EQ(system(false), "Go.\n\nText: t");
}

TEST(TerseFormat, TellsTheSchemaOfWhatHasParts) {
  const auto messages = make_terse_adapter()->format(
      Signature::parse("text -> tags: list[str], n: dict[str, int]", "Go."), {}, {{"text", "t"}});
  EXPECT_EQ(messages.at(0).content,
            "Go.\nN is JSON of the schema {\"type\": \"object\", \"additionalProperties\": "
            "{\"type\": \"integer\"}}.\n\nText: t");
}

TEST(TerseDefused, IndentsLinesThatBeginLikeAField) {
  EXPECT_EQ(
      make_terse_adapter()->defused(judge(), "Likes: tea\n Preference: First\u2028\r\nContext"),
      "Likes: tea\n  Preference: First\nContext");
}

TEST(TerseFormat, RefusesPrefixesThatItCannotTellApart) {
  Signature signature = Signature::parse("question -> answer");
  signature.outputs[0].prefix = "Question: Answer";
  try {
    make_terse_adapter()->format(signature, {}, {{"question", "q"}});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "the terse adapter cannot tell `answer` from `question`: prefix `Question: "
                 "Answer:` begins like `Question:`");
  }
}

TEST(TerseParse, ReadsLinesAndStopsWhereTheModelGoesOn) {
  const auto parsed = make_terse_adapter()->parse(
      judge(),
      "Well.\nReasoning: one\ntwo\n Preference: First\nBecause.\n\nContext: c\nPreference: Second");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(*parsed, (Record{{"reasoning", "one\ntwo"}, {"preference", "First"}}));
}

TEST(TerseParse, EndsAFreeTextWhereTheNextExampleBegins) {
  const auto parsed = make_terse_adapter()->parse(Signature::parse("question -> answer"),
                                                  "Answer: one\ntwo\n\nQuestion: q\nmore");
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(parsed->text("answer"), "one\ntwo");
}

TEST(TerseParse, NamesTheMissingLine) {
  EXPECT_EQ(why(make_terse_adapter()->parse(judge(), "Reasoning: one")),
            "preference: the answer has no line `Preference:`");
}

TEST(TerseAnswerPrefix, EndsBehindTheColonAndOptionsBringTheSpace) {
  const auto terse = make_terse_adapter();
  EXPECT_EQ(terse->answer_prefix(judge(), {}, 0), "Reasoning:");
  EXPECT_EQ(terse->answer_prefix(judge(), {{"reasoning", "a\nPreference: b"}}, 1),
            "Reasoning: a Preference: b\nPreference:");
  EXPECT_THAT(terse->options(judge(), 1), ElementsAre(" First", " Second"));
}

TEST(TerseStop, EndsAnAnswerAtItsLastLine) {
  const auto terse = make_terse_adapter();
  EXPECT_THAT(terse->stop(Signature::parse("q -> a"), 1), ElementsAre("\n"));
  EXPECT_THAT(terse->stop(judge(), 1), ElementsAre("\nPreference:"));
  EXPECT_THAT(terse->stop(judge(), 2), ElementsAre("\n\n", "\nContext:"));
}

// --- all
// ------------------------------------------------------------------------------------------

TEST(MakeAdapter, KnowsThreeNames) {
  for (const char* name : {"chat", "json", "terse"})
    EXPECT_EQ(make_adapter({.adapter = name})->name(), name);
  try {
    make_adapter({.adapter = "xml"});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown adapter 'xml'; there are chat, json and terse");
  }
}

TEST(MakeAdapter, HidesOptionsInTheTerseOneAlone) {
  EXPECT_EQ(make_adapter({.adapter = "terse", .list_options = false})->name(), "terse");
  for (const char* name : {"chat", "json"}) {
    try {
      make_adapter({.adapter = name, .list_options = false});
      FAIL() << name;
    } catch (const UserError& error) {
      EXPECT_STREQ(error.what(),
                   "options can be hidden by the terse adapter alone: DSPy's, chat and json, list "
                   "them");
    }
  }
}

class EveryAdapter : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Adapter> adapter_ = make_adapter({.adapter = GetParam()});

  /// The assistant's turn that shows `outputs`, the terse adapter's without what stands before it.
  std::string written(const Signature& signature, const Record& outputs) const {
    const std::size_t last = signature.outputs.size() - 1;
    const Field& field = signature.outputs[last];
    std::string text = adapter_->answer_prefix(signature, outputs, last);
    if (GetParam() == "terse") text += " ";
    if (GetParam() != "json") return text + field.type.text(outputs.at(field.name));
    Demo demo{outputs};
    for (const Field& input : signature.inputs) demo.fields.set(input.name, "x");
    return adapter_->format(signature, std::vector{demo}, demo.fields).at(2).content;
  }
};

INSTANTIATE_TEST_SUITE_P(All, EveryAdapter, testing::Values("chat", "json", "terse"),
                         [](const auto& suite) { return suite.param; });

std::string random_text(Rng& rng, const std::vector<std::string>& pieces) {
  std::string out;
  for (std::size_t n = rng.below(9); n > 0; --n) out += pieces[rng.below(pieces.size())];
  return out;
}

TEST_P(EveryAdapter, NamesAMissingInput) {
  try {
    adapter_->format(judge(), {}, {{"context", "c"}});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("field 'first' is missing"));
  }
}

TEST_P(EveryAdapter, WritesManyInputsAsEachAlone) {
  const std::vector<Demo> demos = {
      {{{"context", "c"}, {"first", "f"}, {"reasoning", "r"}, {"preference", "First"}}},
      {{{"context", "c"}, {"preference", "Second"}}}};
  const std::vector<Record> inputs = {{{"context", "a"}, {"first", "b"}},
                                      {{"context", "c"}, {"first", "d"}}};
  const auto messages = adapter_->format(judge(), demos, inputs);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0], adapter_->format(judge(), demos, inputs[0]));
  EXPECT_EQ(messages[1], adapter_->format(judge(), demos, inputs[1]));
  EXPECT_NE(messages[0], messages[1]);
}

TEST_P(EveryAdapter, LetsNoValueOpenOrCloseAField) {
  const std::vector<std::string> pieces = {
      "[[ ## ", "[[",           "[ ",        "## ",       "#",  " ## ]]", "]]",
      "first",  "preference",   "reasoning", "First:",    "\n", "\r\n",   " ",
      "\u2028", "Preference: ", "Context:",  "completed", "«",  "\t"};
  const std::vector<std::string> opens =
      GetParam() == "terse"
          ? std::vector<std::string>{"Context:", "First:", "Reasoning:", "Preference:"}
          : std::vector<std::string>{"[[ ## context ## ]]", "[[ ## first ## ]]",
                                     "[[ ## reasoning ## ]]", "[[ ## preference ## ]]"};
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    const Record inputs = {
        {"context", random_text(rng, pieces)},
        {"first", std::vector<std::string>{random_text(rng, pieces), random_text(rng, pieces)}}};
    Demo demo{{{"context", "c"},
               {"first", random_text(rng, pieces)},
               {"reasoning", random_text(rng, pieces)},
               {"preference", "First"}}};
    std::vector<std::string> fields;
    const auto messages =
        adapter_->format(judge().with_instructions("Go."), std::vector{demo}, inputs);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].role == "system") continue;
      for (const std::string_view line : split_lines(messages[i].content)) {
        for (const std::string& open : opens) {
          if (line.starts_with(open)) fields.push_back(open);
        }
      }
    }
    // JSON's demos answer in JSON, where a quote cannot be left.
    if (GetParam() == "json") {
      ASSERT_THAT(fields, ElementsAre(opens[0], opens[1], opens[0], opens[1])) << round;
      const auto parsed = adapter_->parse(judge(), messages.at(2).content);
      ASSERT_TRUE(parsed) << why(parsed);
      ASSERT_EQ(parsed->text("reasoning"), demo.fields.text("reasoning"));
    } else {
      ASSERT_THAT(fields, ElementsAre(opens[0], opens[1], opens[2], opens[3], opens[0], opens[1]))
          << round;
    }
  }
}

TEST_P(EveryAdapter, ReadsBackWhatItWrites) {
  const std::vector<std::string> pieces = {"word", "[", "]", "#", "\"", "\\", "{",  "}", ":",
                                           "é",    "'", ",", "0", "-",  "[[", "##", "«", "True"};
  Rng rng(11);
  const auto text = [&] { return "a" + random_text(rng, pieces) + "z"; };
  for (int round = 0; round < 2000; ++round) {
    const Record outputs = {{"thought", text()},
                            {"label", every_type().outputs[1].type.literals[rng.below(3)]},
                            {"n", rng.between(-1000, 1000)},
                            {"x", static_cast<double>(rng.between(-99, 99)) / 8},
                            {"ok", rng.below(2) == 0},
                            {"tags", std::vector<std::string>{text(), text()}},
                            {"last", text()}};
    const std::string answer = written(every_type(), outputs);
    const auto parsed = adapter_->parse(every_type(), answer);
    ASSERT_TRUE(parsed) << why(parsed) << "\n" << answer;
    ASSERT_EQ(*parsed, outputs) << answer;
  }
}

TEST_P(EveryAdapter, ReadsEveryAnswerThatItsGrammarAdmits) {
  Rng rng(13);
  for (std::size_t count = 1; count <= every_type().outputs.size(); ++count) {
    Signature wanted = every_type();
    wanted.outputs.resize(count);
    const GbnfLanguage language(adapter_->grammar(every_type(), count));
    const std::string prefix = adapter_->answer_prefix(every_type(), {}, 0);
    for (int round = 0; round < 500; ++round) {
      const std::string answer = prefix + language.sample(rng);
      const auto parsed = adapter_->parse(wanted, answer);
      ASSERT_TRUE(parsed) << why(parsed) << "\n" << answer;
    }
  }
}

TEST_P(EveryAdapter, AdmitsByItsGrammarWhatItWrites) {
  const Record outputs = {{"thought", "[[ # ] \"so\" \\ [[ #] it [[is"},
                          {"label", "say \"hi\""},
                          {"n", std::int64_t{-120}},
                          {"x", 0.25},
                          {"ok", false},
                          {"tags", std::vector<std::string>{"a \"b\"", "é [["}},
                          {"last", "done."}};
  const std::string answer = written(every_type(), outputs);
  const std::string prefix = adapter_->answer_prefix(every_type(), {}, 0);
  ASSERT_TRUE(answer.starts_with(prefix));
  const GbnfLanguage language(adapter_->grammar(every_type(), 7));
  EXPECT_TRUE(language.admits(answer.substr(prefix.size()))) << answer;
  EXPECT_FALSE(language.admits(answer.substr(prefix.size()) + "\n\n[[ ## last ## ]]\nmore"));
}

const Signature& nested_types() {
  static const Signature signature = Signature::parse(
      "text -> a: list[int], b: dict[str, list[str]], c: Literal['x', 1, True], d: int | None, "
      "e: list[Literal['p', 'q']], person: Person, f: list[Person | None], mood: Mood, last",
      "",
      named_types(nlohmann::ordered_json::parse(
          R"({"Mood": ["good", "so so"], "Person": {"name": "str", "mood": "Mood", "age": "int"}})")));
  return signature;
}

Record nested_values() {
  return {{"a", JsonValue{"[1, 2]"}},
          {"b", JsonValue{R"({"k \"q\"": ["x", "y"], "l": []})"}},
          {"c", std::int64_t{1}},
          {"d", JsonValue{"null"}},
          {"e", std::vector<std::string>{"p", "q"}},
          {"person", JsonValue{R"({"name": "Ann", "mood": "so so", "age": 3})"}},
          {"f", JsonValue{R"([{"name": "B", "mood": "good", "age": 0}, null])"}},
          {"mood", "so so"},
          {"last", "done."}};
}

TEST_P(EveryAdapter, ReadsBackValuesOfNestedTypes) {
  const std::string answer = written(nested_types(), nested_values());
  const auto parsed = adapter_->parse(nested_types(), answer);
  ASSERT_TRUE(parsed) << why(parsed) << "\n" << answer;
  EXPECT_EQ(*parsed, nested_values()) << answer;
}

TEST_P(EveryAdapter, AdmitsAndReadsNestedTypesByItsGrammar) {
  const std::size_t count = nested_types().outputs.size();
  const std::string prefix = adapter_->answer_prefix(nested_types(), {}, 0);
  const GbnfLanguage language(adapter_->grammar(nested_types(), count));
  const std::string answer = written(nested_types(), nested_values());
  EXPECT_TRUE(language.admits(answer.substr(prefix.size()))) << answer;
  Rng rng(17);
  for (int round = 0; round < 300; ++round) {
    const std::string sampled = prefix + language.sample(rng);
    const auto parsed = adapter_->parse(nested_types(), sampled);
    ASSERT_TRUE(parsed) << why(parsed) << "\n" << sampled;
  }
}

TEST_P(EveryAdapter, AdmitsAnyJsonWhereATypeLeavesItOpen) {
  const auto signature = Signature::parse("q -> a: list, b: dict[str, Any]");
  const GbnfLanguage language(adapter_->grammar(signature, 2));
  const std::string prefix = adapter_->answer_prefix(signature, {}, 0);
  const std::string answer = written(
      signature, {{"a", JsonValue{"[1, \"x\", null]"}}, {"b", JsonValue{R"({"k": true})"}}});
  EXPECT_TRUE(language.admits(answer.substr(prefix.size()))) << answer;
}

TEST_P(EveryAdapter, AdmitsOptionsByItsGrammar) {
  const auto signature = Signature::parse("q -> label: Literal['a b', 'c\"d'], ok: bool");
  const GbnfLanguage language(adapter_->grammar(signature, 1));
  const std::string end = GetParam() == "json" ? "\n}" : "";
  for (const std::string& option : adapter_->options(signature, 0)) {
    EXPECT_TRUE(language.admits(option + end)) << option;
  }
  EXPECT_FALSE(language.admits(" a" + end));
}

}  // namespace
}  // namespace theta
