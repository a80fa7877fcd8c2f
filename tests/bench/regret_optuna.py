"""MIPROv2's search with Optuna's TPE on tables of recorded outcomes: the peer of regret_bench.cpp.

usage: regret_optuna.py FOLDER OUT      FOLDER holds SEED.json, OUT gets {"SEED": [[evaluations, [choices]], ..]}

The rules are those of dspy_search(), and so of dspy 3.4.1: only the sampler differs.
"""
import json
import pathlib
import random
import sys
from collections import defaultdict

import optuna

BUDGET, MINIBATCH, FULL_EVERY = 3200, 35, 5


def search(table, seed):
    rng = random.Random(seed)
    sizes = [n for p in table["predictors"] for n in (len(p["instructions"]), len(p["demos"]))]
    space = {f"v{i}": optuna.distributions.CategoricalDistribution(list(range(n))) for i, n in enumerate(sizes)}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    examples = range(table["examples"])

    def score(choices, batch):
        row = table["scores"][",".join(map(str, choices))]
        return sum(row[j] for j in batch) / len(batch)

    def insert(choices, value):
        study.add_trial(optuna.trial.create_trial(params=dict(zip(space, choices)), distributions=space, value=value))

    incumbent = (0,) * len(sizes)
    used, best, full, means = len(examples), score(incumbent, examples), set(), defaultdict(list)
    insert(incumbent, best)
    curve, trials = [[used, incumbent]], 0
    while used < BUDGET:
        trial = study.ask()
        choices = tuple(trial.suggest_categorical(name, d.choices) for name, d in space.items())
        batch = rng.sample(examples, min(MINIBATCH, len(examples)))
        means[choices].append(score(choices, batch))
        study.tell(trial, means[choices][-1])
        used, trials = used + len(batch), trials + 1
        untried = [(sum(v) / len(v), c) for c, v in means.items() if c not in full]
        if trials % FULL_EVERY or not untried:
            continue
        choices = max(untried)[1]
        full.add(choices)
        value = score(choices, examples)
        insert(choices, value)
        used += len(examples)
        if value > best:
            best = value
            curve.append([used, choices])
    return curve


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = {path.stem: search(json.loads(path.read_text()), int(path.stem))
             for path in pathlib.Path(sys.argv[1]).glob("*.json")}
    pathlib.Path(sys.argv[2]).write_text(json.dumps(found))
