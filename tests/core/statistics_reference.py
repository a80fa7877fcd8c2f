"""The numbers that statistics_test.cpp expects, by numpy and scipy from the formulas alone.

usage: statistics_reference.py
"""

import numpy as np
from scipy import stats


def jackknife(values, clusters, most):
    """The variance of the mean without its factor, and the degrees of freedom."""
    values, clusters = np.array(values, float), np.array(list(clusters))
    names = sorted(set(clusters))
    shifts = np.array([values[clusters != c].mean() for c in names]) - values.mean()
    shares = np.array([np.mean(clusters == c) for c in names])
    degrees = 1 / np.sum(shares**2) - 1
    variance = np.sum(shifts**2)
    if variance > 1e-20:
        degrees = min(degrees, most * variance**2 / np.sum(shifts**4))
    return variance, degrees


def score_interval(scores, clusters):
    n = len(scores)
    variance, degrees = jackknife(scores, clusters, 1.5)
    added = np.concatenate([scores, [0, 0, 1, 1]])
    center = added.mean()
    variance += np.sum((added[n:] - center) ** 2) / (n + 4) ** 2
    rows, t, p = center * (1 - center) / variance, stats.t.ppf(0.975, degrees), np.mean(scores)
    # (p - x)^2 = t^2 x (1 - x) / rows, solved for x
    return np.sort(np.roots([1 + t**2 / rows, -2 * p - t**2 / rows, p**2]))


def paired_difference(differences, clusters, degrees=None):
    n = len(differences)
    variance, found = jackknife(differences, clusters, 2)
    largest = np.max(np.abs(differences)) or 1
    center = np.sum(differences) / (n + 2)
    rows = np.array([largest, -largest])
    error = np.sqrt(n**2 * variance + np.sum((rows - center) ** 2)) / (n + 2)
    t = stats.t(degrees or found)
    return center - t.ppf(0.975) * error, center + t.ppf(0.975) * error, 2 * t.sf(abs(center) / error)


def over_seeds(runs):
    centers, errors, degrees = np.array(runs).T
    n = len(runs)
    seeds, items = np.var(centers, ddof=1) / n, np.mean(errors**2)
    both = seeds + items
    found = both**2 / (seeds**2 / (n - 1) + items**2 / min(degrees))
    return np.sqrt(both), found, 2 * stats.t.sf(abs(centers.mean()) / np.sqrt(both), found)


scores = [1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0]
print("users", score_interval(scores, "aaabbccccdde"))
graded = list(scores)
graded[1], graded[7] = 0.25, 0.5
print("graded", score_interval(graded, "abcdefghijkl"))
print("right", score_interval([1] * 12, "aabbccddeeff"))
differences = [0.5, 0.25, -0.5, 1, 0, 0.25, 1, -0.25, 0.5, 0.75]
print("differences", paired_difference(differences, "aabbcdefgh"))
few = [1] * 7 + [0] * 92 + [-1]
print("few", paired_difference(few, [f"i{i}" for i in range(100)], 99))
print("none", paired_difference([0] * 60, [f"u{i % 6}" for i in range(60)]))
print("seeds", over_seeds([(0.1, 0.04, 11), (0.2, 0.05, 9), (0.15, 0.06, 10)]))

# experiments/report_test.cpp: three users of four judgements, the last of default missing
users = "aaaabbbbcccc"
default, personas = np.array([1, 0] * 6), np.array([1] * 10 + [0.5, 1])
print("default", score_interval(default[:11], users[:11]))
print("personas", score_interval(personas, users))
print("personas - default", paired_difference((personas - default)[:11], users[:11]))
