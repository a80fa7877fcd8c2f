"""Numbers for paired_surrogate_test.cpp from scikit-learn (pip install scikit-learn).

The model of paired_surrogate.hpp is linear in independent normal effects, so that scikit-learn's dot-product kernel on
indicators, each scaled by its effect's standard deviation, is the same Gaussian process.
"""
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct

NOISE, MAIN, BOTH = 0.1, 0.02, 0.005
OUTCOMES = [((0, 0), 0, 1.0), ((0, 0), 1, 0.0), ((0, 0), 2, 1.0), ((1, 0), 0, 1.0), ((1, 0), 1, 1.0),
            ((1, 1), 0, 0.0), ((1, 1), 3, 0.5), ((0, 0), 0, 1.0)]
ASKED = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1)]


def features(variance, combination, example=None):
    i, d = combination
    main, both, rows = np.zeros(3 + 2), np.zeros((3, 2)), np.zeros(4)
    main[i] = main[3 + d] = np.sqrt(MAIN)
    both[i, d] = np.sqrt(BOTH)
    if example is not None:
        rows[example] = np.sqrt(variance)
    return np.concatenate([[np.sqrt(0.25)], main, both.ravel(), rows])


for name, example_variance in (("paired", 0.06), ("gp", 0.0)):
    process = GaussianProcessRegressor(DotProduct(0.0, "fixed"), alpha=NOISE, optimizer=None)
    process.fit(np.array([features(example_variance, c, j) for c, j, _ in OUTCOMES]),
                np.array([y for *_, y in OUTCOMES]) - 0.5)
    mean, covariance = process.predict(np.array([features(example_variance, c) for c in ASKED]), return_cov=True)
    print(name, "mean", [round(float(0.5 + m), 9) for m in mean])
    print(name, "variance", [round(float(v), 9) for v in np.diag(covariance)])
    print(name, "log marginal likelihood", round(process.log_marginal_likelihood(), 9))
