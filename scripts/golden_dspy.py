#!/usr/bin/env python3
"""Write tests/golden/dspy_messages.json, the messages of DSPy itself for signatures of every kind, and
dspy_answers.json, how it reads answers that are nearly JSON and answers of every type.

    python3 -m venv /tmp/dspy && /tmp/dspy/bin/pip install dspy==3.4.1
    /tmp/dspy/bin/python scripts/golden_dspy.py            # writes the golden files
    /tmp/dspy/bin/python scripts/golden_dspy.py prompt.json 'question -> answer'
                                                           # checks that DSPy loads a saved prompt

The tests read the file and do not run this. Needs no network and no model.
"""

import enum
import json
import pathlib
import sys
import typing

import dspy
import json_repair
import pydantic
from dspy.adapters.utils import parse_value

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"

CASES = [
    {
        "name": "question and answer",
        "signature": "question -> answer",
        "inputs": {"question": "What is 1+1?"},
    },
    {
        "name": "every type",
        "signature": "review: str, stars: int, price: float, verified: bool, tags: list[str] -> "
        "label: Literal['pos', 'neg'], confidence: float, count: int, sure: bool, topics: list[str]",
        "inputs": {"review": "Good.", "stars": 4, "price": 9.5, "verified": True,
                   "tags": ["a", "two words", "q\"uote", "naïve\tü"]},
        "demos": [
            {"review": "Bad.", "stars": -1, "price": 1e-7, "verified": False, "tags": [],
             "label": "neg", "confidence": 1e16, "count": 3, "sure": False, "topics": ["x", "y\nz"]},
            {"review": "Fine.", "stars": 0, "price": 100.0, "verified": True, "tags": ["one"],
             "label": "pos", "confidence": 0.25, "count": 0, "sure": True, "topics": []},
        ],
    },
    {
        "name": "literals that need quoting",
        "signature": "text -> label: Literal[\"it's\", 'say \"hi\"', 'plain']",
        "inputs": {"text": "x"},
        "demos": [{"text": "y", "label": "it's"}],
    },
    {
        "name": "instructions of several lines",
        "signature": "context, question -> answer",
        "instructions": "Answer the question.\n\n    - be short\n      - be exact\n\nThink first.\n",
        "inputs": {"context": "line one\nline two", "question": "why?\n"},
    },
    {
        "name": "instructions with margins, tabs and blank ends",
        "signature": "question -> answer",
        "instructions": "\n  \n   First line.\n\tTabbed line.\n        Deep line.\n   \n\n",
        "inputs": {"question": "q"},
    },
    {
        "name": "descriptions",
        "signature": "past_judgements, text2number -> preference: Literal['First', 'Second']",
        "descriptions": {"past_judgements": "What the user said before", "preference": "The better one\nof the two"},
        "inputs": {"past_judgements": "none", "text2number": "two"},
    },
    {
        "name": "demos complete, incomplete, augmented and useless",
        "signature": "question, hint -> reasoning, answer",
        "inputs": {"question": "q0", "hint": "h0"},
        "demos": [
            {"augmented": True, "question": "q1", "hint": "h1", "reasoning": "r1", "answer": "a1"},
            {"question": "q2", "answer": "a2"},
            {"question": "q3", "hint": "h3", "reasoning": "r3"},
            {"question": "q4", "hint": "h4"},
            {"answer": "a5"},
            {"question": "q6", "hint": "h6", "reasoning": "r\n6", "answer": "a6", "extra": "ignored"},
        ],
    },
    {
        "name": "incomplete demos of typed fields",
        "signature": "text -> score: int, ok: bool, names: list[str]",
        "inputs": {"text": "t"},
        "demos": [{"text": "t1", "ok": True}, {"text": "t2", "names": ["n"]}],
    },
    {
        "name": "lists in text fields",
        "signature": "passages, more, none, odd -> answer",
        "inputs": {"passages": ["one", "two\nlines", "with « inside"], "more": ["alone"], "none": [],
                   "odd": ["a\nb"]},
        "demos": [{"passages": ["p"], "more": "m", "none": "n", "odd": "o", "answer": ["x", "y"]}],
    },
    {
        "name": "whitespace at the ends of values",
        "signature": "text -> answer",
        "inputs": {"text": "  in  \n\n"},
        "demos": [{"text": " a \n", "answer": "\n b \u00a0\n"}, {"text": "", "answer": ""}],
    },
    {
        "name": "characters beyond ASCII",
        "signature": "text -> answer, words: list[str]",
        "inputs": {"text": "日本語 – “quoted” 🙂 \u007f"},
        "demos": [{"text": "é", "answer": "ß \\ \" \u0001\b\f\r", "words": ["🙂", "\u2028", "\\"]}],
    },
    {
        "name": "chain of thought",
        "signature": "first, second -> preference: Literal['First', 'Second']",
        "chain_of_thought": True,
        "inputs": {"first": "A", "second": "B"},
        "demos": [{"augmented": True, "first": "a", "second": "b", "reasoning": "Because.", "preference": "Second"},
                  {"first": "c", "second": "d", "preference": "First"}],
    },
]

TYPES = {
    "Mood": ["good", "bad"],
    "Level": [1, 2, 3],
    "Only": ["one"],
    "Mixed": ["a", 1],
    "Person": {"name": "str", "age": "int", "nick_name": "str | None", "mood": "Mood"},
    "Team": {"lead": "Person", "people": "list[Person]", "deputy": "Person | None", "mood": "Mood | None",
             "type": "Literal['a', 'b']", "notes2self": "Any", "budget": "int | float", "x": "dict[str, float]",
             "size": "int | str | None", "é": "bool"},
}
ANN = {"name": "Ann", "age": 3, "nick_name": None, "mood": "good"}
TEAM = {"lead": ANN, "people": [ANN, {**ANN, "name": "Bö\n"}], "deputy": None, "mood": "bad", "type": "a",
        "notes2self": [1, {"a": 1.5}], "budget": 2, "x": {"a": 1.0}, "size": "big", "é": True}

CASES += [
    {
        "name": "lists and dicts of any type",
        "signature": "a: list[int], b: dict[str, list[float]], c: list, d: dict -> e: list[Literal['x', 'y']], "
        "f: dict[str, int], g: list[dict[str, bool]], h: list, i: dict[str, Any], j: list[Literal['x']]",
        "inputs": {"a": [1, 2], "b": {"x": [1.0, 0.5]}, "c": ["a", 1], "d": {"k": None}},
        "demos": [{"a": [], "b": {}, "c": [1], "d": {"a": "b"}, "e": ["x", "y"], "f": {"é": 1}, "g": [{"a": True}],
                   "h": [1, "x"], "i": {"a": [1, {"b": None}]}, "j": []}],
    },
    {
        "name": "types that may be None",
        "signature": "hint: str | None, n: Optional[int] -> a: Optional[str], b: None | int, c: list[int] | None, "
        "d: Union[int, str], e: int | str | None, f: list[Optional[float]], g: Any, h: Optional[Literal['x', 'y']]",
        "inputs": {"hint": None, "n": 3},
        "demos": [{"hint": "h", "n": 4, "a": "x", "b": 1, "c": [1], "d": 2, "e": "z", "f": [0.5, None], "g": {"a": 1},
                   "h": "x"},
                  {"hint": "h", "n": 4, "a": None, "b": None, "c": None, "d": "w", "e": 1, "f": [], "g": "t",
                   "h": None}],
    },
    {
        "name": "literals of numbers and other constants",
        "signature": "text -> a: Literal[1, 2, 30], b: Literal[True, False], c: Literal['a', 1, True, None], "
        "d: Literal[0.5, 1.5], e: list[Literal[1, 2]], f: list[Literal[True, False]], g: list[Literal['a', None]], "
        "h: list[Literal[0.5]]",
        "inputs": {"text": "t"},
        "demos": [{"text": "u", "a": 30, "b": True, "c": "a", "d": 0.5, "e": [1], "f": [True], "g": ["a", None],
                   "h": [0.5]}],
    },
    {
        "name": "enums",
        "types": TYPES,
        "signature": "mood: Mood -> a: Mood, b: Level, c: list[Mood], d: Mood | None, e: Mixed, f: list[Only], g: Only",
        "inputs": {"mood": "good"},
        "demos": [{"mood": "bad", "a": "good", "b": 2, "c": ["bad"], "d": None, "e": 1, "f": ["one"], "g": "one"},
                  {"mood": "bad", "a": "good", "b": 2, "c": ["bad", "good"], "d": "bad", "e": "a", "f": [],
                   "g": "one"}],
    },
    {
        "name": "records",
        "types": TYPES,
        "signature": "person: Person -> a: Person, b: list[Person], c: Person | None, d: dict[str, Person]",
        "inputs": {"person": ANN},
        "demos": [{"person": ANN, "a": ANN, "b": [ANN], "c": ANN, "d": {"x": ANN}}],
    },
    {
        "name": "records within records",
        "types": TYPES,
        "signature": "text -> team: Team, teams: list[Team]",
        "inputs": {"text": "t"},
        "demos": [{"text": "u", "team": TEAM, "teams": [TEAM]}],
    },
]

# Answers that are nearly JSON. Left out are the quirks of json_repair: `{"a" 1}` is `{'a': ''}` there.
NEARLY_JSON = [
    '{"a": 1,}', "{'a': 'b'}", '{"a": 1 // c\n, "b": 2}', '{"a": 1 # c\n, "b": 2}', '{"a": /* c */ 1}',
    '{"a": "x\ny"}', '{"a": True, "b": None, "c": False}', '{"a": 1', '{"a": "x', '{"a": ["x", "y"',
    "[K1, K2.5]", "[K1,\n K2.5]", "{a: b}", "{a: b c, d: 1}", '```json\n{"a": 1}\n```', 'Here: {"a": 1} done',
    '{"a": 1 "b": 2}', '["a" "b"]', '{"a": "he said "hi" to me", "b": 1}', '{"a": “x”}', "{“a”: “b”}",
    '{"a": 1.0.2}', '{"a": 1,000}', '{"a": 1,000, "b": 2}', "[1, 2", "[1, 2,,3]", '{"a": }', '{"a":1, "b"}',
    '{"a": .5}', '{"a": +5}', '{"a": "x", "a": "y"}', "{'a': \"it's\"}", '{"a": (1, 2)}', "[1 2 3]",
    '{"a": "C:\\path"}', '{"a": "x\\u00e9"}', '{"a": "b\\"c"}', '{"a": tru', "{'a': [1, 'b', {'c': None}]}",
    '{"a": "x" }\nthat is', 'The answer is ["a","b"].', "[]", "{}", '[a, "b", c d]', '{"a": undefined}',
    '{"a": 1;"b": 2}', '{"a"= 1}', '["a", "b', '{"x": {"y": 1}', '{"x": {"y": [1, 2}}', '{"a": 0x10}',
    '{"a": 007}', '{"a": "b",\n\n "c": d\n}', '{"text": "The "big" one", "n": 2}', '{"k": "v"]',
    '[{"a": 1}, {"b": 2}', '{"a": "tab\there"}', '{"a": ...}', '["a", ...]', '{"a": 1}}', '{{"a": 1}}',
    '{"a": "x",, "b": 2}', 'x = {"a": 1}', '{\n"a": "line one\nline two",\n"b": "z"\n}', "{'a': 'don\\'t'}",
    "{\"a\": 'b\"c'}", '{"a": "b\'c"}', "[True, False]", "[yes, no]", "{'name': 'Ann', 'age': 3",
    '{"name": "Ann" "age": 3}', '[1, "2", x]', '// c\n{"a": 1}', '{"a": 1} // c', '# note\n["x"]',
    '{"url": "http://x.y/z"}', '{"a": http://x.y }', '{"a": # c\n 1}', '[["a", "b"], ["c"', "[{'a': 1}, {'b': [2]}]",
    '{"a": null, "b": NULL, "c": true}', '{"a": {"b": {"c": "d"}}, "e": [}',
]

# Answers and their types: how DSPy reads them, or `error`.
ANSWERS = [
    ("list[int]", ["[1, 2]", "['1', 2.0, true]", "[1, x]", "[1.5]", "3", "{}", "", "none", "Here: [1,2,]", "[null]"]),
    ("list[str]", ["[a, b]", "['a', 1]", "[\"a\", null]", "a, b", "[]"]),
    ("list", ["[1, 'a', null]", "x"]),
    ("dict[str, int]", ["{'a': 1}", '{"a": "1", "b": 2.0}', '{"a": "x"}', "[1]", "{}", "{a: 1, b: 2"]),
    ("dict", ['{"a": [1, {"b": null}]}', "7"]),
    ("list[Literal['red', 'blue']]", ['["red", "blue"]', '["red", "mauve"]', "[red]", '["Red"]', "[]"]),
    ("Optional[str]", ["x", "None", "", "'x'", "[1]"]),
    ("Optional[int]", ["3", "null", "'3'", "x", "3.5"]),
    ("Optional[list[int]]", ["[1]", "null", "x"]),
    ("int | str", ["3", "x", "'x'", "[1]"]),
    ("int | float", ["3", "3.5", "x"]),
    ("bool | int", ["true", "2"]),
    ("Any", ["3", "x", "[1, a]", '{"a": 1}', "true", "null", "'x'"]),
    ("Literal[1, 2]", ["1", "'2'", "3", "Literal[2]"]),
    ("Literal['a', 1, None]", ["a", "1", "null", "b"]),
    ("Mood", ["good", "bad", "Good", "so good"]),
    ("list[Mood]", ['["good"]', "[good, bad]", '["x"]']),
    ("Person", ['{"name": "Ann", "age": 3, "nick_name": null, "mood": "good"}',
                "{'name': 'Ann', 'age': '3', 'nick_name': 'A', 'mood': 'bad', 'more': 1}",
                '{"name": "Ann", "age": "x", "nick_name": null, "mood": "good"}',
                '{"name": 1, "age": 3, "nick_name": null, "mood": "good"}',
                '{"name": "Ann", "age": 3, "nick_name": null}', "Ann",
                '{"name": "Ann", "age": 3, "nick_name": null, "mood": "good"']),
    ("list[Person]", ["[{name: Ann, age: 3, nick_name: null, mood: good}]", "[]", '[{"name": "Ann"}]']),
    ("dict[str, Person]", ['{"a": {"name": "Ann", "age": 3, "nick_name": null, "mood": "good"}}']),
    ("Person | None", ["null", '{"name": "Ann", "age": 3, "nick_name": null, "mood": "good"}', "nobody"]),
]


def types_of(types):
    """Enums and pydantic's models of the definitions, each of those before it."""
    made = {"Optional": typing.Optional, "Union": typing.Union, "Any": typing.Any, "Literal": typing.Literal}
    for name, definition in types.items():
        if isinstance(definition, list):
            made[name] = enum.Enum(name, {str(value): value for value in definition})
        else:
            members = {member: (eval(annotation, dict(made)), ...) for member, annotation in definition.items()}
            made[name] = pydantic.create_model(name, **members)
    return made


def enumed(value, annotation):
    """A value of a case with enums and models where DSPy has them."""
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value)
    except pydantic.ValidationError:
        return value


def read(annotation, text):
    try:
        value = parse_value(text, annotation)
    except ValueError:
        return "error"
    return {"value": pydantic.TypeAdapter(annotation).dump_python(value, mode="json")}


def signature_of(case):
    signature = dspy.Signature(case["signature"], case.get("instructions"), custom_types=types_of(case.get("types", {})))
    for name, description in case.get("descriptions", {}).items():
        signature = signature.with_updated_fields(name, desc=description)
    if case.get("chain_of_thought"):
        signature = dspy.ChainOfThought(signature).predict.signature
    return signature


def golden():
    cases = []
    for case in CASES:
        signature = signature_of(case)
        fields = {**signature.input_fields, **signature.output_fields}
        typed = lambda record: {k: enumed(v, fields[k].annotation) if k in fields and "types" in case else v
                                for k, v in record.items()}
        demos = [typed(demo) for demo in case.get("demos", [])]
        messages = {
            adapter.__class__.__name__: adapter.format(signature, demos, typed(case["inputs"]))
            for adapter in (dspy.ChatAdapter(), dspy.JSONAdapter())
        }
        cases.append({**case, "messages": messages})
    write("dspy_messages.json", cases)
    made = types_of(TYPES)
    write("dspy_answers.json", {
        "types": TYPES,
        "repaired": [[text, json_repair.loads(text)] for text in NEARLY_JSON],
        "read": [[annotation, text, read(eval(annotation, dict(made)), text)]
                 for annotation, texts in ANSWERS for text in texts],
    })


def write(name, content):
    (GOLDEN / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def check(path, text):
    """DSPy loads the file into a bare Predict or, where it is keyed so, a ChainOfThought."""
    flat = "signature" in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    program = dspy.Predict(text) if flat else dspy.ChainOfThought(text)
    program.load(path)
    predictor = program if flat else program.predict
    print(f"dspy {dspy.__version__} loads {path}: {len(predictor.demos)} demos, {predictor.signature.instructions!r}")


if __name__ == "__main__":
    golden() if len(sys.argv) == 1 else check(*sys.argv[1:3])
