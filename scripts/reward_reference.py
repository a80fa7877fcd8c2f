#!/usr/bin/env python3
"""What scikit-learn and scipy make of the reward models of modules/reward, on the same features.

    pip install numpy scipy scikit-learn
    scripts/reward_reference.py --golden tests/golden/reward_models.json    # write what a test reads
    scripts/reward_reference.py --check tests/golden/reward_models.json     # compute it again and compare

Nothing is shared with the C++ but the formulas' statement: weights are written out (w_0, A, a z a person) and
found by scipy's trust region, variances come from the whole Hessian, log Z from its determinant. The C++ works
in the space of choices (Gaussian processes) and never forms them.
"""

import argparse
import json
import math
import sys

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression


def mode(features, mean):
    """Weights ~ N(0, I), margins mean + features @ weights: the mode, the Hessian there, log Z."""

    def objective(w):
        f = mean + features @ w
        return w @ w / 2 - log_expit(f).sum()

    def gradient(w):
        return w - features.T @ expit(-(mean + features @ w))

    def hessian(w):
        f = mean + features @ w
        return np.eye(len(w)) + features.T @ (features * (expit(f) * expit(-f))[:, None])

    w = minimize(objective, np.zeros(features.shape[1]), jac=gradient, hess=hessian, method="trust-exact",
                 options={"gtol": 1e-12, "maxiter": 1000}).x
    for _ in range(3):  # to the last digit
        w = w - np.linalg.solve(hessian(w), gradient(w))
    assert np.abs(gradient(w)).max() < 1e-11
    return w, hessian(w), -objective(w) - np.linalg.slogdet(hessian(w))[1] / 2


def shared_features(D, attributes, case):
    """Of w_0 and A: [s d, kappa d x a]."""
    scaled = D * np.sqrt(case["shared"])
    parts = [scaled]
    for j in range(attributes.shape[1]):
        parts.append(scaled * attributes[:, j:j + 1] * math.sqrt(case["attributes_ratio"]))
    return np.hstack(parts)


def hierarchical(case):
    D, person = np.array(case["D"]), np.array(case["person"])
    R = np.array(case["own"])
    known = np.array(case["attributes"]).reshape(max(person) + 1, -1)
    shared = shared_features(D, known[person], case)
    people = max(person) + 1
    own = np.zeros((len(D), people * R.shape[1]))
    for i, u in enumerate(person):
        own[i, u * R.shape[1]:(u + 1) * R.shape[1]] = D[i] @ R
    features = np.hstack([shared, own])
    w, H, log_z = mode(features, np.zeros(len(D)))
    out = {"log_z": log_z, "margins": features @ w,
           "weights": np.sqrt(case["shared"]) * w[:D.shape[1]]}

    p = shared.shape[1]
    covariance = np.linalg.inv(H)[:p, :p]
    for name in ("stranger", "newcomer"):
        mine = np.array(case["newcomer"]).reshape(-1, D.shape[1])[:0 if name == "stranger" else None]
        asked = np.array(case["asked"])
        rows = np.vstack([mine, asked])
        a = np.tile(np.array(case["newcomer_attributes"]).reshape(1, -1), (len(rows), 1))
        phi = shared_features(rows, a, case)
        mean = phi @ w[:p]
        root = np.linalg.cholesky(covariance)
        X = np.hstack([phi @ root, rows @ R])  # rows' margins: mean + X z, z ~ N(0, I)
        z, Hz, _ = mode(X[:len(mine)], mean[:len(mine)])
        margin = mean[len(mine):] + X[len(mine):] @ z
        variance = np.einsum("ij,jk,ik->i", X[len(mine):], np.linalg.inv(Hz), X[len(mine):])
        out[name] = {"margin": margin, "variance": variance,
                     "probability": expit(margin / np.sqrt(1 + math.pi * variance / 8))}

    # With w_0 taken for known: each person's E[z z'], summed.
    second = np.zeros((R.shape[1], R.shape[1]))
    f = features @ w
    for u in range(people):
        rows = person == u
        z = w[p + u * R.shape[1]:p + (u + 1) * R.shape[1]]
        F = D[rows] @ R
        weight = (expit(f) * expit(-f))[rows]
        second += np.outer(z, z) + np.linalg.inv(np.eye(R.shape[1]) + F.T @ (F * weight[:, None]))
    out["second"] = second
    return out


def pooled(case):
    """scikit-learn's, of each choice in a direction that a coin gave it."""
    D = np.array(case["D"])
    side = np.where(np.arange(len(D)) % 3 == 0, -1, 1)
    model = LogisticRegression(C=case["shared"][0], fit_intercept=False, tol=1e-12, max_iter=10000)
    model.fit(D * side[:, None], side)
    return {"weights": model.coef_[0]}


def draw(rng, people, each, d, **more):
    """Choices between random features by people whose weights differ."""
    w0 = rng.normal(size=d)
    D, person = [], []
    for u in range(people):
        w = w0 + rng.normal(size=d)
        for _ in range(each):
            x = rng.normal(size=d)
            D.append(x if rng.random() < expit(w @ x) else -x)
            person.append(u)
    case = {"D": np.array(D), "person": person, "shared": np.full(d, 2.0), "own": np.eye(d) * 0.8,
            "attributes": [], "attributes_ratio": 0.0, "newcomer_attributes": [],
            "newcomer": rng.normal(size=(3, d)), "asked": rng.normal(size=(3, d))}
    case.update(more)
    return {key: np.round(value, 3).tolist() if isinstance(value, np.ndarray) else value
            for key, value in case.items()}


def cases():
    rng = np.random.default_rng(20)
    more_choices = draw(rng, 6, 5, 4, shared=np.array([2.0, 2.0, 0.5, 4.0]),
                        own=np.array([[.8, 0], [.2, .5], [0, -.4], [.3, .3]]))
    more_features = draw(rng, 3, 2, 8)
    known_people = draw(rng, 5, 4, 3, attributes=rng.normal(size=(5, 2)), attributes_ratio=0.5,
                        newcomer_attributes=rng.normal(size=2))
    pooled_case = draw(rng, 5, 8, 3, own=np.zeros((3, 0)))
    out = {}
    for name, case in (("more choices than features", more_choices),
                       ("more features than choices", more_features), ("known people", known_people)):
        out[name] = {"given": case, "found": hierarchical(case)}
    out["pooled"] = {"given": pooled_case, "found": pooled(pooled_case)}
    return out


def plain(value):
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def numbers(value):
    if isinstance(value, dict):
        return [x for one in value.values() for x in numbers(one)]
    if isinstance(value, list):
        return [x for one in value for x in numbers(one)]
    return [value]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden")
    parser.add_argument("--check")
    arguments = parser.parse_args()
    computed = plain(cases())
    if arguments.golden:
        with open(arguments.golden, "w") as file:
            json.dump(computed, file)
            file.write("\n")
    if arguments.check:
        with open(arguments.check) as file:
            kept = json.load(file)
        apart = max(abs(a - b) for a, b in zip(numbers(computed), numbers(kept), strict=True))
        print(f"furthest apart: {apart:.3g}")
        sys.exit(apart > 1e-6)


if __name__ == "__main__":
    main()
