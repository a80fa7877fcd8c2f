"""The judge of http_bench in DSPy: prints calls/s at once and after 50 ms, peak MiB and ms of import.

usage: http_dspy.py FAST_URL SLOW_URL
"""

import resource
import sys
import time

begin = time.perf_counter()
import dspy

import_ms = (time.perf_counter() - begin) * 1e3


class Judge(dspy.Signature):
    """Judge which reply the user prefers."""

    conversation: str = dspy.InputField()
    first: str = dspy.InputField()
    second: str = dspy.InputField()
    preference: str = dspy.OutputField()


def calls_per_s(url, calls, threads):
    examples = [
        dspy.Example(
            conversation=f"question {i} " * 30,
            first="brief " * 20,
            second="rambling " * 14,
            preference="First",
        ).with_inputs("conversation", "first", "second")
        for i in range(calls)
    ]
    program = dspy.ChainOfThought(Judge)
    model = dspy.LM("openai/mock", api_base=url, api_key="none", cache=False, max_tokens=256)
    with dspy.context(lm=model):
        evaluate = dspy.Evaluate(
            devset=examples,
            metric=lambda example, answer, trace=None: example.preference == answer.preference,
            num_threads=threads,
            display_progress=False,
        )
        evaluate(program, devset=examples[:20])
        start = time.perf_counter()
        score = evaluate(program).score
        took = time.perf_counter() - start
    assert score == 100, score
    return calls / took


fast, slow = sys.argv[1:]
# More threads are no faster at once; so many it takes to wait for 50 ms.
speeds = calls_per_s(fast, 1000, 8), calls_per_s(slow, 1500, 256)
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(*speeds, peak_mib, import_ms)
