#!/usr/bin/env python3
"""Write tests/golden/dspy_messages.json: the messages of DSPy itself for signatures of every kind.

    python3 -m venv /tmp/dspy && /tmp/dspy/bin/pip install dspy==3.4.1
    /tmp/dspy/bin/python scripts/golden_dspy.py            # writes the golden file
    /tmp/dspy/bin/python scripts/golden_dspy.py prompt.json 'question -> answer'
                                                           # checks that DSPy loads a saved prompt

The tests read the file and do not run this. Needs no network and no model.
"""

import json
import pathlib
import sys

import dspy

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "dspy_messages.json"

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


def signature_of(case):
    signature = dspy.Signature(case["signature"], case.get("instructions"))
    for name, description in case.get("descriptions", {}).items():
        signature = signature.with_updated_fields(name, desc=description)
    if case.get("chain_of_thought"):
        signature = dspy.ChainOfThought(signature).predict.signature
    return signature


def golden():
    cases = []
    for case in CASES:
        signature = signature_of(case)
        messages = {
            adapter.__class__.__name__: adapter.format(signature, case.get("demos", []), case["inputs"])
            for adapter in (dspy.ChatAdapter(), dspy.JSONAdapter())
        }
        cases.append({**case, "messages": messages})
    GOLDEN.write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def check(path, text):
    """DSPy loads the file into a bare Predict or, where it is keyed so, a ChainOfThought."""
    flat = "signature" in json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    program = dspy.Predict(text) if flat else dspy.ChainOfThought(text)
    program.load(path)
    predictor = program if flat else program.predict
    print(f"dspy {dspy.__version__} loads {path}: {len(predictor.demos)} demos, {predictor.signature.instructions!r}")


if __name__ == "__main__":
    golden() if len(sys.argv) == 1 else check(*sys.argv[1:3])
