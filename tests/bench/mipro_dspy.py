"""MIPROv2 by DSPy on three files of examples: the peer of mipro_bench.cpp.

usage: mipro_dspy.py FOLDER TASK_URL PROPOSER_URL SEED TRIALS

FOLDER holds train.jsonl, validation.jsonl and test.jsonl. Prints one JSON object: what the run took without
the proposing of instructions, and that beside it; what it asked of the task's model; the instructions it
searched; and the score of every test item, before the search and after.
"""

import json
import os
import pathlib
import sys
import tempfile
import time
from typing import Literal

answers = tempfile.TemporaryDirectory()
os.environ["DSPY_CACHEDIR"] = answers.name  # so that nothing is known before the run
import dspy

report, sys.stdout = sys.stdout, sys.stderr  # DSPy prints too
folder, task_url, proposer_url = sys.argv[1:4]
seed, trials = map(int, sys.argv[4:])


class Sentiment(dspy.Signature):
    """Given the fields `sentence`, produce the fields `sentiment`."""

    sentence: str = dspy.InputField()
    sentiment: Literal["positive", "negative"] = dspy.OutputField()


class TimedMipro(dspy.MIPROv2):
    def _propose_instructions(self, *args, **kwargs):
        start = time.perf_counter()
        proposed = super()._propose_instructions(*args, **kwargs)
        self.proposing_seconds = time.perf_counter() - start
        self.proposed = proposed[0]
        return proposed


def load(split):
    lines = (pathlib.Path(folder) / f"{split}.jsonl").read_text().splitlines()
    return [dspy.Example(**json.loads(line)).with_inputs("sentence") for line in lines]


def model(url, **options):
    return dspy.LM("openai/local", api_base=url + "/v1", api_key="none", **options)


def right(example, answer, trace=None):
    return float(example.sentiment == answer.sentiment)


def scores(program):
    evaluate = dspy.Evaluate(devset=load("test"), metric=right, num_threads=4, max_errors=10**6)
    return {example.id: score for example, _, score in evaluate(program).results}


task = model(task_url, temperature=0.0, max_tokens=40)
dspy.configure(lm=task)
train, validation = load("train"), load("validation")

start = time.perf_counter()
program = dspy.Predict(Sentiment)
untouched = scores(program)
mipro = TimedMipro(
    metric=right,
    prompt_model=model(proposer_url, max_tokens=200),
    auto=None,
    num_candidates=4,
    max_bootstrapped_demos=3,
    max_labeled_demos=3,
    num_threads=4,
    max_errors=10**6,
    seed=seed,
)
best = mipro.compile(
    program,
    trainset=train,
    valset=validation,
    num_trials=trials,
    minibatch_size=min(25, len(validation)),
    minibatch_full_eval_steps=5,
)
after = scores(best)
seconds = time.perf_counter() - start

usage = [call["usage"] for call in task.history]
print(
    json.dumps(
        {
            "seconds": seconds - mipro.proposing_seconds,
            "proposing_seconds": mipro.proposing_seconds,
            "evaluations": max(log["total_eval_calls_so_far"] for log in best.trial_logs.values()),
            "calls": len(usage),
            "prompt_tokens": sum(one.get("prompt_tokens", 0) for one in usage),
            "generated_tokens": sum(one.get("completion_tokens", 0) for one in usage),
            "instructions": mipro.proposed,
            "untouched": untouched,
            "scores": after,
        }
    ),
    file=report,
)
