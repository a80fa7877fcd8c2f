#!/usr/bin/env python3
"""Pairs of statements by further people of the SAPA Personality Inventory, for reward models to learn from.

    pip install rdata pandas numpy
    apt-get download r-cran-psychtools
    scripts/spi_people.py r-cran-psychtools_*.deb spi_pairs.jsonl --people 2200 --out spi_people.jsonl

spi_pairs.jsonl holds 200 people, 16 pairs each. They are found again among the 4,000 of the data set `spi` (by
age, sex, education and by being the only one who rates as they chose) and left out; of the others as many as
are asked for get pairs by the same rule: two statements of different traits that the person rated at least 2 of
6 points apart and people in general less than .35 apart, none twice. `rewards: {people: spi_people.jsonl}`.

Prints what a Gaussian over the 135 statements, learnt from the whole answers of the same further people, makes
of the 200 people's test pairs given 0, 2, 4 and 8 of their choices: the bar for what learns from pairs alone.
"""

import argparse
import json
import subprocess
import tempfile
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import rdata

FAR, NEAR = 2, .35  # points that the person, and people in general, rate a pair apart
TAKEN_FOR = 2.5     # points that a choice is taken for by the Gaussian
PAIRS = 16


def load(deb):
    """The data frame `spi`, its statements by item, and the trait of each item."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", deb, folder], check=True)
        base = next(Path(folder).glob("usr/lib/R/site-library/psychTools/data/Rdata.rdx")).with_suffix("")
        index = zlib.decompress(base.with_suffix(".rdx").read_bytes(), wbits=47)  # gzip or zlib
        data = base.with_suffix(".rdb").read_bytes()
    places = rdata.conversion.convert(rdata.parser.parse_data(index))["variables"]

    def read(name):
        start, size = (int(x) for x in places[name])
        return rdata.conversion.convert(rdata.parser.parse_data(zlib.decompress(data[start + 4:start + size])))

    spi, words, keys = read("spi"), read("spi.dictionary"), read("spi.keys")
    items = [str(column) for column in spi.columns if str(column).startswith("q_")]
    statement = {str(row["item_id"]): str(row["item"]) for _, row in words.iterrows()}
    trait = {}
    for name, scale in list(keys.items())[5:]:  # behind the five broad ones
        for item in scale:
            trait.setdefault(str(item).lstrip("-"), str(name))
    return spi, items, statement, trait


def plain(text):
    return "".join(c for c in text.lower() if c.isalnum())


def find_again(rows, answers, spi, place):
    """The rows of `answers` that choose as the people of the pairs did."""
    found = {}
    for user, pairs in rows.items():
        chosen = np.array([place[plain(pair["chosen"])] for pair in pairs])
        rejected = np.array([place[plain(pair["rejected"])] for pair in pairs])
        fits = np.flatnonzero(((answers[:, chosen] - answers[:, rejected]) >= FAR).all(axis=1)
                              & (spi["age"].to_numpy(float) == pairs[0]["age"]))
        found[user] = fits
    return found


def make_pairs(answers, means, traits, each, rng):
    """Statements stand in one pair of a person, but where more pairs are wanted than that allows."""
    order, used, pairs = rng.permutation(len(answers)), set(), []
    fitting = [(i, j) for i in order for j in rng.permutation(order)
               if traits[i] != traits[j] and answers[i] - answers[j] >= FAR and abs(means[i] - means[j]) < NEAR]
    if each > PAIRS:
        return [fitting[k] for k in rng.permutation(len(fitting))[:each]]
    for i, j in fitting:
        if i not in used and j not in used and len(pairs) < each:
            used.update((i, j))
            pairs.append((i, j))
    return pairs


def gaussian(means, covariance, known, asked):
    """The difference of a pair's expected ratings, given choices as differences of TAKEN_FOR points."""
    deviation = np.zeros(len(means))
    if known:
        A = np.zeros((len(known), len(means)))
        for row, (i, j) in zip(A, known):
            row[i], row[j] = 1, -1
        S = A @ covariance @ A.T + np.eye(len(known))  # a choice tells the difference to a point
        deviation = covariance @ A.T @ np.linalg.solve(S, TAKEN_FOR - A @ means)
    expected = means + deviation
    return [expected[i] - expected[j] for i, j in asked]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("deb")
    parser.add_argument("pairs")
    parser.add_argument("--people", type=int, default=2200)
    parser.add_argument("--each", type=int, default=PAIRS, help="pairs of a person")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    spi, items, statement, trait = load(arguments.deb)
    answers = spi[items].to_numpy(float)
    place = {plain(statement[item]): i for i, item in enumerate(items)}
    tested = defaultdict(list)
    for line in open(arguments.pairs):
        row = json.loads(line)
        tested[row["user_id"]].append(row)
    again = find_again(tested, answers, spi, place)
    print(f"of {len(again)} people {sum(len(one) == 1 for one in again.values())} are found again once, "
          f"{sum(len(one) == 0 for one in again.values())} never")
    theirs = {int(i) for one in again.values() for i in one}

    rng = np.random.default_rng(7)
    adults = spi["age"].to_numpy(float) >= 18
    others = [i for i in range(len(answers)) if i not in theirs and adults[i] and not np.isnan(answers[i]).any()]
    others = list(rng.permutation(others)[:arguments.people])
    means = answers[others].mean(axis=0)
    traits = [trait[item] for item in items]
    words = [statement[item] for item in items]
    for pairs in tested.values():  # as the pairs' file has them: a statement is one text
        for row in pairs:
            for side in ("chosen", "rejected"):
                words[place[plain(row[side])]] = row[side]
    written = 0
    with open(arguments.out, "w") as out:
        for number, i in enumerate(others):
            pairs = make_pairs(answers[i], means, traits, arguments.each, rng)
            if len(pairs) < arguments.each:
                continue
            written += 1
            for k, (a, b) in enumerate(pairs):
                out.write(json.dumps({"user_id": f"spi-t{number}", "pair_id": f"spi-t{number}-{k}", "context": "",
                                      "chosen": words[a], "rejected": words[b], "flip": bool(rng.random() < .5),
                                      "split": "train" if k < arguments.each // 2 else "test"}) + "\n")
    print(f"{len(others)} further people, {written} of them with {arguments.each} pairs")

    covariance = np.cov(answers[others], rowvar=False)
    for given in (0, 2, 4, 8):
        shares = []
        for pairs in tested.values():
            as_places = lambda rows: [(place[plain(r["chosen"])], place[plain(r["rejected"])]) for r in rows]
            known = as_places([r for r in pairs if r["split"] == "train"])[:given]
            asked = as_places([r for r in pairs if r["split"] != "train"])
            shares.append(np.mean([x > 0 for x in gaussian(means, covariance, known, asked)]))
        print(f"Gaussian given {given}: {np.mean(shares):.3f} (s.e. {np.std(shares) / len(shares) ** .5:.3f})")


if __name__ == "__main__":
    main()
