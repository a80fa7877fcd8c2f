#include "core/signature.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/rng.hpp"
#include "tests/support/message_of.hpp"

// Expected texts and casts: dspy 3.4.1 (dspy.Signature, infer_prefix, parse_value).

namespace theta {
namespace {

using Texts = std::vector<std::string>;

std::string error_of(std::string_view text) {
  return message_of<UserError>([&] { Signature::parse(text); });
}

Type type_of(const std::string& text) {
  return Signature::parse("x -> y: " + text).outputs[0].type;
}

/// The cast value as text, or the message of the error.
std::string cast(const std::string& type, std::string_view answer) {
  const auto result = type_of(type).cast(answer);
  if (result) return to_text(*result);
  EXPECT_EQ(result.error().fault, Fault::kPrompt);
  return "error: " + result.error().message;
}

TEST(Signature, ReadsNamesAndTypes) {
  const auto signature = Signature::parse(
      "a, b:int->c: list[str], d: Literal['x',\"y\"] , e :float,\n f: bool, g: str, ");
  EXPECT_EQ(signature.inputs.size(), 2U);
  EXPECT_EQ(signature.outputs.size(), 5U);
  EXPECT_EQ(signature.find("a")->type, Type{});
  EXPECT_EQ(signature.find("b")->type.name(), "int");
  EXPECT_EQ(signature.find("c")->type.name(), "list[str]");
  EXPECT_EQ(signature.find("d")->type.options(), (Texts{"x", "y"}));
  EXPECT_EQ(signature.find("e")->type.name(), "float");
  EXPECT_EQ(signature.find("f")->type.name(), "bool");
  EXPECT_EQ(signature.find("g")->type.name(), "str");
  EXPECT_EQ(signature.find("h"), nullptr);
}

TEST(Signature, HasDspysDefaultInstruction) {
  EXPECT_EQ(Signature::parse("a, b: int -> c: list[str], d").instructions,
            "Given the fields `a`, `b`, produce the fields `c`, `d`.");
}

TEST(Signature, InfersDspysPrefixes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"text2number", "Text 2 Number:"},
      {"camelCaseText", "Camel Case Text:"},
      {"snake_case_text", "Snake Case Text:"},
      {"HTMLParser", "HTML Parser:"},
      {"x_", "X :"},
      {"a1b2", "A 1 B 2:"},
      {"iPHONE", "I PHONE:"},
      {"userID", "User ID:"},
      {"GPT4o", "GPT 4 O:"},
      {"myHTML2Text", "My HTML 2 Text:"},
      {"X9y", "X 9 Y:"},
      {"ABCd", "AB Cd:"},
      {"a__b", "A  B:"},
      {"A", "A:"},
      {"past_judgements", "Past Judgements:"}};
  for (const auto& [name, prefix] : cases) EXPECT_EQ(make_field(name).prefix, prefix);
}

TEST(Signature, DescribesAFieldByItsNameUnlessTold) {
  EXPECT_EQ(make_field("answer").description, "${answer}");
  EXPECT_EQ(make_field("answer", {}, "one word").description, "one word");
  const auto signature = Signature::parse("question -> answer").describe("answer", "one word");
  EXPECT_EQ(signature.outputs[0].description, "one word");
  try {
    signature.describe("anwser", "x");
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "the signature has no field 'anwser'; did you mean 'answer'?");
  }
}

// inspect.cleandoc, through which DSPy reads every instruction.
TEST(Signature, DropsTheIndentationOfAnInstruction) {
  const auto instructions = [](std::string text) {
    return Signature::parse("a -> b", std::move(text)).instructions;
  };
  EXPECT_EQ(instructions("Judge."), "Judge.");
  EXPECT_EQ(instructions("  Judge.\n    One.\n\n      Two.\n  "), "Judge.\nOne.\n\n  Two.");
  EXPECT_EQ(instructions("\n\n  Judge.\n\tOne.\n"), "Judge.\n      One.");
  EXPECT_EQ(instructions("Judge. "), "Judge. ");
}

TEST(Signature, ReadsEscapesInLiterals) {
  EXPECT_EQ(
      type_of(R"(Literal['it\'s', "say \"x\"", 'a\\b', 'two\nlines', 'caf\u00e9'])").options(),
      (Texts{"it's", "say \"x\"", "a\\b", "two\nlines", "café"}));
  EXPECT_EQ(type_of("Literal['a->b', 'c,d', '[e]']").options(), (Texts{"a->b", "c,d", "[e]"}));
}

TEST(Signature, NamesALiteralAsDspyDoes) {
  EXPECT_EQ(type_of("Literal['First',\"Second\"]").name(), "Literal['First', 'Second']");
  EXPECT_EQ(type_of(R"(Literal["it's"])").name(), "Literal[\"it's\"]");
  EXPECT_EQ(type_of(R"(Literal['say "x"'])").name(), "Literal['say \"x\"']");
  EXPECT_EQ(type_of(R"(Literal['both \' and "'])").name(), R"(Literal['both \' and "'])");
}

TEST(Signature, PointsAtWhatItCannotRead) {
  EXPECT_EQ(error_of(""), "column 1: expected an input field but found the end");
  EXPECT_EQ(error_of("a, b"), "column 5: expected ',' or '->' but found the end");
  EXPECT_EQ(error_of("a b -> c"), "column 3: expected ',' or '->' but found 'b'");
  EXPECT_EQ(error_of("-> b"), "column 1: expected an input field but found '->'");
  EXPECT_EQ(error_of("a ->"), "column 5: expected an output field but found the end");
  EXPECT_EQ(error_of("a,, b -> c"), "column 3: expected an input field but found ','");
  EXPECT_EQ(error_of("_a -> b"), "column 1: expected an input field but found '_a'");
  EXPECT_EQ(error_of("a -> b c"), "column 8: expected ',' or the end but found 'c'");
  EXPECT_EQ(error_of("a -> b -> c"), "column 8: a second '->'; a signature has one");
  EXPECT_EQ(error_of("a -> b: -> c"), "column 9: expected a type but found '->'");
  EXPECT_EQ(error_of("a – b"), "column 3: expected ',' or '->' but found '–'");
}

TEST(Signature, PointsAtANameThatIsTaken) {
  EXPECT_EQ(error_of("a, b, a -> c"), "column 7: 'a' is given twice");
  EXPECT_EQ(error_of("a -> b, c: int, b"), "column 17: 'b' is given twice");
  EXPECT_EQ(error_of("a, b -> c, b"), "column 12: 'b' is both an input and an output");
}

TEST(Signature, SuggestsTheNearestType) {
  EXPECT_EQ(error_of("a: integer -> b"), "column 4: unknown type 'integer'; did you mean 'int'?");
  EXPECT_EQ(error_of("a: string -> b"), "column 4: unknown type 'string'; did you mean 'str'?");
  EXPECT_EQ(error_of("a -> b: literal['x']"),
            "column 9: unknown type 'literal'; did you mean 'Literal'?");
  EXPECT_EQ(
      error_of("a -> b: date"),
      "column 9: unknown type 'date'; known are str, int, float, bool, Any, Literal['a', 'b'], "
      "list[str], dict[str, int], Optional[str], and what `types:` names");
}

TEST(Signature, PointsIntoATypeThatIsNotWhole) {
  EXPECT_EQ(error_of("a -> b: list["), "column 14: expected a type but found the end");
  EXPECT_EQ(error_of("a -> b: dict[int, str]"),
            "column 14: the keys of a dict are texts: dict[str, ..]");
  EXPECT_EQ(error_of("a -> b: dict[str]"),
            "column 17: expected ',' and the type of the values but found ']'");
  EXPECT_EQ(error_of("a -> b: Optional[str, int]"), "column 21: expected ']' but found ','");
  EXPECT_EQ(error_of("a -> b: str |"), "column 14: expected a type but found the end");
  EXPECT_EQ(error_of("a -> b: list[str"), "column 17: expected ']' but found the end");
  EXPECT_EQ(error_of("a -> b: Literal"), "column 16: expected '[' but found the end");
  EXPECT_EQ(error_of("a -> b: Literal[]"),
            "column 17: expected a quoted value or a number but found ']'");
  EXPECT_EQ(error_of("a -> b: Literal[x]"),
            "column 17: a Literal holds texts, numbers, True, False and None, and 'x' is none of "
            "them");
  EXPECT_EQ(error_of("a -> b: Literal['x"), "column 17: this quote is never closed");
  EXPECT_EQ(error_of("a -> b: Literal[1, 1]"), "column 20: '1' is given twice");
  for (const std::string number : {"1.50", "01", "1e3", "1x", "true"})
    EXPECT_EQ(error_of("a -> b: Literal[" + number + "]"),
              "column 17: a Literal holds texts, numbers, True, False and None, and '" + number +
                  "' is none of them");
  EXPECT_EQ(error_of("a -> b: Literal['é', 'x"), "column 22: this quote is never closed");
  EXPECT_EQ(error_of("a -> b: Literal['x' 'y']"), "column 21: expected ',' or ']' but found '''");
  EXPECT_EQ(error_of("a -> b: Literal['x', 'x']"), "column 22: 'x' is given twice");
  EXPECT_EQ(error_of("a -> b: Literal['\\q']"),
            "column 18: unknown escape; write \\\\ for a backslash");
}

TEST(Signature, ReadsBackEveryTextThatItWrites) {
  const std::string alphabet = "ab'\"\\\n\t]->,: é«";
  const auto random_text = [&](Rng& rng) {
    std::string out;
    for (std::size_t n = rng.below(6); n > 0; --n) {
      // Bytes of é and « may come apart here: a literal is any text.
      out += alphabet[rng.below(alphabet.size())];
    }
    return out;
  };
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Rng rng(seed);
    Signature signature;
    const std::size_t n = 2 + rng.below(5);
    const std::size_t n_inputs = 1 + rng.below(n - 1);
    for (std::size_t i = 0; i < n; ++i) {
      Type type{static_cast<Type::Kind>(rng.below(6)), {}};
      if (type.kind == Type::Kind::kLiteral) {
        for (std::size_t k = 1 + rng.below(3); k > 0; --k) {
          type.literals.emplace_back(std::to_string(k) + random_text(rng));
        }
      }
      (i < n_inputs ? signature.inputs : signature.outputs)
          .push_back(make_field(fmt::format("f{}", i), type));
    }
    signature = signature.with_instructions("");
    EXPECT_EQ(Signature::parse(signature.text()), signature) << signature.text();
  }
}

TEST(Signature, NeverDoesMoreThanThrowAtDamagedText) {
  const std::string whole =
      "context, n: int -> tags: list[str], pick: Literal['a', \"b\\n\"], p: float | None";
  const std::string marks = "->,:[]'\"\\ x";
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Rng rng(seed);
    std::string text = whole;
    for (int edits = 0; edits < 3; ++edits) {
      const std::size_t at = rng.below(text.size());
      rng.below(2) ? text.erase(at, 1 + rng.below(3)).append(" ")
                   : text.insert(at, 1, marks[rng.below(marks.size())]);
    }
    try {
      const auto signature = Signature::parse(text);
      EXPECT_EQ(Signature::parse(signature.text()), signature) << text;
    } catch (const UserError& e) {
      EXPECT_TRUE(std::string_view(e.what()).starts_with("column ")) << e.what();
    }
  }
}

TEST(Signature, EditsLeaveTheOriginalAlone) {
  const auto before = Signature::parse("a -> b");
  const auto after = before.append_input(make_field("c")).with_instructions("Do it.");
  EXPECT_EQ(after.text(), "a, c -> b");
  EXPECT_EQ(after.instructions, "Do it.");
  EXPECT_EQ(before.text(), "a -> b");
  EXPECT_EQ(before.instructions, "Given the fields `a`, produce the fields `b`.");
}

TEST(ChainOfThought, IsAReasoningOutputInFront) {
  const auto plain = Signature::parse("question -> answer: bool");
  const auto signature = chain_of_thought(plain);
  EXPECT_EQ(signature.text(), "question -> reasoning, answer: bool");
  EXPECT_EQ(signature.outputs[0], make_field("reasoning"));
  EXPECT_EQ(signature.instructions, plain.instructions);
}

TEST(ChainOfThought, IsRefusedWhereThereIsReasoningAlready) {
  try {
    chain_of_thought(Signature::parse("question, reasoning -> answer"));
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "the signature already has a field 'reasoning'");
  }
}

TEST(Signature, ReadsBackALiteralOfNumbers) {
  const Signature signature = Signature::parse("a -> b: Literal[1, -20]");
  EXPECT_EQ(signature.text(), "a -> b: Literal[1, -20]");
  EXPECT_EQ(Signature::parse(signature.text()), signature);
  EXPECT_NE(Signature::parse("a -> b: Literal['1', '-20']"), signature);
}

TEST(Type, OffersOptionsWhereAnswersAreFew) {
  EXPECT_EQ(type_of("Literal['First', 'Second']").options(), (Texts{"First", "Second"}));
  EXPECT_EQ(type_of("bool").options(), (Texts{"True", "False"}));
  EXPECT_EQ(type_of("str").options(), Texts{});
}

TEST(Cast, KeepsAStrVerbatim) { EXPECT_EQ(cast("str", " 'a'\n"), " 'a'\n"); }

TEST(Cast, ReadsALiteralAsDspyDoes) {
  const std::string type = "Literal['First', 'Second']";
  for (const char* text :
       {"First", " First ", "'First'", "\"First\"", "Literal[First]", "Literal['First']",
        "str[First]", "First\n", "First.", "**First**", "`First`", "**First.**", "**First**."}) {
    EXPECT_EQ(cast(type, text), "First") << text;
  }
  for (const char* text :
       {"first", "First..", "'First", "", "''", "[First]", "Literal[' First']"}) {
    EXPECT_EQ(cast(type, text), "error: '" + std::string(text) + "' is not one of " + type);
  }
  EXPECT_EQ(cast("Literal[' a']", " a"), " a");
  EXPECT_EQ(cast("Literal[\"'a'\"]", "'a'"), "'a'");
}

TEST(Cast, ReadsALiteralOfNumbersAsDspyDoes) {
  const Type type = type_of("Literal[1, 2, -3]");
  for (const char* text : {"2", " 2 ", "'2'", "Literal[2]"}) {
    const auto value = type.cast(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(*value, Value(std::int64_t{2}));
  }
  EXPECT_EQ(cast("Literal[1, 2, -3]", "-3"), "-3");
  for (const char* text : {"3", "02", "two", ""})
    EXPECT_EQ(cast("Literal[1, 2, -3]", text),
              "error: '" + std::string(text) + "' is not one of Literal[1, 2, -3]");
}

TEST(Read, KeepsTheTextOfANumberThatNoDoubleHolds) {
  const Type type = type_of("float");
  EXPECT_EQ(*type.read("12345678901234567890123"), Value("12345678901234567890123"));
  EXPECT_EQ(*type.read(" 0.1234567890123456789\n"), Value("0.1234567890123456789"));
  EXPECT_EQ(*type.read("0.50"), Value(0.5));
  EXPECT_EQ(*type.cast("12345678901234567890123"), Value(1.2345678901234568e22));
  EXPECT_FALSE(type.read("much"));
}

TEST(Cast, ReadsAnInt) {
  for (const char* text : {"3", " 3\n", "+3", "3.0", "3.", "\"3\"", "'3'", "003", "3e0"}) {
    EXPECT_EQ(cast("int", text), "3") << text;
  }
  EXPECT_EQ(cast("int", "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(cast("int", "True"), "1");
  EXPECT_EQ(cast("int", "-0012345678901234567890123"), "-12345678901234567890123");
  EXPECT_EQ(cast("int", "+9223372036854775808"), "9223372036854775808");
  for (const char* text : {"3.5", "1,000", "3 apples", "about 3", "", "None", "[3]", "**3**", "3%",
                           "9999999999999999999 9", "1e400", "++3", "+-3", "- 3", "nan"}) {
    const auto result = type_of("int").cast(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().message, "'" + std::string(text) + "' is not a whole number");
  }
}

TEST(Cast, ReadsAFloat) {
  for (const char* text : {"0.5", ".5", "+.5", " 0.5 ", "5e-1", "\"0.5\""}) {
    EXPECT_EQ(cast("float", text), "0.5") << text;
  }
  EXPECT_EQ(cast("float", "5"), "5.0");
  EXPECT_EQ(cast("float", "false"), "0.0");
  for (const char* text :
       {"50%", "1,5", "about 0.5", "0.5 or so", "", "1/2", "nan", "inf", "1e400"}) {
    EXPECT_EQ(cast("float", text), "error: '" + std::string(text) + "' is not a number");
  }
}

TEST(Cast, ReadsABool) {
  for (const char* text : {"True", "true", "TRUE", "yes", "Y", "on", "t", "1", "1.0", "'true'"}) {
    EXPECT_EQ(cast("bool", text), "True") << text;
  }
  for (const char* text : {"False", "no", "n", "off", "f", "0", " false\n"}) {
    EXPECT_EQ(cast("bool", text), "False") << text;
  }
  for (const char* text : {"2", "True.", "None", "", "It is True"}) {
    EXPECT_EQ(cast("bool", text), "error: '" + std::string(text) + "' is not True or False");
  }
}

TEST(Cast, ReadsAListInJsonAndPython) {
  const auto list = [](std::string_view text) {
    const auto result = type_of("list[str]").cast(text);
    return result ? std::get<Texts>(*result)
                  : Texts{std::string("error: ").append(result.error().message)};
  };
  EXPECT_EQ(list(R"(["a","b"])"), (Texts{"a", "b"}));
  EXPECT_EQ(list("['a', 'b',]"), (Texts{"a", "b"}));
  EXPECT_EQ(list(R"([ "a\u00e9\n\ud83d\ude00\"]" ])"), Texts{"aé\n😀\"]"});
  EXPECT_EQ(list("[]"), Texts{});
  EXPECT_EQ(list("Here: ['it\\'s'] and so on"), Texts{"it's"});
  EXPECT_EQ(list("```json\n[\"a\"]\n```"), Texts{"a"});
  EXPECT_EQ(list("[\"a"), Texts{"a"});
  EXPECT_EQ(list("[\"\\ud83d\"]"), Texts{"\\ud83d"});
  for (const char* text : {"a, b", "", "\"a\"", "- a\n- b"})
    EXPECT_EQ(list(text), Texts{"error: '" + std::string(text) + "' is not list[str]"});
  EXPECT_EQ(list("[\"a\", 1]"), Texts{"error: [1]: 1 is not a text"});
  EXPECT_EQ(list("[['a']]"), Texts{"error: [0]: [\"a\"] is not a text"});
  EXPECT_EQ(list("[null]"), Texts{"error: [0]: null is not a text"});
}

TEST(TypeText, WritesAListAsJsonUnlessTheFieldIsAStr) {
  const Value list = Texts{"x\ny", "«", "a\"b\t\x01/\x7f"};
  EXPECT_EQ(type_of("list[str]").text(list), "[\"x\\ny\", \"«\", \"a\\\"b\\t\\u0001/\x7f\"]");
  EXPECT_EQ(type_of("list[str]").text(Texts{}), "[]");
  EXPECT_EQ(type_of("str").text(Texts{"x"}), "«x»");
  EXPECT_EQ(type_of("float").text(0.5), "0.5");
}

TEST(TypeText, WritesEveryTextListSoThatItReadsBack) {
  const std::string alphabet = "ab'\"\\\n\t],\x01";
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed);
    Texts items(rng.below(4));
    for (std::string& item : items) {
      for (std::size_t n = rng.below(6); n > 0; --n) item += alphabet[rng.below(alphabet.size())];
    }
    const Type type = type_of("list[str]");
    const auto back = type.cast(type.text(items));
    ASSERT_TRUE(back) << type.text(items);
    EXPECT_EQ(std::get<Texts>(*back), items);
  }
}

}  // namespace
}  // namespace theta
