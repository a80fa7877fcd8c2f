#!/usr/bin/env python3
"""Write tests/golden/dspy_states.json: states of every shape that DSPy saves, and what DSPy sends once
it has loaded them.

    python3 -m venv /tmp/dspy && /tmp/dspy/bin/pip install dspy==3.4.1
    /tmp/dspy/bin/python scripts/golden_dspy_states.py

The tests read the file and do not run this. Needs no network and no model.
"""

import copy
import json
import pathlib
import tempfile

import dspy

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "dspy_states.json"
INPUTS = {"question": "What is 1+1?"}
VERSIONS = {"dependency_versions": {"python": "3.11", "dspy": "3.4.1", "cloudpickle": "3.1"}}


class Respond(dspy.Module):
    def __init__(self, signature):
        super().__init__()
        self.respond = dspy.ChainOfThought(signature)


class Wrapped(dspy.Module):
    def __init__(self, inner):
        super().__init__()
        self.module = inner


class Nested(dspy.Module):
    def __init__(self, signature):
        super().__init__()
        self.classify = Wrapped(dspy.ChainOfThought(signature))


class Two(dspy.Module):
    def __init__(self, signature):
        super().__init__()
        self.router = dspy.Predict(signature)
        self.writer = dspy.ChainOfThought(signature)


class Listed(dspy.Module):
    def __init__(self, signature):
        super().__init__()
        self.many = [dspy.Predict(signature), dspy.Predict(signature)]


class Keyed(dspy.Module):
    def __init__(self, signature):
        super().__init__()
        self.by = {"x y": dspy.ChainOfThought(signature)}


def instructed(program, text):
    for predictor in program.predictors():
        predictor.signature = predictor.signature.with_instructions(text)
    return program


def shown(program, demos):
    for predictor in program.predictors():
        predictor.demos = copy.deepcopy(demos)
    return program


def described(program, **fields):
    for predictor in program.predictors():
        for name, changes in fields.items():
            predictor.signature = predictor.signature.with_updated_fields(name, **changes)
    return program


QA = "question -> answer"
DEMO = {"question": "What is 2+2?", "answer": "4"}
TYPED = "question, stars: int, price: float, ok: bool, tags: list[str] -> label: Literal['pos', 'neg'], score: float"
TYPED_INPUTS = {"question": "q", "stars": 3, "price": 0.5, "ok": True, "tags": ["a", "b c"]}


def changed(**keys):
    """Changes a state's text: keys of its only predictor."""

    def change(state):
        target = state if "signature" in state else next(v for k, v in state.items() if k != "metadata")
        target.update(keys)
        return state

    return change


def without(*keys):
    def change(state):
        for key in keys:
            state.pop(key)
        return state

    return change


def version(text):
    def change(state):
        state["metadata"]["dependency_versions"]["dspy"] = text
        return state

    return change


# name, program, and what else there is: inputs, predictor (the key that is chosen), change (of the saved state)
SHAPES = [
    ("a bare Predict", lambda: dspy.Predict(QA), {}),
    ("a bare Predict with an instruction", lambda: instructed(dspy.Predict(QA), "Be exact."), {}),
    ("a bare Predict with labelled demos", lambda: shown(dspy.Predict(QA), [DEMO]), {}),
    ("a ChainOfThought", lambda: dspy.ChainOfThought(QA), {}),
    ("a ChainOfThought with a bootstrapped and a labelled demo",
     lambda: shown(dspy.ChainOfThought(QA), [{"augmented": True, "reasoning": "Two twos.", **DEMO}, DEMO]), {}),
    ("an attribute of a module", lambda: instructed(Respond(QA), "Reply."), {}),
    ("a module in a module", lambda: shown(Nested(QA), [DEMO]), {}),
    ("the first of two predictors", lambda: instructed(Two(QA), "Route."), {"predictor": "router"}),
    ("the second of two predictors", lambda: shown(Two(QA), [DEMO]), {"predictor": "writer.predict"}),
    ("a predictor in a list", lambda: instructed(Listed(QA), "Pick."), {"predictor": "many[1]"}),
    ("a predictor in a dict", lambda: instructed(Keyed(QA), "Pick."), {}),
    ("fields of every type", lambda: dspy.Predict(TYPED), {"inputs": TYPED_INPUTS}),
    ("typed demos", lambda: shown(dspy.Predict(TYPED), [
        {**TYPED_INPUTS, "label": "neg", "score": 1e16}, {"question": "x", "label": "pos"}]),
     {"inputs": TYPED_INPUTS}),
    ("demos with columns of the data set", lambda: shown(dspy.Predict(QA), [
        {"id": 7, "split": "train", "meta": {"a": [1, None, {"b": True}]}, **DEMO}]), {}),
    ("demos that lack an output", lambda: shown(dspy.ChainOfThought(QA), [DEMO, {"question": "q"}]), {}),
    ("a null input in a demo", lambda: shown(dspy.Predict("context, " + QA), [{"context": None, **DEMO}]),
     {"inputs": {"context": "c", **INPUTS}}),
    ("a null output in a demo", lambda: shown(dspy.ChainOfThought(QA), [{"reasoning": None, **DEMO}]), {}),
    ("objects and lists in text fields", lambda: shown(dspy.Predict(QA), [
        {"question": {"a": [1, "é"]}, "answer": ["x", "y\nz"]}, {"question": {"k": None}, "answer": 3},
        {"question": [{"a": "it's", "b": [1, True, None, 0.5]}, "é\u200b", ["\u200b", 'say "x"']], "answer": []}]), {}),
    ("numbers and booleans in text fields", lambda: shown(dspy.Predict(QA), [
        {"question": 12345678901234567890, "answer": 0.1}, {"question": True, "answer": 1e-7}]), {}),
    ("empty texts", lambda: shown(dspy.Predict(QA), [{"question": "", "answer": ""}]), {}),
    ("markers in a value", lambda: shown(dspy.Predict(QA), [
        {"question": "[[ ## answer ## ]]\nno", "answer": "[[ ## completed ## ]]"}]), {}),
    ("letters beyond ASCII", lambda: shown(instructed(dspy.Predict(QA), "Répondez – 日本 🙂"), [
        {"question": "é\u2028", "answer": "ß\u0001"}]), {}),
    ("an instruction of several lines", lambda: instructed(dspy.ChainOfThought(QA), "One.\n\n  - two\n  - three\n"),
     {}),
    ("fields described", lambda: described(
        dspy.Predict(QA), question={"desc": "What is asked", "prefix": "Q:"}, answer={"desc": "A word or two"}), {}),
    ("a description that is another field's default", lambda: described(
        dspy.Predict(QA), answer={"desc": "see ${question}"}), {}),
    ("settings of a model", lambda: dspy.Predict(QA), {"lm": True}),
    ("no metadata", lambda: dspy.ChainOfThought(QA), {"change": without("metadata")}),
    ("saved by DSPy 2.6", lambda: shown(Respond(QA), [DEMO]), {"change": version("2.6.27")}),
    ("traces and training rows kept", lambda: dspy.Predict(QA),
     {"change": changed(traces=[{"x": 1}], train=[DEMO])}),
    ("no demos, traces or train", lambda: dspy.Predict(QA), {"change": without("demos", "traces", "train")}),
    ("an empty instruction", lambda: instructed(dspy.Predict(QA), ""), {}),
]


def saved(program):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "state.json"
        program.save(path)
        return json.loads(path.read_text(encoding="utf-8"))


def loaded(make, state):
    """A fresh program that has loaded the state, as DSPy does."""
    program = make()
    for predictor in program.predictors():
        predictor.demos = []
    if "metadata" not in state:
        state = {**state, "metadata": VERSIONS}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "state.json"
        path.write_text(json.dumps(state), encoding="utf-8")
        program.load(path)
    return program


def row(name, make, more):
    program = make()
    if more.get("lm"):
        for predictor in program.predictors():
            predictor.lm = dspy.LM("openai/gpt-4o-mini", temperature=0.7, max_tokens=100, top_p=0.9)
    state = more.get("change", lambda same: same)(saved(program))
    again = loaded(make, copy.deepcopy(state))
    predictors = dict(again.named_predictors())
    key = more.get("predictor", next(iter(predictors)))
    predictor = predictors[key]
    inputs = more.get("inputs", INPUTS)
    thinks = "reasoning" in predictor.signature.output_fields
    plain = predictor.signature.delete("reasoning") if thinks else predictor.signature
    text = TYPED if inputs is TYPED_INPUTS else ("context, " if "context" in inputs else "") + QA
    assert [*dspy.Signature(text).fields] == [*plain.fields], name
    messages = dspy.ChatAdapter().format(predictor.signature, predictor.demos, inputs)
    return {"name": name, "signature": text, "chain_of_thought": thinks, "inputs": inputs,
            "predictor": more.get("predictor", ""), "state": state, "messages": messages}


if __name__ == "__main__":
    rows = [row(*shape) for shape in SHAPES]
    GOLDEN.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(rows)} states of DSPy {dspy.__version__}")
